"""What a network is asked to do: the loss it learns by, the decision it makes, and the figures it is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from ..accuracy import regression_scores
from ..accuracy.confusion import accuracy, class_iou, confusion, mean_iou

#: A class counts at most so many times as much as a common one.
_HEAVIEST = 10.0
#: Least share of labelled pixels with which a chip has a value or a class of its own.
CHIP_SHARE = 0.5


class Objective(Protocol):
    """A task as training sees it."""

    metric: str
    """What the score is called."""
    outputs: int
    """Channels that the network answers."""

    def loss(self, scores: Tensor, truth: np.ndarray) -> Tensor:
        """Mean loss of a batch: scores N×K×S×S or N×K against truths N×S×S."""
        ...

    def judge(self) -> Judge:
        """A fresh judge."""
        ...


class Judge(Protocol):
    """Collects answers, then tells figures."""

    def see(self, scores: np.ndarray, truth: np.ndarray) -> None:
        """One window: scores K×h×w or K against its truth h×w."""
        ...

    def figures(self) -> dict[str, float]:
        """All figures; ``score`` is the one to be maximised, NaN where nothing could be judged."""
        ...


@dataclass(frozen=True)
class ClassObjective:
    """Classes by cross-entropy, rare ones weighted by the square root of their rarity.

    Attributes:
        names: the classes' names.
        weights: one weight a class.
        chip: one class for a whole chip, the most frequent of its labels.
        distance: one more channel learns the distance to the field boundary (`distances`), as a second target.
    """

    names: tuple[str, ...]
    weights: tuple[float, ...]
    chip: bool = False
    distance: int = 0
    metric: str = "mIoU"

    @property
    def outputs(self) -> int:
        return len(self.names) + (self.distance > 0)

    def loss(self, scores: Tensor, truth: np.ndarray) -> Tensor:
        target = chip_classes(truth, len(self.names)) if self.chip else truth
        known = torch.from_numpy(target.astype(np.int64)).to(scores.device)
        weight = torch.tensor(self.weights, dtype=torch.float32, device=scores.device)
        count = len(self.names)
        parts = functional.cross_entropy(scores[:, :count], known, weight=weight, ignore_index=-1, reduction="none")
        share = weight[known.clamp(min=0)] * (known >= 0)
        value = parts.sum() / share.sum().clamp(min=1e-6)
        if self.distance:
            value = value + self._distance_loss(scores[:, count], truth)
        return value

    def _distance_loss(self, scores: Tensor, truth: np.ndarray) -> Tensor:
        wanted = torch.from_numpy(np.stack([boundary_distances(one, self.distance) for one in truth])).to(scores.device)
        known = torch.isfinite(wanted)
        if not known.any():
            return scores.sum() * 0
        return functional.huber_loss(torch.sigmoid(scores)[known], wanted[known], delta=0.2) * 2

    def judge(self) -> ClassJudge:
        return ClassJudge(self)


class ClassJudge:
    """Counts a confusion matrix."""

    def __init__(self, objective: ClassObjective) -> None:
        self._objective = objective
        count = len(objective.names)
        self.counts = np.zeros((count, count), np.int64)

    def see(self, scores: np.ndarray, truth: np.ndarray) -> None:
        count = len(self._objective.names)
        found = np.atleast_1d(scores[:count].argmax(0))
        if self._objective.chip:
            truth = chip_classes(truth[None], count)
        self.counts += confusion(truth, found, count)

    def figures(self) -> dict[str, float]:
        if not self.counts.any():
            return {"score": float("nan"), "n": 0}
        named = zip(self._objective.names, class_iou(self.counts), strict=True)
        figures = {"accuracy": accuracy(self.counts), "miou": mean_iou(self.counts)}
        figures |= {f"iou_{name}": float(value) for name, value in named}
        return {"score": figures["miou"], **figures, "n": int(self.counts.sum())}


@dataclass(frozen=True)
class ValueObjective:
    """A regression by the Huber loss of scaled values.

    Attributes:
        offset, scale: the map's value is ``answer * scale + offset``.
        chip: one value for a whole chip, the mean of its labels.
    """

    offset: float
    scale: float
    chip: bool = False
    metric: str = "R²"
    outputs: int = 1

    def loss(self, scores: Tensor, truth: np.ndarray) -> Tensor:
        target = chip_values(truth) if self.chip else truth
        wanted = torch.from_numpy(((target - self.offset) / self.scale).astype(np.float32)).to(scores.device)
        known = torch.isfinite(wanted)
        if not known.any():
            return scores.sum() * 0
        return functional.huber_loss(scores[:, 0][known], wanted[known], delta=0.5) * 10

    def judge(self) -> ValueJudge:
        return ValueJudge(self)


class ValueJudge:
    """Keeps pairs of true and found values, thinned evenly where there are very many."""

    _MOST = 4_000_000

    def __init__(self, objective: ValueObjective) -> None:
        self._objective = objective
        self._pairs: list[np.ndarray] = []

    def see(self, scores: np.ndarray, truth: np.ndarray) -> None:
        if self._objective.chip:
            truth = chip_values(truth[None])
        known = np.isfinite(truth)
        found = np.atleast_1d(scores[0])[known] * self._objective.scale + self._objective.offset
        self._pairs.append(np.stack([truth[known], found]).astype(np.float32))

    def figures(self) -> dict[str, float]:
        pairs = np.concatenate(self._pairs, axis=1) if self._pairs else np.zeros((2, 0))
        if pairs.shape[1] < 2:
            return {"score": float("nan"), "n": pairs.shape[1]}
        figures = regression_scores(*pairs[:, :: max(pairs.shape[1] // self._MOST, 1)])
        return {"score": figures["r2"], **figures, "n": pairs.shape[1]}


def class_weights(truths: list[np.ndarray], count: int) -> tuple[float, ...]:
    """The square root of each class's rarity, mean 1, none above `_HEAVIEST`; 1 for a class without labels."""
    counts = np.sum([np.bincount(t[t >= 0].ravel(), minlength=count) for t in truths], axis=0).astype(float)
    present = counts > 0
    weights = np.ones(count)
    weights[present] = np.sqrt(counts.sum() / counts[present])
    weights[present] = np.minimum(weights[present] / weights[present].mean(), _HEAVIEST)
    return tuple(float(weight) for weight in weights)


def chip_classes(truth: np.ndarray, count: int) -> np.ndarray:
    """N int64: the most frequent class of each N×S×S chip; -1 where less than half of it is labelled."""
    answers = np.full(len(truth), -1, np.int64)
    for number, one in enumerate(truth):
        known = one[one >= 0]
        if len(known) >= CHIP_SHARE * one.size:
            answers[number] = np.bincount(known.ravel().astype(np.int64), minlength=count).argmax()
    return answers


def chip_values(truth: np.ndarray) -> np.ndarray:
    """N float32: the mean of each N×S×S chip's labels; NaN where less than half of it is labelled."""
    flat = truth.reshape(len(truth), -1)
    known = np.isfinite(flat)
    total = np.where(known, flat, 0).sum(1, dtype=float)
    enough = known.sum(1) >= CHIP_SHARE * flat.shape[1]
    return np.where(enough, total / np.maximum(known.sum(1), 1), np.nan).astype(np.float32)


def boundary_distances(truth: np.ndarray, reach: int) -> np.ndarray:
    """S×S float32: pixels to the nearest boundary (class 2) in fields (class 1), as a share of `reach` up to 1.

    0 on the boundary and in the background, NaN where the truth is unknown or no boundary is in sight.
    """
    wanted = np.where(truth < 0, np.nan, 0).astype(np.float32)
    boundary, field = truth == 2, truth == 1
    if not boundary.any():
        wanted[field] = np.nan
        return wanted
    away = np.minimum(ndimage.distance_transform_edt(~boundary) / reach, 1).astype(np.float32)
    wanted[field] = away[field]
    return wanted


def rounded(figures: Mapping[str, float]) -> dict[str, float]:
    """Figures as they are written down: finite ones, to four digits."""
    return {name: round(float(value), 4) for name, value in figures.items() if np.isfinite(value)}
