"""Label rasters: classes by the nearest pixel, values of a regression as the grid asks for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
from pyproj import CRS
from rasterio.errors import RasterioError

from ...models.card import Channel, Slot
from ..errors import RequestError
from ..grid import Grid, Window
from ..job import Source
from ..learnjob import Labels
from ..sources import Context
from ..sources.raster import open_raster
from ..sources.raster_env import label
from ..sources.raster_file import open_dataset
from ..sources.raster_grid import native_grid

#: Pixels of a raster that are looked through for classes; a larger one is thinned.
_LOOKED_AT = 2**28
_STRIP = 1024
#: A label raster finer than the grid by this factor is averaged.
_FINER = 1.5
_ENDINGS = (".tif", ".tiff", ".vrt", ".img", ".jp2", ".png", ".asc", ".nc")


def is_raster(labels: Labels, base: Path) -> bool:
    """Whether the labels are a raster; what names a vector layer, a filter or a field is none."""
    if labels.layer or labels.where or labels.field:
        return False
    if labels.path.lower().endswith(_ENDINGS):
        return True
    try:
        with rasterio.open(base / labels.path) as dataset:
            return bool(dataset.count)
    except RasterioError:
        return False


def values_of(labels: Labels, base: Path) -> list[object]:
    """The different values of the band, without nodata."""
    dataset, name = open_dataset(labels.path, _quiet(base))
    with dataset:
        _check_band(labels, dataset.count, name)
        thin = max(int(np.sqrt(dataset.width * dataset.height / _LOOKED_AT)), 1)
        found: set[object] = set()
        for top in range(0, dataset.height, _STRIP):
            rows = min(_STRIP, dataset.height - top)
            window = rasterio.windows.Window(0, top, dataset.width, rows)
            shape = (max(rows // thin, 1), max(dataset.width // thin, 1))
            strip = dataset.read(labels.band, window=window, out_shape=shape, masked=True)
            found.update(np.unique(strip.compressed()).tolist())
            if len(found) > 4096:
                break
    return list(found)


def read(
    labels: Labels, regression: bool, indices: Callable[[np.ndarray], np.ndarray], grid: Grid, context: Context
) -> tuple[np.ndarray, tuple[str, ...]]:
    """H×W int16 indices with -1, or float32 values with NaN, and sentences.

    Raises:
        SourceError: the raster cannot be read.
        RequestError: it has no such band, or a CRS is given beside the one that it has.
    """
    if labels.crs is not None:
        raise RequestError(f"labels.crs is for vector layers; assign the CRS to {label(labels.path)} itself.")
    spec = Source(path=labels.path, bands=(labels.band,), name=labels.name)
    own = native_grid(spec, context)
    finer = grid.mean_gsd > _FINER * own.mean_gsd
    resampling = ("average" if finer else "bilinear") if regression else "nearest"
    slot = Slot("labels", "raster", (Channel("label"),), "labels", resampling=resampling)
    source = open_raster(slot, spec, grid, context)
    try:
        values = np.empty((grid.height, grid.width), np.float32)
        for top in range(0, grid.height, _STRIP):
            window = Window(top, 0, _STRIP, grid.width).clipped(grid.height, grid.width)
            patch = source.read(window)
            values[window.within(grid.whole)] = np.where(patch.valid, patch.data[0], np.nan)
    finally:
        source.close()
    told = _datum_warning(labels, own.pyproj_crs, grid.pyproj_crs)
    if regression:
        for text in labels.unlabelled:
            values[values == _number(text)] = np.nan
        return values, told
    return indices(values), told


def _datum_warning(labels: Labels, own: CRS, grid: CRS) -> tuple[str, ...]:
    """A datum that PROJ does not know cannot be shifted to another one: labels may land a hundred metres off."""
    datum = (own.datum.name if own.datum else "").lower()
    if own.equals(grid, ignore_axis_order=True) or not ("unknown" in datum or "unnamed" in datum or not datum):
        return ()
    return (
        f"The label raster '{labels.name or label(labels.path)}' has a CRS with an unknown datum ('{own.name}'), so "
        "its labels may lie up to some hundred metres off the imagery; assign the right CRS to it.",
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _check_band(labels: Labels, count: int, name: str) -> None:
    if not 1 <= labels.band <= count:
        raise RequestError(f"labels.band is {labels.band}, but {label(name)} has {count} bands, counted from 1.")


def _quiet(base: Path) -> Context:
    return Context(base, base, lambda _sentence: None)
