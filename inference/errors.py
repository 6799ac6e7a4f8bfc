"""Errors of the engine. A contract module: standard library only."""

from __future__ import annotations

from ..models.errors import CardError, FusionMapperError, RequestError


class SourceError(RequestError):
    """A layer cannot be read as the job asks; the sentence names the file."""


class DamagedError(SourceError):
    """A layer's file is damaged, and the job does not let what cannot be read be skipped."""

    def __init__(self, file: str, problem: str) -> None:
        # Both, so that it can be handed from one process to another.
        super().__init__(file, problem)
        self.file = file
        self.problem = problem

    def __str__(self) -> str:
        return f"'{self.file}' is damaged ({self.problem}); repair it, or let unreadable data be skipped."


class Cancelled(FusionMapperError):
    """The user stopped the work. Exit code 3."""


__all__ = ["Cancelled", "CardError", "DamagedError", "FusionMapperError", "RequestError", "SourceError"]
