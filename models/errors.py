"""The root of the error family: one sentence that a user can act on.

A contract module: standard library only, read by the QGIS process and by the engine process.
"""

from __future__ import annotations


class FusionMapperError(Exception):
    """Anything Fusion Mapper raises on purpose; its text is one sentence for the user."""


class RequestError(FusionMapperError):
    """What was asked for cannot be done; the sentence names the file or field, and what to do. Exit code 2."""


class CardError(RequestError):
    """A model card, or the metadata it is read from, is wrong or contradicts its graph."""
