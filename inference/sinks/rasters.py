"""Raster products: what each looks like, and how one is written as a Cloud Optimized GeoTIFF block by block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from shutil import rmtree

import numpy as np
import rasterio
from rasterio.shutil import copy
from rasterio.windows import Window as FileWindow

from ...models.card import ClassInfo, Output
from ..ahead import worked_ahead
from ..grid import Grid, Window
from ..uniform import is_spread
from ..workers import cores
from .legend import category_sidecar, class_colors
from .pyramid import Pyramid
from .staging import staged
from .values import FLOAT_NODATA, class_dtype, class_nodata, value_nodata
from .whole import check_whole

#: Side of a stored tile in pixels.
TILE = 512
#: MiB that GDAL may keep of rasters being written; without it a fixed share of the machine's memory.
_CACHE_MIB = 64


@dataclass(frozen=True)
class RasterSpec:
    """How a raster product looks: its type, nodata, band names, units, and what a legend needs."""

    dtype: np.dtype
    nodata: float
    bands: tuple[str, ...]
    units: str = ""
    classes: tuple[ClassInfo, ...] = ()
    colors: Mapping[int, tuple[int, int, int]] = field(default_factory=dict)

    @property
    def categorical(self) -> bool:
        return np.issubdtype(self.dtype, np.integer)


def raster_spec(product: str, output: Output) -> RasterSpec:
    """The look of a product of one model output: classes, probabilities, confidence, entropy or regression."""
    title = output.title or output.name
    if product == "classes":
        return RasterSpec(class_dtype(output), class_nodata(output), (title,), "", output.classes, class_colors(output))
    if product == "regression":
        return RasterSpec(np.dtype(np.float32), value_nodata(output), (title,), output.units)
    if product == "probabilities":
        return _floats(info.name for info in output.classes)
    return _floats([{"confidence": "Confidence", "entropy": "Entropy (0 to 1)"}[product]])


def stack_spec(bands: Sequence[str]) -> RasterSpec:
    """The look of the fused stack: what the model sees, one float32 band a channel."""
    return _floats(bands)


def missing_spec(slots: Sequence[str]) -> RasterSpec:
    """The look of the map of missing layers: one uint8 band a slot, 1 where the card's rule stood in for it."""
    return RasterSpec(np.dtype(np.uint8), 255, tuple(slots))


def write_cog(
    path: Path,
    grid: Grid,
    spec: RasterSpec,
    blocks: Iterable[tuple[Window, np.ndarray]],
    tags: Mapping[str, str],
    aligned: int = 1,
) -> None:
    """Write blocks as a Cloud Optimized GeoTIFF with overviews, under its name only once it is whole.

    Equal pixels and tags make equal bytes. Memory is bounded by a few blocks and GDAL's cache; the folder must have
    room for the raster twice.

    Args:
        path: the GeoTIFF to make; a class raster's names stand beside it in ``<path>.aux.xml``, where GDAL looks.
        grid: the run grid; pixels that no block covers become nodata.
        spec: the product's look.
        blocks: windows of the grid with h×w (one band) or C×h×w values.
        tags: GeoTIFF metadata.
        aligned: a number of which every block's first row and column are multiples; the more it is divisible by two,
            the more of a class raster's overviews are made from the blocks.

    Raises:
        RequestError: where the file cannot be written.
    """
    with rasterio.Env(GDAL_CACHEMAX=_CACHE_MIB, GDAL_PAM_ENABLED=False), staged(path) as folder:
        drafts = folder / "drafts"
        drafts.mkdir()
        draft = drafts / "draft.tif"
        shown = _write_draft(draft, grid, spec, blocks, tags, aligned)
        copy(shown, folder / path.name, driver="COG", **_cog_options(spec))
        check_whole(folder / path.name)
        rmtree(drafts)
        _write_names(folder, path, spec)


def _floats(bands: Iterable[str]) -> RasterSpec:
    return RasterSpec(np.dtype(np.float32), FLOAT_NODATA, tuple(bands))


def _write_draft(
    draft: Path,
    grid: Grid,
    spec: RasterSpec,
    blocks: Iterable[tuple[Window, np.ndarray]],
    tags: Mapping[str, str],
    aligned: int,
) -> Path:
    """Write the raster, and in a class raster its overviews; answers what is to be copied."""
    profile = _draft_profile(grid, spec)
    by_majority = spec.categorical and len(spec.bands) == 1
    pyramid = Pyramid(draft.parent, profile, aligned if by_majority else 1, TILE)
    with closing(pyramid), rasterio.open(draft, "w", **profile) as file:
        _describe(file, spec, tags)
        shown = ((window, _by_band(values)) for window, values in blocks if not _is_blank(values, spec))
        # A class raster's overviews are worked out while other blocks are written; of others there are none.
        halved = partial(_with_levels, pyramid)
        for window, bands, levels in worked_ahead(halved, shown, cores()) if by_majority else map(halved, shown):
            file.write(bands, window=FileWindow(window.col, window.row, window.width, window.height))
            pyramid.add(window, levels)
    check_whole(draft)
    return pyramid.attach(draft)


def _is_blank(values: np.ndarray, spec: RasterSpec) -> bool:
    return is_spread(values) and bool((values[..., 0, 0] == spec.nodata).all())


def _with_levels(pyramid: Pyramid, block: tuple[Window, np.ndarray]) -> tuple[Window, np.ndarray, list[np.ndarray]]:
    window, bands = block
    return window, bands, pyramid.levels(bands[0])


def _by_band(values: np.ndarray) -> np.ndarray:
    return values if values.ndim == 3 else values[np.newaxis]


def _draft_profile(grid: Grid, spec: RasterSpec) -> dict[str, object]:
    return {
        "driver": "GTiff",
        "width": grid.width,
        "height": grid.height,
        "count": len(spec.bands),
        "dtype": spec.dtype,
        "nodata": spec.nodata,
        "crs": grid.pyproj_crs.to_wkt(),
        "transform": grid.transform,
        "tiled": True,
        "blockxsize": TILE,
        "blockysize": TILE,
        "interleave": "band",
        # Of classes, runs of equal pixels do: DEFLATE at its fastest takes twice as long as all of that draft.
        **({"compress": "packbits"} if spec.categorical else {"compress": "deflate", "zlevel": 1}),
        "num_threads": "all_cpus",
        "bigtiff": "if_safer",
    }


def _describe(file: rasterio.io.DatasetWriter, spec: RasterSpec, tags: Mapping[str, str]) -> None:
    file.update_tags(**tags)
    for band, name in enumerate(spec.bands, 1):
        file.set_band_description(band, name)
        if spec.units:
            file.set_band_unit(band, spec.units)
    if spec.colors:
        blank = {int(spec.nodata): (0, 0, 0, 0)}
        file.write_colormap(1, {**{value: (*rgb, 255) for value, rgb in spec.colors.items()}, **blank})


def _cog_options(spec: RasterSpec) -> dict[str, object]:
    """DEFLATE, which every reader of TIFF knows. Floats gain by a predictor but nothing by a higher level, classes the
    other way round. GDAL writes tiles in one order however many threads compress them.
    """
    predictor = "NO" if spec.categorical else "YES"
    return {
        "compress": "DEFLATE",
        "level": 6 if spec.categorical else 1,
        "predictor": predictor,
        "overview_predictor": predictor,
        "overview_resampling": "MODE" if spec.categorical else "AVERAGE",
        "blocksize": TILE,
        "bigtiff": "IF_SAFER",
        "num_threads": "ALL_CPUS",
    }


def _write_names(folder: Path, path: Path, spec: RasterSpec) -> None:
    """Class names into the file beside the raster where GDAL looks; an older one does not hold for the new raster."""
    name = f"{path.name}.aux.xml"
    text = category_sidecar(spec.classes)
    if text is None:
        path.with_name(name).unlink(missing_ok=True)
    else:
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
