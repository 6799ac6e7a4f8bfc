"""How well mapped boundaries meet true ones: F1 within a tolerance, as in contour evaluation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage


@dataclass(frozen=True)
class Boundaries:
    """Counts of boundary pixels, which add up over blocks.

    Attributes:
        true: pixels of the true boundary, and `recalled`: those of them with a mapped one near.
        found: pixels of the mapped boundary, and `met`: those of them with a true one near.
    """

    true: int = 0
    recalled: int = 0
    found: int = 0
    met: int = 0

    def __add__(self, other: Boundaries) -> Boundaries:
        return Boundaries(
            self.true + other.true, self.recalled + other.recalled, self.found + other.found, self.met + other.met
        )

    @property
    def precision(self) -> float:
        """Share of the mapped boundary that lies on a true one; 0 where nothing is mapped."""
        return self.met / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """Share of the true boundary that is mapped; 0 where there is none."""
        return self.recalled / self.true if self.true else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-12)


def count_boundaries(
    truth: np.ndarray, found: np.ndarray, tolerance: int = 1, within: np.ndarray | None = None
) -> Boundaries:
    """Count boundary pixels (bool masks, H×W) that have one of the other mask within `tolerance` pixels.

    Args:
        tolerance: pixels, by 8 neighbours.
        within: the pixels to count; those outside it still count as near. None counts all.
    """
    near = np.ones((2 * tolerance + 1,) * 2, bool)
    counted_truth = truth if within is None else truth & within
    counted_found = found if within is None else found & within
    recalled = counted_truth & ndimage.binary_dilation(found, near)
    met = counted_found & ndimage.binary_dilation(truth, near)
    return Boundaries(*(int(np.count_nonzero(mask)) for mask in (counted_truth, recalled, counted_found, met)))


def boundary_f1(truth: np.ndarray, found: np.ndarray, tolerance: int = 1) -> float:
    """F1 of boundary masks (bool, H×W); a boundary pixel counts as met within ``tolerance`` pixels (8 neighbours)."""
    return count_boundaries(truth, found, tolerance).f1
