"""Real layers on a run grid equal what ``gdalwarp -et 0`` makes of them."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from affine import Affine
from fusion_mapper.inference.grid import Grid
from fusion_mapper.inference.job import RasterFile, Source
from fusion_mapper.inference.sources.raster import open_raster
from fusion_mapper.inference.sources.raster_grid import native_grid
from fusion_mapper.inference.sources.raster_layer import kernel_scale, source_pixels_per_pixel
from layers import Listener, slot
from rasterio.warp import calculate_default_transform
from warp_reference import gdalwarp

AERIAL = "swellendam/3420B_2010_328_RGB_LATLNG.tif"
NEIGHBOUR = "swellendam/3320D_2010_315_RGB_LATLNG.tif"
LAOS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")


@pytest.fixture
def context(shared_data, tmp_path):
    return Listener().context(shared_data, tmp_path)


def in_crs(grid: Grid, crs: str) -> Grid:
    transform, width, height = calculate_default_transform(grid.crs, crs, grid.width, grid.height, *grid.bounds)
    return Grid(crs, transform, width, height)


def compare(source, values, valid, tolerance):
    patch = source.read(source.read_grid.whole)
    np.testing.assert_array_equal(patch.valid, valid.all(axis=0))
    np.testing.assert_allclose(patch.data[:, patch.valid], values[:, patch.valid], rtol=0, atol=tolerance)
    assert patch.valid.any()


def opened(spec, grid, context, channels=1, resampling="bilinear"):
    source = open_raster(slot(channels, resampling=resampling), spec, grid, context)
    source.read_grid = grid
    return source


# Float32 elevations of a few hundred metres have steps of 3e-5 m; the two GDAL versions differ by no more.
@pytest.mark.parametrize("resampling", ["nearest", "bilinear", "cubic", "cubic_spline", "lanczos"])
@pytest.mark.parametrize("name", ["srtm_41_19.tif", "srtm_41_19_4326.tif"])
def test_elevation_on_the_aerial_grid(shared_data, tmp_path, context, name, resampling):
    grid = native_grid(Source(path=AERIAL), context)
    path = f"swellendam/{name}"
    expected = gdalwarp([shared_data / path], grid, tmp_path, resampling)
    compare(opened(Source(path=path), grid, context, resampling=resampling), *expected, tolerance=1e-3)


def test_zero_filled_elevation_with_a_wrong_nodata_tag(shared_data, tmp_path, context):
    """The WGS 84 SRTM declares +3.4e38 and fills with 0; the job's nodata stands in its place."""
    path = "swellendam/srtm_41_19_4326.tif"
    own = native_grid(Source(path=path), context)
    grid = Grid(own.crs, own.transform @ Affine.translation(-40.3, -40.6), 400, 400)
    values, valid = gdalwarp([shared_data / path], grid, tmp_path, options=["-srcnodata", "0"])
    compare(opened(Source(path=path, nodata=0), grid, context), values, valid, tolerance=1e-3)
    with_zeros = opened(Source(path=path), grid, context).read(grid.whole)
    assert with_zeros.valid.sum() > valid.sum()


def test_aerial_photograph_on_its_own_grid_passes_through(shared_data, context):
    grid = native_grid(Source(path=AERIAL), context)
    patch = opened(Source(path=AERIAL, bands=(3, 1)), grid, context, 2).read(grid.whole)
    with rasterio.open(shared_data / AERIAL) as file:
        np.testing.assert_array_equal(patch.data, file.read([3, 1]))
    assert patch.valid.all()


@pytest.mark.parametrize("resampling", ["nearest", "bilinear"])
def test_two_aerial_tiles_as_one_mosaic(shared_data, tmp_path, context, resampling):
    """Their pixel lattices differ and they overlap; gdalwarp lays its last file on top."""
    union = native_grid(Source(mosaic=(AERIAL, NEIGHBOUR)), context)
    grid = Grid(union.crs, union.transform @ Affine.translation(0.31, 700.17), 1110, 800)
    expected = gdalwarp([shared_data / NEIGHBOUR, shared_data / AERIAL], grid, tmp_path, resampling)
    compare(opened(Source(mosaic=(AERIAL, NEIGHBOUR)), grid, context, 3, resampling), *expected, tolerance=1e-3)


def test_mosaic_extent_is_the_union_on_the_first_lattice(shared_data, context):
    first = native_grid(Source(path=AERIAL), context)
    union = native_grid(Source(mosaic=(AERIAL, NEIGHBOUR)), context)
    shift = ~first.transform @ (union.transform.c, union.transform.f)
    assert shift == pytest.approx((round(shift[0]), round(shift[1])), abs=1e-6)
    for grid in (first, native_grid(Source(path=NEIGHBOUR), context)):
        xmin, ymin, xmax, ymax = grid.bounds
        west, south, east, north = union.bounds
        slack = 1e-3 * first.transform.a
        assert west <= xmin + slack and south <= ymin + slack and east >= xmax - slack and north >= ymax - slack


def test_twelve_band_files_of_three_resolutions(shared_data, tmp_path, context):
    spec = Source(stack=tuple(RasterFile(f"laos_s2/{name}.tif") for name in LAOS))
    grid = native_grid(spec, context)
    assert (grid.width, grid.height, grid.transform.a) == (1068, 1068, 10.0)
    expected = [gdalwarp([shared_data / f"laos_s2/{name}.tif"], grid, tmp_path) for name in LAOS]
    values, valid = (np.concatenate(part) for part in zip(*expected, strict=True))
    compare(opened(spec, grid, context, 12), values, valid, tolerance=2e-3)  # float32 steps of DN up to 16,384


def test_loon_lake_is_valid_where_no_band_is_nan(shared_data, tmp_path, context):
    path = "loon_lake/landsat.tif"
    own = native_grid(Source(path=path), context)
    with rasterio.open(shared_data / path) as file:
        stored = file.read()
    patch = opened(Source(path=path), own, context, 4).read(own.whole)
    np.testing.assert_array_equal(patch.valid, np.isfinite(stored).all(axis=0))
    grid = in_crs(own, "EPSG:3005")
    finer = Grid(grid.crs, grid.transform @ Affine.scale(0.5), 300, 300)
    expected = gdalwarp([shared_data / path], finer, tmp_path)
    compare(opened(Source(path=path), finer, context, 4), *expected, tolerance=2e-2)  # DN up to 20,000


def test_amazon_reflectance_and_elevation_share_one_grid(shared_data, context):
    grid = native_grid(Source(path="amazon_s2/sen2.tif"), context)
    patch = opened(Source(path="amazon_s2/sen2.tif"), grid, context, 12).read(grid.whole)
    with rasterio.open(shared_data / "amazon_s2/sen2.tif") as file:
        stored = file.read()
    np.testing.assert_array_equal(patch.valid, np.isfinite(stored).all(axis=0))
    np.testing.assert_array_equal(patch.data[:, patch.valid], stored[:, patch.valid])


def test_coarser_grid_reads_the_overview_that_gdalwarp_reads(shared_data, tmp_path, context):
    path = "awkward/cog_int16.tif"
    own = native_grid(Source(path=path), context)
    grid = Grid(own.crs, own.transform @ Affine.scale(5), own.width // 5, own.height // 5)
    expected = gdalwarp([shared_data / path], grid, tmp_path)
    compare(opened(Source(path=path), grid, context), *expected, tolerance=1e-2)


def test_kernel_is_widened_by_one_scale_for_the_whole_grid(shared_data, tmp_path, context):
    """In another CRS gdalwarp measures the scale anew in each chunk; told the run's scale it gives the run's values."""
    path = "awkward/RGB.byte.tif"
    own = in_crs(native_grid(Source(path=path), context), "EPSG:4326")
    grid = Grid(own.crs, own.transform @ Affine.scale(2.5), 330, 275)
    source = opened(Source(path=path), grid, context, 3)
    across, down = kernel_scale(source_pixels_per_pixel(source.files[0], grid))
    scale = ["-wo", f"XSCALE={across!r}", "-wo", f"YSCALE={down!r}"]
    assert across < 0.5 and down < 0.5
    compare(source, *gdalwarp([shared_data / path], grid, tmp_path, options=scale), tolerance=1e-3)
