"""Windows cut along one fixed lattice of squares."""

from __future__ import annotations

from collections.abc import Iterator

from ..grid import Window


def squares(window: Window, side: int) -> Iterator[Window]:
    """The whole squares of a lattice through the origin that a window touches, row by row."""
    for row in range(window.row // side * side, window.row + window.height, side):
        for col in range(window.col // side * side, window.col + window.width, side):
            yield Window(row, col, side, side)


def intersection(a: Window, b: Window) -> Window:
    """What two windows share; its height or width is 0 where that is nothing."""
    row, col = max(a.row, b.row), max(a.col, b.col)
    bottom = min(a.row + a.height, b.row + b.height)
    right = min(a.col + a.width, b.col + b.width)
    return Window(row, col, max(bottom - row, 0), max(right - col, 0))
