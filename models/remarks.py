"""What has to be said about a model's metadata: one sentence each, and the card's field that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Remark:
    """One sentence for the user."""

    text: str
    field: str = ""
    """Path inside the card, for example ``slots[0].channels``; empty where no single field is meant."""


class Say(Protocol):
    """Takes a sentence and the field that it is about."""

    def __call__(self, text: str, field: str = "") -> None: ...


class Remarks(list[Remark]):
    """Sentences in the order in which they were said."""

    def say(self, text: str, field: str = "") -> None:
        self.append(Remark(text, field))
