"""What a map says inside each left-out polygon: the counts that intervals over whole blocks are drawn from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyogrio
import rasterio
import shapely
from pyproj import Transformer
from rasterio.features import rasterize
from real_places import Question

#: Side in pixels of the blocks of a patch, whose labels are a raster.
_PATCH_BLOCK = 32
Count = dict[str, object]


def count_map(question: Question, fold: int, path: Path, truth: Path | None) -> Iterator[Count]:
    """Rows ``block, polygon, truth, found, pixels, squared`` of one map.

    For classes a row is one polygon and one mapped class; for values it is one polygon, `found` the mean of the map and
    `squared` the sum of squared errors. A label raster (`truth`) is counted by blocks of 32 pixels.
    """
    with rasterio.open(path) as file:
        values, valid = file.read(1), file.read_masks(1) > 0
        transform, crs, shape = file.transform, file.crs, file.shape
    if truth is not None:
        with rasterio.open(truth) as file:
            labels = file.read(1)
        yield from _patch_rows(question, fold, labels, values, valid)
        return
    meta, _, shapes, columns = pyogrio.raw.read(
        question.labels, columns=[question.value, "block", "polygon"], where=f"fold = {fold}"
    )
    data = dict(zip(meta["fields"], columns, strict=True))
    to_map = Transformer.from_crs(meta["crs"], crs, always_xy=True).transform
    shapes = shapely.transform(shapely.from_wkb(shapes), lambda xy: np.stack(to_map(*xy.T), axis=1))
    burned = rasterize(zip(shapes, range(1, len(shapes) + 1), strict=True), shape, transform=transform, dtype="int32")
    for number in np.unique(burned[(burned > 0) & valid]):
        row = {"block": int(data["block"][number - 1]), "polygon": int(data["polygon"][number - 1])}
        inside = values[(burned == number) & valid]
        yield from _polygon_rows(question, row, data[question.value][number - 1], inside)


def _polygon_rows(question: Question, row: Count, true: object, inside: np.ndarray) -> Iterator[Count]:
    if question.regression:
        errors = inside.astype(float) - float(true)
        mean = round(float(inside.mean(dtype=float)), 4)
        squared = round(float((errors**2).sum()), 4)
        yield {**row, "truth": round(float(true), 4), "found": mean, "pixels": inside.size, "squared": squared}
        return
    names = {info.value: info.name for info in question.classes}
    for value, pixels in zip(*np.unique(inside, return_counts=True), strict=True):
        yield {**row, "truth": str(true), "found": names[int(value)], "pixels": int(pixels), "squared": ""}


def _patch_rows(
    question: Question, fold: int, labels: np.ndarray, values: np.ndarray, valid: np.ndarray
) -> Iterator[Count]:
    names = {info.value: info.name for info in question.classes}
    for top in range(0, labels.shape[0], _PATCH_BLOCK):
        for left in range(0, labels.shape[1], _PATCH_BLOCK):
            at = np.s_[top : top + _PATCH_BLOCK, left : left + _PATCH_BLOCK]
            known = valid[at] & np.isin(labels[at], list(names))
            pairs = np.stack([labels[at][known], values[at][known]])
            block = f"{fold}-{top // _PATCH_BLOCK}-{left // _PATCH_BLOCK}"
            kinds, counts = np.unique(pairs, axis=1, return_counts=True)
            for (true, found), pixels in zip(kinds.T, counts, strict=True):
                row = {"block": block, "polygon": "", "truth": names[int(true)], "found": names[int(found)]}
                yield {**row, "pixels": int(pixels), "squared": ""}
