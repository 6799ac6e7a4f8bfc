"""Between the run grid's CRS and a layer's: where to look for features, and where they land."""

from __future__ import annotations

import numpy as np
import shapely
from pyproj import CRS
from pyproj.exceptions import ProjError
from pyproj.transformer import Transformer

from ..grid import way_between

Bounds = tuple[float, float, float, float]
#: No CRS of the Earth counts so far; what does is damage.
_FARTHEST = 1e12
#: Points along each edge, and across, of a box whose image in another CRS is sought.
_DENSITY = 21


class Placement:
    """One layer's CRS against the grid's."""

    def __init__(self, layer: CRS, grid: CRS) -> None:
        self.name = layer.to_string() if layer.to_authority() else layer.name
        same = layer.equals(grid, ignore_axis_order=True)
        self._forward = None if same else way_between(layer, grid)
        self._back = None if same else way_between(grid, layer)
        self._grid_in_degrees = grid.is_geographic
        self._layer_in_degrees = layer.is_geographic

    def boxes(self, bounds: Bounds) -> list[tuple[Bounds, float]]:
        """Boxes in the layer's CRS that together hold every feature within `bounds` of the grid's CRS.

        Each comes with the degrees that its features move east once they are in a geographic grid's CRS, so that a grid
        across the antimeridian (longitudes beyond 180) finds what lies on its other side.
        """
        found = []
        for shift in (-360.0, 0.0, 360.0) if self._grid_in_degrees else (0.0,):
            west, east = bounds[0] - shift, bounds[2] - shift
            if shift and (east < -180 or west > 180):
                continue
            found += [(box, shift) for box in self._boxes((west, bounds[1], east, bounds[3]))]
        return found

    def to_grid(self, shapes: np.ndarray, shift: float) -> np.ndarray:
        """Geometries in the grid's CRS, vertex by vertex as gdal_rasterize does; infinite where PROJ has no answer."""
        if self._forward is not None:
            shapes = shapely.transform(shapes, self._forward.transform, interleaved=False)
        if shift:
            shapes = shapely.transform(shapes, lambda points: points + (shift, 0.0))
        return shapes

    def extent(self, bounds: Bounds) -> Bounds | None:
        """A layer's extent in the grid's CRS; None where PROJ has no answer."""
        return bounds if self._forward is None else _image(self._forward, bounds)

    def _boxes(self, bounds: Bounds) -> list[Bounds]:
        if self._back is None:
            return [bounds]
        try:
            west, south, east, north = self._back.transform_bounds(*bounds, densify_pts=_DENSITY)
        except ProjError:
            west = south = east = north = np.inf
        if not np.isfinite((west, south, east, north)).all():
            image = _image(self._back, bounds)
            return [] if image is None else [_grown(image)]
        if west <= east or not self._layer_in_degrees:
            return [_grown((west, south, east, north))]
        return [_grown((west, south, 180.0, north)), _grown((-180.0, south, east, north))]


def usable(shapes: np.ndarray) -> np.ndarray:
    """True for geometries that are there, not empty, and finite in every coordinate (and on Earth in any unit)."""
    good = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    points, owner = shapely.get_coordinates(shapes, return_index=True)
    good[owner[~(np.abs(points) < _FARTHEST).all(axis=1)]] = False
    return good


def _image(transformer: Transformer, bounds: Bounds) -> Bounds | None:
    """The box around those points of a dense lattice that have an image at all."""
    x, y = np.meshgrid(np.linspace(bounds[0], bounds[2], _DENSITY), np.linspace(bounds[1], bounds[3], _DENSITY))
    x, y = transformer.transform(x.ravel(), y.ravel())
    finite = np.isfinite(x) & np.isfinite(y)
    if not finite.any():
        return None
    x, y = x[finite], y[finite]
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def _grown(bounds: Bounds) -> Bounds:
    """A little more at each side, for what bulges between the points of the densified edge."""
    dx, dy = 0.02 * (bounds[2] - bounds[0]), 0.02 * (bounds[3] - bounds[1])
    return bounds[0] - dx, bounds[1] - dy, bounds[2] + dx, bounds[3] + dy
