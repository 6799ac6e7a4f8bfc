"""The reference labels on the map's own pixels, window by window, and which of their pixels belong together."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
import pyogrio
import rasterio.features
import shapely
from scipy import ndimage

from ...models.card import ClassInfo
from ...models.trainplan import REGRESSIONS
from ..errors import RequestError
from ..grid import Grid, Window
from ..job import VectorLayer
from ..learnjob import Labels, LearnTask
from ..sources import Context
from ..sources.raster_env import label
from ..sources.raster_file import open_dataset
from ..sources.raster_place import file_grid, georeference
from ..sources.vector import VectorReader
from ..sources.vector_files import find_layers
from ..sources.vector_place import Bounds, Placement
from . import label_rasters, label_vectors
from .labels import read_labels, survey_classes

Kind = Literal["polygons", "points", "raster"]
#: Blocks along the longer side of a label raster's extent, and their least side in pixels: what lies in one block is
#: drawn together.
_BLOCKS, _LEAST_SIDE = 20, 8
_NUMBER = "feature number"
#: Pixels of labels that are read at once and kept; beyond it they are read window by window.
_AT_ONCE = 4096**2
#: Pixels around the labels' extent that are read with it: boundaries are looked for beyond a window's edge.
_MARGIN = 16
_NUMBERS = re.compile(r"[\d.,]+")
#: How far fields are labelled around themselves where nothing tells the width of their boundary: pixels.
_RING = 8


@dataclass(frozen=True)
class Reference:
    """Labels against one map.

    Attributes:
        labels: as the job names them.
        task: what is judged.
        grid: the map's.
        classes: the labels' own classes; empty for values.
        kind: what the labels are.
        extent: window of the map that the labels' extent covers.
        reader: the features; None for a raster.
        told: what the labels' reader said, without its numbers: each kind of sentence is passed on once.
    """

    labels: Labels
    task: LearnTask
    grid: Grid
    classes: tuple[ClassInfo, ...]
    kind: Kind
    extent: Window
    context: Context
    reader: VectorReader | None
    told: set[str] = field(default_factory=set)

    @property
    def title(self) -> str:
        return self.labels.name or label(self.labels.path)

    @property
    def block(self) -> int | None:
        """Side in pixels of the spatial blocks that are drawn together; None where features are."""
        if self.reader is not None:
            return None
        return max(math.ceil(max(self.extent.height, self.extent.width) / _BLOCKS), _LEAST_SIDE)

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Labels and groups of a window, which may reach beyond the map.

        Returns:
            H×W int16 indices of `classes` with -1 where nothing is known, or float32 values with NaN there; and H×W
            int64 numbers of the feature or block that each pixel belongs to.
        """
        values = self._values(window)
        known = np.isfinite(values) if self.task in REGRESSIONS else values >= 0
        return values, self._groups(window, known)

    def _values(self, window: Window) -> np.ndarray:
        around = self.extent.grown(_MARGIN)
        if around.height * around.width > _AT_ONCE:
            return self._labels(window, "counted in one part of the map; others may have more")
        values = np.full((window.height, window.width), np.nan if self.task in REGRESSIONS else -1, self._whole.dtype)
        row, col = max(window.row, around.row), max(window.col, around.col)
        bottom = min(window.row + window.height, around.row + around.height)
        right = min(window.col + window.width, around.col + around.width)
        if bottom > row and right > col:
            both = Window(row, col, bottom - row, right - col)
            values[both.within(window)] = self._whole[both.within(around)]
        return values

    @cached_property
    def _whole(self) -> np.ndarray:
        return self._labels(self.extent.grown(_MARGIN))

    def _labels(self, window: Window, remark: str = "") -> np.ndarray:
        truth = read_labels(self.labels, self.task, self.classes, self._part(window), self.context)
        if self.task == "field-boundaries" and self.reader is not None and "background" not in truth.features:
            return self._without_ring(truth.values)
        for sentence in truth.warnings:
            kind = _NUMBERS.sub("", sentence)
            if kind not in self.told:
                self.told.add(kind)
                self.context.warn(f"{sentence.removesuffix('.')} ({remark})." if remark else sentence)
        return truth.values

    def _without_ring(self, values: np.ndarray) -> np.ndarray:
        """Parcels alone: the ring that a training takes for background may hold fields that nobody drew."""
        self.context.warn(
            f"The labels '{self.title}' name no background, so what the map shows outside their parcels is not judged."
        )
        return np.where(values == 0, values.dtype.type(-1), values)

    def _part(self, window: Window) -> Grid:
        """The map's grid on a window."""
        placed = self.grid.window_transform(window)
        return replace(self.grid, transform=placed, width=window.width, height=window.height)

    def polygons(self) -> np.ndarray:
        """The reference's valid parcels in the map's CRS; none where it is points or a raster.

        Polygons that say what is background, or that nothing is known there, are no parcels.
        """
        if self.reader is None or self.kind != "polygons":
            return np.empty(0, object)
        found = self.reader.read(self.grid.window_bounds(self.extent))
        shapes = found.shapes
        if self.labels.field:
            background, left_out = label_vectors.no_parcels(self.labels, found.columns[self.labels.field])
            shapes = shapes[~background & ~left_out]
        shapes = shapely.make_valid(shapes)
        return shapes[shapely.area(shapes) > 0]

    def _groups(self, window: Window, known: np.ndarray) -> np.ndarray:
        if self.block is not None:
            rows = np.arange(window.row, window.row + window.height) // self.block
            cols = np.arange(window.col, window.col + window.width) // self.block
            across = self.grid.width // self.block + 2
            return (rows[:, None] * across + cols[None, :]).astype(np.int64)
        return self._features(self._part(window), known)

    def _features(self, part: Grid, known: np.ndarray) -> np.ndarray:
        """Feature numbers; what a feature labels around itself (a disc, a ring) goes to the nearest one, -1 to none."""
        shapes, numbers = self._shapes(part)
        if not len(shapes):
            return np.full((part.height, part.width), -1, np.int64)
        burned = rasterio.features.rasterize(
            zip(shapes, range(1, len(shapes) + 1), strict=True),
            (part.height, part.width),
            transform=part.transform,
            dtype="int32",
        )
        if not burned.any():
            return np.full(burned.shape, -1, np.int64)
        if not (known & (burned == 0)).any():
            return numbers[burned - 1]
        nearest = ndimage.distance_transform_edt(burned == 0, return_distances=False, return_indices=True)
        return numbers[burned[tuple(nearest)] - 1]

    def _shapes(self, part: Grid) -> tuple[np.ndarray, np.ndarray]:
        """Geometries of the features that meet a grid, in its CRS, and their numbers."""
        shapes, numbers = [np.empty(0, object)], [np.empty(0, np.int64)]
        for rows in self.reader.survey(part.bounds) if self.reader else ():
            features = self.reader.features(replace(rows, columns={_NUMBER: rows.ids}))
            shapes.append(features.shapes)
            numbers.append(features.columns[_NUMBER])
        return np.concatenate(shapes), np.concatenate(numbers)


def open_reference(labels: Labels, task: LearnTask, judged: Grid, title: str, context: Context) -> Reference:
    """Open the labels and find where on the map they lie.

    Args:
        judged: the map's grid.
        title: what the map is called.

    Raises:
        SourceError: the labels cannot be read.
        RequestError: they lie outside the map, or hold nothing that the task can use.
    """
    classes = () if task in REGRESSIONS else survey_classes([labels], task, (), context.base)
    reader, kind = None, "raster"
    if label_rasters.is_raster(labels, context.base):
        extent = _raster_extent(labels, judged, context)
    else:
        reader, kind = _open_features(labels, judged, context)
        extent = reader.extent
    window = pixels_of(extent, judged) if extent else judged.whole
    if window.height <= 0 or window.width <= 0:
        raise RequestError(
            f"The labels '{labels.name or label(labels.path)}' lie outside the map {title}; check the CRS of both."
        )
    around = _reach(labels, task, judged) if reader else 0
    window = window.grown(around).clipped(judged.height, judged.width)
    return Reference(labels, task, judged, classes, kind, window, context, reader)


def pixels_of(bounds: Bounds, grid: Grid) -> Window:
    """The smallest window of the grid that holds a box of its CRS, one pixel more at each side."""
    west, south, east, north = bounds
    corners = [~grid.transform @ (x, y) for x in (west, east) for y in (south, north)]
    cols, rows = zip(*corners, strict=True)
    row, col = math.floor(min(rows)) - 1, math.floor(min(cols)) - 1
    window = Window(row, col, math.ceil(max(rows)) + 1 - row, math.ceil(max(cols)) + 1 - col)
    return window.clipped(grid.height, grid.width)


def _reach(labels: Labels, task: LearnTask, grid: Grid) -> int:
    """Pixels that features label around themselves: the disc of a point, the ring of background around a parcel."""
    pixels = math.ceil((labels.width or 0) / grid.mean_gsd)
    return (4 * pixels or _RING) if task == "field-boundaries" else pixels


def _raster_extent(labels: Labels, grid: Grid, context: Context) -> Bounds | None:
    """The box of a label raster in the map's CRS."""
    dataset, name = open_dataset(label_rasters.file_of(labels, context), context)
    with dataset:
        own = file_grid(dataset, georeference(dataset, label(name)))
    return Placement(own.pyproj_crs, grid.pyproj_crs).extent(own.bounds)


def _open_features(labels: Labels, grid: Grid, context: Context) -> tuple[VectorReader, Kind]:
    """The labels' features, and what they are."""
    # `read_labels` tells of a file with several layers.
    kinds = frozenset(("polygon", "point"))
    file = find_layers(VectorLayer(labels.path, labels.layer), context.base, kinds, [], labels.crs)[0]
    kind = str(pyogrio.read_info(file.path, layer=file.layer)["geometry_type"] or "")
    columns = (labels.field,) if labels.field else ()
    reader = VectorReader(file, columns, labels.where, False, grid.pyproj_crs, context)
    return reader, "points" if "Point" in kind else "polygons"
