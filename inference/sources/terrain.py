"""Terrain: elevation on the run grid, and what is derived from it in ground metres."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...models.card import Channel, Slot
from ..errors import SourceError
from ..grid import Grid, Window
from ..job import Source as SourceSpec
from ..patch import Patch
from . import Context, Facts
from .raster import RasterSource, open_raster
from .raster_facts import facts_of
from .terrain_derivatives import LOCAL, Relief, wide_position
from .terrain_ground import GroundPixels

#: Metres in what GDAL's band unit may call a foot.
_FEET = {
    "ft": 0.3048,
    "foot": 0.3048,
    "feet": 0.3048,
    "us survey foot": 1200 / 3937,
    "us-ft": 1200 / 3937,
    "ftus": 1200 / 3937,
}
#: Rows whose derivatives are worked out at a time: few enough to stay in the processor's cache.
_STRIP = 64
#: A wider neighbourhood would make every window mostly halo.
_MAX_REACH = 2048
#: Windows along each axis at which the range of values is looked up: fewer than of other rasters, for the same reason.
_SAMPLES = 2


def open_terrain(slot: Slot, spec: SourceSpec, grid: Grid, context: Context) -> TerrainSource:
    """Open an elevation model for a slot of role ``dem``.

    Elevation is warped with `slot.resampling` and read with a halo, so no window's border shows. A pixel is valid
    where its elevation is. North is grid north.

    Raises:
        SourceError: names the file; also for a neighbourhood of more than 2048 pixels and for a rotated grid.
    """
    if grid.transform.b or grid.transform.d:
        raise SourceError(f"The slot '{slot.name}' derives terrain, which needs a north-up grid; choose one.")
    elevation = open_raster(slot, spec, grid, context)
    try:
        source = TerrainSource(slot, elevation, _metres(elevation, context), grid)
        _refuse_wide(slot, source, grid)
    except SourceError:
        elevation.close()
        raise
    return source


def _metres(elevation: RasterSource, context: Context) -> float:
    """Metres in the unit of the files' elevation, which is metres unless they say feet."""
    factors = {_FEET.get(unit.strip().lower(), 1.0) for file in elevation.files for unit in file.units}
    title = elevation.files[0].title
    if len(factors) > 1:
        raise SourceError(f"{title} and its neighbours give elevation in metres and in feet; convert one of them.")
    factor = factors.pop()
    if factor != 1.0:
        context.warn(f"{title} gives elevation in feet; it is converted to metres.")
    return factor


def _refuse_wide(slot: Slot, source: TerrainSource, grid: Grid) -> None:
    # Pixels are smallest, and radii in pixels largest, at one end of the grid.
    reach = max(source.reach(Window(row, 0, 1, 1)) for row in (0, grid.height // 2, grid.height - 1))
    if reach > _MAX_REACH:
        raise SourceError(
            f"The slot '{slot.name}' looks {reach} pixels round each pixel, and at most {_MAX_REACH} are possible; "
            "take a coarser grid or a smaller radius."
        )


class TerrainSource:
    """The channels of one ``dem`` slot; see `open_terrain`."""

    def __init__(self, slot: Slot, elevation: RasterSource, metres: float, grid: Grid):
        self.channels = tuple(channel.name for channel in slot.channels)
        self.attribution = elevation.attribution
        self._wanted = slot.channels
        self._elevation = elevation
        self._metres = np.float32(metres)
        self._grid = grid
        self._ground = GroundPixels(grid)

    def read(self, window: Window) -> Patch:
        """One warp of the elevation serves all channels: float32, in the units that `Channel.derivative` states."""
        halo = self.reach(window)
        whole = self._elevation.read(window.grown(halo))
        heights = whole.data[0].astype(np.float32, copy=False)
        if self._metres != 1:
            heights = heights * self._metres
        near = window.grown(1).within(window.grown(halo))
        width, height = self._ground.sizes(window.row, window.height)
        data = np.empty((len(self._wanted), window.height, window.width), np.float32)
        for index, channel in enumerate(self._wanted):
            if _is_wide(channel):
                rows, cols = self._reaches(channel, window)
                data[index] = wide_position(heights, whole.valid, halo, rows, cols)
        local = [(index, channel) for index, channel in enumerate(self._wanted) if not _is_wide(channel)]
        for top in range(0, window.height if local else 0, _STRIP):
            rows, above = slice(top, top + _STRIP), slice(top, top + _STRIP + 2)
            relief = Relief(heights[near][above], whole.valid[near][above], width[rows], height[rows])
            for index, channel in local:
                data[index, rows] = LOCAL[channel.derivative](relief)
        valid = whole.valid[window.within(window.grown(halo))]
        data[:, ~valid] = 0.0
        return Patch(data, valid, window, self._grid)

    def reach(self, window: Window) -> int:
        """Pixels beyond a window that its values depend on."""
        wide = [channel for channel in self._wanted if _is_wide(channel)]
        return max([1, *(int(reach.max()) for channel in wide for reach in self._reaches(channel, window))])

    def facts(self) -> Facts:
        facts = facts_of(self._elevation.files, self._grid, self.read, _SAMPLES)
        return replace(facts, details={**facts.details, "metres": float(self._metres)})

    def fingerprint(self) -> str:
        return self._elevation.fingerprint()

    def close(self) -> None:
        self._elevation.close()

    def _reaches(self, channel: Channel, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns (each H int) that lie within a channel's radius of the pixels of each row of a window."""
        width, height = self._ground.sizes(window.row, window.height)
        rows, cols = (np.maximum(np.rint(channel.radius / size), 1).astype(int) for size in (height, width))
        return rows, cols


def _is_wide(channel: Channel) -> bool:
    return channel.derivative == "tpi" and channel.radius is not None
