"""Errors of the engine. A contract module: standard library only."""

from __future__ import annotations

from ..models.errors import CardError, FusionMapperError, RequestError


class SourceError(RequestError):
    """A layer cannot be read as the job asks; the sentence names the file."""


class Cancelled(FusionMapperError):
    """The user stopped the work. Exit code 3."""


__all__ = ["Cancelled", "CardError", "FusionMapperError", "RequestError", "SourceError"]
