"""One raster file on the run grid, by window: read as it is where its pixels are the grid's, warped elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Protocol

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import MaskFlags
from rasterio.io import DatasetReader
from rasterio.windows import Window as RasterWindow

from ..grid import Grid, Window, way_between
from .raster_file import RasterFile, open_named
from .raster_window import intersection, squares
from .warp_document import Georeference, Warp, warp_document

#: Grid pixels by which the first warped dataset reaches beyond the grid; a larger halo makes a larger one.
_MARGIN = 2048
_BLOCK = 256
#: Source pixels, in bytes, that one block of the warp may load.
_BLOCK_BYTES = 64 * 2**20
#: A pixel lattice is the grid's own when no corner of the file is further off than this, in pixels.
_ALIGNED = 1e-6
#: GDAL widens its kernels from this scale downward (target pixels per source pixel).
_WIDENED = 0.95
#: The alpha of a warped pixel that is opaque (`warp_document`).
_OPAQUE = np.float32(255)
#: Resampling that gives back the stored values on the file's own lattice; cubic B-splines smooth even there.
_INTERPOLATING = frozenset({"nearest", "bilinear", "cubic", "lanczos", "average", "mode"})
_OVERSHOOTING = frozenset({"cubic", "lanczos"})
#: Whole numbers that float32 holds.
_EXACT = frozenset(np.dtype(kind) for kind in (np.uint8, np.int8, np.uint16, np.int16))
_KERNELS = frozenset({"bilinear", "cubic", "cubic_spline", "lanczos"})


class Layer(Protocol):
    """One file's chosen bands on the grid."""

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Values as stored (C×H×W float32, NaN where a band has none) and opacity (H×W float32, 0 to 1).

        The opacity is None where every pixel has a value and is opaque; whole numbers then keep their type.
        """
        ...

    def close(self) -> None: ...


def open_layer(file: RasterFile, grid: Grid, resampling: str, largest: int = _BLOCK) -> Layer:
    """The fitting reader for a file: `AlignedLayer` when its pixels are grid pixels, else `WarpedLayer`.

    `largest` bounds the side of the squares that are warped at once, and so are lost at once where the file is damaged.
    """
    shift = _lattice_shift(file.georeference, grid) if resampling in _INTERPOLATING else None
    if shift is not None:
        return AlignedLayer(file, *shift)
    return WarpedLayer(file, grid, resampling, largest)


def _lattice_shift(place: Georeference, grid: Grid) -> tuple[int, int] | None:
    """Rows and columns by which the file's origin lies off the grid's, when both have one pixel lattice."""
    if place.transform is None or place.crs != CRS.from_user_input(grid.crs):
        return None
    to_grid = ~grid.transform @ place.transform
    col, row = round(to_grid.c), round(to_grid.f)
    for x, y in ((0, 0), (place.width, 0), (0, place.height), (place.width, place.height)):
        grid_x, grid_y = to_grid @ (x, y)
        if abs(grid_x - col - x) > _ALIGNED or abs(grid_y - row - y) > _ALIGNED:
            return None
    return row, col


class AlignedLayer:
    """A file whose pixels are pixels of the grid: values pass through unchanged."""

    def __init__(self, file: RasterFile, row: int, col: int):
        self._file = file
        self._row, self._col = row, col
        flags = file.dataset.mask_flag_enums[file.bands[0] - 1]
        self._masked = MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        file = self._file
        inside = Window(window.row - self._row, window.col - self._col, window.height, window.width)
        part = inside.clipped(file.dataset.height, file.dataset.width)
        box = RasterWindow(part.col, part.row, part.width, part.height)
        if part == inside and file.alpha is None and not self._masked:
            values = self._values(box)
            return values, None if values.dtype.kind in "iu" else np.ones(values.shape[1:], np.float32)
        data = np.full((len(file.bands), window.height, window.width), np.nan, np.float32)
        opacity = np.zeros((window.height, window.width), np.float32)
        if part.height and part.width:
            rows, cols = part.within(inside)
            data[:, rows, cols] = self._values(box)
            opacity[rows, cols] = self._opacity(box)
        return data, opacity

    def _values(self, box: RasterWindow) -> np.ndarray:
        """As stored where that is an exact whole number everywhere, else float32 with NaN for nodata."""
        stored = self._file.dataset.read(self._file.bands, window=box)
        lost = [(index, np.equal(stored[index], value)) for index, value in self._nodata(stored.dtype)]
        lost = [(index, where) for index, where in lost if where.any()]
        if not lost and stored.dtype in _EXACT:
            return stored
        values = stored.astype(np.float32)
        for index, where in lost:
            values[index][where] = np.nan
        return values

    def _nodata(self, dtype: np.dtype) -> Iterator[tuple[int, np.generic]]:
        for index, nodata in enumerate(self._file.nodata):
            if nodata is not None and not math.isnan(nodata):
                yield index, dtype.type(nodata)

    def _opacity(self, box: RasterWindow) -> np.ndarray | float:
        file = self._file
        if file.alpha is not None:
            alpha = file.dataset.read(file.alpha, window=box)
            return alpha.astype(np.float32) / alpha_maximum(file)
        if self._masked:
            return (file.dataset.read_masks(file.bands[0], window=box) > 0).astype(np.float32)
        return 1.0

    def close(self) -> None:
        self._file.close()


class WarpedLayer:
    """A file brought onto the grid by GDAL's warper, as ``gdalwarp -et 0 -ot Float32`` does it.

    The grid is warped in squares that lie on one lattice. Where the file is finer than the grid, kernels are widened
    by one scale for the whole grid (``-wo XSCALE -wo YSCALE``), so that a pixel's value does not depend on the window
    it is read in; gdalwarp by itself measures the scale anew in each chunk it happens to cut. Values of integer types
    stay within their type's range, as they do when gdalwarp writes that type.
    """

    def __init__(self, file: RasterFile, grid: Grid, resampling: str, largest: int):
        self._file, self._grid, self._resampling = file, grid, resampling
        ratio = source_pixels_per_pixel(file, grid)
        # RPC coefficients count in pixels of the full resolution.
        self._overview = None if file.georeference.rpc else overview_level(file.dataset, ratio)
        self._place = self._overview_place()
        self._ratio = None
        if ratio is not None:
            full = file.georeference
            self._ratio = (ratio[0] * self._place.width / full.width, ratio[1] * self._place.height / full.height)
        self._limits = _limits(file, resampling)
        self._side = min(self._block_side(), largest)
        self._margin = 0
        self._warped: DatasetReader | None = None

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        warped, bands = self._reaching(window), len(self._file.bands)
        inside = Window(window.row + self._margin, window.col + self._margin, window.height, window.width)
        data = np.empty((bands, window.height, window.width), np.float32)
        opacity: np.ndarray | None = None
        # Square by square, since a larger request would be warped at once, with other rounding at the file's edges.
        for square in squares(inside, self._side):
            box = square.clipped(warped.height, warped.width)
            part = intersection(box, inside)
            values = warped.read(window=RasterWindow(box.col, box.row, box.width, box.height))
            data[:, *part.within(inside)] = values[:bands, *part.within(box)]
            if not _is_whole(values, bands):
                if opacity is None:
                    opacity = np.ones(data.shape[1:], np.float32)
                if len(values) > bands:
                    opacity[part.within(inside)] = values[bands, *part.within(box)] / _OPAQUE
        if self._limits is not None:
            np.clip(data, *self._limits, out=data)
        return data, opacity

    def close(self) -> None:
        if self._warped is not None:
            self._warped.close()
            self._warped = None
        self._file.close()

    def _overview_place(self) -> Georeference:
        full = self._file.georeference
        if self._overview is None:
            return full
        with open_named(self._file.name, OVERVIEW_LEVEL=self._overview) as dataset:
            return full.resized(dataset.width, dataset.height)

    def _reaching(self, window: Window) -> DatasetReader:
        """The warped dataset, with a margin round the grid that holds the window."""
        beyond = max(
            -window.row,
            -window.col,
            window.row + window.height - self._grid.height,
            window.col + window.width - self._grid.width,
        )
        if self._warped is None or beyond > self._margin:
            if self._warped is not None:
                self._warped.close()
            # A multiple of the block's side keeps the squares where they are.
            self._margin = max(_MARGIN, -(-beyond // _BLOCK) * _BLOCK)
            self._warped = open_named(warp_document(self._warp()))
        return self._warped

    def _warp(self) -> Warp:
        file, margin = self._file, self._margin
        return Warp(
            dataset=file.name,
            overview=self._overview,
            georeference=self._place,
            bands=file.bands,
            nodata=file.nodata,
            alpha=file.alpha,
            alpha_maximum=alpha_maximum(file),
            crs=CRS.from_user_input(self._grid.crs),
            transform=self._grid.transform @ Affine.translation(-margin, -margin),
            width=self._grid.width + 2 * margin,
            height=self._grid.height + 2 * margin,
            resampling=self._resampling,
            block=self._side,
            double=file.wide,
            scale=kernel_scale(self._ratio) if self._resampling in _KERNELS else None,
        )

    def _block_side(self) -> int:
        """Side of the squares: a power of two, small enough for the source pixels under it to fit `_BLOCK_BYTES`."""
        ratio = max(self._ratio) if self._ratio else 1.0
        pixel = (8 if self._file.wide else 4) * (len(self._file.bands) + 1)
        side = math.sqrt(_BLOCK_BYTES / pixel) / max(ratio, 1.0)
        return min(_BLOCK, 2 ** max(int(math.log2(max(side, 1.0))), 0))


def _is_whole(values: np.ndarray, bands: int) -> bool:
    """Whether all pixels of a warped square have every band, and are opaque where alpha follows them."""
    return bool((values[bands:] == _OPAQUE).all() and np.isfinite(values[:bands]).all())


def _limits(file: RasterFile, resampling: str) -> tuple[float, float] | None:
    """The range of an integer type, out of which kernels with negative lobes shoot (far, beside nodata)."""
    kinds = {np.dtype(dtype) for dtype in file.dtypes}
    if resampling not in _OVERSHOOTING or any(kind.kind == "f" for kind in kinds):
        return None
    return float(min(np.iinfo(kind).min for kind in kinds)), float(max(np.iinfo(kind).max for kind in kinds))


def alpha_maximum(file: RasterFile) -> float:
    """The stored alpha that means opaque."""
    if file.alpha is None:
        return 255.0
    kind = np.dtype(file.dataset.dtypes[file.alpha - 1])
    return 1.0 if kind.kind == "f" else float(np.iinfo(kind).max)


def source_pixels_per_pixel(file: RasterFile, grid: Grid) -> tuple[float, float] | None:
    """Source pixels along the source's x and y that one grid pixel spans, amid what both share; None where unknown."""
    own = file.grid
    there = way_between(own.pyproj_crs, grid.pyproj_crs)
    x, y = ~grid.transform @ there.transform(*(own.transform @ (own.width / 2, own.height / 2)))
    if not (math.isfinite(x) and math.isfinite(y)):
        x, y = grid.width / 2, grid.height / 2
    x, y = min(max(x, 0.5), grid.width - 0.5), min(max(y, 0.5), grid.height - 0.5)
    back = way_between(grid.pyproj_crs, own.pyproj_crs)
    points = [(x - 0.5, y), (x + 0.5, y), (x, y - 0.5), (x, y + 0.5)]
    source = [~own.transform @ back.transform(*(grid.transform @ point)) for point in points]
    if not all(math.isfinite(value) for point in source for value in point):
        return None
    west, east, north, south = source
    across = math.hypot(east[0] - west[0], south[0] - north[0])
    down = math.hypot(east[1] - west[1], south[1] - north[1])
    return across, down


def kernel_scale(ratio: tuple[float, float] | None) -> tuple[float, float] | None:
    """GDAL's XSCALE and YSCALE, target pixels per source pixel, for that many source pixels per target pixel."""
    if ratio is None:
        return None
    x, y = (1.0 / pixels if 1.0 / pixels < _WIDENED else 1.0 for pixels in ratio)
    return x, y


def overview_level(dataset: DatasetReader, ratio: tuple[float, float] | None) -> int | None:
    """The overview that gdalwarp reads by itself (``-ovr AUTO``): the coarsest that is still finer than the grid."""
    factors = dataset.overviews(1)
    if ratio is None or not factors:
        return None
    wanted = math.sqrt(ratio[0] * ratio[1])
    fitting = [level for level, factor in enumerate(factors) if factor <= wanted + 0.1]
    return fitting[-1] if fitting else None
