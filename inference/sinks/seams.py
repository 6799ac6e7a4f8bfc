"""Where regions run on from one cell of the grid into the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from ..grid import Grid, Window
from .components import Regions, label_equal

#: Side of a cell in pixels.
CELL = 1024
SIDES = ("top", "bottom", "left", "right")

Read = Callable[[Window], np.ndarray]
"""Answers h×w values on a window inside the grid."""


class Cell(NamedTuple):
    """One cell with its labelled regions; what is by label is an array over the labels."""

    window: Window
    values: np.ndarray
    labels: np.ndarray
    first: np.ndarray
    """By label, index of the region's first pixel in the cell's flattened array."""
    beyond: dict[str, np.ndarray | None]
    """By side, values of the pixels just outside; None at the grid's edge."""

    def crossing(self) -> np.ndarray:
        """By label, True where the region runs on in a neighbouring cell."""
        crossing = np.zeros(self.first.size, bool)
        for side in SIDES:
            crossing[border(self.labels, side)[self.continues(side)]] = True
        return crossing

    def continues(self, side: str) -> np.ndarray:
        """By border pixel of a side, True where the pixel beyond has its value."""
        own, other = border(self.values, side), self.beyond[side]
        return np.zeros(own.shape, bool) if other is None else own == other


class Seams:
    """Names the regions that cross cell borders and knows which names mean one region.

    Cells must come row-major, as `cells` gives them.
    """

    def __init__(self, grid: Grid) -> None:
        self.regions = Regions()
        self._above = np.full(grid.width, -1, np.int64)
        self._left = np.empty(0, np.int64)

    def name(self, cell: Cell, crossing: np.ndarray) -> np.ndarray:
        """Names for the labels marked in `crossing`, -1 for the others."""
        names = np.full(crossing.shape, -1, np.int64)
        names[crossing] = self.regions.add(int(crossing.sum()))
        return names

    def meet(self, cell: Cell, names: np.ndarray) -> list[tuple[int, int]]:
        """Pairs of names that the borders to the cells above and to the left show to be one region."""
        cols = slice(cell.window.col, cell.window.col + cell.window.width)
        pairs: set[tuple[int, int]] = set()
        for side, known in (("top", self._above[cols]), ("left", self._left)):
            on = cell.continues(side)
            if on.any():
                pairs.update(zip(names[border(cell.labels, side)[on]].tolist(), known[on].tolist(), strict=True))
        self._above[cols] = np.where(cell.continues("bottom"), names[border(cell.labels, "bottom")], -1)
        self._left = np.where(cell.continues("right"), names[border(cell.labels, "right")], -1)
        return sorted(pair for pair in pairs if pair[0] >= 0)

    def still_open(self) -> set[int]:
        """Regions, by the name that stands for them, that run on below the row of cells just finished."""
        return {self.regions.find(name) for name in np.unique(self._above).tolist() if name >= 0}


def cells(grid: Grid) -> Iterator[Window]:
    """The grid's cells, row-major: a lattice of its own, whatever the run's blocks are."""
    for row in range(0, grid.height, CELL):
        for col in range(0, grid.width, CELL):
            yield Window(row, col, CELL, CELL).clipped(grid.height, grid.width)


def read_cell(grid: Grid, values: Read, window: Window) -> Cell:
    """Read and label one cell."""
    return labelled_cell(grid, window, values(reach_of(grid, window)))


def reach_of(grid: Grid, window: Window) -> Window:
    """A cell and the pixels just outside."""
    return window.grown(1).clipped(grid.height, grid.width)


def labelled_cell(grid: Grid, window: Window, around: np.ndarray) -> Cell:
    """Label the cell at `window`; `around` are the values within its reach."""
    rows, cols = window.within(reach_of(grid, window))
    beyond = {
        "top": around[0, cols] if window.row else None,
        "bottom": around[-1, cols] if window.row + window.height < grid.height else None,
        "left": around[rows, 0] if window.col else None,
        "right": around[rows, -1] if window.col + window.width < grid.width else None,
    }
    labels, first = label_equal(around[rows, cols])
    return Cell(window, around[rows, cols], labels, first, beyond)


def border(array: np.ndarray, side: str) -> np.ndarray:
    """The outermost row or column of an array at one side."""
    return {"top": array[0], "bottom": array[-1], "left": array[:, 0], "right": array[:, -1]}[side]
