"""Merging tiles into a block: cropped to the core that is a tile's alone, or weighed and summed in lattice order."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..models.card import Output
from .activation import probabilities
from .grid import Window
from .lattice import Lattice
from .sinks.encode import Encoder

Index = tuple[slice, slice]


class Merger(Protocol):
    """Takes one head's tiles on one block, and gives the arrays that its products are assembled from."""

    contrast: np.ndarray
    """How far blended tiles disagree: the sum, over pixels that a second tile answers, of the largest difference among
    the channels from what the tiles before said; and the number of such pixels (2 values, float64).
    """

    def add(self, row: int, col: int, scores: np.ndarray) -> None:
        """Add the answer of the tile whose origin is (`row`, `col`) on the run grid.

        `scores` is the head's output for one tile: C×h×w, h×w, or C for the grid ``tile``.
        """
        ...

    def finish(self) -> tuple[dict[str, np.ndarray], int]:
        """The arrays by name (`Encoder`), and the number of valid pixels whose scores are not finite."""
        ...


def make_merger(lattice: Lattice, window: Window, valid: np.ndarray, encoder: Encoder) -> Merger:
    """A merger for the block at `window`, whose `valid` pixels (h×w bool) are to be mapped."""
    kind = Blended if lattice.blend else Cropped
    return kind(lattice, window, valid, encoder)


class Cropped:
    """Each tile owns its core alone, so it is encoded at once, and nothing of its scores is kept."""

    def __init__(self, lattice: Lattice, window: Window, valid: np.ndarray, encoder: Encoder) -> None:
        self.contrast = np.zeros(2)
        self._lattice, self._window, self._valid, self._encoder = lattice, window, valid, encoder
        self._arrays = encoder.blank(valid.shape)
        self._faulty = 0

    def add(self, row: int, col: int, scores: np.ndarray) -> None:
        core = Window(row + self._lattice.lead, col + self._lattice.lead, self._lattice.step, self._lattice.step)
        on_tile, (rows, cols) = _shared(core, row, col, self._window)
        used = on_tile_grid(self._encoder.output, scores, self._lattice.size)[:, *on_tile]
        arrays = {name: array[..., rows, cols] for name, array in self._arrays.items()}
        self._faulty += self._encoder.encode(used, self._valid[rows, cols], arrays, raw=True)

    def finish(self) -> tuple[dict[str, np.ndarray], int]:
        return self._arrays, self._faulty


class Blended:
    """Tiles that overlap are weighed; their probabilities are summed in the order in which they come.

    Scores are turned into probabilities before they are weighed, since a mean of logits is not one of probabilities.
    """

    def __init__(self, lattice: Lattice, window: Window, valid: np.ndarray, encoder: Encoder) -> None:
        self.contrast = np.zeros(2)
        self._lattice, self._window, self._valid, self._encoder = lattice, window, valid, encoder
        self._weights = lattice.weights()
        self._sum: np.ndarray | None = None
        self._weight = np.zeros(valid.shape, np.float32)

    def add(self, row: int, col: int, scores: np.ndarray) -> None:
        tile = Window(row, col, self._lattice.size, self._lattice.size)
        (rows, cols), here = _shared(tile, row, col, self._window)
        weight = self._weights[rows, None] * self._weights[None, cols]
        output = self._encoder.output
        used = probabilities(output, on_tile_grid(output, scores, self._lattice.size)[:, rows, cols])
        if self._sum is None:
            self._sum = np.zeros((len(used), *self._weight.shape), np.float32)
        self._compare(here, used, weight)
        self._sum[:, *here] += np.where(weight > 0, used * weight, 0)
        self._weight[here] += weight

    def finish(self) -> tuple[dict[str, np.ndarray], int]:
        arrays = self._encoder.blank(self._valid.shape)
        if self._sum is None:
            return arrays, 0
        answered = self._weight > 0
        np.divide(self._sum, self._weight, out=self._sum, where=answered)
        return arrays, self._encoder.encode(self._sum, self._valid & answered, arrays)

    def _compare(self, here: Index, used: np.ndarray, weight: np.ndarray) -> None:
        before = self._weight[here]
        shared = (before > 0) & (weight > 0)
        if self._sum is not None and shared.any():
            said = self._sum[:, *here][:, shared] / before[shared]
            apart = np.abs(used[:, shared] - said).max(axis=0)
            self.contrast += (np.nansum(apart, dtype=np.float64), shared.sum())


def _shared(part: Window, row: int, col: int, window: Window) -> tuple[Index, Index]:
    """What a part of the tile at (`row`, `col`) shares with a block: on the tile, and on the block."""
    top, left = max(part.row, window.row), max(part.col, window.col)
    bottom = max(min(part.row + part.height, window.row + window.height), top)
    right = max(min(part.col + part.width, window.col + window.width), left)
    on_tile = slice(top - row, bottom - row), slice(left - col, right - col)
    return on_tile, (slice(top - window.row, bottom - window.row), slice(left - window.col, right - window.col))


def on_tile_grid(output: Output, scores: np.ndarray, size: int) -> np.ndarray:
    """The answer as C×size×size on the run grid's pixels, those that the network cut off included."""
    if output.grid == "tile":
        return np.broadcast_to(scores.reshape(-1, 1, 1), (scores.size, size, size))
    if scores.ndim == 2:
        scores = scores[None]
    if output.stride > 1:
        scores = scores.repeat(output.stride, axis=1).repeat(output.stride, axis=2)
    lost = size - scores.shape[1]
    if lost == 0:
        return scores
    before = lost // 2
    return np.pad(scores, ((0, 0), (before, lost - before), (before, lost - before)))
