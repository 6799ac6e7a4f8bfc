"""How one file is read: windows, bands, masks, scale tags, damage and memory."""

from __future__ import annotations

import os
import resource

import numpy as np
import pytest
import rasterio
from affine import Affine
from fusion_mapper.inference.errors import SourceError
from fusion_mapper.inference.grid import Grid, Window
from fusion_mapper.inference.job import RasterFile, Source
from fusion_mapper.inference.sources.raster import open_raster
from fusion_mapper.inference.sources.raster_grid import native_grid
from layers import PLACE, Listener, noise, place_grid, slot, write
from rasterio.enums import ColorInterp
from rasterio.rpc import RPC
from warp_reference import gdalwarp

GEOGRAPHIC = Grid("EPSG:4326", Affine(7e-5, 0, 14.999, 0, -6e-5, 45.1535), 300, 260)


@pytest.fixture
def heard():
    return Listener()


@pytest.fixture
def context(heard, tmp_path):
    return heard.context(tmp_path, tmp_path)


def read(spec, grid, context, channels=1, window=None, **options):
    return open_raster(slot(channels, **options), spec, grid, context).read(window or grid.whole)


@pytest.mark.parametrize("resampling", ["nearest", "bilinear", "cubic", "lanczos", "average"])
@pytest.mark.parametrize("scale", [0.4, 3.7])
def test_any_split_into_windows_gives_the_same_pixels(tmp_path, context, resampling, scale):
    write(tmp_path / "a.tif", noise(2, 700, 600), nodata=7)
    grid = Grid(GEOGRAPHIC.crs, GEOGRAPHIC.transform @ Affine.scale(scale), 530, 410)
    source = open_raster(slot(2, resampling=resampling), Source(path="a.tif"), grid, context)
    whole = source.read(grid.whole.grown(40))
    again = open_raster(slot(2, resampling=resampling), Source(path="a.tif"), grid, context)
    for row in range(0, 410, 137):
        for col in range(0, 530, 199):
            window = Window(row, col, min(137, 410 - row), min(199, 530 - col)).grown(40)
            part, place = again.read(window), window.within(whole.window)
            np.testing.assert_array_equal(part.valid, whole.valid[place])
            np.testing.assert_array_equal(part.data, whole.data[:, *place])


def test_halos_hold_real_values_beyond_the_grid(tmp_path, context):
    values = noise(1, 200, 200)
    write(tmp_path / "a.tif", values)
    grid = place_grid(50, 60, PLACE @ Affine.translation(30, 20))
    patch = read(Source(path="a.tif"), grid, context, window=Window(-40, -35, 100, 120))
    np.testing.assert_array_equal(patch.data[0, 20:, 5:], values[0, :80, :115])
    assert patch.valid[20:, 5:].all() and not patch.valid[:20].any() and not patch.valid[:, :5].any()
    warped = Grid(GEOGRAPHIC.crs, GEOGRAPHIC.transform, 60, 50)
    assert read(Source(path="a.tif"), warped, context, window=Window(-3000, -3000, 20, 20)).valid.sum() == 0


def test_bands_come_in_the_order_that_the_job_names(tmp_path, context, heard):
    values = noise(4, 20, 20)
    write(tmp_path / "a.tif", values)
    np.testing.assert_array_equal(
        read(Source(path="a.tif", bands=(4, 1)), place_grid(20, 20), context, 2).data, values[[3, 0]]
    )
    np.testing.assert_array_equal(read(Source(path="a.tif"), place_grid(20, 20), context, 3).data, values[:3])
    assert heard == ["a.tif has 4 bands and the slot 'picture' takes 3: the first 3 are taken, in file order."]


def test_scale_and_offset_tags_follow_the_offset_of_the_job(tmp_path, context):
    values = noise(2, 20, 20, "uint16")
    write(tmp_path / "a.tif", values, nodata=5)
    with rasterio.open(tmp_path / "a.tif", "r+") as file:
        file.scales, file.offsets = (0.5, 2.0), (10.0, -1.0)
    grid = place_grid(20, 20)
    patch = read(Source(path="a.tif", dn_offset=-100), grid, context, 2)
    expected = (values.astype(float) - 100) * np.array([0.5, 2.0])[:, None, None] + np.array([10, -1])[:, None, None]
    np.testing.assert_array_equal(patch.valid, (values != 5).all(axis=0))
    np.testing.assert_allclose(patch.data[:, patch.valid], expected[:, patch.valid], rtol=1e-6)


def test_the_scale_of_the_job_comes_after_the_tags_of_the_file(tmp_path, context):
    values = noise(2, 20, 20, "uint16")
    write(tmp_path / "a.tif", values, nodata=5)
    with rasterio.open(tmp_path / "a.tif", "r+") as file:
        file.scales, file.offsets = (0.5, 2.0), (10.0, -1.0)
    patch = read(Source(path="a.tif", dn_offset=-100, dn_scale=1e-4), place_grid(20, 20), context, 2)
    physical = (values.astype(float) - 100) * np.array([0.5, 2.0])[:, None, None] + np.array([10, -1])[:, None, None]
    np.testing.assert_array_equal(patch.valid, (values != 5).all(axis=0))
    np.testing.assert_allclose(patch.data[:, patch.valid], physical[:, patch.valid] * 1e-4, rtol=1e-5, atol=1e-8)


def several(folder, values):
    """The same two bands, a third of them nodata, as one file, as a mosaic of two halves and as a stack."""
    values[:, :10] = 0
    write(folder / "whole.tif", values, nodata=0)
    write(folder / "left.tif", values[:, :, :30], nodata=0)
    write(folder / "right.tif", values[:, :, 30:], nodata=0, transform=PLACE @ Affine.translation(30, 0))
    for band in (0, 1):
        write(folder / f"b{band}.tif", values[band : band + 1], nodata=0)
    return {
        "path": {"path": "whole.tif"},
        "mosaic": {"mosaic": ("left.tif", "right.tif")},
        "stack": {"stack": (RasterFile("b0.tif"), RasterFile("b1.tif"))},
    }


@pytest.mark.parametrize("kind", ["path", "mosaic", "stack"])
@pytest.mark.parametrize(
    ("radiometry", "expected"),
    [
        ({"dn_offset": -1000.0}, lambda stored: stored - 1000),
        ({"dn_scale": 10_000.0}, lambda stored: stored * 10_000),
        ({"dn_offset": -1000.0, "dn_scale": 1e-4}, lambda stored: (stored - 1000) / 10_000),
    ],
    ids=["offset", "scale", "both"],
)
def test_radiometry_holds_for_all_ways_to_name_files(tmp_path, context, kind, radiometry, expected):
    values = noise(2, 30, 60, "uint16") * 20
    spec = Source(**several(tmp_path, values)[kind], **radiometry)
    source = open_raster(slot(2), spec, place_grid(30, 60), context)
    patch = source.read(place_grid(30, 60).whole)
    np.testing.assert_array_equal(patch.valid, values[0] != 0)
    assert not patch.valid[:10].any()
    np.testing.assert_allclose(patch.data[:, 10:], expected(values[:, 10:].astype(float)), rtol=1e-5, atol=1e-5)
    facts = source.facts()
    valid = patch.data[:, patch.valid]
    assert facts.minimum == pytest.approx(tuple(valid.min(axis=1)), rel=1e-5)
    assert facts.maximum == pytest.approx(tuple(valid.max(axis=1)), rel=1e-5)


@pytest.mark.parametrize("grid", [place_grid(60, 60), GEOGRAPHIC], ids=["aligned", "warped"])
def test_a_pixel_is_valid_where_every_chosen_band_is(tmp_path, context, grid):
    values = noise(2, 60, 60)
    values[0, :30], values[1, :, :20] = 0, 0
    write(tmp_path / "a.tif", values, nodata=0)
    one, both = (
        read(Source(path="a.tif", bands=b), grid, context, len(b), resampling="nearest") for b in ((1,), (1, 2))
    )
    second = read(Source(path="a.tif", bands=(2,)), grid, context, resampling="nearest")
    assert 0 < both.valid.sum() < one.valid.sum()
    np.testing.assert_array_equal(both.valid, one.valid & second.valid)


@pytest.mark.parametrize("grid", [place_grid(60, 60), GEOGRAPHIC], ids=["aligned", "warped"])
@pytest.mark.parametrize("kind", ["nodata", "mask", "alpha"])
def test_a_mask_that_lies_can_be_ignored(tmp_path, context, grid, kind):
    values = noise(3, 60, 60)
    path = write(tmp_path / "a.tif", values if kind != "alpha" else np.concatenate([values, np.zeros_like(values[:1])]))
    with rasterio.open(path, "r+") as file:
        if kind == "nodata":
            file.nodata = int(values[0, 30, 30])
        elif kind == "mask":
            file.write_mask(np.zeros((60, 60), bool))
        else:
            file.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    believed = read(Source(path="a.tif"), grid, context, 3, resampling="nearest")
    ignored = read(Source(path="a.tif", ignore_mask=True), grid, context, 3, resampling="nearest")
    assert believed.valid.sum() < ignored.valid.sum()
    if grid is not GEOGRAPHIC:
        np.testing.assert_array_equal(ignored.data, values)
        assert ignored.valid.all()


def test_an_alpha_band_that_the_job_names_is_data(tmp_path, context):
    values = noise(4, 30, 30)
    values[3, :10] = 0
    path = write(tmp_path / "a.tif", values)
    with rasterio.open(path, "r+") as file:
        file.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    for grid in (place_grid(30, 30), GEOGRAPHIC):
        assert not read(Source(path="a.tif"), grid, context, 3).valid.all()
        whole = read(Source(path="a.tif", bands=(1, 2, 3, 4)), place_grid(30, 30), context, 4)
    np.testing.assert_array_equal(whole.data, values)
    assert whole.valid.all()
    with pytest.raises(SourceError, match=r"a\.tif gives 3 bands, .* needs 4; .*alpha band"):
        read(Source(path="a.tif"), place_grid(30, 30), context, 4)


def test_nodata_that_the_type_cannot_hold_is_told_and_left_out(tmp_path, context, heard):
    write(tmp_path / "a.tif", noise(1, 20, 20))
    assert read(Source(path="a.tif", nodata=-9999), place_grid(20, 20), context).valid.all()
    assert heard == [
        "a.tif is said to have the nodata value -9999, which its type uint8 cannot hold; it is read without."
    ]


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint16", "int32", "uint32", "int64", "float32", "float64"])
def test_every_real_type_is_read(tmp_path, context, dtype):
    values = noise(1, 30, 30, dtype) % 100
    write(tmp_path / "a.tif", values, nodata=3)
    patch = read(Source(path="a.tif"), place_grid(30, 30), context)
    np.testing.assert_array_equal(patch.valid, values[0] != 3)
    np.testing.assert_array_equal(patch.data[0][patch.valid], values[0][patch.valid].astype(np.float32))
    assert read(Source(path="a.tif"), GEOGRAPHIC, context).valid.any()


def test_rational_polynomials_place_a_file(tmp_path, context):
    linear = {"err_bias": None, "err_rand": None, "height_off": 0.0, "height_scale": 500.0}
    numbers = {"lat_off": 45.1, "lat_scale": 0.05, "long_off": 15.05, "long_scale": 0.05}
    one = [1.0] + [0.0] * 19
    place = RPC(
        **linear, **numbers, line_off=100.0, line_scale=100.0, samp_off=110.0, samp_scale=110.0,
        line_num_coeff=[0, 0.05, -1.0] + [0.0] * 17, line_den_coeff=one,
        samp_num_coeff=[0, 1.0, 0.1] + [0.0] * 17, samp_den_coeff=one,
    )  # fmt: skip
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", count=1, width=220, height=200, dtype="uint8", rpcs=place
    ) as file:
        file.write(noise(1, 200, 220))
    grid = native_grid(Source(path="a.tif"), context)
    shifted = Grid(grid.crs, grid.transform @ Affine.translation(0.3, 0.4), grid.width, grid.height)
    values, valid = gdalwarp([tmp_path / "a.tif"], shifted, tmp_path, options=["-rpc"])
    patch = read(Source(path="a.tif"), shifted, context)
    np.testing.assert_array_equal(patch.valid, valid[0])
    np.testing.assert_allclose(patch.data[:, patch.valid], values[:, patch.valid], atol=1e-3)
    assert patch.valid.mean() > 0.5


def test_the_upper_file_of_a_mosaic_shows_the_lower_through_its_nodata(tmp_path, context):
    upper, lower = noise(2, 40, 40, seed=1), noise(2, 40, 40, seed=2)
    upper[:, 5:15, 5:15] = 0
    write(tmp_path / "upper.tif", upper, nodata=0)
    write(tmp_path / "lower.tif", lower, transform=PLACE @ Affine.translation(0, 10))
    grid = place_grid(60, 40)
    patch = read(Source(mosaic=("upper.tif", "lower.tif")), grid, context, 2)
    np.testing.assert_array_equal(patch.data[:, 15:40], upper[:, 15:])
    np.testing.assert_array_equal(patch.data[:, 40:50], lower[:, 30:])
    np.testing.assert_array_equal(patch.data[:, 10:15, 5:15], lower[:, :5, 5:15])
    assert not patch.valid[5:10, 5:15].any() and not patch.valid[50:].any()
    assert patch.valid[:5].all() and patch.valid[10:50].all()


def test_a_mosaic_of_more_files_than_stay_open(tmp_path, context):
    values = noise(1, 10, 400)
    names = tuple(f"{i}.tif" for i in range(40))
    for i, name in enumerate(names):
        write(tmp_path / name, values[:, :, i * 10 : i * 10 + 10], transform=PLACE @ Affine.translation(i * 10, 0))
    spec = Source(mosaic=names)
    grid = native_grid(spec, context)
    source = open_raster(slot(), spec, grid, context)
    assert (grid.width, grid.height) == (400, 10)
    for _ in range(2):
        np.testing.assert_array_equal(source.read(grid.whole).data, values)
    assert source.facts().coverage == 1.0


def damaged(tmp_path):
    values = noise(1, 1024, 1024)
    path = write(tmp_path / "a.tif", values, tiled=True, blockxsize=256, blockysize=256, compress="deflate")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 6 // 10])
    return values


@pytest.mark.parametrize("warped", [False, True])
def test_a_damaged_file_stops_the_run_or_leaves_nodata(tmp_path, context, heard, warped):
    values = damaged(tmp_path)
    grid = place_grid(1024, 1024, PLACE @ Affine.translation(0.4, 0.4)) if warped else place_grid(1024, 1024)
    with pytest.raises(SourceError, match=r"a\.tif cannot be read in the block at row 600, column 300 of the grid"):
        read(Source(path="a.tif"), grid, context, window=Window(600, 300, 300, 300))
    source = open_raster(slot(), Source(path="a.tif", unreadable="skip"), grid, context)
    whole = source.read(grid.whole)
    assert 0.4 < whole.valid.mean() < 0.65
    if not warped:
        np.testing.assert_array_equal(whole.data[0][whole.valid], values[0][whole.valid])
    again = open_raster(slot(), Source(path="a.tif", unreadable="skip"), grid, context)
    window = Window(555, 333, 222, 111)
    part, place = again.read(window), window.within(grid.whole)
    np.testing.assert_array_equal(part.valid, whole.valid[place])
    np.testing.assert_array_equal(part.data, whole.data[:, *place])
    heard.clear()
    source.close()
    assert len(heard) == 1 and "a.tif could not be read in" in heard[0] and "blocks of 32 × 32" in heard[0]


@pytest.mark.parametrize("ratio", [1.0, 20.3])
def test_memory_does_not_grow_with_the_raster(tmp_path, context, ratio):
    """120,000² pixels of 4 bands are 58 GB; a window of them takes its own size and one block of the warp."""
    with rasterio.open(
        tmp_path / "big.tif", "w", driver="GTiff", count=4, width=120_000, height=120_000, dtype="uint8", tiled=True,
        blockxsize=1024, blockysize=1024, sparse_ok=True, bigtiff="yes", photometric="minisblack",
        crs="EPSG:32633", transform=PLACE,
    ):  # fmt: skip
        pass
    transform = PLACE @ Affine.scale(ratio) @ Affine.translation(0.5, 0.5)
    grid = place_grid(int(118_000 / ratio), int(118_000 / ratio), transform)
    source = open_raster(slot(4), Source(path="big.tif"), grid, context)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert source.read(Window(grid.height // 2, grid.width // 2, 256, 256)).valid.all()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 700 * 1024  # KiB


def test_facts_tell_resolution_coverage_and_range(tmp_path, context):
    write(tmp_path / "a.tif", noise(2, 200, 200), descriptions=None)
    grid = place_grid(200, 100, PLACE @ Affine.translation(150, 0))
    facts = open_raster(slot(2), Source(path="a.tif"), grid, context).facts()
    assert facts.crs == "EPSG:32633"
    assert facts.gsd == pytest.approx(10, rel=1e-3)
    assert facts.coverage == pytest.approx(0.5, abs=0.02)
    assert facts.dtype == "uint8"
    assert len(facts.minimum) == len(facts.maximum) == 2
    assert 1 <= facts.minimum[0] < 20 and 180 < facts.maximum[1] <= 200


def test_the_fingerprint_knows_the_content_and_no_folder(tmp_path, context):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    path = write(tmp_path / "one" / "a.tif", noise(1, 20, 20))
    twin = write(tmp_path / "two" / "a.tif", noise(1, 20, 20))

    def fingerprint(name):
        return open_raster(slot(), Source(path=name), place_grid(20, 20), context).fingerprint()

    os.utime(path, ns=(1, 10**18))
    os.utime(twin, ns=(1, 10**18))
    first = fingerprint("one/a.tif")
    assert first.startswith("sha256:") and first == fingerprint("two/a.tif")
    os.utime(twin, ns=(1, 10**18 + 1))
    assert first != fingerprint("two/a.tif")


def test_a_stack_takes_the_bands_named_for_each_file(tmp_path, context):
    fine, coarse = noise(2, 60, 60), noise(1, 20, 20, seed=3)
    write(tmp_path / "fine.tif", fine)
    write(tmp_path / "coarse.tif", coarse, transform=PLACE @ Affine.scale(3))
    spec = Source(stack=(RasterFile("coarse.tif"), RasterFile("fine.tif", (2,))))
    grid = native_grid(spec, context)
    assert grid.transform.a == 10
    patch = read(spec, grid, context, 2, resampling="nearest")
    np.testing.assert_array_equal(patch.data[0], np.repeat(np.repeat(coarse[0], 3, 0), 3, 1))
    np.testing.assert_array_equal(patch.data[1], fine[1])
