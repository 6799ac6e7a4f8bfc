"""One raster file, opened and checked: what its pixels mean and where they lie."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader

from ...models.card import Slot
from ..errors import SourceError
from ..grid import Grid
from . import Context
from .raster_env import configure, gdal_name, is_network, label
from .raster_place import file_grid, georeference
from .raster_vrt import check_vrt
from .warp_document import Georeference

# What has no georeference is told in words of our own. For good, because a filter that one thread sets for a while is
# that of all others too.
warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)

#: Types that float32 cannot hold; they are warped in float64.
_WIDE = frozenset({"int32", "uint32", "int64", "uint64", "float64"})
#: Resampling that invents no value, so that palette indices stay class codes.
_CATEGORICAL = frozenset({"nearest", "mode"})


@dataclass(frozen=True)
class RasterFile:
    """One dataset as the job asks for it.

    Values in the map are ``stored * scales + offsets``, band by band: the file's own tags, with the job's offset and
    scale worked in.
    """

    dataset: DatasetReader
    name: str
    """Name under which GDAL opens it."""
    title: str
    """Name for messages."""
    bands: tuple[int, ...]
    nodata: tuple[float | None, ...]
    """For each chosen band, the stored value that is nodata."""
    alpha: int | None
    """Band that says how opaque a pixel is; None when there is none or it is not to be believed."""
    georeference: Georeference
    grid: Grid
    """The file's own north-up grid: its pixels, or what gdalwarp would choose for a rotated or tied one."""
    dtypes: tuple[str, ...]
    """Stored type of each chosen band."""
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    band_names: tuple[str, ...]
    """The bands' descriptions, or `band 1` ... where there are none."""
    units: tuple[str, ...]
    """Unit of each chosen band, empty where the file names none."""
    header: Mapping[str, object]
    """What the fingerprint is made of."""

    @property
    def wide(self) -> bool:
        return not _WIDE.isdisjoint(self.dtypes)

    def close(self) -> None:
        self.dataset.close()


@dataclass(frozen=True)
class Reading:
    """How a job wants a file read."""

    bands: tuple[int, ...] = ()
    nodata: float | None = None
    ignore_mask: bool = False
    dn_offset: float = 0.0
    dn_scale: float = 1.0


def open_dataset(path: str, context: Context) -> tuple[DatasetReader, str]:
    """Open a job's path; returns the dataset and the name under which GDAL knows it.

    Raises:
        SourceError: when there is no such file, it is no raster, or it is a VRT that is refused.
    """
    configure()
    name = gdal_name(path, context.base)
    # The name of an address with a key in it may be longer than that of any file.
    if not is_network(name):
        check_vrt(Path(name))
    try:
        return open_named(name), name
    except RasterioError as problem:
        if not is_network(name) and not name.startswith("/vsi") and not Path(name).exists() and ":" not in path[2:]:
            raise SourceError(f"There is no file {label(path)}; check the path of the layer.") from problem
        raise SourceError(f"{label(name)} is not a raster that GDAL can open{reason(problem, name)}.") from problem


def open_named(name: str, **options: object) -> DatasetReader:
    """Open what GDAL calls `name`."""
    # Sidecars of a network file are not asked for one by one; beside a local file they count (.msk, .aux.xml).
    listing = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"} if is_network(name) else {}
    with rasterio.Env(**listing):
        return rasterio.open(name, **options)


def reason(problem: Exception, name: str) -> str:
    """GDAL's own words in brackets, for local files only: in a network error an address may hold a key."""
    if is_network(name):
        return ""
    text = " ".join(str(problem.__cause__ or problem).split()).replace(name, label(name)).rstrip(".")
    text = re.sub(r"<VRTDataset.*</VRTDataset>", "", text)
    return f" ({text[:200]})" if text else ""


def open_file(path: str, reading: Reading, slot: Slot, context: Context, bands_wanted: int | None = None) -> RasterFile:
    """Open one file and settle its bands, nodata, alpha and georeference.

    Where the job names no bands, the first `bands_wanted` that are not alpha are taken, or all.

    Raises:
        SourceError: names the file and what to do.
    """
    dataset, name = open_dataset(path, context)
    title = label(name)
    header = _header(dataset, title)
    try:
        bands, alpha = _choose_bands(dataset, title, reading, slot, context, bands_wanted)
        for band in bands:
            _refuse_types(dataset, title, band, slot)
        if reading.ignore_mask:
            dataset, alpha = _without_mask(dataset), None
            name = dataset.name
        place = georeference(dataset, title)
        scales, offsets = _to_values(dataset, bands, reading)
        return RasterFile(
            dataset=dataset,
            name=name,
            title=title,
            bands=bands,
            nodata=tuple(_nodata(dataset, title, band, reading, context) for band in bands),
            alpha=alpha,
            georeference=place,
            grid=file_grid(dataset, place),
            dtypes=tuple(dataset.dtypes[band - 1] for band in bands),
            scales=scales,
            offsets=offsets,
            band_names=tuple(dataset.descriptions[band - 1] or f"band {band}" for band in bands),
            units=tuple(dataset.units[band - 1] or "" for band in bands),
            header=header,
        )
    except SourceError:
        dataset.close()
        raise


def _header(dataset: DatasetReader, title: str) -> dict[str, object]:
    """What a change of the file's content changes: the parts' sizes and times, and the header; no folder enters."""
    parts = [Path(part) for part in sorted(dataset.files)]
    stamps = [(part.name, part.stat().st_size, part.stat().st_mtime_ns) for part in parts if part.exists()]
    points, points_crs = dataset.gcps
    return {
        "title": title,
        "parts": stamps,
        "driver": dataset.driver,
        "size": (dataset.width, dataset.height),
        "dtypes": dataset.dtypes,
        "transform": dataset.transform.to_gdal(),
        "crs": [str(crs) for crs in (dataset.crs, points_crs)],
        "points": [(point.row, point.col, point.x, point.y) for point in points],
        "nodata": [str(value) for value in dataset.nodatavals],
        "scales": (dataset.scales, dataset.offsets),
    }


def _choose_bands(
    dataset: DatasetReader, title: str, reading: Reading, slot: Slot, context: Context, wanted: int | None
) -> tuple[tuple[int, ...], int | None]:
    """The bands that are read and the alpha band; an alpha band that the job names as data is data."""
    alphas = [
        band for band, kind in zip(dataset.indexes, dataset.colorinterp, strict=True) if kind == ColorInterp.alpha
    ]
    if reading.bands:
        missing = [band for band in reading.bands if band > dataset.count]
        if missing:
            raise SourceError(f"{title} has {dataset.count} bands, so there is no band {missing[0]}.")
        bands = reading.bands
    else:
        bands = tuple(band for band in dataset.indexes if band not in alphas)
        if wanted is not None and len(bands) > wanted:
            context.warn(
                f"{title} has {len(bands)} bands and the slot '{slot.name}' takes {wanted}: "
                f"the first {wanted} are taken, in file order."
            )
            bands = bands[:wanted]
    alpha = next((band for band in reversed(alphas) if band not in bands), None)
    return bands, alpha


def _to_values(
    dataset: DatasetReader, bands: tuple[int, ...], reading: Reading
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """For each band what a stored number is multiplied with, and what is then added."""
    tags = [(dataset.scales[band - 1], dataset.offsets[band - 1]) for band in bands]
    scales = tuple(scale * reading.dn_scale for scale, _ in tags)
    return scales, tuple((offset + reading.dn_offset * scale) * reading.dn_scale for scale, offset in tags)


def _refuse_types(dataset: DatasetReader, title: str, band: int, slot: Slot) -> None:
    if dataset.dtypes[band - 1].startswith("complex"):
        raise SourceError(
            f"Band {band} of {title} holds complex numbers; write its amplitude to a file of its own first."
        )
    palette = dataset.colorinterp[band - 1] == ColorInterp.palette
    if palette and not (slot.role in ("raster", "prior") and slot.resampling in _CATEGORICAL):
        raise SourceError(
            f"Band {band} of {title} holds palette indices, not measured values; convert it with "
            "gdal_translate -expand rgb."
        )


def _nodata(dataset: DatasetReader, title: str, band: int, reading: Reading, context: Context) -> float | None:
    value = reading.nodata
    if value is None and not reading.ignore_mask:
        value = dataset.nodatavals[band - 1]
    if value is None or _can_hold(dataset.dtypes[band - 1], value):
        return value
    context.warn(
        f"{title} is said to have the nodata value {value:g}, which its type {dataset.dtypes[band - 1]} cannot hold; "
        "it is read without."
    )
    return None


def _can_hold(dtype: str, value: float) -> bool:
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return not math.isfinite(value) or abs(value) <= float(np.finfo(kind).max) * (1 + 1e-7)
    limits = np.iinfo(kind)
    return math.isfinite(value) and value == int(value) and limits.min <= value <= limits.max


def _without_mask(dataset: DatasetReader) -> DatasetReader:
    """The dataset seen through a VRT that has no mask, no nodata and no alpha, since the job says that they lie."""
    flags = {flag for band_flags in dataset.mask_flag_enums for flag in band_flags}
    if flags == {MaskFlags.all_valid} and ColorInterp.alpha not in dataset.colorinterp:
        return dataset
    with rasterio.MemoryFile(ext=".vrt") as memory:
        rasterio.shutil.copy(dataset, memory.name, driver="VRT")
        text = memory.read().decode("utf-8")
    dataset.close()
    for tag in ("MaskBand", "NoDataValue", "HideNoDataValue"):
        text = re.sub(rf"<{tag}>.*?</{tag}>", "", text, flags=re.DOTALL)
    return open_named(text.replace("<ColorInterp>Alpha<", "<ColorInterp>Undefined<"))
