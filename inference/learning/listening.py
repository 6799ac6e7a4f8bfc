"""How a training hears of its user: cancel keeps the checkpoint, a file named ``stop`` ends it and keeps the best."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from ..events import Epoch
from ..learnjob import STOP
from ..voice import Voice, Warnings

if TYPE_CHECKING:
    from ...models.training.fit import Listener


def forget_stop(folder: Path) -> None:
    """Take the wish of an earlier training away."""
    (folder / STOP).unlink(missing_ok=True)


def wants_stop(folder: Path) -> bool:
    """Whether the user wants the training to end now, with the best epoch so far."""
    return (folder / STOP).exists()


def listener_of(folder: Path, voice: Voice, warnings: Warnings) -> Listener:
    """A training's listener that speaks events."""
    from ...models.training.fit import EpochDone, Listener

    def tell(done: EpochDone) -> None:
        score = done.score if math.isfinite(done.score) else 0.0
        voice.say(Epoch(done.index, done.total, done.loss, score, done.metric, done.best, done.remaining))

    return Listener(tell, warnings.tell, voice.checkpoint, lambda: wants_stop(folder))
