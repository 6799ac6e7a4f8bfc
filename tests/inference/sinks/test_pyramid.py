"""Overviews by majority: right for every 2×2 pixels, the same however the raster was cut, and GDAL's beyond them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from fusion_mapper.inference.grid import Grid, Window
from fusion_mapper.inference.sinks.pyramid import halved
from fusion_mapper.inference.sinks.rasters import missing_spec, raster_spec, write_cog
from fusion_mapper.models.card import ClassInfo, Output
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

OUTPUT = Output("y", "semantic-segmentation", tuple(ClassInfo(value, f"c{value}") for value in range(1, 6)))
NODATA = 255


def by_hand(values: np.ndarray) -> np.ndarray:
    """Each 2×2 pixels one by one: the commonest that is not nodata, the first of equals."""
    found = np.empty((-(-values.shape[0] // 2), -(-values.shape[1] // 2)), values.dtype)
    for row, col in np.ndindex(found.shape):
        kept = [v for v in values[2 * row : 2 * row + 2, 2 * col : 2 * col + 2].ravel().tolist() if v != NODATA]
        found[row, col] = Counter(kept).most_common(1)[0][0] if kept else NODATA
    return found


@given(
    arrays.arrays(
        np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.sampled_from([1, 2, 3, NODATA])
    )
)
def test_every_square_becomes_what_most_of_it_is(values: np.ndarray) -> None:
    np.testing.assert_array_equal(halved(values, NODATA), by_hand(values))


def test_classes_of_sixteen_bits_are_halved_alike() -> None:
    values = np.array([[300, 300, 65535, 65535], [301, 302, 65535, 700]], np.uint16)
    np.testing.assert_array_equal(halved(values, 65535), [[300, 700]])


@pytest.fixture(scope="module")
def classes() -> np.ndarray:
    rng = np.random.default_rng(7)
    values = rng.integers(1, 6, (150, 190), np.uint8).repeat(14, 0).repeat(14, 1)[:2077, :2611]
    values[300:900, 100:1800] = NODATA
    return values


def written(folder: Path, classes: np.ndarray, side: int, aligned: int) -> Path:
    height, width = classes.shape
    grid = Grid("EPSG:32634", Affine(1, 0, 500_000, 0, -1, 6_000_000), width, height)
    windows = [
        Window(row, col, side, side).clipped(height, width)
        for row in range(0, height, side)
        for col in range(0, width, side)
    ]
    blocks = ((w, classes[w.row : w.row + w.height, w.col : w.col + w.width]) for w in windows)
    path = folder / f"{side}-{aligned}.tif"
    write_cog(path, grid, raster_spec("classes", OUTPUT), blocks, {"MADE": "by a test"}, aligned)
    return path


def levels(path: Path) -> list[np.ndarray]:
    with rasterio.open(path) as file:
        count = len(file.overviews(1))
    found = []
    for level in range(count):
        with rasterio.open(path, OVERVIEW_LEVEL=level) as file:
            found.append(file.read(1))
    return found


def test_overviews_are_those_of_the_whole_raster_however_it_was_cut(tmp_path, classes):
    expected = [halved(classes, NODATA)]
    for _ in range(2):
        expected.append(halved(expected[-1], NODATA))
    for side in (256, 512, 4096):
        made = levels(written(tmp_path, classes, side, side))
        assert len(made) == len(expected)
        for one, other in zip(made, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_equal_pixels_make_equal_bytes_however_they_were_cut(tmp_path, classes):
    one, other = (written(tmp_path, classes, side, side) for side in (256, 512))
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(("side", "aligned"), [(333, 333), (500, 4), (301, 1)])
def test_where_blocks_meet_on_odd_pixels_gdal_makes_what_is_left(tmp_path, classes, side, aligned):
    path = written(tmp_path, classes, 500 if aligned == 4 else side, aligned)
    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(1), classes)
        assert file.overviews(1) == [2, 4, 8]
        assert file.tags()["MADE"] == "by a test"
        assert file.colormap(1)[NODATA] == (0, 0, 0, 0)
        assert file.nodata == NODATA
    shares = [(level == NODATA).mean() for level in levels(path)]
    assert shares == pytest.approx([(classes == NODATA).mean()] * 3, abs=0.01)
    assert sorted(path.parent.iterdir()) == [path, path.with_name(f"{path.name}.aux.xml")], "no draft is left"


def test_a_block_that_is_all_nodata_takes_no_time_and_is_nodata(tmp_path):
    grid = Grid("EPSG:32634", Affine(1, 0, 500_000, 0, -1, 6_000_000), 1024, 512)
    blank = np.broadcast_to(np.uint8(NODATA), (512, 512))
    blocks = [(Window(0, 0, 512, 512), blank), (Window(0, 512, 512, 512), np.full((512, 512), 3, np.uint8))]
    path = tmp_path / "a.tif"
    write_cog(path, grid, raster_spec("classes", OUTPUT), blocks, {}, 512)
    with rasterio.open(path) as file:
        values = file.read(1)
    assert (values[:, :512] == NODATA).all()
    assert (values[:, 512:] == 3).all()


def test_a_categorical_band_of_blocks_with_an_axis_of_bands_is_written_alike(tmp_path, classes):
    height, width = classes.shape
    grid = Grid("EPSG:32634", Affine(1, 0, 500_000, 0, -1, 6_000_000), width, height)
    missing = (classes == NODATA).astype(np.uint8)
    path = tmp_path / "missing.tif"
    write_cog(path, grid, missing_spec(["osm"]), [(grid.whole, missing[np.newaxis])], {}, 4096)
    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(1), missing)
        assert file.overviews(1) == [2, 4, 8]


@pytest.mark.parametrize(("height", "width"), [(8193, 513), (4097, 2034), (1025, 1), (5000, 2)])
@pytest.mark.parametrize("product", ["classes", "confidence"])
def test_rasters_whose_overviews_gdal_rounds_down_are_whole(tmp_path, height, width, product):
    grid = Grid("EPSG:32634", Affine(1, 0, 500_000, 0, -1, 6_000_000), width, height)
    spec = raster_spec(product, OUTPUT)
    path = tmp_path / "a.tif"
    write_cog(path, grid, spec, [(grid.whole, np.ones((height, width), spec.dtype))], {})
    with rasterio.open(path) as file:
        assert (file.read(1) == 1).all()
