"""How much of what a model says another way of running it keeps, as whoever looks at the map would see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..models.card import Card, Output
from .activation import highest, probabilities
from .merge import on_tile_grid

#: Share of the spread of all values by which one may change and still count as kept.
SAME_VALUE = 0.005

Answers = Sequence[Mapping[str, np.ndarray]]


def share_kept(card: Card, valid: Sequence[np.ndarray], ones: Answers, others: Answers) -> float:
    """Share (0 to 1) of the pixels that are mapped whose answer is the same, of the head that suffers most.

    Args:
        card: what the answers mean.
        valid: for each tile which of its pixels are mapped (side×side bool).
        ones: the model's answers to each tile, by output, of which the first of the batch counts.
        others: what is held against them.

    Returns:
        0 where no pixel is mapped, since nothing is shown then.
    """
    return min((_of_head(head, valid, ones, others) for head in card.outputs), default=0.0)


def _of_head(head: Output, valid: Sequence[np.ndarray], ones: Answers, others: Answers) -> float:
    same = count = 0
    for where, one, other in zip(valid, ones, others, strict=True):
        one, other = (on_tile_grid(head, scores[head.name][0], len(where))[:, where] for scores in (one, other))
        same += int(kept(head, one, other).sum())
        count += int(where.sum())
    return same / count if count else 0.0


def kept(output: Output, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Which of a tile's pixels (C×N scores each) keep their class; in regression, their value but for `SAME_VALUE`."""
    if output.task == "pixel-regression":
        known = np.isfinite(one)
        spread = float(np.ptp(np.percentile(one[known], (2, 98)))) if known.any() else 0.0
        with np.errstate(invalid="ignore"):
            return ((np.abs(one - other) <= SAME_VALUE * spread) | ~known).all(axis=0)
    return _classes(output, one) == _classes(output, other)


def _classes(output: Output, scores: np.ndarray) -> np.ndarray:
    if output.activation == "labels":
        return np.rint(scores[0])
    if len(scores) == 1:
        return probabilities(output, scores)[0] >= (0.5 if output.threshold is None else output.threshold)
    return highest(np.float32(scores))[0]
