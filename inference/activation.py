"""What the card says is still to be done to a network's answers before they are probabilities."""

from __future__ import annotations

import numpy as np

from ..models.card import Output


def probabilities(output: Output, scores: np.ndarray) -> np.ndarray:
    """Apply the head's activation; C×h×w float32 in, the same (one-hot for labels) out."""
    scores = scores.astype(np.float32, copy=False)
    if output.activation == "softmax":
        shifted = np.exp(scores - scores.max(axis=0, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=0, keepdims=True))
    if output.activation == "sigmoid":
        # exp of a large positive number overflows to inf, and 1 / inf is the right 0.
        with np.errstate(over="ignore"):
            return np.asarray(1 / (1 + np.exp(-scores)), np.float32)
    if output.activation == "labels":
        indices = np.arange(len(output.classes), dtype=np.float32)[:, None, None]
        return (np.rint(scores) == indices).astype(np.float32)
    return scores


def highest(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Position and value of the highest channel (C×h×w), the first of equals; faster than ``argmax`` over axis 0."""
    best = scores[0].copy()
    position = np.zeros(best.shape, np.uint8 if len(scores) <= 256 else np.uint16)
    for channel in range(1, len(scores)):
        better = scores[channel] > best
        np.maximum(best, scores[channel], out=best)
        # A later channel's number is the higher one, so the maximum replaces where it is better, without branches.
        np.maximum(position, better.view(np.uint8) * position.dtype.type(channel), out=position)
    return position, best


def softmax_of_highest(scores: np.ndarray, best: np.ndarray) -> np.ndarray:
    """The softmax of the highest channel alone (h×w), without those of the others."""
    total = np.zeros(best.shape, np.float32)
    part = np.empty(best.shape, np.float32)
    for channel in scores:
        np.subtract(channel, best, out=part)
        total += np.exp(part, out=part)
    return np.reciprocal(total, out=total)
