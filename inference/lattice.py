"""The tile lattice: where tiles lie on the run grid, and how much each of their pixels counts.

All tiles of a run lie on one global lattice whose origins are multiples of the model's stride, so that a result never
depends on how the run was cut (DESIGN.md, invariant 1). One dimension suffices: rows and columns use the same rule.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

import numpy as np

from ..models.card import Card
from .errors import RequestError
from .grid import Grid, Window
from .job import Compute
from .workers import MOST_WORKERS

#: Share of a tile that neighbours share where the card gives no finite receptive radius and no overlap.
DEFAULT_OVERLAP = 0.25
#: Blocks along the longer side of a grid that would do with fewer, and pixels of a block that are worth a file.
_ACROSS, _LEAST = 6, 256
#: Sides of tiles from which one is chosen: smaller ones cost more calls, larger ones more room for their activations.
_SMALLEST, _LARGEST = 256, 1024
#: What a tile costs besides its pixels, in pixels: it is fed, handed over and taken apart.
_EACH = 8192
#: Times the least cost that is as good: a smaller tile takes less memory.
_AS_GOOD = 1.025
#: Files are stored, warped and burned in squares of this side, or of twice or four times as much. Blocks of tiles
#: without a margin can lie on them, and then nothing is read for two of them: with a light network on 203 Mpixel of
#: imagery, OpenStreetMap and slope, tiles of 472 took 1.14 times as long as tiles of 512. That is worth computing so
#: many times the least.
_SQUARE, _WORTH_SQUARES = 256, 1.05
#: Sides that are compared, at most; between neighbours of so many there is little to choose.
_TRIED = 96
#: Bytes that a network's activations come to for each pixel of a tile. Measured of the starter models: 600.
ACTIVATIONS = 640
#: MiB that a run takes besides tiles: libraries, the model, GDAL's cache, what products are written from.
BESIDES = 384
#: Share of the rest for the tiles; blocks take another (`prepare.block_bytes`).
_FOR_TILES = 0.75


@dataclass(frozen=True)
class Lattice:
    """Tiles of `size` pixels every `step` pixels, the first one `lead` pixels before the grid's edge.

    Attributes:
        size: side of a tile in run-grid pixels.
        step: distance between neighbouring tiles' origins, a multiple of the model's stride.
        lead: pixels of the first tile that lie outside the grid, a multiple of the stride.
        edge: pixels at each side of a tile whose weight is zero.
        blend: pixels over which neighbouring tiles are blended; 0 crops each tile to its core of `step` pixels.
    """

    size: int
    step: int
    lead: int
    edge: int
    blend: int

    def count(self, length: int) -> int:
        """Number of tiles along a side of `length` grid pixels."""
        return -(-length // self.step)

    def origin(self, index: int) -> int:
        return index * self.step - self.lead

    def weights(self) -> np.ndarray:
        """Weight of each of a tile's `size` pixels along one dimension, float32; zero within `edge` of its ends."""
        weights = np.zeros(self.size, np.float32)
        if self.blend == 0:
            weights[self.lead : self.lead + self.step] = 1
            return weights
        position = np.arange(self.edge, self.size - self.edge)
        rise = (position - self.edge + 0.5) / self.blend
        fall = (self.size - self.edge - position - 0.5) / self.blend
        weights[self.edge : self.size - self.edge] = np.clip(np.minimum(rise, fall), 0, 1)
        return weights

    def touching(self, start: int, stop: int, length: int) -> range:
        """Indices of the tiles whose weight reaches into [start, stop) of a side of `length` pixels."""
        low, high = (self.lead, self.lead + self.step) if self.blend == 0 else (self.edge, self.size - self.edge)
        first = max(0, (start + self.lead - high) // self.step + 1)
        last = min(self.count(length) - 1, (stop - 1 + self.lead - low) // self.step)
        return range(first, last + 1)

    def span(self, tiles: range) -> tuple[int, int]:
        """First pixel and number of pixels that a run of tiles covers."""
        start = self.origin(tiles.start)
        return start, self.origin(tiles.stop - 1) + self.size - start


def make_lattice(
    card: Card, compute: Compute, shape: tuple[int, int] | None = None, squares: Callable[[int], int] | None = None
) -> Lattice:
    """Lay the lattice for a model, on a grid of that height and width where they are known.

    `squares` answers how many squares of a side, laid from the grid's first pixel, have something to map; all without.

    Raises:
        RequestError: when the tile asked for (or fixed by the graph) is too small for the receptive radius.
    """
    unit = alignment(card)
    radius = card.receptive_radius
    edge = max([radius or 0, *(output.margin for output in card.outputs)])
    lead = _up(edge, unit)
    size = _tile_size(card, compute, unit, lead, edge, shape and (squares or _all_squares(shape)))
    overlap = compute.overlap
    if overlap is None and radius is None:
        overlap = card.tiling.overlap if card.tiling.overlap is not None else int(size * DEFAULT_OVERLAP)
    if overlap is None or overlap <= lead + edge:
        step = _down(size - lead - edge, unit)
        if step < unit:
            raise RequestError(_too_small(size, lead + edge + unit))
        return Lattice(size, step, lead, edge, 0)
    step = _down(size - overlap, unit)
    if step < unit or step > size - 2 * edge:
        raise RequestError(
            f"compute.overlap is {overlap}, which does not suit tiles of {size} pixels; choose less than {size - unit}."
        )
    blend = size - 2 * edge - step
    if blend == 0:
        return Lattice(size, step, lead, edge, 0)
    return Lattice(size, step, _up(edge + blend // 2, unit), edge, blend)


def alignment(card: Card) -> int:
    """Pixels of which every tile origin is a multiple: the stride, and the ratios of coarser inputs and outputs."""
    ratios = [slot.grid_ratio for slot in card.slots] + [output.stride for output in card.outputs]
    return math.lcm(card.stride, *ratios)


def _all_squares(shape: tuple[int, int]) -> Callable[[int], int]:
    return lambda side: math.prod(-(-length // side) for length in shape)


def _tile_size(
    card: Card, compute: Compute, unit: int, lead: int, edge: int, squares: Callable[[int], int] | None
) -> int:
    if card.tiling.fixed:
        if compute.tile not in (None, card.tiling.size):
            raise RequestError(
                f"compute.tile is {compute.tile}, but this model takes only tiles of {card.tiling.size}."
            )
        return card.tiling.size
    if compute.tile is not None:
        return _up(compute.tile, unit)
    # A tile keeps at least half of its side after cropping.
    least = _up(2 * (lead + edge), unit)
    own = max(_up(card.tiling.size, unit), least)
    if card.receptive_radius is None or compute.overlap is not None or squares is None:
        return own
    # With a known receptive radius every tile gives the same map: the one with the least to compute is taken.
    if compute.memory is None:
        most = max(own, _down(_LARGEST, unit))
    else:
        most = max(_down(min(_LARGEST, _affordable(compute, compute.memory)), unit), least)

    def computed(size: int) -> int:
        return squares(_down(size - lead - edge, unit)) * (size**2 + _EACH)

    first = max(least, _SMALLEST // unit * unit, unit)
    apart = max((most - first) // _TRIED // unit * unit, unit)
    costs = {size: computed(size) for size in range(first, most + 1, apart)}
    fewest = min(costs.values(), default=0)
    on_squares = range(_SQUARE, most + 1, _SQUARE) if lead == edge == 0 and _SQUARE % unit == 0 else ()
    fitting = (size for size in on_squares if squares(size) > 1 and computed(size) <= fewest * _WORTH_SQUARES)
    as_good = (size for size, cost in costs.items() if cost <= fewest * _AS_GOOD)
    return next(chain(fitting, as_good), min(own, first))


def _affordable(compute: Compute, memory: int) -> int:
    """Side of a tile with which as many workers as there may be keep within so many MiB. It does not depend on the
    machine's cores, since a run must go on with its tiles wherever it is resumed.
    """
    room = max(memory - BESIDES, 64) * _FOR_TILES * 2**20 / (compute.workers or MOST_WORKERS)
    return int(math.sqrt(room / ACTIVATIONS))


def _too_small(size: int, least: int) -> str:
    return (
        f"Tiles of {size} pixels are too small for this model, whose receptive radius needs at least {least}; "
        "set compute.tile higher."
    )


def _up(value: int, unit: int) -> int:
    return -(-value // unit) * unit


def _down(value: int, unit: int) -> int:
    return value // unit * unit


@dataclass(frozen=True)
class BlockLayout:
    """The grid cut into blocks of `side` pixels (a multiple of the lattice's step), in row-major order."""

    height: int
    width: int
    side: int

    @property
    def across(self) -> int:
        return -(-self.width // self.side)

    @property
    def count(self) -> int:
        return self.across * -(-self.height // self.side)

    def window(self, index: int) -> Window:
        """The block's rectangle of grid pixels."""
        row, col = divmod(index, self.across)
        return Window(row * self.side, col * self.side, self.side, self.side).clipped(self.height, self.width)


def make_blocks(grid: Grid, lattice: Lattice, values_per_pixel: int, memory: int, side: int | None) -> BlockLayout:
    """Blocks whose arrays of `values_per_pixel` float32 stay within `memory` bytes, and of which there are enough for
    workers to end at about the same time; `side` overrides the size.
    """
    longest = max(grid.height, grid.width)
    wanted = side or min(int(math.sqrt(memory / (4 * values_per_pixel))), max(longest // _ACROSS, _LEAST))
    aligned = max(lattice.step, _down(wanted, lattice.step))
    return BlockLayout(grid.height, grid.width, min(aligned, _up(longest, lattice.step)))


def reflected(start: int, count: int, length: int) -> np.ndarray:
    """Indices in [0, length) for `count` positions from `start`, mirrored at the ends without repeating the edge pixel.

    The same rule as ``numpy.pad(mode="reflect")``, for any distance beyond the ends.
    """
    position = np.arange(start, start + count)
    if length == 1:
        return np.zeros(count, np.intp)
    period = 2 * (length - 1)
    position = np.abs(position) % period
    return np.where(position < length, position, period - position).astype(np.intp)
