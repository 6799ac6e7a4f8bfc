"""One place as learning sees it: its layers on one grid, and what the labels say there."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pyproj import CRS

from ...models.card import ClassInfo, Slot
from ...models.training.scenes import is_labelled
from ..errors import RequestError
from ..events import Progress
from ..grid import Grid, Window, way_between
from ..job import Source
from ..learnjob import Labels, LearnTask, Place
from ..rungrid import build_grid, transform_bounds
from ..sources import Context, open_source
from ..sources.raster_grid import native_grid
from ..voice import Voice
from . import label_rasters, label_vectors
from .labels import Truth, count_pixels, read_labels, title_of

#: Side of the windows in which sources are read.
_WINDOW = 512
#: Pixels around the labels that are read along: what lies further away is of no use.
MARGIN = 256
#: A stack above this is a mistake, or wants a coarser resolution.
_MOST_BYTES = 6 * 2**30


@dataclass(frozen=True)
class Scene:
    """A place that was read.

    Attributes:
        name: the place's name.
        grid: the part of the run grid that was read.
        values: C×H×W float32 in the sources' units; undefined where not valid.
        valid: C×H×W bool.
        truth: H×W as `Truth.values`; unknown where a required layer has no value.
        pixels: usable pixels of the truth by class name ("all" in a regression).
        features: polygons and points by class name, also those without a usable pixel; empty for rasters.
        corners: 2×2×2 longitudes and latitudes of the corner pixels' centres (see `models.training.scenes.Scene`).
        warnings: sentences for the user.
        attribution: what the layers' licences ask for.
    """

    name: str
    grid: Grid
    values: np.ndarray
    valid: np.ndarray
    truth: np.ndarray
    pixels: dict[str, int]
    features: dict[str, int]
    corners: np.ndarray
    warnings: tuple[str, ...]
    attribution: tuple[str, ...]


def read_scene(
    place: Place,
    slots: tuple[Slot, ...],
    classes: tuple[ClassInfo, ...],
    task: LearnTask,
    gsd: float | None,
    base: Path,
    folder: Path,
    voice: Voice,
) -> Scene:
    """Read a place's layers where its labels are.

    The grid is the one on which a model would be run; of it, what lies within `MARGIN` pixels of the labels is read.

    Args:
        place: layers, labels and grid.
        slots: what is read, in the order of the channels.
        classes: in the order of the truth's indices; empty for a regression.
        task: what is learned.
        gsd: metres, or None for the imagery's own.
        base: folder against which relative paths resolve.
        folder: where converted copies of layers go.
        voice: hears of the progress, and may stop it.

    Raises:
        RequestError: a required layer is missing, or the labels lie outside the layers.
        SourceError: a layer cannot be read.
        Cancelled: the user stopped it.
    """
    told: list[str] = []
    context = Context(base, folder, told.append)
    for slot in slots:
        if slot.missing == "required" and slot.name not in place.sources:
            raise RequestError(f"The place '{place.name}' lacks a layer for '{slot.name}' ({slot.role}).")
    run_grid = build_grid(place.grid, slots, place.sources, gsd, lambda spec: native_grid(spec, context), None)
    told += run_grid.warnings
    grid = _around_labels(place, run_grid.grid, math.lcm(*(slot.grid_ratio for slot in slots)), context)
    channels = sum(slot.width for slot in slots)
    _refuse_huge(place, grid, channels)
    truth = read_labels(place.labels, task, classes, grid, context)
    _refuse_unusable(place, truth, grid)
    values = np.zeros((channels, grid.height, grid.width), np.float32)
    valid = np.zeros(values.shape, bool)
    credits: list[str] = []
    required = np.ones((grid.height, grid.width), bool)
    first = 0
    for slot in slots:
        part = slice(first, first + slot.width)
        spec = place.sources.get(slot.name)
        if spec is not None:
            credits += _read_into(values[part], valid[part], slot, spec, grid, context, voice)
        if slot.missing == "required":
            required &= valid[part].all(0)
        first += slot.width
    known = truth.values.copy()
    known[~required] = -1 if classes else np.nan
    if not is_labelled(known).any():
        raise RequestError(
            f"The labels '{title_of(place.labels)}' lie where the required layers of '{place.name}' have no data; "
            "check their extents and nodata."
        )
    return Scene(
        name=place.name,
        grid=grid,
        values=values,
        valid=valid,
        truth=known,
        pixels=count_pixels(known, classes),
        features=truth.features,
        corners=corners_of(grid),
        warnings=tuple(dict.fromkeys((*told, *truth.warnings))),
        attribution=tuple(dict.fromkeys(credits)),
    )


def read_slot(
    slot: Slot, spec: Source, grid: Grid, base: Path, folder: Path, voice: Voice
) -> tuple[np.ndarray, np.ndarray]:
    """Values (C×H×W float32) and validity (C×H×W bool) of one slot on the whole grid."""
    values = np.zeros((slot.width, grid.height, grid.width), np.float32)
    valid = np.zeros(values.shape, bool)
    _read_into(values, valid, slot, spec, grid, Context(base, folder, lambda _sentence: None), voice)
    return values, valid


def corners_of(grid: Grid) -> np.ndarray:
    """2×2×2 longitudes and latitudes of the corner pixels' centres: by top and bottom row, left and right column."""
    to_lonlat = way_between(grid.pyproj_crs, CRS.from_epsg(4326))
    corners = np.empty((2, 2, 2))
    for i, row in enumerate((0.5, grid.height - 0.5)):
        for j, col in enumerate((0.5, grid.width - 0.5)):
            corners[i, j] = to_lonlat.transform(*(grid.transform @ (col, row)))
    return corners


def _read_into(
    values: np.ndarray, valid: np.ndarray, slot: Slot, spec: Source, grid: Grid, context: Context, voice: Voice
) -> tuple[str, ...]:
    """Fill the slot's channels, and its mask channel where it has one; answers what the layer's licence asks for."""
    count, ratio = len(slot.channels), slot.grid_ratio
    source = open_source(slot, spec, grid, context)
    # Windows begin and end at the slot's own pixels.
    side = max(_WINDOW // ratio, 1) * ratio
    windows = [(row, col) for row in range(0, grid.height, side) for col in range(0, grid.width, side)]
    try:
        for done, (row, col) in enumerate(windows):
            voice.checkpoint()
            if done % 8 == 0:
                voice.say(Progress(done, len(windows), f"reading {slot.name}"))
            window = Window(row, col, side, side).clipped(grid.height, grid.width)
            own = Window(row // ratio, col // ratio, -(-window.height // ratio), -(-window.width // ratio))
            patch = source.read(own)
            rows, cols = window.within(grid.whole)
            shape = (window.height, window.width)
            values[:count, rows, cols] = _refined(patch.data, ratio, shape)
            valid[:count, rows, cols] = _refined(patch.valid, ratio, shape)
    finally:
        source.close()
    if slot.width > count:
        values[count], valid[count] = valid[0], True
    return source.attribution


def _refined(array: np.ndarray, ratio: int, shape: tuple[int, int]) -> np.ndarray:
    fine = array if ratio == 1 else array.repeat(ratio, axis=-2).repeat(ratio, axis=-1)
    return fine[..., : shape[0], : shape[1]]


def _around_labels(place: Place, grid: Grid, ratio: int, context: Context) -> Grid:
    """The grid cut to the labels' extent and a margin, on the lattice of windows; refused where they do not meet."""
    bounds = _extent(place.labels, grid, context)
    if bounds is None:
        return grid
    x, y = (bounds[0], bounds[2]), (bounds[1], bounds[3])
    cols, rows = zip(*(~grid.transform @ (a, b) for a in x for b in y), strict=True)
    if not all(math.isfinite(number) for number in (*cols, *rows)):
        return grid
    step = math.lcm(_WINDOW, ratio)
    top, left = (max(math.floor((min(places) - MARGIN) / step), 0) * step for places in (rows, cols))
    bottom, right = math.ceil(max(rows)) + MARGIN, math.ceil(max(cols)) + MARGIN
    height, width = min(bottom, grid.height) - top, min(right, grid.width) - left
    beside = min(rows) >= grid.height or min(cols) >= grid.width or max(rows) <= 0 or max(cols) <= 0
    if beside or height <= 0 or width <= 0:
        raise _outside(place, grid, bounds)
    window = Window(top, left, height, width)
    return replace(grid, transform=grid.window_transform(window), width=width, height=height)


def _extent(labels: Labels, grid: Grid, context: Context) -> tuple[float, float, float, float] | None:
    if label_rasters.is_raster(labels, context.base):
        own = native_grid(Source(path=label_rasters.file_of(labels, context)), context)
        return transform_bounds(own.pyproj_crs, grid.pyproj_crs, own.bounds)
    return label_vectors.extent(labels, grid, context)


def _refuse_unusable(place: Place, truth: Truth, grid: Grid) -> None:
    if is_labelled(truth.values).any():
        return
    if truth.warnings:
        raise RequestError(f"Nothing can be learned from the labels of '{place.name}': {' '.join(truth.warnings)}")
    raise _outside(place, grid, None)


def _outside(place: Place, grid: Grid, bounds: tuple[float, ...] | None) -> RequestError:
    where = ""
    if bounds is not None:
        own = ", ".join(f"{value:.6g}" for value in bounds)
        theirs = ", ".join(f"{value:.6g}" for value in grid.bounds)
        where = f" (they cover {own} and the layers {theirs} in the imagery's CRS)"
    return RequestError(
        f"No label of '{title_of(place.labels)}' that can be used lies on the layers of '{place.name}'{where}; check "
        "the labels' place, their CRS and their classes."
    )


def _refuse_huge(place: Place, grid: Grid, channels: int) -> None:
    size = 5 * channels * grid.width * grid.height
    if size > _MOST_BYTES:
        raise RequestError(
            f"The layers around the labels of '{place.name}' would take {size / 2**30:.0f} GiB "
            f"({grid.width:,} × {grid.height:,} pixels); give a coarser resolution or labels that lie closer together."
        )
