"""Mean, deviation, extremes and quantiles of values that come in parts and are never held together."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

#: Bins over a known range.
BINS = 4096
QUANTILES = (5, 25, 50, 75, 95)
#: Low bits of a float32 that a bin leaves out where no range is known: ten of the fraction's 23 remain, 0.1 %.
_DROPPED_BITS = 13


@dataclass(frozen=True)
class Distribution:
    """Moments and a histogram; parts add up by Chan, Golub & LeVeque (1983), so a mean far from 0 costs no digits."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    """Sum of squared deviations from the mean."""
    lowest: float = math.inf
    highest: float = -math.inf
    bins: Counter[int] = field(default_factory=Counter)
    """Values by bin; bins are numbered in the order of their values."""
    range: tuple[float, float] | None = None

    def __add__(self, other: Distribution) -> Distribution:
        if not (self.count and other.count):
            return self if self.count else other
        count = self.count + other.count
        apart = other.mean - self.mean
        return Distribution(
            count,
            self.mean + apart * other.count / count,
            self.squares + other.squares + apart**2 * self.count * other.count / count,
            min(self.lowest, other.lowest),
            max(self.highest, other.highest),
            self.bins + other.bins,
            self.range,
        )

    def to_array(self) -> np.ndarray:
        """As float64, which holds the whole numbers of a part exactly; see `of_array`."""
        moments = self.count, self.mean, self.squares, self.lowest, self.highest
        return np.array([*moments, *self.bins.keys(), *self.bins.values()])

    @staticmethod
    def of_array(array: np.ndarray, span: tuple[float, float] | None) -> Distribution:
        """What `to_array` answered of values in that `range`."""
        count, *moments = array[:5].tolist()
        keys, counts = array[5:].reshape(2, -1).astype(np.int64).tolist()
        return Distribution(int(count), *moments, Counter(dict(zip(keys, counts, strict=True))), span)

    def figures(self) -> dict[str, Any]:
        """Mean, std, min, max and quantiles, to seven significant digits; None where there are no values."""
        names = ("mean", "std", "min", "max", *(f"p{q}" for q in QUANTILES))
        if not self.count:
            return dict.fromkeys(names)
        values = (self.mean, math.sqrt(self.squares / self.count), self.lowest, self.highest)
        quantiles = (self.quantile(q / 100) for q in QUANTILES)
        return {name: float(f"{value:.7g}") for name, value in zip(names, (*values, *quantiles), strict=True)}

    def quantile(self, share: float) -> float:
        """The middle of the bin in which that share of the values is reached."""
        wanted, seen = share * self.count, 0
        for key in sorted(self.bins):
            seen += self.bins[key]
            if seen >= wanted:
                return min(max(_middle(key, self.range), self.lowest), self.highest)
        return self.highest


def distribution_of(values: np.ndarray, span: tuple[float, float] | None) -> Distribution:
    """The distribution of finite float32 values; `span` is the range that they are known to lie in."""
    if not values.size:
        return Distribution(range=span)
    mean = float(values.mean(dtype=np.float64))
    keys, counts = np.unique(_keys(values, span), return_counts=True)
    return Distribution(
        values.size,
        mean,
        float(np.square(values.astype(np.float64) - mean).sum()),
        float(values.min()),
        float(values.max()),
        Counter(dict(zip(keys.tolist(), counts.tolist(), strict=True))),
        span,
    )


def _keys(values: np.ndarray, span: tuple[float, float] | None) -> np.ndarray:
    if span is not None and span[1] > span[0]:
        share = (values.astype(np.float64) - span[0]) / (span[1] - span[0])
        return np.clip(np.floor(share * BINS), 0, BINS - 1).astype(np.int16)
    # As whole numbers, the bits of floats rise with the value; those of negative ones with its size.
    bits = np.ascontiguousarray(values, np.float32).view(np.int32) >> _DROPPED_BITS
    return np.where(bits >= 0, bits, -(bits & (2 ** (31 - _DROPPED_BITS) - 1)) - 1)


def _middle(key: int, span: tuple[float, float] | None) -> float:
    if span is not None and span[1] > span[0]:
        return span[0] + (key + 0.5) / BINS * (span[1] - span[0])
    size = key if key >= 0 else -key - 1
    bits = np.array([(size << _DROPPED_BITS) + 2 ** (_DROPPED_BITS - 1)], np.int32)
    middle = float(bits.view(np.float32)[0])
    return middle if key >= 0 else -middle
