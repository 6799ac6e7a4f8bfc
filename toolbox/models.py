"""The model that a parameter names: a file, or an installed model by its name."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from ..inference.errors import RequestError
from ..models.card import Card, card_from_dict
from ..models.library import STARTERS, Installed, find_model, list_models, strangers
from .engine.commands import EngineCommands, IsCancelled, deaf
from .settings import library_folder


@dataclass(frozen=True)
class ModelChoice:
    """A model file, and its card where a sidecar tells it without asking the engine."""

    path: Path
    card: Optional[Card] = None

    def read_card(self, engine: EngineCommands, folder: Path, is_cancelled: IsCancelled) -> Card:
        """The card as the engine reads it from the model itself; `folder` takes the engine's error output.

        Raises:
            EngineFailed: when the file is no model that the engine reads.
        """
        report = engine.inspect(self.path, folder, deaf, is_cancelled).report
        return card_from_dict(report["card"], self.path.name)


def library_folders() -> tuple[Path, ...]:
    """Where installed models lie: the user's own, then those that come with the plugin."""
    return library_folder(), STARTERS


def installed_models() -> list[Installed]:
    """All installed models, the user's own first."""
    return [model for folder in library_folders() for model in list_models(folder)]


def is_removable(model: Installed) -> bool:
    """Whether the model lies in the user's library, and not with the plugin or anywhere else."""
    return model.path.is_relative_to(library_folder()) and not model.path.is_relative_to(STARTERS)


def remove_model(model: Installed) -> None:
    """Delete an installed model with its card from the library, and its folder where nothing else lies in it.

    Raises:
        RequestError: when it does not lie in the library, or cannot be deleted.
    """
    if not is_removable(model):
        raise RequestError(f"'{model.label}' does not lie in the library, so it is not removed.")
    try:
        if model.path.parent != library_folder() and not strangers(model.path):
            # First out of sight: a folder that is half deleted would be listed as a broken model.
            gone = model.path.parent.with_name(f".removed-{secrets.token_hex(4)}")
            model.path.parent.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)
        else:
            model.path.unlink()
            model.sidecar.unlink(missing_ok=True)
    except OSError as problem:
        raise RequestError(
            f"'{model.label}' cannot be removed from {model.path.parent}: {problem.strerror}."
        ) from problem


def choose_model(text: str) -> ModelChoice:
    """The model of that path or name.

    Raises:
        CardError: when there is neither such a file nor an installed model of that name.
    """
    found = find_model(library_folders(), text.strip())
    # The engine runs in a folder of its own.
    return ModelChoice(found.path.absolute(), found.card)
