"""Overviews of a class raster by majority, made as its blocks arrive.

GDAL's own resampling by mode takes longer than all else in writing a map. Here each 2×2 pixels of a block become one,
and again, as long as blocks meet on even pixels; what little is left GDAL makes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from html import escape
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.shutil import copy
from rasterio.windows import Window as FileWindow

from ..grid import Window
from .whole import check_whole

#: Where the description of the one band of a VRT ends.
_BAND_END = "</VRTRasterBand>"


class Pyramid:
    """The levels of one raster that are made here, each a file of its own beside the draft.

    Args:
        folder: where the files go.
        profile: as rasterio takes it, of the raster itself: its size, type, nodata and how it is stored.
        aligned: a number of which every block's first row and column are multiples.
        smallest: side in pixels of the last overview that is wanted, at most.
    """

    def __init__(self, folder: Path, profile: Mapping[str, object], aligned: int, smallest: int) -> None:
        self._nodata = profile["nodata"]
        self._base = int(profile["height"]), int(profile["width"])
        self._factors = _factors(max(self._base), smallest)
        own = [factor for factor in self._factors if aligned % factor == 0]
        self._paths = [folder / f"level{factor}.tif" for factor in own]
        self._open = ExitStack()
        self._files = []
        for path, factor in zip(self._paths, own, strict=True):
            height, width = (-(-length // factor) for length in self._base)
            level = {**profile, "height": height, "width": width}
            self._files.append(self._open.enter_context(rasterio.open(path, "w", **level)))

    def levels(self, values: np.ndarray) -> list[np.ndarray]:
        """Of a block of h×w classes the levels that are made here, each half as high and wide as the one before."""
        levels = [values]
        for _ in self._files:
            levels.append(halved(levels[-1], self._nodata))
        return levels[1:]

    def add(self, window: Window, levels: Sequence[np.ndarray]) -> None:
        """Write a block's levels."""
        row, col = window.row, window.col
        for file, values in zip(self._files, levels, strict=True):
            row, col = row // 2, col // 2
            file.write(values, 1, window=FileWindow(col, row, values.shape[1], values.shape[0]))

    def close(self) -> None:
        """Write what is open."""
        self._open.close()

    def attach(self, draft: Path) -> Path:
        """What GDAL is to copy, once all is written: a VRT that shows the draft with these levels as its overviews; the
        draft itself where none was made.

        Raises:
            OSError: where the disk did not take a level.
        """
        self.close()
        if not self._paths:
            return draft
        for path in self._paths:
            check_whole(path)
        last = self._paths[-1]
        rest = [factor // self._factors[len(self._paths) - 1] for factor in self._factors[len(self._paths) :]]
        if rest:
            with rasterio.open(last, "r+") as file:
                file.build_overviews(rest, Resampling.mode)
            check_whole(last)
        names = [str(path) for path in self._paths]
        # The directories of a GeoTIFF count from 1, the picture itself; its overviews follow.
        names += [f"GTIFF_DIR:{number}:{last}" for number in range(2, len(rest) + 2)]
        shown = draft.with_suffix(".vrt")
        copy(draft, shown, driver="VRT")
        overviews = "".join(
            f'<Overview><SourceFilename relativeToVRT="0">{escape(name)}</SourceFilename>'
            "<SourceBand>1</SourceBand></Overview>"
            for name in names
        )
        document = shown.read_text(encoding="utf-8")
        shown.write_text(document.replace(_BAND_END, overviews + _BAND_END, 1), encoding="utf-8")
        return shown


def halved(values: np.ndarray, nodata: object) -> np.ndarray:
    """Each 2×2 pixels (fewer at the ends) as one: what most of them are, the first of equals; nodata where all are."""
    rows, cols = (length % 2 for length in values.shape)
    if rows or cols:
        values = np.pad(values, ((0, rows), (0, cols)), constant_values=nodata)
    four = [np.ascontiguousarray(values[row::2, col::2]) for row in (0, 1) for col in (0, 1)]
    found = _majority(*four)
    lost = np.logical_or.reduce([part == nodata for part in four])
    if lost.any():
        quads = np.stack([part[lost] for part in four], axis=1).astype(np.int64)
        empty = quads == nodata
        # What has a value comes first; nodata is made unlike all else, so that it never has a majority.
        quads[empty] = np.broadcast_to(-np.arange(1, 5), quads.shape)[empty]
        quads = np.take_along_axis(quads, np.argsort(empty, axis=1, kind="stable"), axis=1)
        most = _majority(*quads.T)
        found[lost] = np.where(most < 0, nodata, most)
    return found


def _majority(first: np.ndarray, second: np.ndarray, third: np.ndarray, fourth: np.ndarray) -> np.ndarray:
    again = (first == second) | (first == third) | (first == fourth)
    second_again = (second == third) | (second == fourth)
    return np.where(again | ~(second_again | (third == fourth)), first, np.where(second_again, second, third))


def _factors(longest: int, smallest: int) -> list[int]:
    """Powers of two by which the raster is reduced until its longer side is no more than `smallest`, as GDAL does."""
    factors = []
    while -(-longest // 2 ** len(factors)) > smallest:
        factors.append(2 ** (len(factors) + 1))
    return factors
