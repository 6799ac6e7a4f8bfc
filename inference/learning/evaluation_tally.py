"""What is counted while map and labels are read window by window: memory does not grow with the map."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ...models.accuracy.boundaries import Boundaries, count_boundaries
from ...models.accuracy.regression import Moments
from ...models.accuracy.summary import BOUNDARY
from ..grid import Grid, Window

#: Side of the windows in which a map is read.
SIDE = 1024
#: Pixels kept for the plot of a regression.
_KEPT = 100_000
#: Sums of a regression that one group adds: pixels, truth and its square, error, its size and its square.
SUMS = 6


def windows_of(grid: Grid, within: Window | None = None) -> Iterator[Window]:
    """Windows of `SIDE` that cover the grid, or those parts of them that lie in `within`."""
    for row in range(0, grid.height, SIDE):
        for col in range(0, grid.width, SIDE):
            window = Window(row, col, SIDE, SIDE).clipped(grid.height, grid.width)
            if within is not None:
                window = _common(window, within)
            if window.height > 0 and window.width > 0:
                yield window


@dataclass
class ClassTally:
    """Confusion matrices (K×K, truth in rows) by reference feature or block, and boundaries of fields."""

    size: int
    groups: dict[int, np.ndarray] = field(default_factory=dict)
    boundaries: Boundaries = Boundaries()

    def add(self, truth: np.ndarray, found: np.ndarray, group: np.ndarray) -> None:
        """Count a window: class positions with -1 where there is none, and the group of each pixel."""
        known = (truth >= 0) & (found >= 0)
        truth, found = truth[known], found[known]
        numbers, position = np.unique(group[known], return_inverse=True)
        keys = position.astype(np.int64) * self.size + truth
        table = np.bincount(keys * self.size + found, minlength=len(numbers) * self.size**2)
        for number, counts in zip(numbers, table.reshape(-1, self.size, self.size), strict=True):
            before = self.groups.get(int(number))
            self.groups[int(number)] = counts if before is None else before + counts

    def add_boundaries(self, truth: np.ndarray, found: np.ndarray, within: np.ndarray, tolerance: int) -> None:
        """Count the boundary pixels of a window of fields with a margin of `tolerance`; those of `within` count."""
        known = (truth >= 0) & (found >= 0)
        self.boundaries += count_boundaries(
            (truth == BOUNDARY) & known, (found == BOUNDARY) & known, tolerance, within & known
        )

    @property
    def counts(self) -> np.ndarray:
        """All groups together."""
        return sum(self.groups.values(), np.zeros((self.size, self.size), np.int64))

    @property
    def by_group(self) -> np.ndarray:
        """G×K×K."""
        return np.array(list(self.groups.values())).reshape(-1, self.size, self.size)


@dataclass
class ValueTally:
    """A regression's figures, its sums by reference feature or block, and some pixels for the plot."""

    moments: Moments = Moments()
    groups: dict[int, np.ndarray] = field(default_factory=dict)
    kept: list[np.ndarray] = field(default_factory=list)
    middle: float | None = None
    """A true value near all others, which the sums are taken from so that they stay exact."""
    step: int = 1

    def add(self, truth: np.ndarray, found: np.ndarray, group: np.ndarray) -> None:
        """Count a window: values with NaN where there is none, and the group of each pixel."""
        known = np.isfinite(truth) & np.isfinite(found)
        true, mapped = truth[known].astype(float), found[known].astype(float)
        if not true.size:
            return
        self.middle = float(true.mean()) if self.middle is None else self.middle
        self.moments += Moments.of(true, mapped)
        error, apart = mapped - true, true - self.middle
        numbers, position = np.unique(group[known], return_inverse=True)
        sums = [np.bincount(position, part) for part in (None, apart, apart**2, error, np.abs(error), error**2)]
        for number, row in zip(numbers, np.stack(sums, 1), strict=True):
            before = self.groups.get(int(number))
            self.groups[int(number)] = row if before is None else before + row
        self._keep(np.stack([true, mapped]))

    @property
    def sample(self) -> np.ndarray:
        """2×N: true and mapped values of some pixels."""
        return np.concatenate(self.kept, 1) if self.kept else np.empty((2, 0))

    @property
    def by_group(self) -> np.ndarray:
        """G×`SUMS`."""
        return np.array(list(self.groups.values())).reshape(-1, SUMS)

    def _keep(self, pairs: np.ndarray) -> None:
        """Every `step`-th pixel, the step growing so that the plot's pixels stay few and come from everywhere."""
        self.kept.append(pairs[:, :: self.step])
        while sum(part.shape[1] for part in self.kept) > _KEPT:
            self.step *= 2
            self.kept = [part[:, ::2] for part in self.kept]


def scores_of_sums(sums: np.ndarray) -> dict[str, float]:
    """``r2, rmse, mae, bias`` of a group's or draw's sums (`SUMS`)."""
    n, first, second, error, size, squared = sums
    if n <= 0:
        return {}
    spread = second - first**2 / n
    return {
        "r2": 1 - squared / spread if spread > 0 else float("nan"),
        "rmse": float(np.sqrt(squared / n)),
        "mae": size / n,
        "bias": error / n,
    }


def _common(one: Window, other: Window) -> Window:
    row, col = max(one.row, other.row), max(one.col, other.col)
    bottom = min(one.row + one.height, other.row + other.height)
    right = min(one.col + one.width, other.col + other.width)
    return Window(row, col, max(bottom - row, 0), max(right - col, 0))
