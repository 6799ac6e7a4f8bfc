"""What is refused, with one sentence that names the file and what to do."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import rasterio
from affine import Affine
from fusion_mapper.inference.errors import RequestError, SourceError
from fusion_mapper.inference.job import Source
from fusion_mapper.inference.sources import raster_env
from fusion_mapper.inference.sources.raster import open_raster
from fusion_mapper.inference.sources.raster_env import configure, gdal_name, is_network, label
from fusion_mapper.inference.sources.raster_grid import native_grid
from layers import PLACE, Listener, noise, place_grid, slot, write

GRID = place_grid(20, 20)
PYTHON_BAND = """<VRTDataset rasterXSize="20" rasterYSize="20"><SRS>EPSG:32633</SRS>
<GeoTransform>500000,10,0,5000000,0,-10</GeoTransform>
<VRTRasterBand dataType="Byte" band="1" subClass="VRTDerivedRasterBand"><PixelFunctionType>leave</PixelFunctionType>
<PixelFunctionLanguage>{language}</PixelFunctionLanguage><PixelFunctionCode><![CDATA[
def leave(*args): open("{mark}", "w").close()
]]></PixelFunctionCode></VRTRasterBand></VRTDataset>"""
PLAIN_BAND = """<VRTDataset rasterXSize="20" rasterYSize="20"><SRS>EPSG:32633</SRS>
<GeoTransform>500000,10,0,5000000,0,-10</GeoTransform><VRTRasterBand dataType="Byte" band="1"><SimpleSource>
<SourceFilename relativeToVRT="{relative}">{source}</SourceFilename><SourceBand>1</SourceBand>
</SimpleSource></VRTRasterBand></VRTDataset>"""


@pytest.fixture
def context(tmp_path):
    return Listener().context(tmp_path, tmp_path)


def refused(context, sentence, spec=None, channels=1, **options):
    with pytest.raises(SourceError, match=sentence) as caught:
        open_raster(slot(channels, **options), spec or Source(path="a.tif"), GRID, context)
    assert str(context.base) not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file(context):
    refused(context, r"There is no file gone\.tif", Source(path="gone.tif"))


def test_a_file_that_is_no_raster(tmp_path, context):
    (tmp_path / "a.tif").write_text("not a picture")
    refused(context, r"a\.tif is not a raster that GDAL can open")


def test_a_file_without_crs(tmp_path, context):
    write(tmp_path / "a.tif", noise(1, 20, 20), crs=None)
    refused(context, r"a\.tif has no CRS")


def test_a_file_with_a_crs_of_no_ground(tmp_path, context):
    """A site's own metres, or earth-centred ones, are not compared with other layers."""
    write(tmp_path / "a.tif", noise(1, 20, 20), crs='LOCAL_CS["site",UNIT["metre",1]]')
    refused(context, r"a\.tif has the CRS 'site', which lies on no map")
    write(tmp_path / "a.tif", noise(1, 20, 20), crs="EPSG:4978")
    refused(context, r"a\.tif has the CRS 'WGS 84', which lies on no map")


def test_a_file_of_another_planet(tmp_path, context):
    mars = 'GEOGCS["Mars",DATUM["Mars",SPHEROID["Mars",3396190,0]],PRIMEM["Reference",0],UNIT["degree",0.0174532925]]'
    write(tmp_path / "a.tif", noise(1, 20, 20), crs=mars, transform=Affine(1e-4, 0, 15, 0, -1e-4, 45))
    with pytest.raises(RequestError, match="There is no way from the CRS 'Mars' to"):
        open_raster(slot(1), Source(path="a.tif"), GRID, context)


def test_a_file_without_any_place(tmp_path, context):
    write(tmp_path / "a.tif", noise(1, 20, 20), crs=None, transform=Affine.identity())
    refused(context, r"a\.tif has no georeference")


def test_complex_numbers(tmp_path, context):
    write(tmp_path / "a.tif", np.ones((1, 20, 20), np.complex64))
    refused(context, r"Band 1 of a\.tif holds complex numbers")


def test_a_palette_unless_its_indices_are_classes(tmp_path, context):
    values = noise(1, 20, 20)
    path = write(tmp_path / "a.tif", values, photometric="palette")
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {index: (index, 0, 0, 255) for index in range(256)})
    refused(context, r"Band 1 of a\.tif holds palette indices.*-expand rgb")
    refused(context, "palette", role="raster", resampling="bilinear")
    source = open_raster(slot(1, "raster", "nearest"), Source(path="a.tif"), GRID, context)
    np.testing.assert_array_equal(source.read(GRID.whole).data, values)


def test_bands_that_are_not_there(tmp_path, context):
    write(tmp_path / "a.tif", noise(2, 20, 20))
    refused(context, r"a\.tif has 2 bands, so there is no band 3", Source(path="a.tif", bands=(1, 3)), 2)
    refused(context, r"a\.tif gives 2 bands, but the slot 'picture' needs 3", channels=3)


def test_mosaic_files_with_different_bands(tmp_path, context):
    write(tmp_path / "a.tif", noise(2, 20, 20))
    write(tmp_path / "b.tif", noise(1, 20, 20))
    refused(context, r"b\.tif has 1 bands where a\.tif", Source(mosaic=("a.tif", "b.tif")), 2)


def test_a_source_without_raster(context):
    refused(context, "The slot 'picture' has no raster", Source())
    with pytest.raises(SourceError, match="names no raster"):
        native_grid(Source(), context)


@pytest.mark.parametrize("language", ["Python", "python", "&#80;ython"])
@pytest.mark.parametrize("nested", [False, True])
def test_python_in_a_vrt_is_refused_and_not_run(tmp_path, context, language, nested):
    mark = tmp_path / "ran"
    (tmp_path / "code.vrt").write_text(PYTHON_BAND.format(language=language, mark=mark))
    (tmp_path / "outer.vrt").write_text(PLAIN_BAND.format(relative=1, source="code.vrt"))
    refused(context, r"code\.vrt computes its pixels with Python", Source(path="outer.vrt" if nested else "code.vrt"))
    assert not mark.exists()


def test_gdal_itself_runs_no_python_of_a_vrt(tmp_path):
    """Should a VRT come in by a way that is not looked through, GDAL's own switch holds."""
    configure()
    mark = tmp_path / "ran"
    (tmp_path / "code.vrt").write_text(PYTHON_BAND.format(language="Python", mark=mark))
    with pytest.raises(rasterio.errors.RasterioError), rasterio.open(tmp_path / "code.vrt") as file:
        file.read()
    assert not mark.exists()


@pytest.mark.parametrize(
    "source",
    ["/vsicurl/http://localhost:9/a.tif", "https://localhost:9/a.tif", "/vsizip//vsicurl/http://h/a.zip/a.tif"],
)
def test_a_local_vrt_that_points_to_the_network(tmp_path, context, source):
    (tmp_path / "a.vrt").write_text(PLAIN_BAND.format(relative=0, source=source))
    refused(context, r"a\.vrt points to the network", Source(path="a.vrt"))


def test_a_vrt_whose_source_is_gone(tmp_path, context):
    (tmp_path / "a.vrt").write_text(PLAIN_BAND.format(relative=1, source="gone/b.tif"))
    refused(context, r"a\.vrt needs b\.tif, which is not there", Source(path="a.vrt"))


def test_a_vrt_of_files_elsewhere_is_read(tmp_path, context):
    (tmp_path / "deep").mkdir()
    values = noise(1, 20, 20)
    path = write(tmp_path / "deep" / "b.tif", values)
    for relative, source in ((1, "deep/b.tif"), (0, path)):
        (tmp_path / "a.vrt").write_text(PLAIN_BAND.format(relative=relative, source=source))
        patch = open_raster(slot(), Source(path="a.vrt"), GRID, context).read(GRID.whole)
        np.testing.assert_array_equal(patch.data, values)


def test_no_driver_reaches_the_network_by_a_local_file():
    """In a process of its own, since GDAL chooses its drivers once."""
    code = (
        f"import runpy; runpy.run_path({raster_env.__file__!r})['configure']()\n"
        "import rasterio\n"
        "with rasterio.Env() as env: print(*env.drivers())"
    )
    drivers = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "GTiff" in drivers and "VRT" in drivers
    assert not {"HTTP", "WMS", "WMTS", "WCS", "STACIT", "OGCAPI"} & set(drivers)


def test_names_for_gdal(tmp_path):
    assert gdal_name("https://host/a.tif", tmp_path) == "/vsicurl/https://host/a.tif"
    assert gdal_name("s3://bucket/a.tif", tmp_path) == "/vsis3/bucket/a.tif"
    assert gdal_name("sub/a.tif", tmp_path) == str(tmp_path / "sub" / "a.tif")
    assert gdal_name("/vsizip/a.zip/a.tif", tmp_path) == "/vsizip/a.zip/a.tif"
    assert gdal_name('NETCDF:"a.nc":rain', tmp_path) == 'NETCDF:"a.nc":rain'
    assert is_network("/vsizip//vsicurl/https://host/a.zip") and not is_network("/data/a.tif")


def test_labels_hold_no_folder_and_no_secret():
    assert label("/home/somebody/a.tif") == "a.tif"
    assert label("C:\\data\\a.tif") == "a.tif"
    assert label("/vsicurl/https://me:secret@host/x/a.tif?sig=secret") == "host/x/a.tif"  # pragma: allowlist secret
    assert "secret" not in label("https://me:secret@host/x/a.tif?token=secret")  # pragma: allowlist secret


def test_a_network_source_that_fails_tells_no_key(context):
    """Nothing listens on port 9 of this machine, so the refusal is at once."""
    with pytest.raises(SourceError) as caught:
        address = "http://me:secret@127.0.0.1:9/a.tif?sig=secret"  # pragma: allowlist secret
        open_raster(slot(), Source(path=address), GRID, context)
    assert "127.0.0.1:9/a.tif" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_rotated_pixels_lie_where_the_transform_says(tmp_path, context):
    """A quarter turn: the file's columns run south, its rows west."""
    values = noise(1, 12, 9)
    write(tmp_path / "a.tif", values, transform=PLACE @ Affine.translation(12, 0) @ Affine(0, -1, 0, 1, 0, 0))
    grid = native_grid(Source(path="a.tif"), context)
    assert (grid.width, grid.height, grid.transform) == (12, 9, PLACE)
    patch = open_raster(slot(resampling="nearest"), Source(path="a.tif"), grid, context).read(grid.whole)
    np.testing.assert_array_equal(patch.data[0], np.rot90(values[0], -1))
