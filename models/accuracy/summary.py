"""The figures of one map against its truth in one dictionary, as a training's validation and a comparison keep them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..trainplan import REGRESSIONS, LearnTask
from .boundaries import boundary_f1
from .confusion import accuracy, class_f1, class_iou, confusion, mean_iou
from .regression import regression_scores

#: Index of the boundary among a field model's classes: background, field, boundary.
BOUNDARY = 2


def scores(task: LearnTask, truth: np.ndarray, found: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    """Figures of a map.

    Args:
        truth, found: H×W (or any equal shape); class indices with -1 where nothing is known, or values of a regression
            with NaN there. A chip's boundaries need H×W, or N×H×W for many chips.
        classes: names in the order of the indices; not used by a regression.

    Returns:
        ``accuracy, miou, iou_<class>, f1_<class>, n``; field boundaries add ``boundary_f1``, within one pixel and of
        labelled pixels alone. A regression gives ``r2, rmse, mae, bias, n``. What cannot be counted is NaN.
    """
    if task in REGRESSIONS:
        return regression_scores(truth, found)
    counts = confusion(truth, found, len(classes))
    figures = class_figures(counts, classes)
    if task == "field-boundaries":
        figures["boundary_f1"] = _boundary_f1(truth, found)
    return figures


def class_figures(counts: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    """``accuracy, miou, iou_<class>, f1_<class>, n`` of a confusion matrix (K×K, truth in rows)."""
    figures = {"accuracy": accuracy(counts) if counts.any() else float("nan"), "miou": mean_iou(counts)}
    figures |= {f"iou_{name}": float(value) for name, value in zip(classes, class_iou(counts), strict=True)}
    figures |= {f"f1_{name}": float(value) for name, value in zip(classes, class_f1(counts), strict=True)}
    return {**figures, "n": int(counts.sum())}


def _boundary_f1(truth: np.ndarray, found: np.ndarray) -> float:
    """Chips are laid out side by side with a gap, so that no boundary is met in another chip."""
    known = (truth >= 0) & (found >= 0)
    masks = [_spread(known & (values == BOUNDARY)) for values in (truth, found)]
    return boundary_f1(*masks)


def _spread(mask: np.ndarray) -> np.ndarray:
    if mask.ndim == 2:
        return mask
    chips = mask.reshape(-1, *mask.shape[-2:])
    apart = np.pad(chips, ((0, 0), (0, 2), (0, 0)))
    return apart.reshape(-1, mask.shape[-1])
