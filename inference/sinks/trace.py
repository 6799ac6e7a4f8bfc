"""Labelled pixels into polygons that share every vertex of their common borders.

GDAL's polygonize leaves out the vertex where a third polygon's border meets a straight edge, so that its polygons do
not make a valid coverage; here a ring has a vertex wherever it turns and wherever borders meet.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import shapely
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, depth_first_order

#: Headings of a directed edge in the raster, in the order of right turns.
_EAST, _SOUTH, _WEST, _NORTH = range(4)


class _Edges(NamedTuple):
    """Directed edges between corners, each with its region on the left (rows counted downward)."""

    start: np.ndarray
    end: np.ndarray
    region: np.ndarray
    heading: np.ndarray


class Frame(NamedTuple):
    """Values of the pixels just outside the traced window, by side.

    Where they change, the neighbour has a vertex on the common border, and so must the window.
    """

    top: np.ndarray
    bottom: np.ndarray
    left: np.ndarray
    right: np.ndarray


def trace(labels: np.ndarray, frame: Frame) -> np.ndarray:
    """One polygon for each label.

    Args:
        labels: h×w int32, 4-connected components numbered from 0 without gaps.
        frame: values around the window (one value throughout at the grid's edge).

    Returns:
        Shapely polygons in label order, in pixel coordinates (x column, y row). Their rings turn at pixel corners; the
        shell runs counterclockwise seen with y upward.
    """
    edges = _edges(labels, frame)
    order, ring_starts = _walk(edges, _successors(edges))
    width = labels.shape[1] + 1
    corners = edges.start[order]
    points = np.column_stack([corners % width, corners // width]).astype(np.float64)
    return _polygons(points, ring_starts, edges.region[order[ring_starts]])


def _edges(labels: np.ndarray, frame: Frame) -> _Edges:
    """All edges between two regions, each twice: once for the region at either side; the outside has no region."""
    step = labels.shape[1] + 1
    line, begin, stop, above, below = _straight(labels, frame.top, frame.bottom)
    west, east = line * step + begin, line * step + stop
    line, begin, stop, left, right = _straight(labels.T, frame.left, frame.right)
    north, south = begin * step + line, stop * step + line
    start = np.concatenate([west, east, south, north])
    end = np.concatenate([east, west, north, south])
    region = np.concatenate([above, below, left, right]).astype(np.int64)
    headings = np.array([_EAST, _WEST, _NORTH, _SOUTH])
    heading = np.repeat(headings, [len(above), len(below), len(left), len(right)])
    inside = region >= 0
    return _Edges(start[inside], end[inside], region[inside], heading[inside])


def _straight(labels: np.ndarray, before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, ...]:
    """Longest straight edges along the rows of a raster, broken where a border meets them.

    Returns:
        For each edge its line (0 above the first row), the corners at which it begins and stops, and the regions above
        and below.
    """
    height, width = labels.shape
    padded = np.full((height + 2, width), -1, labels.dtype)
    padded[1:-1] = labels
    above, below = padded[:-1], padded[1:]
    border = above != below
    changes = padded[:, 1:] != padded[:, :-1]
    breaks = np.ones((height + 1, width + 1), bool)
    np.logical_or(changes[:-1], changes[1:], out=breaks[:, 1:-1])
    breaks[0, 1:-1] |= before[1:] != before[:-1]
    breaks[-1, 1:-1] |= after[1:] != after[:-1]
    begins = np.flatnonzero(border & breaks[:, :-1])
    line, begin = np.divmod(begins, width)
    stop = np.flatnonzero(border & breaks[:, 1:]) % width + 1
    return line, begin, stop, above.ravel()[begins], below.ravel()[begins]


def _successors(edges: _Edges) -> np.ndarray:
    """For each edge the one that follows in its ring.

    Where a region touches itself at a corner, it passes through it twice: each time it turns right, away from itself,
    so that the rings stay apart and touch in the point, as those of a valid polygon do.
    """
    regions = int(edges.region.max()) + 1
    leaving = (edges.start * regions + edges.region) * 4 + edges.heading
    arriving = (edges.end * regions + edges.region) * 4 + (edges.heading + 1) % 4
    following = np.empty(edges.start.size, np.int64)
    following[np.argsort(arriving)] = np.argsort(leaving)
    return following


def _walk(edges: _Edges, following: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges in the order of their rings, and where in it each ring starts.

    The rings are cut open and tied to one thread, along which SciPy's depth-first search runs.
    """
    count = following.size
    pointers = np.arange(count + 1)
    rings, ring = connected_components(_graph(following, pointers), directed=True, connection="weak")
    _, head = np.unique(ring, return_index=True)
    tail = np.empty(count, np.int64)
    tail[following] = np.arange(count)
    thread = following.copy()
    thread[tail[head]] = np.roll(head, -1)
    order = depth_first_order(_graph(thread, pointers), head[0], return_predecessors=False)
    lengths = np.bincount(ring, minlength=rings)
    return order, np.concatenate([[0], np.cumsum(lengths)[:-1]])


def _graph(following: np.ndarray, pointers: np.ndarray) -> csr_array:
    return csr_array((np.ones(following.size, np.int8), following, pointers), shape=(following.size, following.size))


def _polygons(points: np.ndarray, ring_starts: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Rings into polygons, a region's shell before its holes; a shell is what runs around a positive area."""
    lengths = np.diff(np.append(ring_starts, len(points)))
    owner = np.repeat(np.arange(len(lengths)), lengths)
    following = np.arange(1, len(points) + 1)
    following[ring_starts + lengths - 1] = ring_starts
    (x, y), (next_x, next_y) = points.T, points[following].T
    hole = np.bincount(owner, weights=x * next_y - next_x * y) > 0
    order = np.lexsort((np.arange(len(lengths)), hole, region))
    closed = lengths[order] + 1
    ends = np.cumsum(closed)
    within = np.arange(ends[-1]) - np.repeat(ends - closed, closed)
    take = np.repeat(ring_starts[order], closed) + within % np.repeat(lengths[order], closed)
    polygon_rings = np.concatenate([[0], np.flatnonzero(np.diff(region[order])) + 1, [len(order)]])
    offsets = (np.concatenate([[0], ends]), polygon_rings)
    return shapely.from_ragged_array(shapely.GeometryType.POLYGON, points[take], offsets)
