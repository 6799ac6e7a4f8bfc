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
from ...models.trainplan import REGRESSIONS
from ..errors import RequestError
from ..grid import Grid
from ..learnjob import Labels, LearnTask
from ..sources import Context
from . import label_rasters, label_vectors
from .label_keys import ClassKeys, text_of

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


def survey_classes(
    labels: Sequence[Labels], task: LearnTask, classes: tuple[ClassInfo, ...], base: Path
) -> tuple[ClassInfo, ...]:
    """The classes of all these labels together; those that are given, where they are.

    Whole numbers are values of their own; names get the values 1 upward in the order of the alphabet, and names that
    differ in their case alone are one. Field boundaries are always background, field and boundary, in that order.

    Raises:
        RequestError: the field is missing, or there are no classes or too many.
    """
    if task in REGRESSIONS:
        return ()
    if task == "field-boundaries":
        return _field_classes(classes) if classes else FIELD_CLASSES
    if classes:
        return classes
    found: dict[str, str] = {}
    for one in labels:
        unknown = {text.strip().casefold() for text in one.unlabelled}
        values = label_rasters.values_of(one, base) if label_rasters.is_raster(one, base) else _field_values(one, base)
        for text in sorted(text for value in values if (text := text_of(value)) is not None):
            if text.casefold() not in unknown:
                found.setdefault(text.casefold(), text)
    title = title_of(labels[0])
    if len(found) > _MOST_CLASSES:
        raise RequestError(f"The labels '{title}' have {len(found):,} different values; choose a field with classes.")
    if not found:
        raise RequestError(f"The labels '{title}' have no class at all; choose another field, or label something.")
    return _named(set(found.values()))


def read_labels(labels: Labels, task: LearnTask, classes: tuple[ClassInfo, ...], grid: Grid, context: Context) -> Truth:
    """What the labels say of each pixel of the grid.

    Polygons label the pixels whose centres lie in them, as gdal_rasterize does; where polygons of different classes (or
    values) overlap, nothing is known. Points label their pixel, or a disc (`Labels.width`). Rasters are read with the
    nearest pixel, those of a regression bilinearly, or averaged where they are finer than the grid.

    Field boundaries from polygons: a band of `Labels.width` along each outline is boundary, what is left of the polygon
    field. Background is what features say (a field with "background" or 0); where none does, a ring of three band
    widths around the parcels is taken for it. All else is unknown.

    Labels that lie nowhere on the grid are no error here: an evaluation asks window by window.

    Raises:
        RequestError: the field is missing or holds text where numbers are needed, or the layer holds lines.
        SourceError: the layer cannot be read.
    """
    keys = ClassKeys(classes, labels.unlabelled)
    if label_rasters.is_raster(labels, context.base):
        values, told = label_rasters.read(labels, None if task in REGRESSIONS else keys, grid, context)
        return _truth(values, classes, {}, told)
    if task == "field-boundaries":
        values, features, told = label_vectors.read_parcels(labels, grid, context)
    else:
        meant = None if task in REGRESSIONS else keys
        values, features, told = label_vectors.read(labels, meant, classes, grid, context)
    return _truth(values, classes, features, told)


def count_pixels(values: np.ndarray, classes: Sequence[ClassInfo]) -> dict[str, int]:
    """Labelled pixels by class name; "all" in a regression, which has no classes."""
    if not classes:
        return {"all": int(np.isfinite(values).sum())}
    return {info.name: int((values == index).sum()) for index, info in enumerate(classes)}


def title_of(labels: Labels) -> str:
    """How sentences call the labels."""
    return labels.name or Path(labels.path).name


def _field_classes(classes: tuple[ClassInfo, ...]) -> tuple[ClassInfo, ...]:
    """The three classes of field boundaries in the order that everything counts on."""
    by_name = {info.name.strip().casefold(): info for info in classes}
    names = [info.name for info in FIELD_CLASSES]
    if len(classes) != len(names) or set(by_name) != set(names):
        raise RequestError(
            f"The classes of field boundaries are called {', '.join(names)}, each once; their values and colours are "
            "yours to choose."
        )
    return tuple(by_name[name] for name in names)


def _truth(
    values: np.ndarray, classes: tuple[ClassInfo, ...], features: dict[str, int], told: tuple[str, ...]
) -> Truth:
    return Truth(values, classes, count_pixels(values, classes), features, told)


def _field_values(labels: Labels, base: Path) -> list[object]:
    if labels.field is None:
        raise RequestError(f"The labels '{title_of(labels)}' need a field that holds the class; give labels.field.")
    return label_vectors.field_values(labels, base)


def _named(found: set[str]) -> tuple[ClassInfo, ...]:
    # Codes such as "01" are names: as numbers, "01" and "1" would be one value.
    whole = all(text.isdecimal() and str(int(text)) == text and int(text) <= 65534 for text in found)
    names = sorted(found, key=int) if whole else sorted(found, key=str.casefold)
    infos = [ClassInfo(int(name) if whole else number, name) for number, name in enumerate(names, start=1)]
    return tuple(replace(info, color=class_color(info, index)) for index, info in enumerate(infos))
