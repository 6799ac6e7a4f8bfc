"""Patches too small for the map, given to their larger neighbours."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window as FileWindow

from ..grid import Grid, Window
from .seams import Cell, Read, Seams, cells, read_cell

#: Most pixels that a neighbour grows into a thicket of small patches; what lies deeper keeps its class.
_DEEPEST = 256


@contextmanager
def sieved(
    note: Path, grid: Grid, classes: Read, nodata: int, pixels: int, checkpoint: Callable[[], None]
) -> Iterator[Read]:
    """The class map without its patches of fewer than `pixels` pixels.

    Every pixel of such a patch (4-connected, of one class, measured over the whole grid) takes the class of the nearest
    pixel that stays, counted in steps from pixel to pixel over removed ones; of equally near ones the one above, to the
    left, to the right, below. Nodata neither grows nor is grown into, so an island in it stays, however small. The
    outcome depends on the map alone, not on blocks or cells.

    Args:
        note: a raster of what stays, kept on disk while this is open.
        grid: the run grid.
        classes: the class map.
        nodata: its nodata value.
        pixels: the smallest patch that stays.
        checkpoint: called between cells.
    """
    _note_what_stays(note, grid, classes, pixels, nodata, checkpoint)
    depth = min(_DEEPEST, 16 + 4 * math.isqrt(pixels))
    with rasterio.open(note) as stays:

        def read(window: Window) -> np.ndarray:
            outer = window.grown(depth).clipped(grid.height, grid.width)
            kept = stays.read(1, window=_file_window(outer)).astype(bool)
            return _regrown(classes(outer), kept, nodata, depth)[window.within(outer)]

        yield read
    note.unlink()


def _note_what_stays(
    note: Path, grid: Grid, classes: Read, pixels: int, nodata: int, checkpoint: Callable[[], None]
) -> None:
    """Write a raster with 1 where a pixel keeps its class: first all cells are measured, then judged."""
    seams, sizes, known = Seams(grid), [], []
    for window in cells(grid):
        checkpoint()
        cell = read_cell(grid, classes, window)
        crossing = cell.crossing()
        names = seams.name(cell, crossing)
        sizes.extend(np.bincount(cell.labels.ravel())[crossing].tolist())
        known.append(names[crossing])
        for one, other in seams.meet(cell, names):
            _join(seams, sizes, one, other)
    with rasterio.open(note, "w", **_note_profile(grid)) as file:
        for window, names in zip(cells(grid), known, strict=True):
            checkpoint()
            cell = read_cell(grid, classes, window)
            whole = [sizes[seams.regions.find(name)] for name in names.tolist()]
            file.write(_stays(cell, whole, pixels, nodata).astype(np.uint8), 1, window=_file_window(window))


def _note_profile(grid: Grid) -> dict[str, object]:
    return {
        "driver": "GTiff",
        "width": grid.width,
        "height": grid.height,
        "count": 1,
        "dtype": "uint8",
        "transform": grid.transform,
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "compress": "deflate",
        "zlevel": 1,
        "bigtiff": "if_safer",
    }


def _join(seams: Seams, sizes: list[int], one: int, other: int) -> None:
    stays, goes = sorted((seams.regions.find(one), seams.regions.find(other)))
    if stays != goes:
        seams.regions.join(stays, goes)
        sizes[stays] += sizes[goes]


def _stays(cell: Cell, crossing_sizes: list[int], pixels: int, nodata: int) -> np.ndarray:
    size = np.bincount(cell.labels.ravel())
    size[cell.crossing()] = crossing_sizes
    return ((size >= pixels) | (cell.values.ravel()[cell.first] == nodata))[cell.labels]


def _regrown(classes: np.ndarray, stays: np.ndarray, nodata: int, depth: int) -> np.ndarray:
    """Let what stays grow into what does not, one pixel a round."""
    width = classes.shape[1] + 2
    grown = np.pad(classes, 1, constant_values=nodata).ravel()
    settled = (np.pad(stays, 1) & (np.pad(classes, 1, constant_values=nodata) != nodata)).ravel()
    waiting = np.flatnonzero(~np.pad(stays, 1, constant_values=True))
    for _ in range(depth):
        found = np.zeros(waiting.size, bool)
        for step in (-width, -1, 1, width):
            takes = ~found & settled[waiting + step]
            grown[waiting[takes]] = grown[waiting[takes] + step]
            found |= takes
        if not found.any():
            break
        settled[waiting[found]] = True
        waiting = waiting[~found]
    return grown.reshape(-1, width)[1:-1, 1:-1]


def _file_window(window: Window) -> FileWindow:
    return FileWindow(window.col, window.row, window.width, window.height)
