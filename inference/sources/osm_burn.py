"""One recipe's features burned into pixels, on a piece of the grid that never depends on who asks for it."""

from __future__ import annotations

import math

import numpy as np
import rasterio.features
import shapely
from affine import Affine

from ...models.card import OsmRecipe, TagRule
from ..grid import Grid, Window

#: Kind of each shapely geometry type (point, line, ring, polygon, multipoint, multiline, multipolygon).
_KINDS = np.array(["point", "line", "line", "polygon", "point", "line", "polygon", ""])
#: Segments of a quarter circle in buffers.
_QUARTER = 8
#: What a pixel measures where shapes are burned: a power of two, which loses no digit, and not one, of which rasterio
#: warns each time.
_UNITS = 2.0
#: As many of them from a chunk as four million pixels measure, beyond which shapes are cut off.
_FAR = 2.0**22 * _UNITS
#: Half widths below so many pixels leave holes in a line that is filled by pixel centres.
_THIN = 0.75


def kinds_of(shapes: np.ndarray) -> np.ndarray:
    """``point``, ``line`` or ``polygon`` for each geometry."""
    return _KINDS[shapely.get_type_id(shapes)]


def metres_around(recipe: OsmRecipe) -> float:
    """Ground metres by which the recipe's shapes reach beyond their features."""
    return max([0.0, *((rule.width or 0) / 2 for rule in recipe.rules), *(rule.buffer or 0 for rule in recipe.rules)])


def pixels_around(recipe: OsmRecipe) -> int:
    """Pixels by which dilation and softening reach."""
    return recipe.dilate // 2 + recipe.soften // 2


def burn(
    recipe: OsmRecipe,
    shapes: np.ndarray,
    rules: np.ndarray,
    grid: Grid,
    window: Window,
    metres: tuple[float, float],
) -> np.ndarray:
    """One channel on a window: H×W float32 from 0 to 1 where the recipe softens, else uint8 of 0 and 1.

    Args:
        recipe: widths, buffers, dilation, softening.
        shapes: shapely geometries in the grid's CRS that may reach into the window.
        rules: index of the rule that holds for each geometry, -1 for none.
        grid: the run grid.
        window: the pixels that are wanted.
        metres: ground metres that a CRS unit spans along x and along y, here.
    """
    wide = window.grown(pixels_around(recipe))
    outlines: list[np.ndarray] = []
    for number, rule in enumerate(recipe.rules):
        chosen = shapes[rules == number]
        if len(chosen):
            outlines += _drawn(rule, chosen, metres, math.sqrt(abs(grid.transform.determinant)))
    burned = _rasterise(outlines, grid, wide, recipe.all_touched)
    if recipe.dilate > 1:
        burned = _dilated(burned, recipe.dilate)
    if recipe.soften > 1:
        return _box_mean(burned, recipe.soften)[window.within(wide)]
    return burned[window.within(wide)]


def to_pixels(grid: Grid, points: np.ndarray) -> np.ndarray:
    """CRS coordinates (N×2) in pixels of the grid, by GDAL's own arithmetic.

    GDAL inverts the transform first and multiplies afterwards (GDALInvGeoTransform). Dividing instead moves points on
    pixel edges by one rounding step, and a point on an edge by one pixel.
    """
    t = grid.transform
    if t.b == 0 and t.d == 0:
        x = -t.c / t.a + points[:, 0] * (1.0 / t.a)
        y = -t.f / t.e + points[:, 1] * (1.0 / t.e)
        return np.column_stack([x, y])
    inverse = 1.0 / (t.a * t.e - t.b * t.d)
    x0, y0 = (t.b * t.f - t.c * t.e) * inverse, (-t.a * t.f + t.c * t.d) * inverse
    x = x0 + points[:, 0] * (t.e * inverse) + points[:, 1] * (-t.b * inverse)
    y = y0 + points[:, 0] * (-t.d * inverse) + points[:, 1] * (t.a * inverse)
    return np.column_stack([x, y])


def _drawn(rule: TagRule, shapes: np.ndarray, metres: tuple[float, float], pixel: float) -> list[np.ndarray]:
    """What is burned for features of one rule: themselves, or wider shapes around them."""
    polygons = kinds_of(shapes) == "polygon"
    drawn = []
    if polygons.any():
        areas = shapes[polygons]
        drawn.append(_buffered(areas, rule.buffer, metres) if rule.buffer else areas)
    if not polygons.all():
        thin = shapes[~polygons]
        if rule.width:
            drawn.append(_buffered(thin, rule.width / 2, metres))
        # A strip narrower than a pixel misses most pixel centres; its middle line keeps it whole.
        if not rule.width or rule.width / 2 < _THIN * pixel * math.sqrt(metres[0] * metres[1]):
            drawn.append(thin)
    return drawn


def _buffered(shapes: np.ndarray, distance: float, metres: tuple[float, float]) -> np.ndarray:
    """Shapes grown by ground metres, in CRS units; repaired first where they are invalid polygons."""
    scale = np.array(metres)
    invalid = ~shapely.is_valid(shapes)
    if invalid.any():
        shapes = shapes.copy()
        shapes[invalid] = shapely.make_valid(shapes[invalid])
    ground = shapely.transform(shapes, lambda points: points * scale)
    grown = shapely.buffer(ground, distance, quad_segs=_QUARTER)
    return shapely.transform(grown[~shapely.is_empty(grown)], lambda points: points / scale)


def _rasterise(outlines: list[np.ndarray], grid: Grid, window: Window, all_touched: bool) -> np.ndarray:
    burned = np.zeros((window.height, window.width), np.uint8)
    if not outlines:
        return burned
    # The offset is taken off in pixels, as GDAL does for its own chunks, so that every chunk sees the same numbers.
    offset = np.array([window.col, window.row], float)
    local = shapely.transform(np.concatenate(outlines), lambda points: (to_pixels(grid, points) - offset) * _UNITS)
    local = _within_reach(local)
    if not len(local):
        return burned
    return rasterio.features.rasterize(
        _mappings(local), out=burned, transform=Affine.scale(_UNITS), all_touched=all_touched, default_value=1
    )


def _mappings(shapes: np.ndarray) -> list:
    """Shapes as rasterio takes them; plain lines and polygons as mappings, which it reads several times faster."""
    points, owner = shapely.get_coordinates(shapes, return_index=True)
    ends = np.searchsorted(owner, np.arange(len(shapes) + 1))
    types = shapely.get_type_id(shapes)
    plain_polygon = (types == shapely.GeometryType.POLYGON) & (shapely.get_num_interior_rings(shapes) == 0)
    numbers = points.tolist()
    mappings: list = []
    for i, shape in enumerate(shapes):
        path = numbers[ends[i] : ends[i + 1]]
        if types[i] == shapely.GeometryType.LINESTRING:
            mappings.append({"type": "LineString", "coordinates": path})
        elif plain_polygon[i]:
            mappings.append({"type": "Polygon", "coordinates": [path]})
        else:
            mappings.append(shape)
    return mappings


def _within_reach(local: np.ndarray) -> np.ndarray:
    """Shapes without what lies so far off that GDAL's whole numbers overflow, or that its line steps take seconds."""
    far = (np.abs(shapely.bounds(local)) > _FAR).any(axis=1)
    if not far.any():
        return local
    near = shapely.clip_by_rect(shapely.make_valid(local[far]), -_FAR, -_FAR, _FAR, _FAR)
    return np.concatenate([local[~far], near[~shapely.is_empty(near)]])


def _dilated(burned: np.ndarray, side: int) -> np.ndarray:
    """Highest of a square of pixels around each."""
    highest = np.pad(burned, (side // 2, side - side // 2 - 1))
    for _ in range(2):
        reach = 1
        while reach < side:
            step = min(reach, side - reach)
            highest = np.maximum(highest[:-step], highest[step:])
            reach += step
        highest = highest.T
    return highest


def _box_mean(burned: np.ndarray, side: int) -> np.ndarray:
    """Mean of a square of pixels around each, from whole sums, so that it never depends on where the window begins."""
    sums = np.pad(burned.astype(np.uint32), (side // 2 + 1, side - side // 2 - 1))
    for _ in range(2):
        # A running sum may wrap round; the difference of two does not.
        running = np.cumsum(sums, axis=0, dtype=np.uint32)
        sums = (running[side:] - running[:-side]).T
    return (sums / (side * side)).astype(np.float32)
