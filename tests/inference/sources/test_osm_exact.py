"""Plain recipes burn what gdal_rasterize burns, through whatever window they are seen."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from fusion_mapper.inference.grid import Grid, Window
from fusion_mapper.inference.job import VectorLayer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from osm_sources import AERIAL, Run, gdal_rasterize, grid_of, inside, osm_slot, recipe, square_grid, write_layer
from pyogrio import raw
from pyproj import Transformer

TOWN = ("EPSG:32734", 445_500.0, 6_238_500.0)


@pytest.fixture(scope="module")
def swellendam(shared_data):
    return shared_data / "swellendam"


@pytest.fixture(scope="module")
def projected(swellendam, tmp_path_factory):
    """Roads and buildings of the whole extract in UTM 34 south."""
    target = tmp_path_factory.mktemp("utm")
    to_utm = Transformer.from_crs("EPSG:4326", TOWN[0], always_xy=True).transform
    for layer, key in (("roads", "highway"), ("buildings", "building")):
        _, _, shapes, values = raw.read(swellendam / "training_data.gpkg", layer=layer, columns=[key])
        moved = shapely.transform(shapely.from_wkb(shapes), to_utm, interleaved=False)
        write_layer(target / f"{layer}.gpkg", list(moved), TOWN[0], **{key: list(values[0])})
    return target


def open_town(swellendam, folder, grid, **options):
    slot = osm_slot(roads=recipe("highway", **options), buildings=recipe("building", **options))
    layers = [VectorLayer("training_data.gpkg", name) for name in ("roads", "buildings")]
    return Run(folder, swellendam).open(slot, grid, *layers)


@pytest.mark.parametrize("all_touched", [False, True])
def test_the_aerials_grid_gets_what_gdal_rasterize_burns(swellendam, tmp_path, all_touched):
    grid = grid_of(swellendam / AERIAL)
    with_options = ["-at"] if all_touched else []
    patch = open_town(swellendam, tmp_path, grid, all_touched=all_touched).read(grid.whole)
    assert patch.valid.all()
    for band, layer in enumerate(("roads", "buildings")):
        burned = gdal_rasterize(
            swellendam / "training_data.gpkg", layer, grid, tmp_path / f"{layer}.tif", *with_options
        )
        assert burned.sum() > 1000
        np.testing.assert_array_equal(patch.data[band], burned)


@pytest.mark.parametrize("all_touched", [False, True])
def test_another_crs_gets_what_gdal_rasterize_burns_of_the_projected_layer(
    swellendam, projected, tmp_path, all_touched
):
    grid = square_grid(*TOWN, 4.0, 1400)
    with_options = ["-at"] if all_touched else []
    patch = open_town(swellendam, tmp_path, grid, all_touched=all_touched).read(grid.whole)
    for band, layer in enumerate(("roads", "buildings")):
        burned = gdal_rasterize(projected / f"{layer}.gpkg", layer, grid, tmp_path / f"{layer}.tif", *with_options)
        assert burned.sum() > 5000
        np.testing.assert_array_equal(patch.data[band], burned)


@pytest.fixture(scope="module")
def seen_whole(swellendam, tmp_path_factory):
    """A source with everything that reaches over borders, and its values on the whole grid."""
    grid = square_grid(*TOWN, 4.0, 1400)
    slot = osm_slot(
        roads=recipe("highway"),
        wide=recipe("highway", width=30.0, soften=9),
        homes=recipe("building", buffer=12.0, dilate=3, soften=5),
        touched=recipe("highway", all_touched=True, dilate=5),
    )
    layers = [VectorLayer("training_data.gpkg", name) for name in ("roads", "buildings")]
    run = Run(tmp_path_factory.mktemp("whole"), swellendam)
    return grid, lambda: run.open(slot, grid, *layers), run.open(slot, grid, *layers).read(grid.whole).data


windows = st.builds(Window, st.integers(-40, 1400), st.integers(-40, 1400), st.integers(1, 700), st.integers(1, 700))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(windows, min_size=1, max_size=4))
def test_a_pixel_never_depends_on_the_windows_through_which_it_is_seen(seen_whole, views):
    grid, open_again, whole = seen_whole
    source = open_again()
    for window in views:
        patch = source.read(window)
        here, there = inside(window, grid)
        np.testing.assert_array_equal(patch.data[(slice(None), *here)], whole[(slice(None), *there)])


def test_odd_windows_tile_the_aerials_grid_exactly(swellendam, tmp_path):
    grid = grid_of(swellendam / AERIAL)
    whole = open_town(swellendam, tmp_path, grid).read(grid.whole).data
    source = open_town(swellendam, tmp_path, grid)
    together = np.full(whole.shape, -1, np.float32)
    for row in range(0, grid.height, 733):
        for col in range(0, grid.width, 391):
            window = Window(row, col, min(733, grid.height - row), min(391, grid.width - col))
            together[(slice(None), *window.within(grid.whole))] = source.read(window).data
    np.testing.assert_array_equal(together, whole)


def test_a_rotated_grid_gets_what_gdal_rasterize_burns(swellendam, tmp_path):
    aerial = grid_of(swellendam / AERIAL)
    turned = Grid(aerial.crs, aerial.transform @ Affine.translation(300, 300) @ Affine.rotation(30), 700, 600)
    target = tmp_path / "turned.tif"
    kind = {"driver": "GTiff", "dtype": "uint8", "count": 1, "crs": "EPSG:4326"}
    with rasterio.open(target, "w", width=700, height=600, transform=turned.transform, **kind):
        pass
    layer = str(swellendam / "training_data.gpkg")
    subprocess.run(["gdal_rasterize", "-q", "-burn", "1", "-l", "roads", layer, str(target)], check=True)
    patch = open_town(swellendam, tmp_path, turned).read(turned.whole)
    with rasterio.open(target) as raster:
        burned = raster.read(1)
    assert burned.sum() > 300
    np.testing.assert_array_equal(patch.data[0], burned)
