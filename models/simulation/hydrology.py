"""Where water runs and stands: depressions, flow, rivers and lakes.

Depressions are filled by Priority-Flood (Barnes, Lehman and Mulla 2014, Computers & Geosciences 62); the cell
from which a cell was flooded is the cell it drains to.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import shapely
from scipy import ndimage

from .frame import Frame
from .noise import fractal


@dataclass(frozen=True)
class Drainage:
    """Flow over a coarse height grid; all arrays flat, in row-major order.

    Attributes:
        receiver: the index of the cell that each drains to; -1 where water leaves the grid.
        order: indices from the outlets upstream.
        filled: heights with every depression filled.
        area: number of cells that drain through each.
    """

    receiver: np.ndarray
    order: np.ndarray
    filled: np.ndarray
    area: np.ndarray


def drain(height: np.ndarray) -> Drainage:
    """Priority-Flood and flow accumulation over ``height`` (H x W)."""
    rows, columns = height.shape
    filled = height.astype(float).ravel().tolist()
    receiver = [-1] * len(filled)
    seen = np.zeros(height.shape, bool)
    seen[[0, -1]] = seen[:, [0, -1]] = True
    queue = [(filled[i], int(i)) for i in np.flatnonzero(seen)]
    heapq.heapify(queue)
    done = seen.ravel().tolist()
    steps = (-columns - 1, -columns, -columns + 1, -1, 1, columns - 1, columns, columns + 1)
    order = []
    while queue:
        level, here = heapq.heappop(queue)
        order.append(here)
        if receiver[here] < 0 and not 0 < here % columns < columns - 1:
            steps_here = _inside_steps(here, columns, rows)
        else:
            steps_here = steps
        for step in steps_here:
            there = here + step
            if 0 <= there < len(filled) and not done[there]:
                done[there] = True
                receiver[there] = here
                filled[there] = max(filled[there], level + 1e-4)
                heapq.heappush(queue, (filled[there], there))
    return Drainage(np.array(receiver), np.array(order), np.array(filled), _accumulate(receiver, order))


def _inside_steps(here: int, columns: int, rows: int) -> tuple[int, ...]:
    """The one step inward from a border cell, which must not wrap around to the other side."""
    if here % columns == 0:
        return (1,)
    if here % columns == columns - 1:
        return (-1,)
    return (columns,) if here < columns else (-columns,)


def _accumulate(receiver: list[int], order: list[int]) -> np.ndarray:
    area = [1] * len(receiver)
    for here in reversed(order):
        if receiver[here] >= 0:
            area[receiver[here]] += area[here]
    return np.array(area)


@dataclass(frozen=True)
class River:
    """A stretch of river: its line in scene metres, mean width in metres, and `river` or `stream`."""

    line: shapely.LineString
    width: float
    kind: str


def trace_rivers(flow: Drainage, frame: Frame, rng: np.random.Generator) -> list[River]:
    """River stretches where enough cells drain together, smoothed, from the longest to the shortest."""
    share = flow.area / len(flow.area)
    wet = share > 0.006
    heads = wet.copy()
    heads[flow.receiver[wet & (flow.receiver >= 0)]] = False
    bends = [fractal(rng, frame.coarse_shape, 22, 3) * 1.8 for _ in range(2)]
    placed: dict[int, tuple[float, float]] = {}
    rivers: list[River] = []
    traces = [_follow(flow.receiver, head) for head in np.flatnonzero(heads)]
    for trace in sorted(traces, key=len, reverse=True):
        stop = next((i for i, cell in enumerate(trace) if cell in placed), len(trace) - 1)
        trace = trace[: stop + 1]
        if len(trace) > 6:
            points = _smooth_course(trace, placed, bends, frame)
            rivers += _stretches(points, share[trace], frame)
    return rivers


def _follow(receiver: np.ndarray, cell: int) -> list[int]:
    course = []
    while cell >= 0:
        course.append(int(cell))
        cell = receiver[cell]
    return course


def _smooth_course(
    trace: list[int], placed: dict[int, tuple[float, float]], bends: list[np.ndarray], frame: Frame
) -> np.ndarray:
    rows, columns = np.divmod(np.array(trace), frame.coarse_shape[1])
    x, y = columns + bends[0][rows, columns], rows + bends[1][rows, columns]
    points = np.stack([x, y], axis=1).astype(float)
    points = ndimage.gaussian_filter1d(points, 2.2, axis=0, mode="nearest")
    if trace[-1] in placed:
        points[-1] = placed[trace[-1]]
    placed.update(zip(trace, map(tuple, points), strict=True))
    return frame.to_scene(points)


def _stretches(points: np.ndarray, share: np.ndarray, frame: Frame, step: int = 24) -> list[River]:
    """A course in stretches of one width each; the widths follow the square root of the drained area."""
    broadest = 30.0 if frame.gsd < 5 else 110.0
    found = []
    for start in range(0, len(points) - 1, step):
        piece = points[start : start + step + 1]
        width = 0.1 * broadest + broadest * float(share[start : start + step].mean()) ** 0.5
        kind = "river" if width > 0.35 * broadest else "stream"
        found.append(River(shapely.LineString(piece), round(width, 1), kind))
    return found


def lakes(height: np.ndarray, flow: Drainage, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Lakes in the deepest depressions and the terrain with lakes level and all other depressions filled.

    ``height`` are coarse heights (H x W), ``flow`` their drainage, ``share`` the largest part of the grid
    that lakes may cover. Answers the lake mask (bool) and the heights (float), both H x W.
    """
    filled = flow.filled.reshape(height.shape)
    labels, count = ndimage.label(filled - height > 0.02 * height.std())
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    ranked = np.argsort(sizes)[::-1]
    kept, budget = [], share * height.size
    for label in ranked[:12]:
        if 8 < sizes[label] <= budget:
            kept.append(label)
            budget -= sizes[label]
    return np.isin(labels, kept), filled
