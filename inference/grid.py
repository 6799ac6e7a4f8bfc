"""The run grid: one CRS, one transform, one size, and windows on it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from affine import Affine
from pyproj import CRS, Geod
from pyproj.enums import TransformDirection
from pyproj.exceptions import ProjError
from pyproj.transformer import Transformer

from .errors import RequestError

#: No run grid is larger: beyond it a mistyped resolution is more likely than a wish.
MAX_PIXELS = 10**13
_WGS84 = CRS.from_epsg(4326)


class Window(NamedTuple):
    """A rectangle of grid pixels; it may reach beyond the grid (a halo), so offsets may be negative."""

    row: int
    col: int
    height: int
    width: int

    def grown(self, halo: int) -> Window:
        """The window with `halo` pixels more at each side."""
        return Window(self.row - halo, self.col - halo, self.height + 2 * halo, self.width + 2 * halo)

    def aligned(self, unit: int) -> Window:
        """The smallest window around this one whose edges are multiples of `unit`."""
        row, col = self.row // unit * unit, self.col // unit * unit
        bottom, right = -(-(self.row + self.height) // unit) * unit, -(-(self.col + self.width) // unit) * unit
        return Window(row, col, bottom - row, right - col)

    def clipped(self, height: int, width: int) -> Window:
        """The part inside a grid of that size."""
        row, col = max(self.row, 0), max(self.col, 0)
        bottom = min(self.row + self.height, height)
        right = min(self.col + self.width, width)
        return Window(row, col, max(bottom - row, 0), max(right - col, 0))

    def within(self, outer: Window) -> tuple[slice, slice]:
        """Slices that cut this window out of an array that covers `outer`."""
        row, col = self.row - outer.row, self.col - outer.col
        return slice(row, row + self.height), slice(col, col + self.width)


@dataclass(frozen=True)
class Grid:
    """One pixel grid. `crs` is WKT (or an authority code); `transform` is GDAL-like and north-up or rotated."""

    crs: str
    transform: Affine
    width: int
    height: int

    @cached_property
    def pyproj_crs(self) -> CRS:
        return CRS.from_user_input(self.crs)

    @property
    def whole(self) -> Window:
        return Window(0, 0, self.height, self.width)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """xmin, ymin, xmax, ymax in the grid's CRS."""
        return self.window_bounds(self.whole)

    def window_bounds(self, window: Window) -> tuple[float, float, float, float]:
        """xmin, ymin, xmax, ymax of a window in the grid's CRS."""
        corners = [
            self.transform @ (col, row)
            for row in (window.row, window.row + window.height)
            for col in (window.col, window.col + window.width)
        ]
        xs, ys = zip(*corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    def window_transform(self, window: Window) -> Affine:
        """The transform whose origin is the window's upper left corner."""
        return self.transform @ Affine.translation(window.col, window.row)

    @cached_property
    def lonlat_center(self) -> tuple[float, float]:
        """Longitude and latitude (WGS 84, degrees) of the grid's centre."""
        x, y = self.transform @ (self.width / 2, self.height / 2)
        return to_lonlat(self.pyproj_crs, x, y)

    @cached_property
    def metres_per_unit(self) -> tuple[float, float]:
        """Ground metres along x and along y that one CRS unit spans at the grid's centre, on the CRS's ellipsoid."""
        x, y = self.transform @ (self.width / 2, self.height / 2)
        return ground_metres_per_unit(self.pyproj_crs, x, y)

    @cached_property
    def gsd(self) -> tuple[float, float]:
        """Ground metres along a pixel's width and along its height, at the grid's centre."""
        mx, my = self.metres_per_unit
        a, b, d, e = self.transform.a, self.transform.b, self.transform.d, self.transform.e
        return math.hypot(a * mx, d * my), math.hypot(b * mx, e * my)

    @property
    def mean_gsd(self) -> float:
        """One ground sampling distance for a pixel that may not be square: the root of its area."""
        return math.sqrt(self.gsd[0] * self.gsd[1])

    def pixel_centres(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """x and y (each H×W float64) of the pixel centres of a window, in the grid's CRS."""
        cols = np.arange(window.col, window.col + window.width) + 0.5
        rows = np.arange(window.row, window.row + window.height) + 0.5
        x, y = np.meshgrid(cols, rows)
        t = self.transform
        return t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f

    def coarser(self, ratio: int) -> Grid:
        """The grid whose pixels span `ratio` × `ratio` of this one's, with the same origin."""
        if ratio == 1:
            return self
        return replace(
            self,
            transform=self.transform @ Affine.scale(ratio),
            width=-(-self.width // ratio),
            height=-(-self.height // ratio),
        )


def on_the_map(crs: CRS) -> bool:
    """True for a CRS with a plane (projected or geographic) that is tied to the ground."""
    return bool(crs.is_projected or crs.is_geographic) and not crs.is_geocentric


def way_between(source: CRS, target: CRS) -> Transformer:
    """Coordinates of one CRS in another, x before y; raises RequestError where PROJ knows no way."""
    try:
        return _found_way(source, target)
    except ProjError:
        raise RequestError(
            f"There is no way from the CRS '{source.name}' to '{target.name}'; check the layers' and the grid's."
        ) from None


@lru_cache(maxsize=64)
def _found_way(source: CRS, target: CRS) -> Transformer:
    """Looking a way up takes milliseconds; what is found serves every thread."""
    return Transformer.from_crs(source, target, always_xy=True)


def to_lonlat(crs: CRS, x: float, y: float) -> tuple[float, float]:
    """Longitude and latitude in degrees (WGS 84); raises RequestError where the CRS has no way there."""
    transformer = way_between(crs, _WGS84)
    lon, lat = transformer.transform(x, y)
    if not (math.isfinite(lon) and math.isfinite(lat)):
        raise RequestError(f"The grid lies outside the area of use of its CRS '{crs.name}'; check its extent.")
    return float(lon), float(lat)


def ground_metres_per_unit(crs: CRS, x: float, y: float) -> tuple[float, float]:
    """Ground metres that one CRS unit spans along x and along y at a point.

    Measured on the CRS's own ellipsoid by the geodesic between two points one small step apart, so that degrees, feet
    and the latitude-dependent scale of Web Mercator all come out right (Karney 2013, through pyproj's Geod).
    """
    if crs.is_engineering or not (crs.is_projected or crs.is_geographic or crs.is_derived or crs.is_compound):
        factor = float(crs.axis_info[0].unit_conversion_factor) if crs.axis_info else 1.0
        return factor, factor
    base = crs.geodetic_crs or _WGS84
    transformer = way_between(base, crs)
    geod: Geod = base.get_geod() or Geod(ellps="WGS84")
    step = 1e-4 if crs.is_geographic else 10.0
    degree = 1.0 if crs.is_geographic else None

    def distance(dx: float, dy: float) -> float:
        ends = [
            (px, py) if degree else transformer.transform(px, py, direction=TransformDirection.INVERSE)
            for px, py in ((x - dx, y - dy), (x + dx, y + dy))
        ]
        (lon0, lat0), (lon1, lat1) = ends
        return float(geod.inv(lon0, lat0, lon1, lat1)[2])

    along_x = distance(step, 0.0) / (2 * step)
    along_y = distance(0.0, step) / (2 * step)
    if not (along_x > 0 and along_y > 0 and math.isfinite(along_x + along_y)):
        raise RequestError(f"Ground distances cannot be measured at ({x:g}, {y:g}) in '{crs.name}'; check the extent.")
    return along_x, along_y
