"""Raster layers on the run grid: one file, a mosaic of files, or a stack of band files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...models.card import Slot
from ..errors import SourceError
from ..grid import Grid, Window
from ..job import Source as SourceSpec
from ..patch import Patch
from . import Context, Facts
from .raster_facts import facts_of, fingerprint_of
from .raster_file import RasterFile, Reading
from .raster_sheet import Order, Sheet

#: Files of a mosaic that keep their handles; the others are opened again when a window needs them.
_MAX_OPEN = 32
#: Roles whose values are one band, whatever channels are made of it.
_ONE_BAND = frozenset({"dem", "prior"})


def open_raster(slot: Slot, spec: SourceSpec, grid: Grid, context: Context) -> RasterSource:
    """Open a slot's raster files on `grid`, which is the slot's own grid.

    Patches hold physical values, ``((stored + spec.dn_offset) * scale + offset) * spec.dn_scale`` with the file's scale
    and offset tags, resampled as `slot.resampling` says (of the stored type where nothing had to be done); valid is a
    pixel where every chosen band has a value. The slots `dem` and `prior` take one band, all others one
    for each channel.

    Raises:
        SourceError: names the file and what to do about it.
    """
    wanted = 1 if slot.role in _ONE_BAND else len(slot.channels)
    mosaics: list[Mosaic] = []
    try:
        for paths, bands, take in _groups(spec, wanted):
            reading = Reading(bands, spec.nodata, spec.ignore_mask, spec.dn_offset, spec.dn_scale)
            skip = spec.unreadable == "skip"
            mosaics.append(Mosaic([Order(path, reading, slot, grid, context, skip, take) for path in paths]))
        _check_count(mosaics, wanted, slot, spec)
    except SourceError:
        for mosaic in mosaics:
            mosaic.close()
        raise
    names = ("value",) if slot.role in _ONE_BAND else tuple(channel.name for channel in slot.channels)
    return RasterSource(mosaics, names, spec.attribution, grid)


def _groups(spec: SourceSpec, wanted: int) -> list[tuple[tuple[str, ...], tuple[int, ...], int | None]]:
    """For each run of channels: the files that give it, the bands taken, and how many where none are named."""
    if spec.stack:
        return [((file.path,), file.bands, None) for file in spec.stack]
    paths = spec.mosaic or ((spec.path,) if spec.path is not None else ())
    return [(paths, spec.bands, wanted)] if paths else []


def _check_count(mosaics: Sequence[Mosaic], wanted: int, slot: Slot, spec: SourceSpec) -> None:
    if not mosaics:
        raise SourceError(f"The slot '{slot.name}' has no raster; give its source a path, a mosaic or a stack.")
    found = sum(mosaic.bands for mosaic in mosaics)
    if found == wanted:
        return
    title = spec.name or mosaics[0].sheets[0].file.title
    hint = " An alpha band counts only when the job names it among the bands." if found < wanted else ""
    raise SourceError(
        f"{title} gives {found} bands, but the slot '{slot.name}' needs {wanted}; name the right bands.{hint}"
    )


class Mosaic:
    """Files that are one layer, the first on top; what it leaves open shows the next, as opaque as it is there."""

    def __init__(self, orders: Sequence[Order]):
        self.sheets: list[Sheet] = []
        try:
            for order in orders:
                self.sheets.append(Sheet(order))
                self._let_rest(self.sheets[-1])
            self._refuse_mixed()
        except SourceError:
            self.close()
            raise

    @property
    def bands(self) -> int:
        return len(self.sheets[0].file.bands)

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Values (C×H×W, float32 or the stored whole-number type) and validity (H×W bool).

        Partly opaque pixels are laid over one another as GDAL's warper does it with destination alpha: each counts
        by its opacity times what the files above it let through.
        """
        data, total = None, None
        for sheet in self.sheets:
            if not sheet.touches(window):
                continue
            values, opacity = sheet.read(window)
            self._let_rest(sheet)
            if opacity is None and data is None:
                return values, np.ones(values.shape[1:], bool)
            if opacity is None:
                opacity = np.ones(values.shape[1:], np.float32)
            if data is None:
                data, total = values, opacity
            else:
                _lay_under(data, total, values, opacity)
            if total.min(initial=1) >= 1:
                break
        if data is None:
            data = np.zeros((self.bands, window.height, window.width), np.float32)
            return data, np.zeros(data.shape[1:], bool)
        return data, total > 0

    def close(self) -> None:
        for sheet in self.sheets:
            sheet.close()

    def _let_rest(self, sheet: Sheet) -> None:
        if self.sheets.index(sheet) >= _MAX_OPEN:
            sheet.rest()

    def _refuse_mixed(self) -> None:
        first = self.sheets[0].file
        for sheet in self.sheets[1:]:
            if len(sheet.file.bands) != len(first.bands):
                raise SourceError(
                    f"{sheet.file.title} has {len(sheet.file.bands)} bands where {first.title} of the same mosaic "
                    f"has {len(first.bands)}; name the bands to be taken."
                )


def _lay_under(data: np.ndarray, total: np.ndarray, values: np.ndarray, opacity: np.ndarray) -> None:
    """Let values show as far as the opacity in `total` leaves room; `data` and `total` are changed."""
    share = opacity * (1 - total)
    total += share
    weight = np.divide(share, total, out=np.zeros_like(share), where=share > 0)
    data += (values - data) * weight


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Bands one after the other; in float32 where their types differ."""
    alike = len({part.dtype for part in parts}) == 1
    return np.concatenate(parts, dtype=None if alike else np.float32, casting="same_kind" if alike else "unsafe")


class RasterSource:
    """Raster files as one source; see `open_raster`."""

    def __init__(self, mosaics: Sequence[Mosaic], names: tuple[str, ...], attribution: tuple[str, ...], grid: Grid):
        self.channels = names
        self.attribution = attribution
        self._mosaics = mosaics
        self._grid = grid

    @property
    def files(self) -> list[RasterFile]:
        """The files, in the order of channels and, in a mosaic, from top to bottom."""
        return [sheet.file for mosaic in self._mosaics for sheet in mosaic.sheets]

    def read(self, window: Window) -> Patch:
        parts = [mosaic.read(window) for mosaic in self._mosaics]
        if len(parts) == 1:
            return Patch(*parts[0], window, self._grid)
        data = _joined([values for values, _ in parts])
        return Patch(data, np.logical_and.reduce([valid for _, valid in parts]), window, self._grid)

    def facts(self) -> Facts:
        return facts_of(self.files, self._grid, self.read)

    def fingerprint(self) -> str:
        return fingerprint_of(self.files)

    def close(self) -> None:
        for mosaic in self._mosaics:
            mosaic.close()
