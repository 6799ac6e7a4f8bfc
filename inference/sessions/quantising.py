"""Models in 8-bit integers: what they are made by on tiles of the map, and their sessions in OpenVINO."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from ...models.load import LoadedModel
from ...models.quantised.layers import layer_choices
from ...models.quantised.recipe import Recipe, Seen, recipe_for
from ...models.quantised.rewriting import quantised
from ...models.quantised.watching import seen_by, watched
from ..ahead import asked, worked_ahead
from ..errors import Cancelled, RequestError
from ..job import Compute
from ..workers import worker_count
from . import BackendError, Session, tile_shapes
from .open_vino import abilities, open_on_cpu

PRECISION = "int8"
#: A larger model is left as it is: with its copies it would take gigabytes, and a protobuf holds two.
_LARGEST = 2**29
#: Nor is one of more layers, which would take longer than a trial is to.
_MOST = 2000


def recipes(
    model: LoadedModel, feeds: Sequence[Mapping[str, np.ndarray]], compute: Compute, checkpoint: Callable[[], None]
) -> Iterator[Recipe]:
    """Recipes for the model by the ranges that its tensors take on `feeds`, the fastest first; none where processor
    or operators do not allow any. `checkpoint` is called before each tile.

    Raises:
        BackendError: OpenVINO cannot run the model, or it is too large.
    """
    if "INT8" not in abilities():
        return
    proto = _loaded(model)
    choices = layer_choices(proto)
    if not choices or len(choices[0]) > _MOST:
        return
    seen = _seen(proto, choices[0], feeds, compute, checkpoint)
    for layers in choices:
        yield recipe_for(proto, layers, seen)


def open_quantised(model: LoadedModel, recipe: Recipe, compute: Compute, batch: int, tile: int) -> Session:
    """A session of the model as the recipe makes it.

    Raises:
        BackendError: OpenVINO does not take it, or the recipe is of another model.
    """
    try:
        content = quantised(_loaded(model), recipe).SerializeToString()
    except ValueError as problem:
        raise BackendError(str(problem)) from problem
    session = open_on_cpu(content, tile_shapes(model.card, batch, tile), replace(compute, precision="f32"))
    session.info = replace(session.info, precision=PRECISION)
    return session


def _loaded(model: LoadedModel) -> onnx.ModelProto:
    """The model with all its weights; where its data files may lie was looked at when it was loaded first."""
    try:
        if model.size > _LARGEST:
            raise BackendError(f"{model.path.name} is too large to be quantised.")
        return onnx.load(model.path)
    except (OSError, DecodeError) as problem:  # a file that has vanished or changed since
        raise BackendError(f"{model.path.name} cannot be read: {problem}.") from problem


def _seen(
    model: onnx.ModelProto,
    layers: tuple[str, ...],
    feeds: Sequence[Mapping[str, np.ndarray]],
    compute: Compute,
    checkpoint: Callable[[], None],
) -> dict[str, Seen]:
    """What the tensors about these layers are like over all feeds."""
    shapes = {name: array.shape for name, array in feeds[0].items()}
    session = open_on_cpu(watched(model, layers).SerializeToString(), shapes, replace(compute, precision="f32"))
    own = {value.name for value in model.graph.output}

    def told(feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: array.copy() for name, array in session.run(feed).items() if name not in own}

    try:
        return seen_by(model, layers, list(worked_ahead(told, asked(feeds, checkpoint), worker_count(compute))))
    except (Cancelled, RequestError):
        raise
    except Exception as problem:  # whatever OpenVINO raises, the model does not run on these tiles
        raise BackendError(str(problem)) from problem
