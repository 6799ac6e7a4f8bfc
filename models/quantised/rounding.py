"""How values become steps and weights become integers, so that what is lost cancels out."""

from __future__ import annotations

import numpy as np

#: Steps that an activation can be apart, and the largest integer of a weight.
LEVELS, LARGEST = 255, 127
#: Of a tensor's range, the least that a channel's own counts as: a channel that was silent may speak elsewhere.
_LEAST = 1e-4


def zero_level(low: float, high: float) -> int:
    """The level, 0 to `LEVELS`, that stands for zero where values lie between `low` ≤ 0 and `high` ≥ 0."""
    if low == 0:
        return 0
    return int(np.clip(np.rint(-low / (high - low) * LEVELS), 1, LEVELS - 1))


def step_sizes(low: np.ndarray, high: np.ndarray, zero: int) -> np.ndarray:
    """What a step is worth in each channel (C float32), where its values lie between `low` ≤ 0 and `high` ≥ 0 (C each).

    The geometric mean of what the channel needs and what its tensor needs: its own alone is too narrow for tiles that
    nobody saw, and leaves weights of very different sizes beside one another; that of the tensor alone is coarse
    (SmoothQuant, https://arxiv.org/abs/2211.10438, with the same half and half).
    """
    own = np.maximum(high / (LEVELS - zero), -low / zero if zero else 0.0)
    widest = own.max(initial=0.0)
    if widest == 0:
        return np.ones(own.shape, np.float32)
    return (np.sqrt(np.maximum(own, _LEAST * widest)) * np.sqrt(widest)).astype(np.float32)


def integer_weights(values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights as integers from -127 to 127 (int8) and their scale along `axis` (float32).

    In the window of a convolution each weight takes over what its neighbours lost, since neighbouring pixels are nearly
    alike: error diffusion (Floyd and Steinberg 1976), along the rows to and fro. It more than halves how many classes
    change.
    """
    others = tuple(other for other in range(values.ndim) if other != axis)
    scale = np.abs(values).max(axis=others, keepdims=True) / LARGEST
    scale = np.where(scale > 0, scale, 1).astype(np.float32)
    exact = (values / scale).reshape(*values.shape[:2], -1)
    rounded, lost = np.empty_like(exact), np.zeros_like(exact[..., 0])
    for place in _to_and_fro(values.shape[2:]):
        wanted = exact[..., place] + lost
        rounded[..., place] = np.clip(np.rint(wanted), -LARGEST, LARGEST)
        lost = wanted - rounded[..., place]
    return rounded.reshape(values.shape).astype(np.int8), scale.ravel()


def _to_and_fro(window: tuple[int, ...]) -> np.ndarray:
    """The places of a window, each beside the one before it within a row and from row to row."""
    places = np.arange(int(np.prod(window))).reshape(-1, window[-1] if window else 1)
    places[1::2] = places[1::2, ::-1]
    return places.ravel()
