"""What a source answers: values with their mask and their place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .grid import Grid, Window


@dataclass(frozen=True)
class Patch:
    """Values of one source on a window of the run grid.

    Attributes:
        data: C×H×W in the source's own units; undefined where not valid. float32, or a whole-number type that float32
            holds exactly, as it is stored.
        valid: H×W bool, True where every channel has a value.
        window: where the values lie, in pixels of `grid`.
        grid: the grid that the window counts on.
    """

    data: np.ndarray
    valid: np.ndarray
    window: Window
    grid: Grid

    @cached_property
    def whole(self) -> bool:
        """Whether every pixel has a value."""
        return bool(self.valid.all())
