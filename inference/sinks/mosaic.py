"""A run's encoded blocks, read back as one raster."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..grid import Grid, Window

#: Bytes of blocks kept for the next window, and the number kept even if larger: a cell's own and its eight neighbours'.
_KEPT_BYTES = 64 * 2**20
_KEPT_BLOCKS = 12

Load = Callable[[int, str], np.ndarray]
"""Answers one array (h×w or C×h×w) of the block with that index."""


class Mosaic:
    """Blocks that tile a grid, row-major, of which any window can be read.

    Memory is bounded by a dozen blocks of one array.
    """

    def __init__(self, grid: Grid, windows: Sequence[Window], load: Load) -> None:
        self.grid = grid
        self.windows = tuple(windows)
        self._load = load
        self._kept: OrderedDict[tuple[int, str], np.ndarray] = OrderedDict()
        self._bounds = np.array(self.windows, dtype=np.int64).reshape(-1, 4)

    def blocks(self, name: str) -> Iterator[tuple[Window, np.ndarray]]:
        """Every block of one array, in order."""
        for index, window in enumerate(self.windows):
            yield window, self._load(index, name)

    def read(self, name: str, window: Window) -> np.ndarray:
        """One h×w array on a window that lies inside the grid."""
        touching = self._touching(window)
        first = self._block(touching[0], name)
        if len(touching) == 1:
            return first[window.within(self.windows[touching[0]])]
        values = np.empty((window.height, window.width), first.dtype)
        for index in touching:
            part = _overlap(window, self.windows[index])
            values[part.within(window)] = self._block(index, name)[part.within(self.windows[index])]
        return values

    def _touching(self, window: Window) -> list[int]:
        row, col, height, width = self._bounds.T
        rows = (row < window.row + window.height) & (row + height > window.row)
        cols = (col < window.col + window.width) & (col + width > window.col)
        return np.flatnonzero(rows & cols).tolist()

    def _block(self, index: int, name: str) -> np.ndarray:
        key = (index, name)
        if key not in self._kept:
            self._kept[key] = self._load(index, name)
            while len(self._kept) > _KEPT_BLOCKS and sum(array.nbytes for array in self._kept.values()) > _KEPT_BYTES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


def _overlap(one: Window, other: Window) -> Window:
    row, col = max(one.row, other.row), max(one.col, other.col)
    bottom = min(one.row + one.height, other.row + other.height)
    right = min(one.col + one.width, other.col + other.width)
    return Window(row, col, bottom - row, right - col)
