"""How a run speaks and is stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .events import Event, Warn


@dataclass(frozen=True)
class Voice:
    """`say` sends an event, `cancelled` tells whether to stop."""

    say: Callable[[Event], None]
    cancelled: Callable[[], bool]


class Warnings:
    """Tells each sentence once, and remembers it."""

    def __init__(self, say: Callable[[Event], None]) -> None:
        self._say = say
        self.told: list[str] = []

    def tell(self, sentence: str) -> None:
        if sentence not in self.told:
            self.told.append(sentence)
            self._say(Warn(sentence))
