"""The grid that a raster layer has by itself, from which the run grid is built."""

from __future__ import annotations

import math
from collections.abc import Sequence

from affine import Affine

from ..errors import SourceError
from ..grid import Grid, way_between
from ..job import Source as SourceSpec
from . import Context
from .raster_env import label
from .raster_file import open_dataset
from .raster_place import file_grid, georeference


def native_grid(spec: SourceSpec, context: Context) -> Grid:
    """The reference layer's own grid.

    A file that lies north-up gives its own pixels; one that is rotated, south-up or held by control points the grid
    that gdalwarp would choose in the same CRS. A mosaic gives the union of its files' extents on the first file's
    lattice, a stack the lattice of its finest file (the first of them).

    Raises:
        SourceError: names the file that cannot be opened or has no place on the ground.
    """
    if spec.path is not None:
        return _grid_of(spec.path, context)
    if spec.mosaic:
        return _union([_grid_of(path, context) for path in spec.mosaic])
    if spec.stack:
        return min((_grid_of(file.path, context) for file in spec.stack), key=lambda grid: grid.mean_gsd)
    raise SourceError("The reference of the run grid names no raster; give it a path, a mosaic or a stack.")


def _grid_of(path: str, context: Context) -> Grid:
    dataset, name = open_dataset(path, context)
    with dataset:
        return file_grid(dataset, georeference(dataset, label(name)))


def _union(grids: Sequence[Grid]) -> Grid:
    """The first grid, grown by whole pixels until it holds the extents of all."""
    first = grids[0]
    cols, rows = [0.0, float(first.width)], [0.0, float(first.height)]
    for other in grids[1:]:
        transformer = way_between(other.pyproj_crs, first.pyproj_crs)
        west, south, east, north = transformer.transform_bounds(*other.bounds)
        for corner in ((west, south), (east, north)):
            col, row = ~first.transform @ corner
            cols.append(col)
            rows.append(row)
    # A file that ends on the lattice within a thousandth of a pixel adds no column for it.
    left, top = math.floor(min(cols) + 1e-3), math.floor(min(rows) + 1e-3)
    right, bottom = math.ceil(max(cols) - 1e-3), math.ceil(max(rows) - 1e-3)
    return Grid(first.crs, first.transform @ Affine.translation(left, top), right - left, bottom - top)
