"""What a stopped training goes on from: all that its last whole epoch left, in one file that is never half written."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ..errors import RequestError

NAME = "checkpoint.pt"


@dataclass
class State:
    """A training after a whole number of epochs."""

    epoch: int = 0
    network: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    best: dict[str, Any] = field(default_factory=dict)
    """State dict of the best epoch."""
    best_epoch: int = 0
    best_score: float = float("-inf")
    history: list[dict[str, float]] = field(default_factory=list)
    """Index, loss and score of every epoch."""


def save(state: State, folder: Path, fingerprint: str) -> None:
    """Write the state in one step; the one before stays until then.

    Raises:
        RequestError: the folder cannot be written (a full disk, a folder that went).
    """
    part = folder / f"{NAME}.part"
    try:
        torch.save({"fingerprint": fingerprint, **vars(state)}, part)
        os.replace(part, folder / NAME)
    except (OSError, RuntimeError) as problem:  # torch's own writer raises RuntimeError where the disk is full
        part.unlink(missing_ok=True)
        reason = getattr(problem, "strerror", None) or "the disk may be full"
        raise RequestError(
            f"Epoch {state.epoch} could not be saved in {folder} ({reason}); make room and start the training again: "
            "it goes on from the epoch saved before."
        ) from problem


def load(folder: Path, fingerprint: str) -> tuple[State | None, str]:
    """The state saved in the folder, and a sentence for the user where one lies there that cannot be gone on from."""
    path = folder / NAME
    if not path.exists():
        return None, ""
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
        found = data.pop("fingerprint")
        state = State(**data)
    except Exception:  # noqa: BLE001  # torch raises nearly anything for a damaged file
        return None, f"{path.name} cannot be read; the training starts anew."
    if found != fingerprint:
        return None, "Layers, labels or settings differ from those of the training stopped here; it starts anew."
    return state, ""


def remove(folder: Path) -> None:
    """Take the checkpoint away: the training is done."""
    (folder / NAME).unlink(missing_ok=True)
