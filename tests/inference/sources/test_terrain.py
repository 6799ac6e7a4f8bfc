"""Terrain equals gdaldem's on the warped elevation, in ground metres, and shows no window's border."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
import rasterio
from affine import Affine
from fusion_mapper.inference.errors import SourceError
from fusion_mapper.inference.grid import Grid, Window
from fusion_mapper.inference.job import Source
from fusion_mapper.inference.sources import open_source
from fusion_mapper.inference.sources.terrain import open_terrain
from layers import PLACE, Listener, place_grid, terrain_slot, write
from warp_reference import gdalwarp

SRTM = "swellendam/srtm_41_19.tif"
ALL = ("elevation", "slope", "aspect_sin", "aspect_cos", "hillshade", "tpi", "roughness")
METRIC = Grid("EPSG:32733", Affine(20, 0, 985_000, 0, -20, 6_230_000), 600, 450)


@pytest.fixture
def heard():
    return Listener()


@pytest.fixture
def context(heard, shared_data, tmp_path):
    return heard.context(shared_data, tmp_path)


def planes(tmp_path, grid, east=0.0, north=0.0, heights=None, **profile):
    """A file on the grid that rises by so much per CRS unit, or has the heights given."""
    x, y = grid.pixel_centres(grid.whole)
    if heights is None:
        heights = 1000 + east * (x - x[0, 0]) + north * (y - y[0, 0])
    return write(
        tmp_path / "dem.tif", heights[None].astype("float64"), crs=grid.crs, transform=grid.transform, **profile
    )


def test_equals_gdaldem_on_the_warped_elevation(shared_data, tmp_path, context):
    """Where one pixel of elevation more surrounds the grid, so that gdaldem's own edge lies outside."""
    patch = open_terrain(terrain_slot(*ALL, resampling="cubic_spline"), Source(path=SRTM), METRIC, context).read(
        METRIC.whole
    )
    wider = Grid(METRIC.crs, METRIC.transform @ Affine.translation(-1, -1), METRIC.width + 2, METRIC.height + 2)
    warped, valid = gdalwarp([shared_data / SRTM], wider, tmp_path, "cubic_spline")
    assert valid.all() and patch.valid.all()

    def gdaldem(mode, *options):
        command = ["gdaldem", mode, str(tmp_path / "gdalwarp.tif"), str(tmp_path / "out.tif"), "-q", "-compute_edges"]
        subprocess.run([*command, *options], check=True)
        with rasterio.open(tmp_path / "out.tif") as file:
            return file.read(1)[1:-1, 1:-1].astype(float)

    channels = dict(zip(ALL, patch.data, strict=True))
    np.testing.assert_allclose(channels["elevation"], warped[0, 1:-1, 1:-1], atol=1e-3)
    np.testing.assert_allclose(channels["slope"], gdaldem("slope", "-alg", "Horn"), atol=1e-3)
    np.testing.assert_allclose(channels["tpi"], gdaldem("TPI"), atol=1e-3)
    np.testing.assert_allclose(channels["roughness"], gdaldem("roughness"), atol=1e-3)
    # gdaldem writes hillshade as whole numbers.
    np.testing.assert_allclose(channels["hillshade"], gdaldem("hillshade"), atol=0.51)
    # gdaldem sums float32; where it is nearly flat that turns the aspect a little.
    steep = channels["slope"] > 1
    aspect = np.radians(gdaldem("aspect", "-zero_for_flat"))
    np.testing.assert_allclose(channels["aspect_sin"][steep], np.sin(aspect)[steep], atol=1e-3)
    np.testing.assert_allclose(channels["aspect_cos"][steep], np.cos(aspect)[steep], atol=1e-3)


@pytest.mark.parametrize("crs", ["metric", "degrees", "mercator"])
def test_any_split_into_windows_gives_the_same_pixels(context, crs):
    grid = {
        "metric": METRIC,
        "degrees": Grid("EPSG:4326", Affine(3e-4, 0, 20.3, 0, -3e-4, -33.9), 400, 300),
        "mercator": Grid("EPSG:3857", Affine(30, 0, 2_260_000, 0, -30, -4_010_000), 400, 300),
    }[crs]
    slot = terrain_slot(*ALL, "tpi", radius=400.0)
    whole = open_terrain(slot, Source(path=SRTM), grid, context).read(grid.whole)
    again = open_terrain(slot, Source(path=SRTM), grid, context)
    for row in range(0, grid.height, 131):
        for col in range(0, grid.width, 177):
            window = Window(row, col, min(131, grid.height - row), min(177, grid.width - col))
            part = again.read(window)
            place = window.within(grid.whole)
            np.testing.assert_allclose(part.data, whole.data[:, *place], atol=1e-5, rtol=1e-7)
            np.testing.assert_array_equal(part.valid, whole.valid[place])


@pytest.mark.parametrize(
    ("east", "north", "sine", "cosine"), [(0, -0.1, 0, 1), (0, 0.1, 0, -1), (-0.1, 0, 1, 0), (0.1, 0, -1, 0)]
)
def test_aspect_is_the_compass_direction_that_the_slope_faces(tmp_path, heard, east, north, sine, cosine):
    grid = place_grid(20, 20)
    planes(tmp_path, grid, east, north)
    source = open_terrain(
        terrain_slot("slope", "aspect_sin", "aspect_cos"),
        Source(path="dem.tif"),
        grid,
        heard.context(tmp_path, tmp_path),
    )
    patch = source.read(Window(5, 5, 8, 8))
    np.testing.assert_allclose(patch.data[0], np.degrees(np.arctan(0.1)), atol=1e-4)
    np.testing.assert_allclose(patch.data[1], sine, atol=1e-4)
    np.testing.assert_allclose(patch.data[2], cosine, atol=1e-4)


def test_flat_ground_faces_nowhere_even_after_resampling(tmp_path, heard):
    planes(tmp_path, place_grid(60, 60), heights=np.full((60, 60), 1234.567))
    grid = place_grid(300, 300, PLACE @ Affine.translation(10.3, 10.7) @ Affine.scale(0.07))
    slot = terrain_slot("slope", "aspect_sin", "aspect_cos", resampling="cubic_spline")
    patch = open_terrain(slot, Source(path="dem.tif"), grid, heard.context(tmp_path, tmp_path)).read(grid.whole)
    assert patch.valid.all()
    assert not patch.data[1:].any()
    assert patch.data[0].max() < 0.1


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857"])
def test_slope_is_in_ground_metres_at_every_latitude(tmp_path, heard, crs):
    """A plane that rises 1 m per 20 m of ground to the east, from 20° to 65° north on one grid."""
    unit = 1.0 if crs == "EPSG:4326" else 111_319.49
    top = 65.0 if crs == "EPSG:4326" else 9_500_000.0
    bottom = 20.0 if crs == "EPSG:4326" else 2_300_000.0
    height = 900
    grid = Grid(crs, Affine(0.001 * unit, 0, 10 * unit, 0, -(top - bottom) / height, top), 30, height)
    x, y = grid.pixel_centres(grid.whole)
    latitude = np.radians(y) if crs == "EPSG:4326" else np.arctan(np.sinh(y / 6_378_137.0))
    radius = 6_378_137.0 / np.sqrt(1 - 0.00669437999 * np.sin(latitude) ** 2)
    metres = np.radians((x - x[0, 0]) / unit) * radius * np.cos(latitude)
    planes(tmp_path, grid, heights=metres / 20)
    source = open_terrain(terrain_slot("slope"), Source(path="dem.tif"), grid, heard.context(tmp_path, tmp_path))
    patch = source.read(Window(5, 2, height - 10, 3))
    np.testing.assert_allclose(patch.data[0], np.degrees(np.arctan(1 / 20)), rtol=2e-3)


def test_neighbours_without_value_count_as_the_centre(shared_data, tmp_path, heard):
    """As ``gdaldem -compute_edges`` does; a pixel is valid exactly where its elevation is."""
    heights = np.random.default_rng(5).uniform(100, 200, (40, 40))
    heights[10:14, 20:25] = -9999
    grid = place_grid(40, 40)
    path = planes(tmp_path, grid, heights=heights, nodata=-9999)
    patch = open_terrain(
        terrain_slot("slope", "tpi", "roughness"), Source(path="dem.tif"), grid, heard.context(tmp_path, tmp_path)
    ).read(grid.whole)
    np.testing.assert_array_equal(patch.valid, heights != -9999)
    inner = np.zeros((40, 40), bool)
    inner[1:-1, 1:-1] = True
    inner &= patch.valid
    for values, mode in zip(patch.data, ("slope", "TPI", "roughness"), strict=True):
        command = ["gdaldem", mode, str(path), str(tmp_path / "out.tif"), "-q", "-compute_edges"]
        subprocess.run(command, check=True)
        with rasterio.open(tmp_path / "out.tif") as file:
            np.testing.assert_allclose(values[inner], file.read(1)[inner], atol=1e-3)


def test_wide_position_is_the_height_above_the_mean_of_the_square(tmp_path, heard):
    heights = np.random.default_rng(6).uniform(100, 200, (60, 60))
    heights[20:30, 20:30] = -9999
    planes(tmp_path, place_grid(60, 60), heights=heights, nodata=-9999)
    slot = terrain_slot("tpi", radius=72.0)  # 7 pixels of 10 m
    grid = place_grid(60, 60)
    patch = open_terrain(slot, Source(path="dem.tif"), grid, heard.context(tmp_path, tmp_path)).read(grid.whole)
    for row, col in ((0, 0), (31, 31), (59, 3), (19, 25)):
        around = heights[max(row - 7, 0) : row + 8, max(col - 7, 0) : col + 8]
        known = around[around != -9999]
        others = (known.sum() - heights[row, col]) / (known.size - 1)
        assert patch.data[0, row, col] == pytest.approx(heights[row, col] - others, abs=1e-4)


def test_feet_become_metres(tmp_path, heard):
    grid = place_grid(20, 20)
    path = planes(tmp_path, grid, east=1.0)
    with rasterio.open(path, "r+") as file:
        file.units = ("US survey foot",)
    source = open_terrain(
        terrain_slot("elevation", "slope"), Source(path="dem.tif"), grid, heard.context(tmp_path, tmp_path)
    )
    patch = source.read(Window(5, 5, 4, 4))
    assert patch.data[0, 0, 0] == pytest.approx((1000 + 50) * 1200 / 3937, rel=1e-6)
    np.testing.assert_allclose(patch.data[1], np.degrees(np.arctan(1200 / 3937)), atol=1e-3)
    assert heard == ["dem.tif gives elevation in feet; it is converted to metres."]


def test_a_neighbourhood_too_wide_and_a_rotated_grid_are_refused(tmp_path, heard):
    context = heard.context(tmp_path, tmp_path)
    planes(tmp_path, place_grid(20, 20))
    with pytest.raises(SourceError, match="looks 3000 pixels round each pixel"):
        open_terrain(terrain_slot("tpi", radius=30_000.0), Source(path="dem.tif"), place_grid(20, 20), context)
    with pytest.raises(SourceError, match="north-up"):
        open_terrain(
            terrain_slot("slope"), Source(path="dem.tif"), place_grid(9, 9, PLACE @ Affine.rotation(5)), context
        )


def test_the_dem_slot_opens_terrain_with_range_and_fingerprint(context):
    slot = terrain_slot("elevation", "slope")
    source = open_source(slot, Source(path=SRTM, attribution=("NASA",)), METRIC, context)
    facts = source.facts()
    assert source.channels == ("elevation", "slope")
    assert source.attribution == ("NASA",)
    assert facts.crs == "EPSG:32733" and facts.coverage == 1.0 and facts.dtype == "int16"
    assert facts.gsd == pytest.approx(82, rel=0.01)
    assert 0 <= facts.minimum[1] < facts.maximum[1] < 90
    assert source.fingerprint() == open_source(slot, Source(path=SRTM), METRIC, context).fingerprint()
    source.close()
