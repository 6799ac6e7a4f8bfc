"""Merging tiles into a block: each tile's answer is weighed, summed in lattice order, and divided by the weights."""

from __future__ import annotations

import numpy as np

from ..models.card import Output
from .grid import Window
from .lattice import Lattice


class Merger:
    """Sums one head's tiles on one block.

    Scores are turned into probabilities before they are weighed, since a mean of logits is not one of probabilities.
    """

    def __init__(self, output: Output, lattice: Lattice, window: Window) -> None:
        self._output = output
        self._lattice = lattice
        self._window = window
        self._weights = lattice.weights()
        self._sum: np.ndarray | None = None
        self._weight = np.zeros((window.height, window.width), np.float32)
        self._contrast = np.zeros(2)

    def add(self, row: int, col: int, scores: np.ndarray) -> None:
        """Add the answer of the tile whose origin is (`row`, `col`) on the run grid.

        `scores` is the head's output for one tile: C×h×w, h×w, or C for the grid ``tile``.
        """
        tile = Window(row, col, self._lattice.size, self._lattice.size)
        scores = self._on_tile(scores)
        inner = Window(
            max(tile.row, self._window.row),
            max(tile.col, self._window.col),
            min(tile.row + tile.height, self._window.row + self._window.height) - max(tile.row, self._window.row),
            min(tile.col + tile.width, self._window.col + self._window.width) - max(tile.col, self._window.col),
        )
        rows, cols = inner.within(tile)
        here = (slice(None), *inner.within(self._window))
        weight = self._weights[rows, None] * self._weights[None, cols]
        used = probabilities(self._output, scores[:, rows, cols])
        if self._sum is None:
            self._sum = np.zeros((len(used), self._window.height, self._window.width), np.float32)
        if self._lattice.blend == 0:
            # A cropped tile owns its core alone: copied, so that no rounding and no NaN of a neighbour comes in.
            np.copyto(self._sum[here], used, where=weight > 0)
        else:
            self._compare(here, used, weight)
            self._sum[here] += np.where(weight > 0, used * weight, 0)
        self._weight[here[1:]] += weight

    def scores(self) -> tuple[np.ndarray, np.ndarray]:
        """C×h×w float32 probabilities (or values) on the block, and h×w bool where any tile answered."""
        if self._sum is None:
            channels = max(1, len(self._output.classes))
            return np.zeros((channels, *self._weight.shape), np.float32), self._weight > 0
        if self._lattice.blend:
            np.divide(self._sum, self._weight, out=self._sum, where=self._weight > 0)
        return self._sum, self._weight > 0

    @property
    def contrast(self) -> np.ndarray:
        """How far blended tiles disagree: the sum, over pixels that a second tile answers, of the largest difference
        among the channels from what the tiles before said; and the number of such pixels (2 values, float64).
        """
        return self._contrast

    def _compare(self, here: tuple[slice, ...], used: np.ndarray, weight: np.ndarray) -> None:
        if self._sum is None:
            return
        before = self._weight[here[1:]]
        shared = (before > 0) & (weight > 0)
        if shared.any():
            said = self._sum[here][:, shared] / before[shared]
            apart = np.abs(used[:, shared] - said).max(axis=0)
            self._contrast += (np.nansum(apart, dtype=np.float64), shared.sum())

    def _on_tile(self, scores: np.ndarray) -> np.ndarray:
        """The answer as C×size×size, pixels that the network cut off included (their weight is zero)."""
        size = self._lattice.size
        if self._output.grid == "tile":
            return np.broadcast_to(scores.reshape(-1, 1, 1), (scores.size, size, size))
        if scores.ndim == 2:
            scores = scores[None]
        if self._output.stride > 1:
            scores = scores.repeat(self._output.stride, axis=1).repeat(self._output.stride, axis=2)
        lost = size - scores.shape[1]
        if lost == 0:
            return scores
        before = lost // 2
        return np.pad(scores, ((0, 0), (before, lost - before), (before, lost - before)))


def probabilities(output: Output, scores: np.ndarray) -> np.ndarray:
    """Apply what the card says is still to be applied; C×h×w float32 in, the same (one-hot for labels) out."""
    scores = scores.astype(np.float32, copy=False)
    if output.activation == "softmax":
        shifted = np.exp(scores - scores.max(axis=0, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=0, keepdims=True))
    if output.activation == "sigmoid":
        # exp of a large positive number overflows to inf, and 1 / inf is the right 0.
        with np.errstate(over="ignore"):
            return np.asarray(1 / (1 + np.exp(-scores)), np.float32)
    if output.activation == "labels":
        indices = np.arange(len(output.classes), dtype=np.float32)[:, None, None]
        return (np.rint(scores) == indices).astype(np.float32)
    return scores
