"""Long shapes as they are seen from a box: a river or a forest costs a window no more than what of it lies there."""

from __future__ import annotations

import numpy as np
import shapely

from .vector_place import Bounds

#: Vertices up to which a shape is taken as it is.
_SHORT = 24
_LINES = (shapely.GeometryType.LINESTRING, shapely.GeometryType.MULTILINESTRING)
_POLYGONS = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)


def seen_from(box: Bounds, shapes: np.ndarray) -> np.ndarray:
    """The same shapes with fewer vertices; burned into pixels within the box, they are equal to the bit.

    Of vertices in a row that all lie beyond one side of the box only the first and the last are kept: the line from
    one to the other lies beyond that side as well. What is left may cross itself outside the box. A long polygon that
    encloses nothing of the box is None.

    Args:
        box: xmin, ymin, xmax, ymax.
        shapes: shapely geometries; lines and polygons are looked through.
    """
    bounds = shapely.bounds(shapes).reshape(-1, 4)
    reaching = (bounds[:, :2] < box[:2]).any(axis=1) | (bounds[:, 2:] > box[2:]).any(axis=1)
    long = reaching & (shapely.get_num_coordinates(shapes) > _SHORT)
    if not long.any():
        return shapes
    shapes, kinds = shapes.copy(), shapely.get_type_id(shapes)
    for chosen, thinned in ((np.isin(kinds, _LINES), _lines), (np.isin(kinds, _POLYGONS), _polygons)):
        where = np.flatnonzero(long & chosen)
        if len(where):
            shapes[where] = thinned(shapes[where], box)
    return shapes


def _lines(shapes: np.ndarray, box: Bounds) -> np.ndarray:
    parts, owner = shapely.get_parts(shapes, return_index=True)
    there = ~shapely.is_empty(parts)
    points, line = _thinned(parts[there], box)
    return _gathered(shapely.linestrings(points, indices=line), owner[there], len(shapes), shapely.multilinestrings)


def _polygons(shapes: np.ndarray, box: Bounds) -> np.ndarray:
    parts, owner = shapely.get_parts(shapes, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    points, ring = _thinned(rings, box)
    # Of a ring beyond the box, or round a corner of it, nothing is left that encloses anything. Where a shell goes and
    # a hole stays, that hole takes its place: pixels are enclosed or not by how many rings lie round them.
    left = np.bincount(ring, minlength=len(rings)) > 3
    if not left.any():
        return np.full(len(shapes), None)
    held = left[ring]
    rings = shapely.linearrings(points[held], indices=_renumbered(ring[held]))
    polygons = shapely.polygons(rings, indices=_renumbered(part[left]))
    return _gathered(polygons, owner[np.unique(part[left])], len(shapes), shapely.multipolygons)


def _thinned(paths: np.ndarray, box: Bounds) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (N×2) that are kept of lines or rings, and the index of each one's path."""
    points, owner = shapely.get_coordinates(paths, return_index=True)
    for axis in (0, 1):
        for side in (-1, 1):
            beyond = side * points[:, axis] > side * box[axis + (1 + side)]
            within = np.zeros(len(points), bool)
            within[1:-1] = beyond[:-2] & beyond[1:-1] & beyond[2:] & (owner[:-2] == owner[2:])
            points, owner = points[~within], owner[~within]
    return points, owner


def _renumbered(indices: np.ndarray) -> np.ndarray:
    """Sorted indices without gaps."""
    return np.cumsum(np.diff(indices, prepend=indices[0]) > 0)


def _gathered(parts: np.ndarray, owner: np.ndarray, count: int, multi: np.ufunc) -> np.ndarray:
    """For each of `count` shapes its part, or its parts together; None where it has none."""
    shapes = np.full(count, None)
    several = np.bincount(owner, minlength=count) > 1
    alone = ~several[owner]
    shapes[owner[alone]] = parts[alone]
    if several.any():
        shapes[several] = multi(parts[~alone], indices=_renumbered(owner[~alone]))
    return shapes
