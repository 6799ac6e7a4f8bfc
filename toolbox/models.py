"""The model that a parameter names: a file, or an installed model by its name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from ..models.card import Card, card_from_dict
from ..models.library import STARTERS, find_model
from .engine import Engine, IsCancelled
from .settings import library_folder


@dataclass(frozen=True)
class ModelChoice:
    """A model file, and its card where a sidecar tells it without asking the engine."""

    path: Path
    card: Optional[Card] = None

    def read_card(self, engine: Engine, folder: Path, is_cancelled: IsCancelled) -> Card:
        """The card as the engine reads it from the model itself; `folder` takes the engine's error output.

        Raises:
            EngineFailed: when the file is no model that the engine reads.
        """
        report = engine.inspect(self.path, folder, lambda _event: None, is_cancelled).report
        return card_from_dict(report["card"], self.path.name)


def library_folders() -> tuple[Path, ...]:
    """Where installed models lie: the user's own, then those that come with the plugin."""
    return library_folder(), STARTERS


def choose_model(text: str) -> ModelChoice:
    """The model of that path or name.

    Raises:
        CardError: when there is neither such a file nor an installed model of that name.
    """
    found = find_model(library_folders(), text.strip())
    # The engine runs in a folder of its own.
    return ModelChoice(found.path.absolute(), found.card)
