"""What a trial shows the model: a few tiles of the map, by chance but always the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .blocks import tile_feed
from .lattice import Lattice, alignment
from .prepare import Prepared
from .sources import Context

#: Pixels of the tiles by which an attempt is judged, and how many tiles they are at least and at most.
_PIXELS, _FEWEST, _MOST = 1e6, 4, 8
#: Side of the tiles, where the model takes any: what larger ones would say comes sooner from these.
_SIDE = 384

Tile = tuple[int, int]


@dataclass(frozen=True)
class Showing:
    """Tiles of `side` pixels as the model's inputs."""

    side: int
    judged: Sequence[Mapping[str, np.ndarray]]
    """On these an attempt is timed, and has to prove itself."""
    valid: Sequence[np.ndarray]
    """Which pixels of each of them a run would map by it (side×side bool)."""
    seen: Sequence[Mapping[str, np.ndarray]]
    """These show the ranges by which a model is quantised: others, where there are more."""


def places(prepared: Prepared) -> list[Tile]:
    """Origins of the run's tiles that have something to map."""
    lattice, grid = prepared.lattice, prepared.grid
    held = np.ones((lattice.count(grid.height), lattice.count(grid.width)), bool)
    if prepared.held is not None:
        held &= prepared.held.squares(lattice.step)
    return [(lattice.origin(int(i)), lattice.origin(int(j))) for i, j in np.argwhere(held)]


def show(prepared: Prepared, context: Context, batch: int, small: bool) -> Showing:
    """Read the tiles; `small` ones, from the middle of the run's, where the model takes any size.

    Raises:
        SourceError: a layer cannot be read.
    """
    tiles, size = places(prepared), prepared.lattice.size
    side = _side(prepared) if small else size
    middle = (size - side) // 2 // alignment(prepared.card) * alignment(prepared.card)
    count = round(min(max(_PIXELS / side**2, _FEWEST), _MOST))
    # Any regular choice may follow a column of the map.
    order = np.random.default_rng(0).permutation(len(tiles))[: 2 * count]
    chosen = [(tiles[i][0] + middle, tiles[i][1] + middle) for i in order]
    part = replace(prepared, lattice=replace(prepared.lattice, size=side))
    sources = prepared.open_sources(context)
    try:
        feeds, valid = zip(*(tile_feed(part, tile, sources, batch) for tile in chosen), strict=True)
    finally:
        for source in sources.values():
            source.close()
    return Showing(
        side, feeds[:count], [_inner(one, prepared.lattice.edge) for one in valid[:count]], feeds[count:] or feeds
    )


def _inner(valid: np.ndarray, edge: int) -> np.ndarray:
    """Without the pixels that a tile's edge reaches."""
    inner = np.zeros_like(valid)
    middle = slice(edge, len(valid) - edge)
    inner[middle, middle] = valid[middle, middle]
    return inner


def _side(prepared: Prepared) -> int:
    lattice, card = prepared.lattice, prepared.card
    if card.tiling.fixed or card.receptive_radius is None or lattice.blend:
        return lattice.size
    unit = alignment(card)
    # As large a part of it as of a tile is to be free of its edges.
    return min(lattice.size, max(_SIDE // unit * unit, _least(lattice, unit)))


def _least(lattice: Lattice, unit: int) -> int:
    return -(-2 * (lattice.lead + lattice.edge) // unit) * unit
