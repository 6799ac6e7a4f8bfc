"""Scenes as training sees them: the stack, its truth, and where on Earth each pixel lies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

#: Truth of a pixel that nobody labelled; NaN in regressions.
UNLABELLED = -1


@dataclass(frozen=True)
class Scene:
    """One place's layers with what is known of it.

    Attributes:
        name: the place's name.
        values: C×H×W float32 in the sources' own units; undefined where not valid.
        valid: C×H×W bool.
        truth: H×W; class indices from 0 with `UNLABELLED` (int16), or values of a regression with NaN (float32).
        corners: 2×2×2, longitude and latitude in degrees (last axis) of the four corner pixels' centres, by top and
            bottom row (first axis), left and right column; None where no network asks for places.
    """

    name: str
    values: np.ndarray
    valid: np.ndarray
    truth: np.ndarray
    corners: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, int]:
        height, width = self.truth.shape
        return height, width

    def lonlat(self, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        """N×2 float32 degrees of N fractional pixel positions, bilinear between the corners."""
        if self.corners is None:
            return np.zeros((len(rows), 2), np.float32)
        height, width = self.shape
        down = (np.asarray(rows) / max(height - 1, 1))[:, None]
        right = (np.asarray(cols) / max(width - 1, 1))[:, None]
        top = self.corners[0, 0] * (1 - right) + self.corners[0, 1] * right
        bottom = self.corners[1, 0] * (1 - right) + self.corners[1, 1] * right
        return (top * (1 - down) + bottom * down).astype(np.float32)

    def middle(self, row: int, col: int, side: int) -> np.ndarray:
        """1×2 float32 degrees of the middle of the square whose upper left pixel is given."""
        half = (side - 1) / 2
        return self.lonlat(np.array([row + half]), np.array([col + half]))

    def at_least(self, side: int) -> Scene:
        """The scene, mirrored at its lower and right edge (without truth there) to be no smaller than `side` pixels."""
        height, width = self.shape
        low, wide = max(side - height, 0), max(side - width, 0)
        if not low and not wide:
            return self
        truth = np.pad(self.truth, ((0, low), (0, wide)), constant_values=unlabelled(self.truth))
        beyond = ((0, 0), (0, low), (0, wide))
        values, valid = (np.pad(array, beyond, mode="symmetric") for array in (self.values, self.valid))
        return replace(self, values=values, valid=valid, truth=truth)


def unlabelled(truth: np.ndarray) -> float:
    """What stands in a truth of this kind where nothing is known."""
    return float("nan") if truth.dtype.kind == "f" else UNLABELLED


def is_labelled(truth: np.ndarray) -> np.ndarray:
    """H×W bool, where something is known."""
    return np.isfinite(truth) if truth.dtype.kind == "f" else truth >= 0


def masked(truth: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The truth, unlabelled outside the bool mask `kept`."""
    return np.where(kept, truth, np.asarray(unlabelled(truth), truth.dtype)).astype(truth.dtype)
