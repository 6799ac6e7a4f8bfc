"""Arrays that show one pixel everywhere: blocks without anything to map, which take neither room nor time."""

from __future__ import annotations

import numpy as np

from .grid import Window


def spread(pixel: np.ndarray, window: Window) -> np.ndarray:
    """A pixel (…×1×1) shown for every pixel of a window, as a view without memory of its own."""
    return np.broadcast_to(pixel, (*pixel.shape[:-2], window.height, window.width))


def is_spread(array: np.ndarray) -> bool:
    """Whether an array shows one pixel everywhere."""
    return array.ndim > 1 and array.size > 0 and not any(array.strides[-2:])
