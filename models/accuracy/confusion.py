"""What a confusion matrix tells: overall, user's and producer's accuracy, IoU, F1 and kappa.

Matrices are K×K counts with the true class in rows and the mapped class in columns, K the number of classes. A figure
that has nothing to be counted on is NaN.
"""

from __future__ import annotations

import numpy as np


def confusion(truth: np.ndarray, found: np.ndarray, classes: int) -> np.ndarray:
    """Counts by true class (rows) and found class (columns); pixels below 0 in either are left out."""
    known = (truth >= 0) & (found >= 0)
    pairs = truth[known].astype(np.int64) * classes + found[known]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def accuracy(counts: np.ndarray) -> float:
    """Share of pixels on the diagonal of a confusion matrix."""
    return float(np.trace(counts) / max(counts.sum(), 1))


def users_accuracy(counts: np.ndarray) -> np.ndarray:
    """Of what is mapped as a class, the share that is it (precision); K values."""
    return _share(np.diag(counts), counts.sum(0))


def producers_accuracy(counts: np.ndarray) -> np.ndarray:
    """Of what is a class, the share that is mapped as it (recall); K values."""
    return _share(np.diag(counts), counts.sum(1))


def class_iou(counts: np.ndarray) -> np.ndarray:
    """Intersection over union of every class; NaN for a class that neither truth nor map has."""
    both = np.diag(counts)
    return _share(both, counts.sum(0) + counts.sum(1) - both)


def class_f1(counts: np.ndarray) -> np.ndarray:
    """Harmonic mean of user's and producer's accuracy of every class; NaN for a class that neither has."""
    return _share(2 * np.diag(counts), counts.sum(0) + counts.sum(1))


def mean_iou(counts: np.ndarray) -> float:
    """Mean intersection over union of the classes that truth or map have; NaN where nothing was counted."""
    return _mean(class_iou(counts))


def mean_f1(counts: np.ndarray) -> float:
    """Mean F1 of the classes that truth or map have; NaN where nothing was counted."""
    return _mean(class_f1(counts))


def kappa(counts: np.ndarray) -> float:
    """Cohen's kappa: agreement beyond that of two independent maps with the same class shares."""
    total = counts.sum()
    if not total:
        return float("nan")
    chance = float((counts.sum(0) * counts.sum(1)).sum()) / float(total) ** 2
    return (accuracy(counts) - chance) / (1 - chance) if chance < 1 else float("nan")


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=np.asarray(whole) > 0)


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
