"""Error-adjusted areas and accuracies with 95 % confidence intervals, by stratified estimation.

Equations 1 to 11 of Olofsson, Foody, Herold, Stehman, Woodcock and Wulder, "Good practices for estimating area and
assessing accuracy of land change", Remote Sensing of Environment 148 (2014) 42-57. A stratum is what the map shows as
one class; the reference pixels in it stand for it as a random sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Half the width of a 95 % interval, in standard errors.
Z = 1.96
#: A stratum's variance needs two sample pixels.
LEAST = 2


@dataclass(frozen=True)
class AreaEstimates:
    """K classes; margins are half the widths of 95 % intervals, and NaN where nothing can be said.

    Attributes:
        shares: K×K, estimated shares of the judged area by true class (rows) and mapped class (columns).
        mapped: K, area that the map shows, in the unit that was given.
        areas, area_margins: K, error-adjusted areas and their margins in that unit.
        overall, overall_margin: overall accuracy.
        users, users_margins: K, user's accuracy.
        producers, producers_margins: K, producer's accuracy.
        judged: K, bool: strata with enough sample pixels. The area of the others is in no estimate.
    """

    shares: np.ndarray
    mapped: np.ndarray
    areas: np.ndarray
    area_margins: np.ndarray
    overall: float
    overall_margin: float
    users: np.ndarray
    users_margins: np.ndarray
    producers: np.ndarray
    producers_margins: np.ndarray
    judged: np.ndarray


def estimate_areas(counts: np.ndarray, mapped: np.ndarray) -> AreaEstimates:
    """Estimate areas and accuracies from a sample.

    Args:
        counts: K×K sample counts, true class in rows and mapped class in columns.
        mapped: K, area that the map shows as each class, in any unit.

    A class that is mapped but has fewer than two sample pixels cannot be judged: its area is left out of the whole.
    """
    judged = (counts.sum(0) >= LEAST) & (mapped > 0)
    if not judged.any():
        return _nothing(counts, mapped, judged)
    total = float(mapped[judged].sum())
    weights = np.where(judged, mapped, 0) / total
    sizes = np.where(judged, counts.sum(0), LEAST).astype(float)
    rates = np.where(judged, counts / sizes, 0)
    shares = weights * rates
    proportions = shares.sum(1)
    spread = weights**2 * rates * (1 - rates) / (sizes - 1)
    users = np.diag(rates)
    own = np.diag(spread)
    producers = np.divide(np.diag(shares), proportions, out=np.full(len(mapped), np.nan), where=proportions > 0)
    return AreaEstimates(
        shares=shares,
        mapped=np.asarray(mapped, float),
        areas=proportions * total,
        area_margins=Z * np.sqrt(spread.sum(1)) * total,
        overall=float(np.trace(shares)),
        overall_margin=float(Z * np.sqrt(own.sum())),
        users=np.where(judged, users, np.nan),
        users_margins=np.where(judged, Z * np.sqrt(users * (1 - users) / (sizes - 1)), np.nan),
        producers=producers,
        producers_margins=Z * _producers_error(producers, proportions, own, spread.sum(1) - own),
        judged=judged,
    )


def _producers_error(producers: np.ndarray, proportions: np.ndarray, own: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Standard errors of producer's accuracy (equation 7), from the variances of a class in its own stratum and in the
    other ones.
    """
    variance = (1 - producers) ** 2 * own + producers**2 * others
    return np.divide(np.sqrt(variance), proportions, out=np.full(len(own), np.nan), where=proportions > 0)


def _nothing(counts: np.ndarray, mapped: np.ndarray, judged: np.ndarray) -> AreaEstimates:
    unknown, nan = np.full(len(mapped), np.nan), float("nan")
    shares = np.full(counts.shape, np.nan)
    return AreaEstimates(
        shares, np.asarray(mapped, float), unknown, unknown, nan, nan, unknown, unknown, unknown, unknown, judged
    )
