"""Slots, contexts and small rasters, as the tests of the sources need them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from fusion_mapper.inference.grid import Grid
from fusion_mapper.inference.sources import Context
from fusion_mapper.models.card import Channel, Slot

#: Of the small rasters: 10 m pixels in UTM zone 33 north.
PLACE = Affine(10, 0, 500_000, 0, -10, 5_000_000)


class Listener(list):
    """A context's voice that remembers what it was told."""

    def context(self, base: Path, folder: Path) -> Context:
        return Context(base, folder, self.append)


def slot(channels: int = 1, role: str = "imagery", resampling: str = "bilinear") -> Slot:
    return Slot("picture", role, tuple(Channel(f"c{i}") for i in range(channels)), "x", resampling=resampling)


def terrain_slot(*derivatives: str, resampling: str = "bilinear", radius: float | None = None) -> Slot:
    channels = tuple(Channel(name, derivative=name, radius=radius if name == "tpi" else None) for name in derivatives)
    return Slot("dem", "dem", channels, "x", resampling=resampling)


def place_grid(height: int, width: int, transform: Affine = PLACE) -> Grid:
    return Grid("EPSG:32633", transform, width, height)


def write(path: Path, values: np.ndarray, *, crs: str | None = "EPSG:32633", transform=PLACE, **profile) -> Path:
    """Write C×H×W values as a GeoTIFF and return its path."""
    count, height, width = values.shape
    # Without this GDAL takes a fourth band of bytes for an alpha band.
    profile = {"photometric": "minisblack", **profile}
    profile = {"driver": "GTiff", "dtype": values.dtype, "crs": crs, "transform": transform, **profile}
    with rasterio.open(path, "w", count=count, height=height, width=width, **profile) as target:
        target.write(values)
    return path


def noise(channels: int, height: int, width: int, dtype: str = "uint8", seed: int = 0) -> np.ndarray:
    """Values 1 to 200, C×H×W, the same at each call."""
    return np.random.default_rng(seed).integers(1, 201, (channels, height, width)).astype(dtype)
