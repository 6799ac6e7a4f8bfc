"""What the pre-flight check tells of raster files, and how their content is recognised."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from rasterio.crs import CRS

from ..grid import Grid, Window, ground_metres_per_unit, way_between
from ..patch import Patch
from . import Facts
from .raster_file import RasterFile

#: The sample for value ranges: so many windows along each axis, of so many pixels a side.
_SAMPLES, _SIDE, _LATTICE = 5, 48, 64
#: Points along each axis at which coverage is counted.
_POINTS = 64


def facts_of(
    files: Sequence[RasterFile], grid: Grid, read: Callable[[Window], Patch], samples: int = _SAMPLES
) -> Facts:
    """Facts of the files that make up one source; the range is that of a sample, read through the source itself."""
    sample = sample_values(grid, read, samples)
    gsds = {file.title: layer_gsd(file, grid) for file in files}
    known = [gsd for gsd in gsds.values() if gsd is not None]
    return Facts(
        crs=crs_name(files[0].georeference.crs),
        gsd=min(known) if known else None,
        coverage=coverage(files, grid),
        dtype=", ".join(dict.fromkeys(dtype for file in files for dtype in file.dtypes)),
        minimum=sample.minimum,
        maximum=sample.maximum,
        mean=sample.mean,
        details={
            "files": [file.title for file in files],
            "bands": [name for file in files for name in file.band_names],
            "gsd": gsds,
            "nodata": [None if value is None else str(value) for file in files for value in file.nodata],
        },
    )


@dataclass(frozen=True)
class Sample:
    """Valid values of each channel in windows spread over the grid; empty when all of it is nodata."""

    minimum: tuple[float, ...] = ()
    maximum: tuple[float, ...] = ()
    mean: tuple[float, ...] = ()


def sample_values(grid: Grid, read: Callable[[Window], Patch], samples: int = _SAMPLES) -> Sample:
    """What stands in `samples` × `samples` windows spread evenly over the grid."""
    lows, highs, sums, count = [], [], [], 0
    for row in _starts(grid.height, samples):
        for col in _starts(grid.width, samples):
            patch = read(Window(row, col, min(_SIDE, grid.height), min(_SIDE, grid.width)))
            if patch.valid.any():
                values = patch.data[:, patch.valid]
                lows.append(values.min(axis=1))
                highs.append(values.max(axis=1))
                sums.append(values.sum(axis=1, dtype=np.float64))
                count += values.shape[1]
    if not lows:
        return Sample()
    columns = np.min(lows, axis=0), np.max(highs, axis=0), np.sum(sums, axis=0) / count
    return Sample(*(tuple(map(float, column)) for column in columns))


def _starts(size: int, samples: int) -> list[int]:
    last = max(size - _SIDE, 0)
    # Not at the very edge, where collars and nodata are; and on a lattice, so that no window touches more than one of
    # the squares in which rasters are warped.
    return sorted({int(last * (i + 0.5) / samples) // _LATTICE * _LATTICE for i in range(samples)})


def crs_name(crs: CRS) -> str:
    """The CRS's code where it has one, else its name."""
    authority = crs.to_authority()
    return ":".join(authority) if authority else str(crs.to_dict(projjson=True).get("name", "unknown"))


def layer_gsd(file: RasterFile, grid: Grid) -> float | None:
    """The file's ground sampling distance in metres where the grid's centre lies, or at its own centre if not in it."""
    own = file.grid
    transformer = way_between(grid.pyproj_crs, own.pyproj_crs)
    x, y = transformer.transform(*(grid.transform @ (grid.width / 2, grid.height / 2)))
    west, south, east, north = own.bounds
    if not (west <= x <= east and south <= y <= north):
        return own.mean_gsd
    along_x, along_y = ground_metres_per_unit(own.pyproj_crs, x, y)
    return math.sqrt(abs(own.transform.a) * along_x * abs(own.transform.e) * along_y)


def coverage(files: Sequence[RasterFile], grid: Grid) -> float:
    """Share (0 to 1) of the grid that lies within the extent of any file, counted at 64 × 64 points."""
    cols, rows = np.meshgrid(
        (np.arange(_POINTS) + 0.5) * grid.width / _POINTS, (np.arange(_POINTS) + 0.5) * grid.height / _POINTS
    )
    t = grid.transform
    x, y = t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f
    covered = np.zeros(cols.shape, bool)
    for file in files:
        covered |= _inside(file, grid, x, y)
    return float(covered.mean())


def _inside(file: RasterFile, grid: Grid, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which points of the grid's CRS lie on the file's pixels (on its own grid's, where no transform holds it)."""
    place = file.georeference
    inverse = ~(place.transform or file.grid.transform)
    size = (place.width, place.height) if place.transform else (file.grid.width, file.grid.height)
    transformer = way_between(grid.pyproj_crs, file.grid.pyproj_crs)
    there_x, there_y = transformer.transform(x, y)
    with np.errstate(invalid="ignore"):
        col = inverse.a * there_x + inverse.b * there_y + inverse.c
        row = inverse.d * there_x + inverse.e * there_y + inverse.f
        return (col >= 0) & (col <= size[0]) & (row >= 0) & (row <= size[1])


def fingerprint_of(files: Sequence[RasterFile]) -> str:
    """``sha256:<hex>`` over each file's size, time of change and header; no path enters but the files' own names."""
    text = json.dumps([dict(file.header) for file in files], sort_keys=True)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
