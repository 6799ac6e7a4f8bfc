"""Labels on a pixel grid: polygons, points or a class raster, in any CRS, become what is known of each pixel.

A pixel without a label is unknown, never background.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ...models.card import ClassInfo
from ...models.palette import class_color
from ..errors import RequestError
from ..grid import Grid
from ..learnjob import Labels, LearnTask
from ..sources import Context
from . import label_rasters, label_vectors

REGRESSIONS = ("pixel-regression", "chip-regression")
#: Colours as the starter models have them.
FIELD_CLASSES = (
    ClassInfo(0, "background", "#6e6e6e"),
    ClassInfo(1, "field", "#e6c864"),
    ClassInfo(2, "boundary", "#c81e1e"),
)
#: More values than this are no classes but numbers.
_MOST_CLASSES = 200


@dataclass(frozen=True)
class Truth:
    """What is known on a grid.

    Attributes:
        values: H×W; int16 indices of `classes` with -1, or float32 values of a regression with NaN, where unknown.
        classes: in the order of the indices; empty for a regression.
        pixels: labelled pixels by class name ("all" in a regression).
        features: polygons and points by class name; empty for rasters.
        warnings: sentences for the user.
    """

    values: np.ndarray
    classes: tuple[ClassInfo, ...]
    pixels: dict[str, int]
    features: dict[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class ClassKeys:
    """From what stands in a label to the index of its class: by name first, whatever its case, then by value."""

    def __init__(self, classes: Sequence[ClassInfo], unlabelled: Sequence[str] = ()) -> None:
        self._names = {info.name.strip().casefold(): index for index, info in enumerate(classes)}
        self._values = {str(info.value): index for index, info in enumerate(classes)}
        self._unknown = {text.strip().casefold() for text in unlabelled}

    def index(self, value: object) -> int:
        """-1 for what is no class, NULL, or stands for "not known"."""
        text = text_of(value)
        if text is None or text.casefold() in self._unknown:
            return -1
        return self._names.get(text.casefold(), self._values.get(text, -1))

    def indices(self, values: np.ndarray) -> np.ndarray:
        """int16, of the shape of `values`; each different value is looked up once."""
        flat = values.ravel()
        if flat.dtype.kind == "O":
            return np.array([self.index(value) for value in flat], np.int16).reshape(values.shape)
        different, where = np.unique(flat, return_inverse=True)
        return np.array([self.index(v) for v in different], np.int16)[where].reshape(values.shape)


def text_of(value: object) -> str | None:
    """A value as one would write it: whole numbers without a point; None for NULL, NaN and empty text."""
    if value is None or (isinstance(value, (float, np.floating)) and not np.isfinite(value)):
        return None
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value).strip() or None


def survey_classes(
    labels: Sequence[Labels], task: LearnTask, classes: tuple[ClassInfo, ...], base: Path
) -> tuple[ClassInfo, ...]:
    """The classes of all these labels together; those that are given, where they are.

    Whole numbers are values of their own; names get the values 1 upward in the order of the alphabet.

    Raises:
        RequestError: the field is missing, or there are too few or too many classes.
    """
    if task in REGRESSIONS:
        return ()
    if task == "field-boundaries":
        return classes or FIELD_CLASSES
    if classes:
        return classes
    found: set[str] = set()
    for one in labels:
        unknown = {text.strip().casefold() for text in one.unlabelled}
        values = label_rasters.values_of(one, base) if label_rasters.is_raster(one, base) else _field_values(one, base)
        texts = (text_of(value) for value in values)
        found |= {text for text in texts if text is not None and text.casefold() not in unknown}
    title = title_of(labels[0])
    if len(found) > _MOST_CLASSES:
        raise RequestError(f"The labels '{title}' have {len(found):,} different values; choose a field with classes.")
    if len(found) < 2:
        said = f"only the class '{next(iter(found))}'" if found else "no class at all"
        raise RequestError(f"The labels '{title}' have {said}; a model has to tell at least two apart.")
    return _named(found)


def read_labels(labels: Labels, task: LearnTask, classes: tuple[ClassInfo, ...], grid: Grid, context: Context) -> Truth:
    """What the labels say of each pixel of the grid.

    Polygons label the pixels whose centres lie in them, as gdal_rasterize does; where polygons of different classes (or
    values) overlap, nothing is known. Points label their pixel, or a disc (`Labels.width`). Rasters are read with the
    nearest pixel, those of a regression bilinearly, or averaged where they are finer than the grid.

    Field boundaries from polygons: a band of `Labels.width` along each outline is boundary, what is left of the polygon
    field. Background is what a feature says (a field with "background" or 0), and a ring of three band widths around
    the parcels; all else is unknown.

    Raises:
        RequestError: the field is missing or holds text where numbers are needed, or the layer holds lines.
        SourceError: the layer cannot be read.
    """
    keys = ClassKeys(classes, labels.unlabelled)
    if label_rasters.is_raster(labels, context.base):
        values, told = label_rasters.read(labels, task in REGRESSIONS, keys.indices, grid, context)
        return _truth(values, classes, {}, told)
    if task == "field-boundaries":
        values, features, told = label_vectors.read_parcels(labels, grid, context)
    else:
        to_index = None if task in REGRESSIONS else keys.indices
        values, features, told = label_vectors.read(labels, to_index, classes, grid, context)
    return _truth(values, classes, features, told)


def title_of(labels: Labels) -> str:
    """How sentences call the labels."""
    return labels.name or Path(labels.path).name


def _truth(
    values: np.ndarray, classes: tuple[ClassInfo, ...], features: dict[str, int], told: tuple[str, ...]
) -> Truth:
    if not classes:
        pixels = {"all": int(np.isfinite(values).sum())}
    else:
        pixels = {info.name: int((values == index).sum()) for index, info in enumerate(classes)}
    return Truth(values, classes, pixels, features, told)


def _field_values(labels: Labels, base: Path) -> list[object]:
    if labels.field is None:
        raise RequestError(f"The labels '{title_of(labels)}' need a field that holds the class; give labels.field.")
    return label_vectors.field_values(labels, base)


def _named(found: set[str]) -> tuple[ClassInfo, ...]:
    whole = all(text.isdecimal() and int(text) <= 65534 for text in found)
    names = sorted(found, key=int) if whole else sorted(found, key=str.casefold)
    infos = [ClassInfo(int(name) if whole else number, name) for number, name in enumerate(names, start=1)]
    return tuple(replace(info, color=class_color(info, index)) for index, info in enumerate(infos))
