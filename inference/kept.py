"""Models and sessions that are kept for the next request, so that a warm engine answers at once."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..models.fields import encode
from ..models.load import LoadedModel, load_model, sidecars
from ..models.quantised.recipe import Recipe
from .job import Compute
from .sessions import Session, open_session
from .sessions.quantising import open_quantised

#: Tiles a batch where the graph leaves it free: one on a CPU, which gains nothing from more, several on a GPU.
CPU_BATCH, GPU_BATCH = 1, 8
#: Sets of layers whose time of reading is remembered.
_READINGS = 64

Stamp = tuple[tuple[str, int, int] | None, ...]


@dataclass
class Opened:
    """A live session, the tiles that it takes at once, and what was measured of it."""

    session: Session
    batch: int
    free: bool = False
    """Whether it takes any other number of tiles as well."""
    batch_seconds: float | None = None
    """Time of one full batch, once somebody has measured it."""
    recipe: Recipe | None = None
    """What the model was quantised by."""


class Kept:
    """The models and sessions used last; for one thread at a time.

    Args:
        models: how many models' cards and graphs are kept; they hold no weights.
        sessions: how many live sessions are kept; each holds a network's weights and activations.
    """

    def __init__(self, models: int = 16, sessions: int = 2) -> None:
        self._models: OrderedDict[Path, tuple[Stamp, LoadedModel]] = OrderedDict()
        self._sessions: OrderedDict[tuple[Any, ...], Opened] = OrderedDict()
        self._readings: OrderedDict[str, float] = OrderedDict()
        self._room = models, sessions

    def model(self, path: Path) -> LoadedModel:
        """The model as `load_model` reads it; read again when its file or what lies beside it has changed.

        Raises:
            CardError: as `load_model` does.
        """
        stamp, model = self._models.pop(path, (None, None))
        if model is None or stamp != _stamp(model):
            model = load_model(path)
        self._models[path] = _stamp(model), model
        _make_room(self._models, self._room[0])
        return model

    def opened(self, model: LoadedModel, compute: Compute, tile: int, recipe: Recipe | None = None) -> Opened:
        """A session for tiles of `tile` pixels on the device asked for, or of the model as `recipe` quantises it.

        Raises:
            RequestError: when no backend can load the model.
            BackendError: when the recipe is of another model, or OpenVINO does not take what it makes.
        """
        card = json.dumps(model.card.to_dict(), sort_keys=True, default=str)
        key = model.sha256, card, compute.device, compute.precision, compute.batch, tile, json.dumps(encode(recipe))
        kept = self._sessions.pop(key, None)
        if kept is None:
            # Room first: a third network may not fit beside two on a small device.
            _make_room(self._sessions, self._room[1] - 1)
            kept = _open(model, compute, tile, recipe)
        self._sessions[key] = kept
        return kept

    def reading(self, layers: str, measure: Callable[[], float]) -> float:
        """Seconds a pixel that reading these layers takes; measured where it is not known."""
        if layers not in self._readings:
            self._readings[layers] = measure()
            _make_room(self._readings, _READINGS)
        return self._readings[layers]

    def clear(self) -> None:
        """Let go of everything."""
        self._models.clear()
        self._sessions.clear()
        self._readings.clear()


def _open(model: LoadedModel, compute: Compute, tile: int, recipe: Recipe | None) -> Opened:
    asked = model.card.tiling.batch or compute.batch
    batch = asked or CPU_BATCH
    if recipe is not None:
        return Opened(open_quantised(model, recipe, compute, batch, tile), batch, recipe=recipe)
    session = open_session(model.path, model.card, compute, batch, tile)
    if not asked and session.info.device in ("CUDA", "TENSORRT", "DIRECTML"):
        return Opened(session, GPU_BATCH, free=True)
    # OpenVINO compiles a model for one number of tiles.
    free = not model.card.tiling.batch and session.info.backend == "onnxruntime"
    return Opened(session, batch, free)


def _make_room(shelf: OrderedDict[Any, Any], room: int) -> None:
    while len(shelf) > room:
        shelf.popitem(last=False)


def _stamp(model: LoadedModel) -> Stamp:
    """Size and time of every file from which the model is read; None for one that is not there."""
    beside = (model.path.parent / name for name in model.graph.external)
    return tuple(_stamps([model.path, *sidecars(model.path), *beside]))


def _stamps(paths: Iterable[Path]) -> Iterable[tuple[str, int, int] | None]:
    for path in paths:
        try:
            facts = path.stat()
        except OSError:
            # Gone, or not there at all; either is a state that is told from its opposite.
            yield None
        else:
            yield path.name, facts.st_mtime_ns, facts.st_size
