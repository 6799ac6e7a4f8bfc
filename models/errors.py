"""The root of the error family: one sentence that a user can act on.

A contract module: standard library only, read by the QGIS process and by the engine process.
"""

from __future__ import annotations

#: Letters of a sentence; what makes one longer is a name out of a hostile file.
_LONGEST = 1000


class FusionMapperError(Exception):
    """Anything Fusion Mapper raises on purpose; its text is one sentence for the user, on one line."""

    def __str__(self) -> str:
        text = "".join(letter if letter.isprintable() else " " for letter in super().__str__()[: 2 * _LONGEST])
        text = " ".join(text.split())
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


class RequestError(FusionMapperError):
    """What was asked for cannot be done; the sentence names the file or field, and what to do. Exit code 2."""


class CardError(RequestError):
    """A model card, or the metadata it is read from, is wrong or contradicts its graph."""
