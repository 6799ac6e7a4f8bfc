"""How a run speaks and is stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .errors import Cancelled
from .events import Event, Warn


@dataclass(frozen=True)
class Voice:
    """`say` sends an event, `cancelled` tells whether to stop."""

    say: Callable[[Event], None]
    cancelled: Callable[[], bool]
    require: Callable[[], None] = lambda: None
    """Raises when the run must not go on for another reason than its user's wish."""

    def checkpoint(self) -> None:
        """Go on, or raise Cancelled, or what `require` raises."""
        if self.cancelled():
            raise Cancelled("The run was cancelled; its finished blocks are kept.")
        self.require()


class Warnings:
    """Tells each sentence once, and remembers it."""

    def __init__(self, say: Callable[[Event], None]) -> None:
        self._say = say
        self.told: list[str] = []

    def tell(self, sentence: str) -> None:
        if sentence not in self.told:
            self.told.append(sentence)
            self._say(Warn(sentence))
