"""Confidence intervals where reference pixels are not independent: whole features or spatial blocks are drawn anew.

The pixels of one polygon are alike, so that an interval that counts them one by one is too narrow. Drawing whole
groups with replacement keeps what is alike together (the cluster bootstrap of Efron and Tibshirani 1993, chapter 8;
Davison and Hinkley 1997, section 3.8).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Figures = Mapping[str, float]
DRAWS = 1000
#: With fewer groups no interval is told: it would say nothing about another sample.
LEAST_GROUPS = 5
_CELLS = 2_000_000


@dataclass(frozen=True)
class Interval:
    """The middle 95 % of the draws."""

    low: float
    high: float


def bootstrap_by_group(
    groups: np.ndarray, statistic: Callable[[np.ndarray], Figures], draws: int = DRAWS, seed: int = 1
) -> dict[str, Interval]:
    """95 % percentile intervals of figures, by drawing groups with replacement.

    Args:
        groups: G×..., what each reference feature or block adds to a sum: a confusion matrix, or sums of errors.
        statistic: figures by name of such a sum (the shape of one group). NaN where a draw has nothing to count on.
        draws: how many times groups are drawn.
        seed: the same seed gives the same intervals.

    Returns:
        Figures' intervals; none with fewer than `LEAST_GROUPS` groups, and none for a figure that half the draws
        cannot give.
    """
    if len(groups) < LEAST_GROUPS:
        return {}
    random = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {}
    for sums in _draw(groups, draws, random):
        for name, value in statistic(sums).items():
            drawn.setdefault(name, []).append(value)
    return {name: interval for name, values in drawn.items() if (interval := _middle(np.array(values, float)))}


def _draw(groups: np.ndarray, draws: int, random: np.random.Generator) -> np.ndarray:
    """draws×..., sums of as many groups as there are, each drawn with replacement."""
    count = len(groups)
    flat = groups.reshape(count, -1).astype(float)
    at_once = max(_CELLS // count, 1)
    parts = []
    for start in range(0, draws, at_once):
        times = random.multinomial(count, np.full(count, 1 / count), min(at_once, draws - start))
        parts.append(times @ flat)
    return np.concatenate(parts).reshape(draws, *groups.shape[1:])


def _middle(values: np.ndarray) -> Interval | None:
    known = values[np.isfinite(values)]
    if known.size * 2 < values.size:
        return None
    low, high = np.percentile(known, (2.5, 97.5))
    return Interval(float(low), float(high))
