"""What the tests of labels share: a small grid of 10 m in UTM, boxes on its pixels, and reading labels onto it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import shapely
from fusion_mapper.inference.grid import Grid
from fusion_mapper.inference.learning.labels import Truth, read_labels
from fusion_mapper.inference.learnjob import Labels
from fusion_mapper.inference.sources import Context
from fusion_mapper.models.card import ClassInfo
from layers import PLACE, place_grid

CLASSES = (ClassInfo(1, "water"), ClassInfo(5, "forest"))
#: 40 × 60 pixels.
GRID = place_grid(40, 60)


def pixels(row: float, col: float, height: float, width: float) -> shapely.Geometry:
    """The box that covers these pixels of `GRID`."""
    left, top = PLACE @ (col, row)
    right, bottom = PLACE @ (col + width, row + height)
    return shapely.box(left, bottom, right, top)


def centre(row: int, col: int) -> shapely.Geometry:
    """The centre of a pixel of `GRID`."""
    return shapely.Point(*(PLACE @ (col + 0.5, row + 0.5)))


def known(
    labels: Labels,
    folder: Path,
    task: str = "semantic-segmentation",
    classes: tuple[ClassInfo, ...] = CLASSES,
    grid: Grid = GRID,
    base: Path | None = None,
) -> Truth:
    """The labels on a grid; what the sources say goes to the warnings as well."""
    told: list[str] = []
    truth = read_labels(labels, task, classes, grid, Context(base or folder, folder, told.append))
    return Truth(truth.values, truth.classes, truth.pixels, truth.features, (*told, *truth.warnings))


def where(truth: Truth, index: int) -> set[tuple[int, int]]:
    """Rows and columns of the pixels of one class."""
    return set(zip(*(place.tolist() for place in np.nonzero(truth.values == index)), strict=True))
