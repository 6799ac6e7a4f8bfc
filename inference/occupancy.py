"""Where on the run grid the area to map lies, coarsely: enough to know which tiles have something to do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .grid import Grid

if TYPE_CHECKING:
    from .area import AreaMask

#: Cells along the longer side of the grid.
_CELLS = 1024
#: Squares beyond which they are not counted one by one.
_MOST = 250_000


class Occupancy:
    """Cells of `cell` grid pixels that hold a part of the area (h×w bool), on a grid of `shape` pixels."""

    def __init__(self, cells: np.ndarray, cell: int, shape: tuple[int, int]) -> None:
        self._sums = np.zeros((cells.shape[0] + 1, cells.shape[1] + 1), np.int64)
        self._sums[1:, 1:] = cells.cumsum(axis=0).cumsum(axis=1)
        self._cell = cell
        self.shape = shape

    def squares(self, step: int) -> np.ndarray:
        """Which squares of `step` pixels, laid from the grid's first pixel, hold a part of the area: rows × columns of
        bool. A square beside the area, within a cell of it, may be among them; none that is inside is missing.
        """
        (top, bottom), (left, right) = (self._ends(step, length) for length in self.shape)
        total = self._sums
        inside = total[np.ix_(bottom, right)] - total[np.ix_(top, right)]
        inside -= total[np.ix_(bottom, left)] - total[np.ix_(top, left)]
        return np.asarray(inside > 0)

    def count(self, step: int) -> int:
        """Number of such squares; where they would be too many to look at, as many as the grid has."""
        whole = math.prod(-(-length // step) for length in self.shape)
        return whole if whole > _MOST else int(np.count_nonzero(self.squares(step)))

    def _ends(self, step: int, length: int) -> tuple[np.ndarray, np.ndarray]:
        start = np.arange(0, length, step)
        stop = np.minimum(start + step, length)
        return start // self._cell, -(-stop // self._cell)


def occupancy(area: AreaMask, grid: Grid) -> Occupancy:
    """The cells of the grid that the area touches."""
    cell = max(-(-max(grid.height, grid.width) // _CELLS), 1)
    return Occupancy(area.touched(grid.coarser(cell)), cell, (grid.height, grid.width))
