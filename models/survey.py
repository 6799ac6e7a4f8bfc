"""How a graph stands to the tile that goes through it: tile size, batch, and each output's channels, stride, margin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from .anatomy import Ending, channels_of, endings_of
from .card import Card
from .errors import CardError
from .graph import Graph, Tensor
from .shapes import Array, Shape, infer_output_shapes, try_out

#: Tile size for graphs that take any: large enough for five halvings, small enough for a quick trial.
FREE_SIZE = 256
#: Channels of all dates of one input, or of one output: a class map holds no more values.
MOST_CHANNELS = 2**16


@dataclass(frozen=True)
class InputShape:
    """One graph input: what it takes besides the batch."""

    name: str
    layout: Literal["NCHW", "NCTHW", "vector"]
    channels: int | None
    """Size of the axis C (values of a vector); None when the graph does not tell."""
    times: int = 1
    ratio: int = 1
    """Tile pixels along one pixel of this input."""


@dataclass(frozen=True)
class OutputShape:
    """One graph output, as it stands to the tile."""

    name: str
    grid: Literal["pixel", "tile"]
    channels: int
    rank: int
    side: int = 1
    """Output pixels along one side of a tile of the survey's size."""
    stride: int = 1
    margin: int = 0
    ending: Ending = "other"


@dataclass(frozen=True)
class Survey:
    """All inputs and outputs of a graph, for one tile size."""

    size: int
    fixed: bool
    batch: int | None
    """The only batch that the graph takes, or None when it is free, whatever the file declares."""
    inputs: tuple[InputShape, ...]
    outputs: tuple[OutputShape, ...] = field(default=())

    def input(self, name: str) -> InputShape:
        return next(shape for shape in self.inputs if shape.name == name)

    def output(self, name: str) -> OutputShape:
        return next(shape for shape in self.outputs if shape.name == name)


def survey(graph: Graph, card: Card | None = None) -> Survey:
    """Find out tile size, batch and output shapes of `graph`.

    `card` settles what the graph leaves free (tile size, channels, coarser inputs); without it the finest input is
    the tile, and open channel numbers are those of the first convolution.

    Raises:
        CardError: an input or output has a shape that no tile of layers fits.
    """
    size, fixed = _tile_size(graph, card)
    inputs = tuple(_input_shape(tensor, graph, size, card) for tensor in graph.inputs)
    for shape in inputs:
        if (shape.channels or 1) * shape.times > MOST_CHANNELS:
            said = graph.input(shape.name).said
            raise CardError(f"The input '{shape.name}' of {graph.path.name} is {said}, more than any layers give.")
    found = Survey(size, fixed, _declared_batch(graph), inputs)
    small = _shapes(graph, found, size)
    large = None if fixed else _shapes(graph, found, 2 * size)
    endings = endings_of(graph)
    outputs = tuple(
        _output_shape(tensor.name, small[tensor.name], large and large[tensor.name], found, graph, endings)
        for tensor in graph.outputs
    )
    return replace(found, outputs=outputs, batch=_true_batch(graph, found, small))


def probability_outputs(graph: Graph, found: Survey) -> frozenset[str]:
    """Outputs that give probabilities: they end in a softmax or sigmoid, or a run on noise looks like it.

    A softmax may be written out in other operators; values between 0 and 1 that add up to 1 over several channels are
    taken for one.
    """
    sure = {shape.name for shape in found.outputs if shape.ending in ("softmax", "sigmoid")}
    open_ = [shape for shape in found.outputs if shape.ending == "other"]
    answers = try_out(graph, _feed(found, found.size)) if open_ else {}
    likely = {shape.name for shape in open_ if _is_probability(answers[shape.name], shape)}
    return frozenset(sure | likely)


def _is_probability(values: Array, shape: OutputShape) -> bool:
    bounded = bool(values.size and np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1 + 1e-5)
    if shape.channels == 1 or not bounded:
        return bounded
    return bool(np.allclose(values.sum(axis=1), 1, atol=1e-3))


def _tile_size(graph: Graph, card: Card | None) -> tuple[int, bool]:
    """Side of the tile, and whether the graph takes no other (which a card may know better than its dimensions)."""
    if card and card.tiling.fixed:
        return card.tiling.size, True
    sizes = []
    for tensor in graph.inputs:
        if len(tensor.dims) in (4, 5):
            _refuse_odd_sides(tensor, graph)
            ratio = _ratio(tensor.name, card)
            sizes += [side * ratio for side in tensor.dims[-2:] if side is not None]
    if sizes:
        return max(sizes), True
    return (card.tiling.size if card and card.tiling.size <= 2 * FREE_SIZE else FREE_SIZE), False


def _refuse_odd_sides(tensor: Tensor, graph: Graph) -> None:
    where = f"The input '{tensor.name}' of {graph.path.name}"
    height, width = tensor.dims[-2:]
    if len(tensor.dims) == 4 and width is not None and tensor.dims[1] == height != width:
        raise CardError(
            f"{where} has the shape {tensor.said}, with the channels last; export the model with N×C×H×W inputs."
        )
    if height != width and None not in (height, width):
        raise CardError(f"{where} takes tiles of {height}×{width} pixels; only square tiles work.")


def _ratio(name: str, card: Card | None) -> int:
    return next((slot.grid_ratio for slot in card.slots if slot.input == name), 1) if card else 1


def _input_shape(tensor: Tensor, graph: Graph, size: int, card: Card | None) -> InputShape:
    dims = tensor.dims
    where = f"The input '{tensor.name}' of {graph.path.name}"
    if len(dims) == 2:
        return InputShape(tensor.name, "vector", dims[1] or _card_channels(tensor.name, card))
    if len(dims) not in (4, 5):
        raise CardError(f"{where} has the shape {tensor.said}; N×C×H×W, N×C×T×H×W or N×D is needed.")
    side = next((side for side in dims[-2:] if side is not None), None)
    ratio = _ratio(tensor.name, card) if card or side is None else size // side
    if side is not None and side * ratio != size:
        raise CardError(f"{where} takes tiles of {side} pixels, which do not fit into tiles of {size}.")
    channels = dims[1] or channels_of(graph, tensor.name) or _card_channels(tensor.name, card)
    if len(dims) == 5:
        return InputShape(tensor.name, "NCTHW", channels, dims[2] or _card_times(tensor.name, card), ratio)
    return InputShape(tensor.name, "NCHW", channels, 1, ratio)


def _card_channels(name: str, card: Card | None) -> int | None:
    ends = [slot.offset + slot.width for slot in card.slots if slot.input == name] if card else []
    return max(ends, default=None)


def _card_times(name: str, card: Card | None) -> int:
    return max((slot.time + 1 for slot in card.slots if slot.input == name), default=1) if card else 1


def _declared_batch(graph: Graph) -> int | None:
    return next((tensor.dims[0] for tensor in graph.inputs if tensor.dims[0] is not None), None)


def _shapes(graph: Graph, found: Survey, size: int, batch: int | None = None) -> dict[str, Shape]:
    return infer_output_shapes(graph, _feed(found, size, batch))


def _feed(found: Survey, size: int, batch: int | None = None) -> dict[str, Shape]:
    batch = batch or found.batch or 1
    shapes: dict[str, Shape] = {}
    for shape in found.inputs:
        channels = shape.channels or 1
        side = size // shape.ratio
        tile = {"vector": (), "NCHW": (side, side), "NCTHW": (shape.times, side, side)}[shape.layout]
        shapes[shape.name] = (batch, channels, *tile)
    return shapes


def _true_batch(graph: Graph, found: Survey, small: Mapping[str, Shape]) -> int | None:
    """A graph that declares a free batch may hold it to 1 inside, in a reshape; two tiles at once tell."""
    if found.batch is not None:
        return found.batch
    try:
        double = _shapes(graph, found, found.size, batch=2)
    except CardError:
        return 1
    return None if all(double[name][0] == 2 * small[name][0] for name in small if small[name]) else 1


def _output_shape(
    name: str,
    small: Shape,
    large: Shape | None,
    found: Survey,
    graph: Graph,
    endings: Mapping[str, Ending],
) -> OutputShape:
    where = f"The output '{name}' of {graph.path.name}"
    if 0 in small:
        raise CardError(f"{where} is empty: its shape is {'×'.join(map(str, small))}.")
    if len(small) in (2, 4) and small[1] > MOST_CHANNELS:
        raise CardError(f"{where} has {small[1]:,} channels; a map holds at most {MOST_CHANNELS:,} classes.")
    if len(small) == 2:
        return OutputShape(name, "tile", small[1], 2, ending=endings[name])
    if len(small) not in (3, 4) or small[-1] != small[-2]:
        said = "×".join(map(str, small))
        raise CardError(f"{where} has the shape {said}; N×C×H×W, N×H×W or N×C with H = W is needed.")
    stride, margin = _footprint(found.size, small[-1], large and large[-1], where)
    channels = small[1] if len(small) == 4 else 1
    return OutputShape(name, "pixel", channels, len(small), small[-1], stride, margin, endings[name])


def _footprint(size: int, small: int, large: int | None, where: str) -> tuple[int, int]:
    """Stride and margin in tile pixels, with ``size = stride * small + 2 * margin``.

    Two tile sizes settle both. For a graph of one fixed size, a whole quotient is a stride (512 → 128), anything else
    a margin (512 → 484).
    """
    if large is not None:
        stride = size / (large - small) if large > small else 0
    else:
        stride = size / small if size % small == 0 else 1
    margin = (size - stride * small) / 2
    if stride < 1 or stride != int(stride) or margin < 0 or margin != int(margin):
        raise CardError(f"{where} has {small} pixels along a tile of {size}; Fusion Mapper cannot tell where they lie.")
    return int(stride), int(margin)
