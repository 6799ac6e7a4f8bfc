"""Models in 8-bit integers: what they are made by on tiles of the map, and their sessions in OpenVINO."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from ...models.load import LoadedModel
from ...models.quantised import Recipe, ends_of, entrances, layer_choices, quantised, watched
from ..ahead import asked, worked_ahead
from ..errors import Cancelled, RequestError
from ..job import Compute
from ..workers import worker_count
from . import BackendError, Session, Shapes, tile_shapes
from .open_vino import abilities, open_on_cpu

PRECISION = "int8"
#: A larger model is left as it is: with its copies it would take gigabytes, and a protobuf holds two.
_LARGEST = 2**29


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
    if not choices:
        return
    tensors = entrances(proto, choices[0])
    ranges = _ranges(
        watched(proto, tensors).SerializeToString(), tensors, asked(feeds, checkpoint), _shapes(feeds[0]), compute
    )
    for layers in choices:
        yield Recipe(layers, {name: ranges[name] for name in entrances(proto, layers)})


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


def _shapes(feed: Mapping[str, np.ndarray]) -> Shapes:
    return {name: array.shape for name, array in feed.items()}


def _ranges(
    model: bytes,
    tensors: Sequence[str],
    feeds: Iterable[Mapping[str, np.ndarray]],
    shapes: Shapes,
    compute: Compute,
) -> dict[str, tuple[float, float]]:
    """Least and greatest value of each tensor over all feeds, with zero between."""
    session = open_on_cpu(model, shapes, replace(compute, precision="f32"))

    def seen(feed: Mapping[str, np.ndarray]) -> np.ndarray:
        """Tensors × 2."""
        answer = session.run(feed)
        return np.array([[answer[end].item() for end in ends_of(name)] for name in tensors])

    try:
        ends = np.array(list(worked_ahead(seen, feeds, worker_count(compute))))
    except (Cancelled, RequestError):
        raise
    except Exception as problem:  # whatever OpenVINO raises, the model does not run on these tiles
        raise BackendError(str(problem)) from problem
    low, high = np.minimum(ends[..., 0].min(0), 0), np.maximum(ends[..., 1].max(0), 0)
    if not np.isfinite([low, high]).all():
        raise BackendError("a layer answers NaN or infinity.")
    return {name: (float(low[i]), float(high[i])) for i, name in enumerate(tensors)}
