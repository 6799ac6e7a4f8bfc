"""Ground areas and lengths on the ellipsoid of the grid's CRS."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import shapely
from pyproj import CRS, Transformer
from pyproj.crs import ProjectedCRS
from pyproj.crs.coordinate_operation import LambertCylindricalEqualAreaConversion

from ..grid import Grid, Window, way_between

#: Metres between the points of an edge that is brought to another projection, in which it is no longer straight.
_STEP = 1000.0
#: Pixels of a row for which one area is taken; the lattice is the grid's, so it does not depend on blocks.
_RUN = 64
#: Share by which areas may differ that one stands for.
_ALIKE = 1e-5


class EllipsoidAreas:
    """Measures on the ellipsoid (not on the map plane) what lies on one grid.

    Areas are those in Lambert's cylindrical equal-area projection on the CRS's own datum, which keeps the ellipsoid's
    areas everywhere (Snyder 1987, p. 76); in degrees and in Web Mercator, whose pixel edges run along meridians and
    parallels, they are exact. A CRS without a datum (a local one) is measured in its plane.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid

    def pixels(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Area of the pixels of a window.

        Returns:
            m² as rows×runs float64, and for each of the window's columns the run that it belongs to. A run is
            `_RUN` columns, whose mean area stands for each pixel (at the edge of a UTM zone a pixel's area varies by
            one part in 100,000 over a kilometre); of as many rows too, where they are as much alike.
        """
        cols, run = _runs(window.col, window.width, self._grid.width, _RUN)
        rows, band = _runs(window.row, window.height, self._grid.height, self._band)
        x, y = self._equal_area(*np.meshgrid(cols.astype(float), rows.astype(float)))
        areas = _quads(x, y) / np.diff(cols) / np.diff(rows)[:, None]
        return areas[band], run

    def polygons(self, polygons: np.ndarray) -> np.ndarray:
        """Area in m² of shapely polygons in the grid's CRS."""
        if self._to_equal_area is None:
            return shapely.area(polygons) * self._plane[0] * self._plane[1]
        step = _STEP / max(self._grid.metres_per_unit)
        west, south, east, north = shapely.bounds(polygons).reshape(-1, 4).T
        # No edge is longer than its polygon.
        long = np.hypot(east - west, north - south) > step
        fine = np.array(polygons, object)
        fine[long] = shapely.segmentize(fine[long], step)
        return shapely.area(shapely.transform(fine, self._to_equal_area_xy, interleaved=False))

    def perimeters(self, polygons: np.ndarray) -> np.ndarray:
        """Length in metres of the outlines, holes included, of shapely polygons in the grid's CRS, along geodesics."""
        lines = shapely.boundary(polygons)
        if self._to_equal_area is None:
            return shapely.length(lines) * np.sqrt(self._plane[0] * self._plane[1])
        parts, owner = shapely.get_parts(lines, return_index=True)
        coords, part = shapely.get_coordinates(parts, return_index=True)
        lon, lat = self._to_lonlat.transform(*coords.T)
        joined = part[1:] == part[:-1]
        metres = self._geod.inv(lon[:-1][joined], lat[:-1][joined], lon[1:][joined], lat[1:][joined])[2]
        return np.bincount(owner[part[1:][joined]], weights=metres, minlength=len(polygons))

    @cached_property
    def _band(self) -> int:
        """Rows whose mean area stands for each pixel: `_RUN` where it changes by less than `_ALIKE` from one such band
        to the next, at the grid's edges and in its middle; else one.
        """
        height, width = self._grid.height, self._grid.width
        starts = sorted({max(min(row, height - 2 * _RUN), 0) for row in (0, height // 2, height)})
        cols = np.unique([0, width // 2, width]).astype(float)
        for start in starts:
            rows = np.minimum(start + np.arange(3) * _RUN, height)
            if (np.diff(rows) == 0).any():
                return 1
            areas = _quads(*self._equal_area(*np.meshgrid(cols, rows.astype(float)))) / np.diff(rows)[:, None]
            # Not where one is NaN, either: beyond the edge of a map of the whole Earth.
            if not (np.abs(np.diff(areas, axis=0)) <= _ALIKE * areas[:-1]).all():
                return 1
        return _RUN

    @cached_property
    def _datum(self) -> CRS | None:
        crs = self._grid.pyproj_crs
        return None if crs.is_engineering else crs.geodetic_crs

    @cached_property
    def _geod(self):
        return self._datum.get_geod()

    @property
    def _plane(self) -> tuple[float, float]:
        return self._grid.metres_per_unit

    @cached_property
    def _to_lonlat(self) -> Transformer:
        return way_between(self._grid.pyproj_crs, self._datum)

    @cached_property
    def _to_equal_area(self) -> Transformer | None:
        if self._datum is None:
            return None
        middle = LambertCylindricalEqualAreaConversion(longitude_natural_origin=self._grid.lonlat_center[0])
        target = ProjectedCRS(middle, geodetic_crs=self._datum)
        return way_between(self._grid.pyproj_crs, target)

    def _to_equal_area_xy(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self._grid.pyproj_crs.is_geographic:
            y = np.clip(y, -90, 90)
        return self._to_equal_area.transform(x, y)

    def _equal_area(self, cols: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        t = self._grid.transform
        x, y = t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f
        if self._to_equal_area is None:
            return x * self._plane[0], y * self._plane[1]
        return self._to_equal_area_xy(x, y)


def _runs(start: int, length: int, whole: int, run: int) -> tuple[np.ndarray, np.ndarray]:
    """Edges of the runs, on the grid's own lattice, that a window touches, and the run of each of its pixels."""
    first, last = start // run, (start + length - 1) // run
    edges = np.minimum(np.arange(first, last + 2) * run, whole)
    return edges, np.arange(start, start + length) // run - first


def _quads(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Areas of the cells between (n+1)×(m+1) corners, by the cross product of their diagonals."""
    dx, dy = x[1:, 1:] - x[:-1, :-1], y[1:, 1:] - y[:-1, :-1]
    ex, ey = x[1:, :-1] - x[:-1, 1:], y[1:, :-1] - y[:-1, 1:]
    return np.abs(dx * ey - dy * ex) / 2
