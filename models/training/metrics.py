"""Figures of merit: mIoU and accuracy from a confusion matrix, F1 of boundaries, R² and errors of regressions."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def confusion(truth: np.ndarray, found: np.ndarray, classes: int) -> np.ndarray:
    """Counts by true class (rows) and found class (columns); pixels below 0 in either are left out."""
    known = (truth >= 0) & (found >= 0)
    pairs = truth[known].astype(np.int64) * classes + found[known]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def accuracy(counts: np.ndarray) -> float:
    """Share of pixels on the diagonal of a confusion matrix."""
    return float(np.trace(counts) / max(counts.sum(), 1))


def class_iou(counts: np.ndarray) -> np.ndarray:
    """Intersection over union of every class; NaN for a class that neither truth nor map has."""
    both = np.diag(counts).astype(float)
    either = counts.sum(0) + counts.sum(1) - both
    return np.divide(both, either, out=np.full(len(counts), np.nan), where=either > 0)


def mean_iou(counts: np.ndarray) -> float:
    """Mean of the classes' intersection over union."""
    return float(np.nanmean(class_iou(counts)))


def boundary_f1(truth: np.ndarray, found: np.ndarray, tolerance: int = 1) -> float:
    """F1 of boundary masks (bool, H×W); a boundary pixel counts as met within ``tolerance`` pixels (8 neighbours)."""
    near = np.ones((2 * tolerance + 1,) * 2, bool)
    precision = ndimage.binary_dilation(truth, near)[found].mean() if found.any() else 0.0
    recall = ndimage.binary_dilation(found, near)[truth].mean() if truth.any() else 0.0
    return float(2 * precision * recall / max(precision + recall, 1e-12))


def regression_scores(truth: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """R² over all pixels at once, mean absolute error and root mean square error."""
    error = found.astype(float) - truth
    spread = float(((truth - truth.mean(dtype=float)) ** 2).sum(dtype=float))
    return {
        "r2": 1 - float((error**2).sum()) / max(spread, 1e-12),
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
    }
