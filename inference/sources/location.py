"""Where a pixel lies on Earth, as a model wants to hear it: longitude and latitude, or spherical harmonics of them."""

from __future__ import annotations

import hashlib
import math

import numpy as np
from pyproj import CRS

from ...models.card import LocationRecipe, Slot
from ..errors import RequestError
from ..grid import Grid, Window, way_between
from ..job import Source as SourceSpec
from ..patch import Patch
from . import Context, Facts

#: Pixels whose basis is computed at once: L² float64 values each.
_AT_ONCE = 2**21


def open_location(slot: Slot, spec: SourceSpec, grid: Grid, context: Context) -> LocationSource:
    """Open a location slot; it needs no layer.

    Raises:
        RequestError: the slot has no location recipe, or its channels are not as many as the basis has values.
    """
    recipe = slot.location
    if recipe is None:
        raise RequestError(f"The slot '{slot.name}' has no location recipe.")
    size = basis_size(recipe)
    if size != len(slot.channels):
        raise RequestError(
            f"The slot '{slot.name}' has {len(slot.channels)} channels, but its location basis has {size} values."
        )
    return LocationSource(tuple(channel.name for channel in slot.channels), recipe, grid)


class LocationSource:
    """A location slot, open: valid wherever the grid's CRS has a place on Earth."""

    attribution: tuple[str, ...] = ()

    def __init__(self, channels: tuple[str, ...], recipe: LocationRecipe, grid: Grid) -> None:
        self.channels = channels
        self._recipe = recipe
        self._grid = grid
        self._to_lonlat = way_between(grid.pyproj_crs, CRS.from_epsg(4326))

    def read(self, window: Window) -> Patch:
        """The basis at every pixel centre (values × H × W float32)."""
        lon, lat = self._to_lonlat.transform(*self._grid.pixel_centres(window))
        valid = np.isfinite(lon) & np.isfinite(lat)
        lon, lat = np.where(valid, lon, 0.0), np.where(valid, lat, 0.0)
        data = np.empty((len(self.channels), window.height, window.width), np.float32)
        rows = max(_AT_ONCE // max(window.width * len(self.channels), 1), 1)
        for top in range(0, window.height, rows):
            part = slice(top, top + rows)
            data[:, part] = location_basis(self._recipe, lon[part], lat[part])
        return Patch(data, valid, window, self._grid)

    def vector(self, lon: float, lat: float) -> np.ndarray:
        """The basis at one place (degrees, WGS 84): float32 of shape (values,)."""
        return location_basis(self._recipe, np.array(float(lon)), np.array(float(lat))).astype(np.float32)

    def facts(self) -> Facts:
        """The grid itself: a location covers everything."""
        return Facts(crs="EPSG:4326", coverage=1.0, dtype="float32", details={"basis": self._recipe.basis})

    def fingerprint(self) -> str:
        """A hash of the recipe; there is no other input."""
        return f"sha256:{hashlib.sha256(repr(self._recipe).encode()).hexdigest()}"

    def close(self) -> None:
        """Nothing is held."""


def basis_size(recipe: LocationRecipe) -> int:
    """How many values the basis has at one place."""
    return 2 if recipe.basis == "lonlat" else recipe.degree**2


def location_basis(recipe: LocationRecipe, lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Values × the shape of `lon` and `lat` (degrees), float64."""
    if recipe.basis == "lonlat":
        return np.stack([lon, lat])
    return spherical_harmonics(recipe.degree, lon, lat)


def spherical_harmonics(degree: int, lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """SatCLIP's real spherical-harmonic basis (Klemmer et al.; github.com/microsoft/satclip, MIT).

    Values stand in the order l = 0 … L-1, m = -l … l, with φ = lon + 180° and θ = lat + 90°, orthonormal and without
    the Condon-Shortley phase. One peculiarity of SatCLIP's analytic basis, on which its weights were trained, is kept:
    its normalisation for m = 0 is √((2l+1)/4·π) in place of √((2l+1)/(4π)), so those values are π times larger.

    Args:
        degree: number L of Legendre polynomials.
        lon: longitudes in degrees, any shape.
        lat: latitudes in degrees, of the same shape.

    Returns:
        L² × the shape of `lon`, float64.
    """
    phi, theta = np.radians(lon + 180.0), np.radians(lat + 90.0)
    x, sine = np.cos(theta), np.sin(theta)
    values = np.empty((degree * degree, *np.shape(lon)))
    sectoral = np.full(np.shape(lon), 1.0 / math.sqrt(4.0 * math.pi))
    for m in range(degree):
        if m:
            sectoral = sectoral * sine * math.sqrt((2.0 * m + 1.0) / (2.0 * m))
        cosine, sinus = np.cos(m * phi), np.sin(m * phi)
        before, current = np.zeros_like(x), sectoral
        for l in range(m, degree):  # noqa: E741 - l is the degree's letter in every text on spherical harmonics
            if l > m:
                before, current = current, _next_degree(l, m, x, current, before)
            middle = l * l + l
            if m == 0:
                values[middle] = math.pi * current
            else:
                values[middle + m] = math.sqrt(2.0) * current * cosine
                values[middle - m] = math.sqrt(2.0) * current * sinus
    return values


def _next_degree(l: int, m: int, x: np.ndarray, current: np.ndarray, before: np.ndarray) -> np.ndarray:  # noqa: E741
    """Normalised associated Legendre functions, one degree up (Holmes & Featherstone 2002, eq. 11)."""
    a = math.sqrt((2.0 * l - 1.0) * (2.0 * l + 1.0) / ((l - m) * (l + m)))
    if l == m + 1:
        return a * x * current
    b = math.sqrt((2.0 * l + 1.0) * (l + m - 1.0) * (l - m - 1.0) / ((l - m) * (l + m) * (2.0 * l - 3.0)))
    return a * x * current - b * before
