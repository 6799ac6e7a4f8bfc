"""OpenStreetMap and elevation under a raster that `layers.repeated` made, mirrored as its pictures are.

The scene's square of `layers.SIDE` pixels is unfolded again and again; its copies in odd columns and rows are mirrored.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyogrio.raw
import rasterio
import shapely
from affine import Affine
from layers import SIDE
from pyproj import Transformer

OSM_LAYERS = ("roads", "buildings", "waterways", "water", "landuse")
#: Degrees of a pixel of the elevation model, and how many of them it reaches beyond the raster.
DEM_PIXEL, MARGIN = 1 / 3600, 6


class Folds:
    """Where the copies lie: metres from the scene's upper left corner, in the raster's CRS."""

    def __init__(self, raster: Path) -> None:
        with rasterio.open(raster) as file:
            self.crs, transform = file.crs, file.transform
            self.copies = -(-file.height // SIDE), -(-file.width // SIDE)
            self.bounds = file.bounds
        self.corner = np.array([transform.c, transform.f])
        self.side = SIDE * transform.a
        self._there = Transformer.from_crs("EPSG:4326", self.crs, always_xy=True)
        self._back = Transformer.from_crs(self.crs, "EPSG:4326", always_xy=True)

    def unfolded(self, shapes: np.ndarray, row: int, col: int) -> np.ndarray:
        """Shapes of the scene (longitude and latitude) in the copy at that row and column."""

        def moved(lonlat: np.ndarray) -> np.ndarray:
            x, y = self._there.transform(*lonlat.T)
            x, y = x - self.corner[0], self.corner[1] - y
            x = x + col * self.side if col % 2 == 0 else (col + 1) * self.side - x
            y = y + row * self.side if row % 2 == 0 else (row + 1) * self.side - y
            return np.column_stack(self._back.transform(self.corner[0] + x, self.corner[1] - y))

        return shapely.transform(shapes, moved)

    def folded(self, lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places anywhere as longitude and latitude in the scene."""
        x, y = self._there.transform(lon, lat)
        x, y = (_fold(distance, self.side) for distance in (x - self.corner[0], self.corner[1] - y))
        return self._back.transform(self.corner[0] + x, self.corner[1] - y)

    def lonlat_bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north of the raster."""
        return self._back.transform_bounds(*self.bounds)


def wide_osm(source: Path, raster: Path, target: Path) -> None:
    """The scene's features under every copy of it."""
    if target.exists():
        return
    folds, part = Folds(raster), target.with_name(f"{target.stem}.part.gpkg")
    part.unlink(missing_ok=True)
    for name in OSM_LAYERS:
        about, _, wkb, fields = pyogrio.raw.read(source, layer=name)
        shapes = shapely.from_wkb(wkb)
        places = [(row, col) for row in range(folds.copies[0]) for col in range(folds.copies[1])]
        copies = np.concatenate([folds.unfolded(shapes, row, col) for row, col in places])
        values = [np.tile(field, len(places)) for field in fields]
        kind = about["geometry_type"]
        pyogrio.raw.write(
            part, shapely.to_wkb(copies), values, about["fields"], geometry_type=kind, crs=about["crs"], layer=name,
            append=part.exists(),
        )  # fmt: skip
    part.rename(target)


def wide_dem(source: Path, raster: Path, target: Path) -> None:
    """The scene's elevation, looked up at the mirrored place of each pixel of 30 m, and a few pixels beyond."""
    if target.exists():
        return
    folds = Folds(raster)
    west, south, east, north = folds.lonlat_bounds()
    width, height = (int((b - a) / DEM_PIXEL) + 2 * MARGIN for a, b in ((west, east), (south, north)))
    transform = Affine(DEM_PIXEL, 0, west - MARGIN * DEM_PIXEL, 0, -DEM_PIXEL, north + MARGIN * DEM_PIXEL)
    cols, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    lon, lat = folds.folded(*(transform @ (cols.ravel(), rows.ravel())))
    with rasterio.open(source) as file:
        values = file.read(1)
        col, row = (np.floor(part).astype(int) for part in ~file.transform @ (lon, lat))
        found = values[np.clip(row, 0, file.height - 1), np.clip(col, 0, file.width - 1)].reshape(height, width)
        profile = {**file.profile, "width": width, "height": height, "transform": transform}
    with rasterio.open(target, "w", **profile) as file:
        file.write(found, 1)


def _fold(distance: np.ndarray, side: float) -> np.ndarray:
    distance = distance % (2 * side)
    return np.where(distance < side, distance, 2 * side - distance)
