"""The pixel frame of a scene and the coarser frame on which terrain and water are worked out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .noise import evaluate

PAD = 24
"""Coarse cells around the scene: rivers come from somewhere, and the elevation model reaches beyond."""


@dataclass(frozen=True)
class Frame:
    """A square scene of ``size`` pixels of ``gsd`` metres.

    Scene coordinates are metres: x to the east from the left edge, y to the **south** from the upper edge.
    The coarse frame has ``cells`` x ``cells`` over the scene and ``PAD`` more on every side.
    """

    size: int
    gsd: float

    @property
    def shape(self) -> tuple[int, int]:
        return self.size, self.size

    @property
    def extent(self) -> float:
        """The scene's side in metres."""
        return self.size * self.gsd

    @property
    def cells(self) -> int:
        return int(np.clip(self.size // 8, 96, 512))

    @property
    def cell(self) -> float:
        """The side of a coarse cell in metres."""
        return self.extent / self.cells

    @property
    def coarse_shape(self) -> tuple[int, int]:
        return self.cells + 2 * PAD, self.cells + 2 * PAD

    def to_scene(self, coarse: np.ndarray) -> np.ndarray:
        """Coarse indices (row or column, cell centres) as scene metres."""
        return (np.asarray(coarse, float) - PAD + 0.5) * self.cell

    def to_coarse(self, metres: np.ndarray) -> np.ndarray:
        """Scene metres as fractional coarse indices."""
        return np.asarray(metres, float) / self.cell + PAD - 0.5

    def refine(self, coarse: np.ndarray) -> np.ndarray:
        """A coarse array as a smooth full-resolution one, float32."""
        centres = self.to_coarse((np.arange(self.size) + 0.5) * self.gsd)
        return evaluate(coarse, centres, centres)

    def pick(self, array: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """A full-resolution array's values at scene points, the nearest edge's beyond the scene."""
        column = np.clip((np.asarray(x) / self.gsd).astype(int), 0, self.size - 1)
        row = np.clip((np.asarray(y) / self.gsd).astype(int), 0, self.size - 1)
        return array[row, column]
