"""Regions of equal value as polygons, whole across the cells in which they are traced.

The grid is cut into cells of a fixed lattice, whatever the run's blocks are, so the polygons do not depend on these.
In a cell every region becomes a polygon of one coverage, which is simplified with the cell's outline held fast; pieces
that meet at a cell's border then share its vertices there and are joined. Only the regions that cross a border are kept
until no unread cell can add to them, and of these no more than so many vertices: the region with most of them is cut
then, along the borders of the cells that are read.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import shapely

from ..ahead import worked_ahead
from ..grid import Grid, Window
from ..workers import cores
from .seams import Cell, Read, Seams, border, cells, labelled_cell, reach_of
from .trace import Frame, trace

#: Pixels of tolerance below which nothing is removed: the smallest triangle of pixel corners is half a pixel.
_FINEST = 0.25
#: Vertices that are held, some 30 bytes each, and several times that while the largest region is joined. A polygon with
#: more is of no use in a GIS, and no GeoPackage takes one beyond some 60 million.
MOST_HELD = 8_000_000


class Batch(NamedTuple):
    """Whole regions: polygons in pixel coordinates of the grid (x column, y row), with what was counted in each."""

    polygons: np.ndarray
    value: np.ndarray
    pixels: np.ndarray
    certainty: np.ndarray
    """Sum of the certainty over the region's pixels."""
    first: np.ndarray
    """Index, row-major in the grid, of the region's first pixel."""


@dataclass
class _Held:
    """A region of which unread cells may have more."""

    value: int
    pixels: int
    certainty: int
    first: int
    vertices: int = 0
    pieces: list[shapely.Polygon] = field(default_factory=list)
    is_cut: bool = False
    """Whether a part of it has been given away: what is left may no longer hang together."""

    def absorb(self, other: _Held) -> None:
        self.is_cut |= other.is_cut
        self.vertices += other.vertices
        self.pixels += other.pixels
        self.certainty += other.certainty
        self.first = min(self.first, other.first)
        if len(self.pieces) < len(other.pieces):
            self.pieces, other.pieces = other.pieces, self.pieces
        self.pieces.extend(other.pieces)

    def cut(self) -> _Held:
        """What is known of it so far; what follows is counted anew."""
        self.is_cut = True
        part = replace(self)
        self.pixels = self.certainty = self.vertices = 0
        self.first = sys.maxsize
        self.pieces = []
        return part


class RegionTracer:
    """Walks over the cells of a grid and answers its regions as they become whole."""

    def __init__(
        self,
        grid: Grid,
        values: Read,
        certainty: Read,
        wanted: Callable[[np.ndarray], np.ndarray],
        most_held: int = MOST_HELD,
    ) -> None:
        """Prepare a walk.

        Args:
            grid: the run grid.
            values: the values; a region is 4-connected and of one value.
            certainty: whole numbers, summed by region.
            wanted: which of an array of values become polygons; the others only bound them.
            most_held: vertices of regions that cross a border beyond which the largest of these is cut.
        """
        self._grid = grid
        self._values = values
        self._certainty = certainty
        self._wanted = wanted
        self._seams = Seams(grid)
        self._held: dict[int, _Held] = {}
        self._most_held = most_held
        self._vertices = 0
        self.cuts = 0
        """How often a region was cut because too much was held."""

    @property
    def crossing(self) -> int:
        """Pieces of regions that crossed a cell's border so far; each leaves a number in memory."""
        return len(self._seams.regions)

    def batches(self, tolerance: float) -> Iterator[Batch]:
        """Whole regions in a fixed order.

        Args:
            tolerance: of the simplification in ground metres, 0 for none (Visvalingam & Whyatt by triangle area, as
                GEOS applies it to coverages: roughly the root of the largest area that a removed vertex spans).
        """
        read = (
            (window, self._values(reach_of(self._grid, window)), self._certainty(window))
            for window in cells(self._grid)
        )
        for cell, batch in worked_ahead(partial(self._traced, tolerance), read, cores()):
            yield self._take(cell, batch)
            if cell.window.col + cell.window.width == self._grid.width:
                yield self._release()
                while self._vertices > self._most_held:
                    yield self._cut_largest()

    def _traced(self, tolerance: float, read: tuple[Window, np.ndarray, np.ndarray]) -> tuple[Cell, Batch]:
        window, around, certainty = read
        cell = labelled_cell(self._grid, window, around)
        return cell, self._trace(cell, certainty, tolerance)

    def _trace(self, cell: Cell, certainty: np.ndarray, tolerance: float) -> Batch:
        blank = {side: np.zeros_like(border(cell.labels, side)) for side in Frame._fields}
        frame = Frame(**{side: blank[side] if other is None else other for side, other in cell.beyond.items()})
        polygons = _simplified(trace(cell.labels, frame), tolerance, self._grid)
        corner = np.array([cell.window.col, cell.window.row])
        rows, cols = np.divmod(cell.first, cell.window.width)
        return Batch(
            shapely.transform(polygons, lambda points: points + corner),
            cell.values.ravel()[cell.first],
            *_counted(cell.labels.ravel(), certainty.ravel()),
            (rows + cell.window.row) * self._grid.width + cols + cell.window.col,
        )

    def _take(self, cell: Cell, batch: Batch) -> Batch:
        """Hold the regions that cross the cell's border, and join them to their pieces; answer the others."""
        wanted = self._wanted(batch.value)
        crossing = cell.crossing() & wanted
        names = self._seams.name(cell, crossing)
        vertices = shapely.get_num_coordinates(batch.polygons)
        for label in np.flatnonzero(crossing):
            polygon, *counts = (column[label] for column in batch)
            self._held[int(names[label])] = _Held(*map(int, counts), int(vertices[label]), [polygon])
        self._vertices += int(vertices[crossing].sum())
        for one, other in self._seams.meet(cell, names):
            self._join(one, other)
        return Batch(*(column[wanted & ~crossing] for column in batch))

    def _join(self, one: int, other: int) -> None:
        find = self._seams.regions.find
        stays, goes = sorted((find(one), find(other)))
        if stays != goes:
            self._seams.regions.join(stays, goes)
            self._held[stays].absorb(self._held.pop(goes))

    def _release(self) -> Batch:
        """The held regions to which the next row of cells adds nothing, by first pixel."""
        still_open = self._seams.still_open()
        whole = [self._held.pop(name) for name in list(self._held) if name not in still_open]
        whole = sorted((region for region in whole if region.pieces), key=lambda region: region.first)
        self._vertices -= sum(region.vertices for region in whole)
        return self._batch([(region, polygon) for region in whole for polygon in _joined(region)])

    def _cut_largest(self) -> Batch:
        """The held region with the most vertices, as far as it is known: one polygon or several."""
        part = max(self._held.values(), key=lambda region: (region.vertices, -region.first)).cut()
        self._vertices -= part.vertices
        self.cuts += 1
        return self._batch([(part, polygon) for polygon in _joined(part)])

    def _batch(self, regions: list[tuple[_Held, shapely.Polygon]]) -> Batch:
        """Polygons with what was counted in their regions; those of one that was cut share all but the first pixel."""
        polygons = np.empty(len(regions), object)
        polygons[:] = [polygon for _, polygon in regions]
        counts = [np.array([getattr(held, name) for held, _ in regions], np.int64) for name in Batch._fields[1:-1]]
        first = [_first_pixel(polygon, self._grid) if held.is_cut else held.first for held, polygon in regions]
        return Batch(polygons, *counts, np.array(first, np.int64))


def _counted(labels: np.ndarray, certainty: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels, and the sum of the certainty (int64), of each label, by runs of equal labels."""
    starts = np.flatnonzero(np.concatenate([[True], labels[1:] != labels[:-1]]))
    owner, lengths = labels[starts], np.diff(starts, append=labels.size)
    sums = np.add.reduceat(certainty, starts, dtype=np.int64)
    # Whole numbers below 2^53, which float64 sums exactly.
    return tuple(np.bincount(owner, weights=part).astype(np.int64) for part in (lengths, sums))


def _first_pixel(polygon: shapely.Polygon, grid: Grid) -> int:
    """Index, row-major in the grid, of the pixel below the leftmost of a polygon's highest corners."""
    col, row = shapely.get_coordinates(polygon).T
    return int(row.min()) * grid.width + int(col[row == row.min()].min())


def _simplified(polygons: np.ndarray, tolerance: float, grid: Grid) -> np.ndarray:
    """A coverage in pixel coordinates, simplified in ground metres; what stays are pixel corners, so it stays exact.

    Beyond a tolerance of a pixel GEOS makes a few polygons touch themselves. A cell in which that happens is simplified
    less, half the tolerance at a time.
    """
    tolerance /= grid.mean_gsd
    # Pixels that are all but square count as square, so that whole numbers stay whole where GEOS compares them.
    shape = np.round(np.array(grid.gsd) / grid.mean_gsd, 3)
    ground = shapely.transform(polygons, lambda points: points * shape)
    while tolerance > _FINEST and len(polygons) > 1:
        simple = shapely.coverage_simplify(ground, tolerance, simplify_boundary=False)
        simple = shapely.transform(simple, lambda points: np.rint(points / shape))
        if shapely.is_valid(simple).all():
            return simple
        tolerance /= 2
    return polygons


def _joined(region: _Held) -> list[shapely.Polygon]:
    """Pieces of a 4-connected region, which meet along whole pixel sides, as the one polygon they are; as several where
    what held them together was cut off.
    """
    if len(region.pieces) == 1:
        return region.pieces
    return shapely.get_parts(shapely.coverage_union_all(region.pieces)).tolist()
