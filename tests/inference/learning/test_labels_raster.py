"""Rasters as labels: classes by the nearest pixel, values smoothly, nodata unknown, and CRSs that cannot be trusted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.inference.grid import Grid
from fusion_mapper.inference.learning.labels import survey_classes
from fusion_mapper.inference.learnjob import Labels
from fusion_mapper.models.card import ClassInfo
from labelled import CLASSES, GRID, known
from layers import PLACE, write
from pyproj import Transformer

FOREST = "TLM5c_2585_1098.tif"
SWISS = tuple(ClassInfo(value, str(value)) for value in range(4))
NAMES = (ClassInfo(0, "background"), ClassInfo(1, "field"), ClassInfo(2, "boundary"))


@pytest.fixture
def squares(tmp_path: Path) -> np.ndarray:
    """A class raster on the grid's own pixels: nodata 0, water 1, forest 5, and an odd 9."""
    values = np.zeros((1, 40, 60), np.uint8)
    values[0, :10, :10], values[0, 10:20, :10], values[0, 30, 30] = 1, 5, 9
    write(tmp_path / "classes.tif", values, nodata=0)
    return values[0]


def test_class_values_become_indices_and_nodata_is_unknown(squares: np.ndarray, tmp_path: Path) -> None:
    truth = known(Labels("classes.tif"), tmp_path)
    assert truth.values.dtype == np.int16
    np.testing.assert_array_equal(truth.values == 0, squares == 1)
    np.testing.assert_array_equal(truth.values == 1, squares == 5)
    assert (truth.values[squares == 0] == -1).all()
    assert (truth.pixels, truth.features) == ({"water": 100, "forest": 100}, {})


def test_pixels_of_no_class_are_counted_and_named(squares: np.ndarray, tmp_path: Path) -> None:
    assert known(Labels("classes.tif"), tmp_path).warnings == (
        "1 pixels of 'classes.tif' say '9', which is none of the classes; they are left out.",
    )
    assert known(Labels("classes.tif", unlabelled=("9",)), tmp_path).warnings == ()


def test_the_classes_of_a_raster_are_its_values_without_nodata(squares: np.ndarray, tmp_path: Path) -> None:
    found = survey_classes([Labels("classes.tif")], "semantic-segmentation", (), tmp_path)
    assert [(info.value, info.name) for info in found] == [(1, "1"), (5, "5"), (9, "9")]


def test_another_crs_and_pixel_size_get_the_nearest_class(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    coarse = rng.choice(np.array([1, 5], np.uint8), (1, 30, 30))
    west, north = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True).transform(499_950, 5_000_050)
    write(tmp_path / "coarse.tif", coarse, crs="EPSG:4326", transform=Affine(4e-4, 0, west, 0, -3e-4, north))
    truth = known(Labels("coarse.tif"), tmp_path)
    x, y = GRID.pixel_centres(GRID.whole)
    lon, lat = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True).transform(x, y)
    col, row = ((lon - west) / 4e-4), ((north - lat) / 3e-4)
    wanted = np.where(coarse[0, row.astype(int), col.astype(int)] == 1, 0, 1)
    np.testing.assert_array_equal(truth.values, wanted)


def test_values_of_a_finer_raster_are_averaged(tmp_path: Path) -> None:
    fine = np.arange(80 * 120, dtype=np.float32).reshape(1, 80, 120)
    write(tmp_path / "cover.tif", fine, transform=PLACE @ Affine.scale(0.5))
    truth = known(Labels("cover.tif"), tmp_path, "pixel-regression", ())
    np.testing.assert_allclose(truth.values, fine[0].reshape(40, 2, 60, 2).mean((1, 3)), rtol=1e-6)


def test_real_canopy_density_is_averaged_and_its_nodata_unknown(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "swiss_forest" / "TCD_1m_2585_1098.tif"
    with rasterio.open(path) as raster:
        stored = raster.read(1, masked=True)
    grid = Grid("EPSG:2056", Affine(5, 0, 2_585_000, 0, -5, 1_099_000), 200, 200)
    truth = known(Labels(path.name), tmp_path, "pixel-regression", (), grid, path.parent)
    blocks = stored.reshape(200, 5, 200, 5)
    full = ~np.ma.getmaskarray(blocks).any((1, 3))
    np.testing.assert_allclose(truth.values[full], blocks.mean((1, 3))[full], atol=1e-3)
    assert truth.pixels["all"] >= full.sum()


@pytest.mark.parametrize("declared", [None, -1.0])
def test_numbers_that_stand_for_not_known_are_not_mixed_into_their_neighbours(tmp_path: Path, declared) -> None:
    values = np.full((1, 40, 60), 50, np.float32)
    values[0, :, 30:] = -9999
    values[0, 0, 0] = -1
    write(tmp_path / "cover.tif", values, transform=PLACE @ Affine.translation(0.5, 0), nodata=declared)
    labels = Labels("cover.tif", unlabelled=("-9999", *([] if declared else ["-1"])))
    truth = known(labels, tmp_path, "pixel-regression", ())
    found = truth.values[np.isfinite(truth.values)]
    assert found.size > 1000
    assert (found == 50).all()


def test_an_unknown_datum_is_told_where_the_grid_has_another(shared_data: Path, tmp_path: Path) -> None:
    grid = Grid("EPSG:32632", Affine(10, 0, 360_000, 0, -10, 5_130_000), 50, 50)
    truth = known(Labels(FOREST), tmp_path, classes=SWISS, grid=grid, base=shared_data / "swiss_forest")
    assert any("unknown datum" in sentence and FOREST in sentence for sentence in truth.warnings)


def test_a_crs_that_is_given_places_a_raster_of_unknown_datum(shared_data: Path, tmp_path: Path) -> None:
    """By way of UTM it lands where the same pixels do that say EPSG:2056 themselves."""
    home = shared_data / "swiss_forest"
    x, y = Transformer.from_crs("EPSG:2056", "EPSG:32632", always_xy=True).transform(2_585_500, 1_098_500)
    grid = Grid("EPSG:32632", Affine(5, 0, round(x) - 250, 0, -5, round(y) + 250), 100, 100)
    with rasterio.open(home / FOREST) as raster:
        write(tmp_path / "right.tif", raster.read(), crs="EPSG:2056", transform=raster.transform)
    right = known(Labels("right.tif"), tmp_path, classes=SWISS, grid=grid)
    given = known(Labels(FOREST, crs="EPSG:2056"), tmp_path, classes=SWISS, grid=grid, base=home)
    wrong = known(Labels(FOREST), tmp_path, classes=SWISS, grid=grid, base=home)
    np.testing.assert_array_equal(given.values, right.values)
    assert given.warnings == ()
    assert (wrong.values != right.values).mean() > 0.1


def test_a_raster_without_a_crs_is_placed_by_the_one_that_is_given(squares: np.ndarray, tmp_path: Path) -> None:
    write(tmp_path / "bare.tif", squares[None], crs=None, nodata=0)
    truth = known(Labels("bare.tif", crs="EPSG:32633"), tmp_path)
    assert truth.pixels == {"water": 100, "forest": 100}


def test_a_background_that_is_declared_nodata_is_unknown_and_told(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "inn_valley_s2" / "mask.tif"
    with rasterio.open(path) as raster:
        grid = Grid(raster.crs.to_wkt(), raster.transform, raster.width, raster.height)
    truth = known(Labels(path.name), tmp_path, "field-boundaries", NAMES, grid, path.parent)
    assert truth.pixels == {"background": 0, "field": 29834, "boundary": 13469}
    assert any("calls its value 0 nodata, which is also a class" in sentence for sentence in truth.warnings)


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (Labels("classes.tif", band=2), r"labels\.band is 2, but classes\.tif has 1 bands"),
        (Labels("classes.tif", field="kind"), r"labels\.field is for vector layers, and classes\.tif is a raster"),
        (Labels("classes.tif", crs="Mars"), r"labels\.crs is 'Mars', which is not a CRS"),
    ],
)
def test_what_does_not_go_with_a_raster_is_refused(squares, tmp_path: Path, labels: Labels, sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        known(labels, tmp_path, classes=CLASSES)
