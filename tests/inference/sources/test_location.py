"""A location's values: longitude and latitude, or SatCLIP's basis."""

from __future__ import annotations

import math

import numpy as np
import pytest
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.inference.grid import Grid, Window
from fusion_mapper.inference.job import Source
from fusion_mapper.inference.sources.location import open_location, spherical_harmonics
from fusion_mapper.models.card import Channel, LocationRecipe, Slot
from osm_sources import Run, square_grid
from pyproj import Transformer
from scipy.special import sph_harm_y

UTM = square_grid("EPSG:32634", 445_000, 6_238_000, 30.0, 700)


def open_with(tmp_path, recipe, channels, grid: Grid = UTM):
    slot = Slot("place", "location", tuple(Channel(f"c{i}") for i in range(channels)), "x", location=recipe)
    return open_location(slot, Source(), grid, Run(tmp_path).context)


@pytest.mark.parametrize("degree", [1, 2, 10, 40])
def test_the_basis_is_satclips(degree):
    """Its order, its normalisation without the Condon-Shortley phase, and its factor of π at m = 0."""
    rng = np.random.default_rng(3)
    lon = np.concatenate([rng.uniform(-180, 180, 60), [0, 0, -180, 180]])
    lat = np.concatenate([rng.uniform(-90, 90, 60), [90, -90, 0, 0]])
    phi, theta = np.radians(lon + 180), np.radians(lat + 90)
    basis = spherical_harmonics(degree, lon, lat)
    assert basis.shape == (degree**2, 64)
    for l in range(degree):  # noqa: E741
        for m in range(-l, l + 1):
            complex_value = sph_harm_y(l, abs(m), theta, phi)
            part = complex_value.imag if m < 0 else complex_value.real
            scale = math.pi if m == 0 else math.sqrt(2) * (-1) ** m
            np.testing.assert_allclose(basis[l * l + l + m], scale * part, atol=1e-6)


def test_the_first_values_are_those_of_satclips_printed_formulas():
    theta, phi = math.radians(20 + 90), math.radians(10 + 180)
    basis = spherical_harmonics(2, np.array(10.0), np.array(20.0))
    sine, cosine = 0.48860251190292 * math.sin(theta), math.cos(theta)
    expected = [0.886226925452758, sine * math.sin(phi), 1.53499006191973 * cosine, sine * math.cos(phi)]
    np.testing.assert_allclose(basis, expected, atol=1e-12)


def test_each_pixel_has_its_own_longitude_and_latitude(tmp_path):
    source = open_with(tmp_path, LocationRecipe(), 2)
    window = Window(-3, 40, 20, 30)
    patch = source.read(window)
    x, y = 445_000 + 30 * (40.5 + 7), 6_238_000 - 30 * (-2.5 + 11)
    lon, lat = Transformer.from_crs("EPSG:32634", "EPSG:4326", always_xy=True).transform(x, y)
    np.testing.assert_allclose(patch.data[:, 11, 7], [lon, lat], atol=1e-5)
    assert patch.valid.all()
    assert patch.data.dtype == np.float32


def test_windows_agree_with_the_whole_and_with_single_places(tmp_path):
    source = open_with(tmp_path, LocationRecipe("spherical_harmonics", 6), 36)
    whole = source.read(UTM.whole)
    window = Window(101, 207, 93, 57)
    np.testing.assert_array_equal(source.read(window).data, whole.data[(slice(None), *window.within(UTM.whole))])
    lon, lat = Transformer.from_crs("EPSG:32634", "EPSG:4326", always_xy=True).transform(
        445_000 + 30 * 350.5, 6_238_000 - 30 * 12.5
    )
    place = source.vector(lon, lat)
    assert place.shape == (36,)
    np.testing.assert_allclose(place, whole.data[:, 12, 350], atol=1e-6)


def test_a_pixel_beyond_the_projection_has_no_location(tmp_path):
    globe = square_grid("+proj=ortho +lat_0=0 +lon_0=0 +ellps=WGS84 +units=m", -7e6, 7e6, 1e5, 140)
    patch = open_with(tmp_path, LocationRecipe(), 2, globe).read(globe.whole)
    assert not patch.valid[0, 0]
    assert patch.valid[70, 70]
    assert np.isfinite(patch.data).all()


def test_channels_must_be_as_many_as_the_basis_has_values(tmp_path):
    with pytest.raises(RequestError, match="has 3 channels, but its location basis has 100 values"):
        open_with(tmp_path, LocationRecipe("spherical_harmonics", 10), 3)
