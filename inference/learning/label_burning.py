"""Shapes burned onto a grid, each with a value; where they contradict one another, nothing is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import shapely
from rasterio import features as burning
from rasterio.enums import MergeAlg

from ..grid import Grid, Window

#: Rows that are burned at once, which bounds the memory of the sums.
_STRIP = 1024


def burn_apart(
    name: str, shapes: np.ndarray, values: np.ndarray, grid: Grid, empty: np.ndarray
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Each shape's value on the pixels whose centres it holds (a point's pixel), as gdal_rasterize does it.

    Args:
        name: the labels', for sentences.
        shapes: geometries in the grid's CRS.
        values: one a shape.
        grid: where they are burned.
        empty: what stands where nothing is known, of the wanted type: also where shapes of different values overlap.

    Returns:
        H×W values, and sentences on pixels that contradict one another and on shapes that hold no pixel's centre.
    """
    out = np.full((grid.height, grid.width), empty)
    burned = np.zeros(len(shapes), bool)
    codes = np.unique(values, return_inverse=True)[1].astype(float)
    torn = 0
    for top in range(0, grid.height, _STRIP):
        window = Window(top, 0, _STRIP, grid.width).clipped(grid.height, grid.width)
        here = _meeting(shapes, grid, window)
        if not len(here):
            continue
        last = _burned(shapes[here], here + 1, grid, window, np.int32)
        burned[np.unique(last[last > 0]) - 1] = True
        apart = _contradicting(shapes[here], codes[here], grid, window)
        part = out[window.within(grid.whole)]
        part[last > 0] = values[last[last > 0] - 1]
        part[apart] = empty
        torn += int(apart.sum())
    missed = sum(_holds_no_centre(shape, grid) for shape in shapes[~burned])
    told = []
    if torn:
        told.append(
            f"{torn:,} pixels lie in labels of '{name}' that overlap and contradict one another; they are left out."
        )
    if missed:
        told.append(f"{missed:,} labels of '{name}' hold the centre of no pixel and label nothing.")
    return out, tuple(told)


def burn_into(truth: np.ndarray, shapes: np.ndarray, value: int, grid: Grid) -> None:
    """Set the H×W `truth` to `value` where any of the shapes holds a pixel's centre."""
    if len(shapes):
        truth[_burned(shapes, np.ones(len(shapes), int), grid, grid.whole, np.uint8) > 0] = value


def grown(shapes: np.ndarray, distance: float, grid: Grid) -> np.ndarray:
    """Shapes grown by ground metres, in CRS units: degrees are of different length along x and along y."""
    scale = np.array(grid.metres_per_unit)
    ground = shapely.transform(shapes, lambda points: points * scale)
    return shapely.transform(shapely.buffer(ground, distance), lambda points: points / scale)


def _contradicting(shapes: np.ndarray, codes: np.ndarray, grid: Grid, window: Window) -> np.ndarray:
    """H×W bool where shapes of different codes lie over one another.

    All numbers x of a pixel are equal exactly if the count times the sum of x² is the square of the sum of x.
    """
    ones = np.ones(len(shapes))
    count, total, squares = (
        _burned(shapes, weights, grid, window, np.float64, MergeAlg.add) for weights in (ones, codes, codes**2)
    )
    return count * squares != total**2


def _burned(
    shapes: np.ndarray,
    values: np.ndarray,
    grid: Grid,
    window: Window,
    dtype: type,
    merge: MergeAlg = MergeAlg.replace,
) -> np.ndarray:
    """Values of shapes on a window of the grid, the last on top or added up; 0 where there is none."""
    return burning.rasterize(
        zip(shapes, values.tolist(), strict=True),
        (window.height, window.width),
        0,
        transform=grid.window_transform(window),
        merge_alg=merge,
        dtype=dtype,
    )


def _meeting(shapes: np.ndarray, grid: Grid, window: Window) -> np.ndarray:
    """Indices of the shapes whose boxes meet the window."""
    west, south, east, north = grid.window_bounds(window)
    boxes = shapely.bounds(shapes).reshape(-1, 4)
    meets = (boxes[:, 0] <= east) & (boxes[:, 2] >= west) & (boxes[:, 1] <= north) & (boxes[:, 3] >= south)
    return np.flatnonzero(meets)


def _holds_no_centre(shape: shapely.Geometry, grid: Grid) -> bool:
    """Whether a shape that lies on the grid is too small, or too thin, for any pixel; what lies beside it is not."""
    if not shapely.intersects(shape, shapely.box(*grid.bounds)):
        return False
    west, south, east, north = shape.bounds
    corners = [~grid.transform @ (x, y) for x in (west, east) for y in (south, north)]
    cols, rows = zip(*corners, strict=True)
    row, col = math.floor(min(rows)), math.floor(min(cols))
    window = Window(row, col, math.floor(max(rows)) + 1 - row, math.floor(max(cols)) + 1 - col)
    window = window.clipped(grid.height, grid.width)
    if not (window.height and window.width):
        return False
    part = replace(grid, transform=grid.window_transform(window), width=window.width, height=window.height)
    return not _burned(np.array([shape]), np.ones(1, int), part, part.whole, np.uint8).any()
