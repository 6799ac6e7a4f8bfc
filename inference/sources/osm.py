"""OpenStreetMap layers (or any vectors with tags) as channels, rasterised by the card's recipe window by window."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import rasterio
import shapely

from ...models.card import OsmRecipe, Slot
from ..errors import RequestError
from ..grid import Grid, Window, ground_metres_per_unit
from ..job import Source as SourceSpec
from ..patch import Patch
from . import Context, Facts
from .osm_burn import burn, metres_around, pixels_around
from .osm_layers import Matches, OsmLayers, Survey
from .osm_sheets import OsmSheets
from .vector_near import seen_from
from .vector_place import Bounds

#: Sides in pixels of the chunks that are burned, and the bytes that one may take. They lie on one lattice from the
#: grid's origin, so that what a pixel gets never depends on the window through which it is seen.
_CHUNKS, _CHUNK_BYTES = (1024, 512), 8 * 2**20
#: Bytes of finished chunks that are kept for windows that overlap or follow.
_CACHE = 96 * 2**20
#: GDAL's line drawing may leave the true line by a pixel.
_SLACK = 2


def open_osm(slot: Slot, spec: SourceSpec, grid: Grid, context: Context) -> OsmSource:
    """Open an OSM slot's layers.

    Raises:
        SourceError: a layer is missing, broken, refused, or without a CRS.
    """
    recipes = []
    for channel in slot.channels:
        if channel.osm is None:
            raise RequestError(f"The channel '{channel.name}' of the slot '{slot.name}' has no OSM recipe.")
        recipes.append(channel.osm)
    rasters = OsmRasters(tuple(recipes), spec, grid, context)
    return OsmSource(tuple(channel.name for channel in slot.channels), rasters, spec)


class OsmRasters:
    """Rasters of several recipes from one set of layers."""

    def __init__(self, recipes: tuple[OsmRecipe, ...], spec: SourceSpec, grid: Grid, context: Context) -> None:
        self.layers = OsmLayers(recipes, spec, grid.pyproj_crs, context)
        self.grid = grid
        self._recipes = recipes
        self._metres = max(metres_around(recipe) for recipe in recipes)
        self._kind = np.dtype(np.float32 if any(recipe.soften > 1 for recipe in recipes) else np.uint8)
        self._pixels = max(pixels_around(recipe) for recipe in recipes)
        pixel = self._kind.itemsize * len(recipes)
        self._side = _chunk_side(pixel, grid.width)
        self._most = max(_CACHE // (pixel * self._side**2), 2)
        self._chunks: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()
        self._sheets = OsmSheets(self.layers, self._reach)
        self._survey: Survey | None = None

    def read(self, window: Window) -> np.ndarray:
        """Channels × height × width, 0 to 1: float32, or uint8 where no recipe softens."""
        data = np.zeros((len(self._recipes), window.height, window.width), self._kind)
        side = self._side
        for row in range(window.row // side, -(-(window.row + window.height) // side)):
            columns = range(window.col // side, -(-(window.col + window.width) // side))
            missing = [column for column in columns if (row, column) not in self._chunks]
            fresh = dict(zip(missing, self._burned(row, missing), strict=True)) if missing else {}
            for column in columns:
                chunk = fresh[column] if column in fresh else self._chunks[row, column]
                self._paste(data, window, chunk, Window(row * side, column * side, side, side))
            for column in columns:
                self._keep((row, column), fresh.get(column))
        return data

    def survey(self) -> Survey:
        """Facts about all features that the grid can see; gathered once."""
        if self._survey is None:
            self._survey = self.layers.survey(self._reach(self.grid.whole))
        return self._survey

    def coverage(self) -> float:
        """Share of the grid's extent that the layers' extents cover."""
        grid = shapely.box(*self.grid.bounds)
        extents = [reader.extent for reader, _ in self.layers.parts]
        covered = shapely.union_all([shapely.box(*extent) for extent in extents if extent is not None])
        return float(shapely.area(shapely.intersection(grid, covered)) / shapely.area(grid))

    def forget(self) -> None:
        """Give back the memory of finished chunks and of what they were made from."""
        self._chunks.clear()
        self._sheets.forget()

    def _burned(self, row: int, columns: list[int]) -> list[np.ndarray]:
        """Fresh chunks of one row."""
        side = self._side
        windows = [Window(row * side, column * side, side, side) for column in columns]
        found = [self._sheets.around(window) for window in windows]
        # Without an environment around them rasterio sets one up for each of its calls.
        with rasterio.Env.from_defaults():
            return [self._burn(*features, window) for features, window in zip(found, windows, strict=True)]

    def _burn(self, found: Matches, bounds: np.ndarray, window: Window) -> np.ndarray:
        metres = self._metres_at(window)
        box = self._reach(window, metres)
        here = (bounds[:, 0] <= box[2]) & (bounds[:, 2] >= box[0]) & (bounds[:, 1] <= box[3]) & (bounds[:, 3] >= box[1])
        shapes = seen_from(box, found.shapes[here])
        left = shapely.is_geometry(shapes)
        shapes, rules = shapes[left], found.rules[:, here][:, left]
        burned = np.zeros((len(self._recipes), window.height, window.width), self._kind)
        for channel, recipe, row in zip(burned, self._recipes, rules, strict=True):
            if (row >= 0).any():
                channel[...] = burn(recipe, shapes, row, self.grid, window, metres)
        return burned

    def _reach(self, window: Window, metres: tuple[float, float] | None = None) -> Bounds:
        """The box in the grid's CRS from which features can touch a window; `metres` as `_metres_at` answers."""
        west, south, east, north = self.grid.window_bounds(window.grown(self._pixels + _SLACK))
        mx, my = metres or self._metres_at(window)
        # Ground distances vary over a window; a tenth more is ample for what one chunk or one grid spans.
        dx, dy = 1.1 * self._metres / mx, 1.1 * self._metres / my
        return west - dx, south - dy, east + dx, north + dy

    def _metres_at(self, window: Window) -> tuple[float, float]:
        """Ground metres along a CRS unit at a window's middle, or at the grid's where the window has left its CRS.

        1 where no shape reaches beyond its feature.
        """
        if not self._metres:
            return 1.0, 1.0
        row = min(max(window.row + window.height / 2, 0), self.grid.height)
        col = min(max(window.col + window.width / 2, 0), self.grid.width)
        try:
            return ground_metres_per_unit(self.grid.pyproj_crs, *(self.grid.transform @ (col, row)))
        except RequestError:
            return self.grid.metres_per_unit

    def _keep(self, key: tuple[int, int], chunk: np.ndarray | None) -> None:
        if chunk is not None:
            self._chunks[key] = chunk
        if key in self._chunks:
            self._chunks.move_to_end(key)
        while len(self._chunks) > self._most:
            self._chunks.popitem(last=False)

    @staticmethod
    def _paste(data: np.ndarray, window: Window, chunk: np.ndarray, place: Window) -> None:
        top, left = max(window.row, place.row), max(window.col, place.col)
        bottom = min(window.row + window.height, place.row + place.height)
        right = min(window.col + window.width, place.col + place.width)
        part = Window(top, left, bottom - top, right - left)
        data[(slice(None), *part.within(window))] = chunk[(slice(None), *part.within(place))]


def _chunk_side(pixel: int, width: int) -> int:
    """Large chunks take less time, where all along a grid of that width can be kept for the next row of blocks, or none
    of any size can. `pixel` is what a pixel takes in bytes.
    """
    sides = [side for side in _CHUNKS if pixel * side * side <= _CHUNK_BYTES] or [_CHUNKS[-1]]
    return next((side for side in sides if pixel * side * width <= _CACHE), sides[0])


class OsmSource:
    """An OSM slot, open. Valid everywhere: where OSM has nothing mapped, the value is 0."""

    def __init__(self, channels: tuple[str, ...], rasters: OsmRasters, spec: SourceSpec) -> None:
        self.channels = channels
        self.attribution = rasters.layers.attribution(spec.attribution)
        self._rasters = rasters

    def read(self, window: Window) -> Patch:
        """Values 0 to 1 on a window, which may reach beyond the grid."""
        valid = np.ones((window.height, window.width), bool)
        return Patch(self._rasters.read(window), valid, window, self._rasters.grid)

    def facts(self) -> Facts:
        """Features seen, features for each channel, and the share of the grid that the layers' extents cover."""
        survey = self._rasters.survey()
        readers = [reader for reader, _ in self._rasters.layers.parts]
        return Facts(
            crs=", ".join(dict.fromkeys(reader.placement.name for reader in readers)),
            coverage=self._rasters.coverage(),
            dtype="vector",
            minimum=(0.0,) * len(self.channels),
            maximum=tuple(float(count > 0) for count in survey.matched),
            details={
                "features": survey.features,
                "dropped": survey.dropped,
                "matched": dict(zip(self.channels, survey.matched, strict=True)),
                "layers": [reader.original.name for reader in readers],
            },
        )

    def fingerprint(self) -> str:
        """A hash of the features within reach of the grid, whatever their order and the file's other bytes."""
        return self._rasters.survey().digest

    def close(self) -> None:
        """Nothing stays open between reads."""
        self._rasters.forget()
