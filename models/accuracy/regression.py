"""Figures of a regression over all pixels at once: R², RMSE, MAE, bias; sums that add up over blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Moments:
    """What a regression's figures need of its pixels; `+` joins two sets of pixels without loss of precision.

    Attributes:
        n: pixels.
        mean: of the true values.
        spread: sum of squared distances of the true values from their mean.
        error: sum of map minus truth; `absolute` and `squared`: sums of its size and of its square.
    """

    n: int = 0
    mean: float = 0.0
    spread: float = 0.0
    error: float = 0.0
    absolute: float = 0.0
    squared: float = 0.0

    @classmethod
    def of(cls, truth: np.ndarray, found: np.ndarray) -> Moments:
        """Of equally shaped values; pixels that are not finite in either are left out."""
        known = np.isfinite(truth) & np.isfinite(found)
        true = truth[known].astype(float)
        if not true.size:
            return cls()
        error = found[known].astype(float) - true
        mean = float(true.mean())
        spread = float(((true - mean) ** 2).sum())
        return cls(true.size, mean, spread, float(error.sum()), float(np.abs(error).sum()), float((error**2).sum()))

    def __add__(self, other: Moments) -> Moments:
        """Means and spreads are joined as by Chan, Golub and LeVeque (1979)."""
        n = self.n + other.n
        if not n:
            return self
        apart = other.mean - self.mean
        return Moments(
            n,
            self.mean + apart * other.n / n,
            self.spread + other.spread + apart**2 * self.n * other.n / n,
            self.error + other.error,
            self.absolute + other.absolute,
            self.squared + other.squared,
        )

    def scores(self) -> dict[str, float]:
        """``r2, rmse, mae, bias, n``: R² about the mean of the truth; bias is map minus truth. NaN without pixels.

        R² is NaN where the truth does not vary and the map differs from it.
        """
        if not self.n:
            return {"r2": np.nan, "rmse": np.nan, "mae": np.nan, "bias": np.nan, "n": 0}
        return {
            "r2": self._r2(),
            "rmse": float(np.sqrt(self.squared / self.n)),
            "mae": self.absolute / self.n,
            "bias": self.error / self.n,
            "n": self.n,
        }

    def _r2(self) -> float:
        if self.spread <= 0:
            return 1.0 if self.squared == 0 else float("nan")
        return 1 - self.squared / self.spread


def regression_scores(truth: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """``r2`` over all pixels at once, ``rmse``, ``mae``, ``bias`` (map minus truth) and ``n``."""
    return Moments.of(truth, found).scores()
