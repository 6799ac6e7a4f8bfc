"""Ground sizes of the run grid's pixels, row by row."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from ..grid import Grid, ground_metres_per_unit

#: A projected CRS whose scale is this near to 1 counts in its own units, as gdaldem does.
_TRUE_SCALE = 0.01
#: Rows between those at which the ground is measured. Between them it is interpolated, which is off by less than one
#: part in a million for pixels below 250 m.
_STEP = 64


class GroundPixels:
    """Ground metres along and across the pixels of each grid row.

    In a projected CRS that is true to scale within 1 % in the middle of the grid (UTM and most national systems), a
    pixel's size is its size in the CRS, in metres: gdaldem's own. Elsewhere (degrees, Web Mercator, world projections)
    it is measured on the ellipsoid in each row, in the grid's middle column.
    """

    def __init__(self, grid: Grid):
        self._grid = grid
        self._unit = self._true_unit()
        self._measured = lru_cache(maxsize=4096)(self._measure)

    def sizes(self, row: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Width and height in metres (each `count` float64) of the pixels of `count` rows from `row`."""
        t = self._grid.transform
        if self._unit is not None:
            return np.full(count, abs(t.a) * self._unit), np.full(count, abs(t.e) * self._unit)
        nodes = np.arange(row // _STEP, (row + count - 1) // _STEP + 2) * _STEP
        measured = np.array([self._measured(int(node)) for node in nodes])
        rows = np.arange(row, row + count)
        along, across = (np.interp(rows, nodes, values) for values in measured.T)
        return along * abs(t.a), across * abs(t.e)

    def _true_unit(self) -> float | None:
        crs = self._grid.pyproj_crs
        if not crs.is_projected:
            return None
        unit = float(crs.axis_info[0].unit_conversion_factor)
        off = max(abs(metres / unit - 1) for metres in self._grid.metres_per_unit)
        return unit if off <= _TRUE_SCALE else None

    def _measure(self, row: int) -> tuple[float, float]:
        """Metres per CRS unit along x and y in the middle of a row; at a pole's far side those of the pole."""
        x, y = self._grid.transform @ (self._grid.width / 2, row + 0.5)
        if self._grid.pyproj_crs.is_geographic:
            y = math.copysign(min(abs(y), 89.99), y)
        return ground_metres_per_unit(self._grid.pyproj_crs, x, y)
