"""Every awkward file is mapped as ``gdalwarp -et 0`` maps it, values and mask, or refused with one sentence."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
import rasterio
from affine import Affine
from fusion_mapper.inference.errors import SourceError
from fusion_mapper.inference.grid import Grid
from fusion_mapper.inference.job import Source
from fusion_mapper.inference.sources.raster import open_raster
from fusion_mapper.inference.sources.raster_file import Reading, open_file
from fusion_mapper.inference.sources.raster_grid import native_grid
from fusion_mapper.inference.sources.raster_layer import kernel_scale, source_pixels_per_pixel
from layers import Listener, slot
from rasterio.enums import ColorInterp
from rasterio.warp import calculate_default_transform
from warp_reference import gdalwarp

REFUSED = {
    "389225main_sw_1965_1024.jpg": "has no georeference",
    "RGB.byte.gcp.vrt": "control points in one CRS and pixels in another",
    "cog_cmap.tif": "holds palette indices",
    "float_nan.tif": "has no CRS",
    "rotated.tif": "has no CRS",
}
MAPPED = [
    "201404_13SED190110_201404_0x1500m_CL_1_extmask.tif",
    "RGB.byte.tif",
    "all-nodata.tif",
    "alpha.tif",
    "cog_dateline.tif",
    "cog_gcps.tif",
    "cog_int16.tif",
    "cog_rgb_mask.tif",
    "cog_rgba.tif",
    "cog_scale.tif",
    "geomatrix.tif",
    "inverted_lat.tif",
    "nocog.tif",
    "white-gemini-iv.vrt",
]
#: Nothing in these files is valid, nor does gdalwarp find anything.
EMPTY = {"all-nodata.tif", "inverted_lat.tif"}


@pytest.fixture
def context(shared_data, tmp_path):
    return Listener().context(shared_data / "awkward", tmp_path)


def test_every_file_of_the_set_is_told_of(shared_data):
    found = {path.name for path in (shared_data / "awkward").iterdir() if path.suffix not in (".msk", ".xml")}
    assert found == {*REFUSED, *MAPPED}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(context, name):
    grid = Grid("EPSG:32633", Affine(10, 0, 5e5, 0, -10, 5e6), 10, 10)
    with pytest.raises(SourceError, match=REFUSED[name]) as caught:
        open_raster(slot(1), Source(path=name), grid, context)
    assert str(caught.value).count(". ") == 0 and name in str(caught.value)


def _grids(own: Grid) -> dict[str, Grid]:
    """The file's own grid; its CRS, off the lattice and beyond an edge; and another CRS, twice as fine."""
    shifted = own.transform @ Affine.translation(-own.width * 0.1 - 0.3, -own.height * 0.1 - 0.6)
    lon = own.lonlat_center[0]
    other = f"EPSG:{32601 + int((lon + 180) // 6) % 60}" if own.pyproj_crs.is_geographic else "EPSG:4326"
    transform, width, height = calculate_default_transform(own.crs, other, own.width, own.height, *own.bounds)
    fine = transform @ Affine.translation(width * 0.4, height * 0.4) @ Affine.scale(0.5)
    return {
        "own": own,
        "shifted": Grid(own.crs, shifted, own.width // 2 + 1, own.height // 2 + 1),
        "other": Grid(other, fine, min(width // 3 + 1, 500), min(height // 3 + 1, 500)),
    }


def _run_scale(name: str, grid: Grid, context) -> list[str]:
    """gdalwarp's options for the kernel scale of the run; by itself it measures one from whatever window it cuts."""
    file = open_file(name, Reading(), slot(), context, 1)
    scale = kernel_scale(source_pixels_per_pixel(file, grid))
    return [] if scale is None else ["-wo", f"XSCALE={scale[0]!r}", "-wo", f"YSCALE={scale[1]!r}"]


def _reference(path, folder, grid, resampling, options):
    if path.suffix == ".vrt":
        # The two GDALs decode JPEG differently (by up to 48 of 255); both get the pixels that one of them decoded.
        with rasterio.open(path) as picture:
            profile = {**picture.profile, "driver": "GTiff", "crs": None, "transform": None}
            points, crs = picture.gcps
            pixels = picture.read()
        for key in ("blockxsize", "blockysize", "tiled"):
            profile.pop(key, None)
        path = folder / "decoded.tif"
        with rasterio.open(path, "w", **profile) as copy:
            copy.write(pixels)
            copy.gcps = points, crs
    values, valid = gdalwarp([path], grid, folder, resampling, options)
    with rasterio.open(path) as file:
        colours = [
            band - 1 for band, kind in zip(file.indexes, file.colorinterp, strict=True) if kind != ColorInterp.alpha
        ]
        scales, offsets = (np.array(part)[colours, None, None] for part in (file.scales, file.offsets))
    return values * scales + offsets, valid


@pytest.mark.parametrize("resampling", ["nearest", "bilinear"])
@pytest.mark.parametrize("which", ["own", "shifted", "other"])
@pytest.mark.parametrize("name", MAPPED)
def test_mapped_as_gdalwarp_maps_it(shared_data, tmp_path, context, name, which, resampling):
    path = shared_data / "awkward" / name
    grid = _grids(native_grid(Source(path=name), context))[which]
    options = [] if which == "own" else _run_scale(name, grid, context)
    values, valid = _reference(path, tmp_path, grid, resampling, options)
    source = open_raster(slot(len(values), resampling=resampling), Source(path=name), grid, context)
    patch = source.read(grid.whole)
    np.testing.assert_array_equal(patch.valid, valid.all(axis=0))
    # float32 steps of the largest values (uint16 radar amplitudes); two GDAL versions differ by one.
    np.testing.assert_allclose(patch.data[:, patch.valid], values[:, patch.valid], rtol=1e-6, atol=1e-3)
    if which == "own":
        assert patch.valid.any() == (name not in EMPTY)


def test_across_the_antimeridian(shared_data, tmp_path, context):
    """A grid in degrees that runs on beyond 180 gets both sides of the file."""
    grid = Grid("EPSG:4326", Affine(0.001, 0, 179.8, 0, -0.001, 51.9), 400, 200)
    options = _run_scale("cog_dateline.tif", grid, context)
    values, valid = gdalwarp([shared_data / "awkward/cog_dateline.tif"], grid, tmp_path, options=options)
    patch = open_raster(slot(), Source(path="cog_dateline.tif"), grid, context).read(grid.whole)
    np.testing.assert_array_equal(patch.valid, valid[0])
    np.testing.assert_allclose(patch.data[:, patch.valid], values[:, patch.valid], atol=1e-2)
    assert patch.valid[:, :200].any() and patch.valid[:, 200:].any()


def test_average_differs_from_an_older_gdalwarp_only_at_the_edge(shared_data, tmp_path, context):
    """GDAL changed which partly covered pixels count as covered; inside the file the averages are equal."""
    own = native_grid(Source(path="nocog.tif"), context)
    grid = Grid(own.crs, own.transform @ Affine.translation(-20.3, -10.6), 200, 150)
    values, valid = gdalwarp([shared_data / "awkward/nocog.tif"], grid, tmp_path, "average")
    patch = open_raster(slot(resampling="average"), Source(path="nocog.tif"), grid, context).read(grid.whole)
    both = patch.valid & valid[0]
    np.testing.assert_allclose(patch.data[0][both], values[0][both], atol=1e-2)
    assert (patch.valid != valid[0])[13:, 23:].sum() == 0


@pytest.mark.parametrize("name", ["cog_gcps.tif", "geomatrix.tif", "inverted_lat.tif", "white-gemini-iv.vrt"])
def test_own_grid_is_the_one_that_gdalwarp_chooses(shared_data, tmp_path, context, name):
    target = tmp_path / "chosen.tif"
    command = ["gdalwarp", "-q", "-et", "0", str(shared_data / "awkward" / name), str(target)]
    subprocess.run(command, check=True, capture_output=True)
    grid = native_grid(Source(path=name), context)
    with rasterio.open(target) as chosen:
        assert (grid.width, grid.height) == (chosen.width, chosen.height)
        assert grid.transform.almost_equals(chosen.transform, precision=1e-6 * abs(chosen.transform.a))
