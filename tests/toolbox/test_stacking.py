"""``stack``, ``rasterizeosm`` and ``terrain`` against GDAL's own tools, on real layers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from qgis import processing
from qgis.core import Qgis, QgsProcessingException, QgsRasterLayer

TOWN = "20.5220,20.5245,-34.0490,-34.0470 [EPSG:4326]"
#: Where OpenStreetMap has both roads and houses inside the aerial tile.
FARMS = "20.5160,20.5260,-34.0500,-34.0300 [EPSG:4326]"


@pytest.fixture
def make(provider, context, ears, tmp_path):
    """Runs an algorithm; answers the raster it wrote."""

    def run(name: str, **parameters) -> QgsRasterLayer:
        path = str(tmp_path / f"{name}.tif")
        results = processing.run(
            f"fusion_mapper:{name}", {**parameters, "OUTPUT": path}, context=context, feedback=ears
        )
        assert results["OUTPUT"] == path
        return QgsRasterLayer(path, name)

    return run


def band(layer: QgsRasterLayer, number: int = 1) -> np.ndarray:
    """H×W float64."""
    block = layer.dataProvider().block(number, layer.extent(), layer.width(), layer.height())
    kind = {Qgis.DataType.Byte: "u1", Qgis.DataType.Float32: "<f4", Qgis.DataType.Float64: "<f8"}[block.dataType()]
    return np.frombuffer(bytes(block.data()), kind).reshape(layer.height(), layer.width()).astype(float)


def names(layer: QgsRasterLayer) -> list[str]:
    """What follows QGIS's own "Band 1: " and the slot's name."""
    return [layer.bandName(number).split(": ")[2] for number in range(1, layer.bandCount() + 1)]


def grid_of(layer: QgsRasterLayer) -> list[str]:
    """The layer's grid as options of GDAL's tools."""
    extent = layer.extent()
    corners = extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()
    return ["-te", *map(repr, corners), "-ts", str(layer.width()), str(layer.height())]


def gdal(*words: str) -> None:
    subprocess.run(list(words), check=True, capture_output=True)


def test_terrain_lies_on_the_reference_and_equals_an_exact_warp(make, swellendam, tmp_path):
    aerial = swellendam["aerial"]
    terrain = make("terrain", DEM=swellendam["srtm"], DERIVATIVES=["elevation", "slope"], REFERENCE=aerial, EXTENT=TOWN)
    assert names(terrain) == ["elevation", "slope"]
    assert terrain.rasterUnitsPerPixelX() == pytest.approx(aerial.rasterUnitsPerPixelX(), rel=1e-9)
    offset = (terrain.extent().xMinimum() - aerial.extent().xMinimum()) / aerial.rasterUnitsPerPixelX()
    assert offset == pytest.approx(round(offset), abs=1e-4)
    warped = str(tmp_path / "warped.tif")
    source = swellendam["srtm"].source()
    gdal(
        "gdalwarp",
        "-et",
        "0",
        "-r",
        "bilinear",
        "-ot",
        "Float64",
        "-t_srs",
        "EPSG:4326",
        *grid_of(terrain),
        source,
        warped,
    )
    exact = QgsRasterLayer(warped)
    assert np.abs(band(terrain) - band(exact)).max() < 1e-3


def test_plain_channels_equal_gdal_rasterize(make, swellendam, tmp_path):
    channels = make("rasterizeosm", OSM=[swellendam["roads"], swellendam["buildings"]], REFERENCE=swellendam["aerial"],
                    EXTENT=FARMS, CHANNELS=["roads", "buildings"])  # fmt: skip
    assert names(channels) == ["roads", "buildings"]
    for number, (layer, key) in enumerate((("roads", "highway"), ("buildings", "building")), 1):
        burnt = str(tmp_path / f"{layer}.tif")
        source = swellendam[layer].source().partition("|")[0]
        gdal("gdal_rasterize", "-burn", "1", "-init", "0", "-ot", "Byte", *grid_of(channels), "-where",
             f"{key} IS NOT NULL AND {key} <> 'no'", "-l", layer, source, burnt)  # fmt: skip
        drawn = QgsRasterLayer(burnt)
        assert band(drawn).sum() > 10
        assert np.array_equal(band(channels, number), band(drawn))


def test_a_recipe_of_ones_own_is_a_channel(make, swellendam):
    recipe = '{"homes": {"rules": [{"key": "highway", "values": ["residential"], "width": 12}]}}'
    wide = make("rasterizeosm", OSM=[swellendam["roads"]], CHANNELS=[], RECIPE=recipe, EXTENT=TOWN, RESOLUTION=2.0,
                CRS="EPSG:32734")  # fmt: skip
    assert names(wide) == ["homes"]
    assert wide.crs().authid() == "EPSG:32734"
    assert wide.rasterUnitsPerPixelX() == pytest.approx(2.0, rel=2e-3)
    assert 0.01 < band(wide).mean() < 0.9


def test_a_stack_holds_what_the_model_sees(make, models, swellendam):
    stack = make(
        "stack",
        MODEL=str(models / "tiny-landcover.onnx"),
        IMAGERY=[swellendam["aerial"]],
        OSM=[swellendam["roads"]],
        DEM=swellendam["srtm"],
        EXTENT=TOWN,
        NATIVE=True,
    )
    assert names(stack) == ["red", "green", "blue", "roads", "elevation"]
    assert 0 <= band(stack, 1).min() < band(stack, 1).max() <= 255
    assert set(np.unique(band(stack, 4))) == {0.0, 1.0}
    assert 50 < band(stack, 5).mean() < 500


def test_a_stack_without_a_model_takes_all_bands(make, swellendam):
    stack = make("stack", IMAGERY=[swellendam["aerial"]], OSM=[swellendam["roads"]], CHANNELS=["roads"],
                 DEM=swellendam["srtm"], DERIVATIVES=["elevation", "hillshade"], EXTENT=TOWN)  # fmt: skip
    assert names(stack) == ["red", "green", "blue", "roads", "elevation", "hillshade"]
    own = QgsRasterLayer(swellendam["aerial"].source())
    provider = own.dataProvider()
    expected = provider.block(1, stack.extent(), stack.width(), stack.height())
    assert band(stack, 1)[5, 7] == expected.value(5, 7)


def test_sentinels_band_files_are_stacked_at_ten_metres(make, shared_data, project):
    files = [QgsRasterLayer(str(shared_data / "laos_s2" / f"{name}.tif"), name) for name in ("B04", "B05", "B01")]
    project.addMapLayers(files, False)
    extent = files[0].extent()
    x, y = extent.center().x(), extent.center().y()
    stack = make("stack", IMAGERY=files, EXTENT=f"{x},{x + 600},{y},{y + 600} [EPSG:32648]")
    assert stack.bandCount() == 3
    assert stack.rasterUnitsPerPixelX() == 10.0
    assert [Path(layer.source()).stem in name for layer, name in zip(files, names(stack))] == [True] * 3


def water(shared_data) -> dict[str, object]:
    """A Shapefile that is truly corrupt at its 30th shape, on a grid around it."""
    return {
        "OSM": [str(shared_data / "swellendam" / "water.shp")],
        "CHANNELS": ["water"],
        "EXTENT": "20.4250,20.5870,-34.0520,-33.9970 [EPSG:4326]",
        "RESOLUTION": 20.0,
        "CRS": "EPSG:32734",
    }


def test_a_corrupt_layer_stops_with_a_sentence_that_names_it(make, shared_data):
    with pytest.raises(QgsProcessingException, match=r"water\.shp"):
        make("rasterizeosm", **water(shared_data))


def test_a_corrupt_layer_is_read_as_far_as_it_goes_when_the_user_says_so(make, shared_data, ears):
    drawn = make("rasterizeosm", **water(shared_data), UNREADABLE="skip")
    assert 0 < band(drawn).mean() < 0.5
    assert any("water.shp" in text and any(letter.isdigit() for letter in text) for text in ears.warned)


def test_the_radiometry_of_a_slot_reaches_the_pixels(make, shared_data, project):
    red = QgsRasterLayer(str(shared_data / "laos_s2" / "B04.tif"), "B04")
    project.addMapLayer(red, False)
    stored = band(make("stack", IMAGERY=[red]))
    shifted = band(make("stack", IMAGERY=[red], RADIOMETRY="imagery=sentinel2-reflectance"))
    assert np.ptp(stored) > 1000
    np.testing.assert_allclose(shifted, (stored - 1000) / 10_000, atol=1e-6)
