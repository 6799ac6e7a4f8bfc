"""Label rasters: classes by the nearest pixel, values of a regression as the grid asks for them."""

from __future__ import annotations

import hashlib
import re
from html import escape
from pathlib import Path

import numpy as np
import rasterio
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.io import DatasetReader

from ...models.card import Channel, Slot
from ...models.files import write_atomically
from ..errors import RequestError, SourceError
from ..grid import Grid, Window, on_the_map
from ..job import Source
from ..learnjob import Labels
from ..sources import Context
from ..sources.raster import open_raster
from ..sources.raster_env import label
from ..sources.raster_file import open_dataset
from ..sources.raster_grid import native_grid
from .label_keys import ClassKeys

#: Pixels of a raster that are looked through for classes; a larger one is thinned.
_LOOKED_AT = 2**28
_STRIP = 1024
#: A label raster finer than the grid by this factor is averaged.
_FINER = 1.5
_ENDINGS = (".tif", ".tiff", ".vrt", ".img", ".jp2", ".png", ".asc", ".nc")
#: Values that print alike are the same nodata: QGIS shows six digits.
_ALIKE = 1e-5
_SRS = re.compile(r"<SRS\b.*?</SRS>", re.DOTALL)


def is_raster(labels: Labels, base: Path) -> bool:
    """Whether the labels are a raster; what names a vector layer, a filter or a field is none, but for its ending."""
    if labels.path.lower().endswith(_ENDINGS):
        return True
    if labels.layer or labels.where or labels.field:
        return False
    try:
        dataset, _ = open_dataset(labels.path, _quiet(base))
    except SourceError:
        return False
    with dataset:
        return bool(dataset.count)


def values_of(labels: Labels, base: Path) -> list[object]:
    """The different values of the band, without nodata.

    Raises:
        SourceError: the raster cannot be opened.
        RequestError: it has no such band.
    """
    _refuse_field(labels)
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


def read(labels: Labels, keys: ClassKeys | None, grid: Grid, context: Context) -> tuple[np.ndarray, tuple[str, ...]]:
    """H×W int16 indices by `keys` with -1, or float32 values with NaN where there are no keys, and sentences.

    Raises:
        SourceError: the raster cannot be read.
        RequestError: it has no such band, or a field or CRS is given that does not go with it.
    """
    _refuse_field(labels)
    own, nodata = _facts(labels, context)
    spec = Source(path=file_of(labels, context), bands=(labels.band,), name=labels.name)
    unknown = [] if keys else _unknown_numbers(labels, nodata)
    if len(unknown) == 1 and nodata is None:
        spec, unknown = Source(path=spec.path, bands=spec.bands, name=spec.name, nodata=unknown[0]), []
    # What stands for "not known" must not be mixed into its neighbours.
    resampling = "nearest" if keys or unknown else _smooth(grid, own)
    values = _values(spec, resampling, grid, context)
    told = _datum_warning(labels, own.pyproj_crs, grid.pyproj_crs)
    if keys is None:
        for number in unknown:
            values[np.isclose(values, number, rtol=_ALIKE, atol=0)] = np.nan
        return values, told
    told += keys.strange(values, "pixels", title_of(labels)) + _nodata_warning(labels, keys, nodata)
    return keys.indices(values), told


def file_of(labels: Labels, context: Context) -> str:
    """The path under which the labels are read: their own, or a virtual copy that has the job's CRS.

    Raises:
        SourceError: the raster cannot be opened.
        RequestError: `Labels.crs` is no CRS.
    """
    if labels.crs is None:
        return labels.path
    crs = _parsed(labels.crs)
    dataset, name = open_dataset(labels.path, context)
    with dataset:
        text = _virtual(dataset)
    wkt = f"<SRS>{escape(crs.to_wkt())}</SRS>"
    text = _SRS.sub("", text)
    head, sign, rest = text.partition(">")
    digest = hashlib.sha256(f"{name}|{wkt}".encode()).hexdigest()[:12]
    path = Path(context.folder) / "labels" / f"{Path(labels.path).stem}-{digest}.vrt"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, f"{head}{sign}{wkt}{rest}".encode())
    return str(path)


def title_of(labels: Labels) -> str:
    """How sentences call the labels."""
    return labels.name or label(labels.path)


def _virtual(dataset: DatasetReader) -> str:
    """GDAL's document of a virtual copy, which names the file by its absolute path."""
    with rasterio.MemoryFile(ext=".vrt") as memory:
        rasterio.shutil.copy(dataset, memory.name, driver="VRT")
        return str(memory.read().decode("utf-8"))


def _values(spec: Source, resampling: str, grid: Grid, context: Context) -> np.ndarray:
    """H×W float32 on the grid, NaN where the raster has no value."""
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
    return values


def _facts(labels: Labels, context: Context) -> tuple[Grid, float | None]:
    """The raster's own grid, and its declared nodata."""
    dataset, name = open_dataset(labels.path, context)
    with dataset:
        _check_band(labels, dataset.count, name)
        nodata = dataset.nodatavals[labels.band - 1]
    return native_grid(Source(path=file_of(labels, context)), context), nodata


def _smooth(grid: Grid, own: Grid) -> str:
    return "average" if grid.mean_gsd > _FINER * own.mean_gsd else "bilinear"


def _unknown_numbers(labels: Labels, nodata: float | None) -> list[float]:
    """Numbers that stand for "not known" besides the declared nodata."""
    numbers = {number for text in labels.unlabelled if np.isfinite(number := _number(text))}
    return sorted(number for number in numbers if nodata is None or not np.isclose(number, nodata, rtol=_ALIKE, atol=0))


def _datum_warning(labels: Labels, own: CRS, grid: CRS) -> tuple[str, ...]:
    """A datum that PROJ does not know cannot be shifted to another one: labels may land a hundred metres off."""
    datum = (own.datum.name if own.datum else "").lower()
    if own.equals(grid, ignore_axis_order=True) or not ("unknown" in datum or "unnamed" in datum or not datum):
        return ()
    return (
        f"The label raster '{title_of(labels)}' has a CRS with an unknown datum ('{own.name}'), so its labels may lie "
        "up to some hundred metres off the imagery; give the right CRS (labels.crs).",
    )


def _nodata_warning(labels: Labels, keys: ClassKeys, nodata: float | None) -> tuple[str, ...]:
    """Masks often declare their background nodata, which makes it unknown."""
    if nodata is None or keys.index(float(nodata)) < 0:
        return ()
    return (
        f"The label raster '{title_of(labels)}' calls its value {nodata:g} nodata, which is also a class; those pixels "
        "are taken for unknown. Take the nodata value off the file if they are that class.",
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _parsed(text: str) -> CRS:
    try:
        crs = CRS.from_user_input(text)
    except CRSError:
        raise RequestError(f"labels.crs is {text[:60]!r}, which is not a CRS; use a code such as EPSG:32634.") from None
    if not on_the_map(crs):
        raise RequestError(f"labels.crs is '{crs.name}', which lies on no map; use a code such as EPSG:32634.")
    return crs


def _refuse_field(labels: Labels) -> None:
    for name in ("field", "where", "layer"):
        if getattr(labels, name):
            raise RequestError(f"labels.{name} is for vector layers, and {title_of(labels)} is a raster; leave it out.")


def _check_band(labels: Labels, count: int, name: str) -> None:
    if not 1 <= labels.band <= count:
        raise RequestError(f"labels.band is {labels.band}, but {label(name)} has {count} bands, counted from 1.")


def _quiet(base: Path) -> Context:
    return Context(base, base, lambda _sentence: None)
