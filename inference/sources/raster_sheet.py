"""One file of a source as physical values: scale tags applied, unreadable parts treated as the job says."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from rasterio.errors import RasterioError

from ...models.card import Slot
from ..errors import SourceError
from ..grid import Grid, Window, way_between
from . import Context
from .raster_file import RasterFile, Reading, open_file, reason
from .raster_layer import Layer, open_layer
from .raster_window import intersection, squares

#: Side of the squares, on the grid's own lattice, in which a file with unreadable parts is read ...
_SQUARE = 256
#: ... and to which an unreadable square is divided before it is given up.
_SMALLEST = 32


@dataclass(frozen=True)
class Order:
    """What is wanted of a file: where it is, how it is read, and on which grid."""

    path: str
    reading: Reading
    slot: Slot
    grid: Grid
    context: Context
    skip_unreadable: bool = False
    bands_wanted: int | None = None
    """Bands to take where the job names none; None takes all."""


class Sheet:
    """One file on the grid. Opened at once, so that a bad file is told before the run; can rest between readings."""

    def __init__(self, order: Order):
        self._order = order
        self.file, self._layer = self._open()
        self.extent = _extent(self.file, order.grid)
        self._lost: set[tuple[int, int]] = set()

    def _open(self) -> tuple[RasterFile, Layer]:
        order = self._order
        file = open_file(order.path, order.reading, order.slot, order.context, order.bands_wanted)
        largest = {"largest": _SMALLEST} if order.skip_unreadable else {}
        return file, open_layer(file, order.grid, order.slot.resampling, **largest)

    def touches(self, window: Window) -> bool:
        """False when the file certainly has no value in the window."""
        if self.extent is None:
            return True
        left, top, right, bottom = self.extent
        across = left < window.col + window.width and right > window.col
        return across and top < window.row + window.height and bottom > window.row

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        """Physical values (C×H×W, 0 where invalid) and opacity (H×W float32, 0 where any band has no value).

        Values are float32, or of the stored whole-number type where they are the stored ones; the opacity is None where
        all is opaque.

        Raises:
            SourceError: where the file cannot be read and the job does not say that this is to be skipped.
        """
        if self._layer is None:
            self.file, self._layer = self._open()
        read = self._read_in_squares if self._order.skip_unreadable else self._read_or_stop
        data, opacity = read(window)
        changes = list(zip(self.file.scales, self.file.offsets, strict=True))
        if opacity is None and set(changes) == {(1.0, 0.0)}:
            return data, None
        data = data.astype(np.float32, copy=False)
        if opacity is None:
            opacity = np.ones(data.shape[1:], np.float32)
        for values, (scale, offset) in zip(data, changes, strict=True):
            if (scale, offset) != (1.0, 0.0):
                values *= np.float32(scale)
                values += np.float32(offset)
        opacity[~np.isfinite(data).all(axis=0)] = 0.0
        empty = opacity == 0
        if empty.any():
            data[:, empty] = 0.0
        return data, opacity

    def rest(self) -> None:
        """Give back the file handles until the next reading."""
        if self._layer is not None:
            self._layer.close()
            self._layer = None

    def close(self) -> None:
        self.rest()
        if self._lost:
            self._order.context.warn(
                f"{self.file.title} could not be read in {len(self._lost)} blocks of {_SMALLEST} × {_SMALLEST} "
                "grid pixels; they are nodata."
            )

    def _read_or_stop(self, window: Window) -> tuple[np.ndarray, np.ndarray | None]:
        try:
            return self._layer.read(window)
        except RasterioError as problem:
            raise SourceError(
                f"{self.file.title} cannot be read in the block at row {window.row}, column {window.col} of the grid"
                f"{reason(problem, self.file.name)}; repair the file, or let unreadable parts be skipped."
            ) from problem

    def _read_in_squares(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Squares of one fixed lattice, whole, so that what is lost does not depend on the window."""
        data = np.full((len(self.file.bands), window.height, window.width), np.nan, np.float32)
        opacity = np.zeros((window.height, window.width), np.float32)

        def keep(square: Window, values: np.ndarray, weight: np.ndarray | None) -> None:
            shared = intersection(square, window)
            data[:, *shared.within(window)] = values[:, *shared.within(square)]
            opacity[shared.within(window)] = 1.0 if weight is None else weight[shared.within(square)]

        for square in squares(window, _SQUARE):
            self._read_square(square, window, keep)
        return data, opacity

    def _read_square(self, square: Window, window: Window, keep: Callable[..., None]) -> None:
        shared = intersection(square, window)
        if not (shared.height and shared.width):
            return
        try:
            keep(square, *self._layer.read(square))
        except RasterioError:
            if square.height == _SMALLEST:
                self._lose(square)
                return
            for quarter in squares(square, square.height // 2):
                self._read_square(quarter, window, keep)

    def _lose(self, square: Window) -> None:
        self._lost.add((square.row, square.col))
        self._order.context.warn(f"{self.file.title} has parts that cannot be read; they are nodata in the map.")


def _extent(file: RasterFile, grid: Grid) -> tuple[float, float, float, float] | None:
    """First column, first row, last column and last row that the file can reach; None where this is not certain."""
    own = file.grid
    transformer = way_between(own.pyproj_crs, grid.pyproj_crs)
    west, south, east, north = transformer.transform_bounds(*own.bounds, densify_pts=51)
    if not all(map(math.isfinite, (west, south, east, north))) or west >= east:
        return None  # it wraps round the antimeridian, or a part of it has no place in the grid's CRS
    corners = [~grid.transform @ (x, y) for x in (west, east) for y in (south, north)]
    cols, rows = zip(*corners, strict=True)
    # The edge is curved in the grid's CRS and sampled at 51 points a side: one part in 500 covers the sagitta.
    spare = 4 + max(max(cols) - min(cols), max(rows) - min(rows)) / 500
    return min(cols) - spare, min(rows) - spare, max(cols) + spare, max(rows) + spare
