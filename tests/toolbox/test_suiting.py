"""Which layers are offered for a slot, and which bands are found in them, on real layers."""

from __future__ import annotations

import subprocess

import pytest
from fusion_mapper.models.card import Channel, OsmRecipe, Slot, TagRule
from fusion_mapper.toolbox.layers.bands import companions, told_apart
from fusion_mapper.toolbox.layers.file_facts import wavelength
from fusion_mapper.toolbox.layers.sources import describe
from fusion_mapper.toolbox.layers.suiting import raster_suits, vector_suits
from qgis.core import QgsRasterLayer

RGBN = ("red", "green", "blue", "nir")


def imagery(*names: str) -> Slot:
    return Slot("imagery", "imagery", tuple(map(Channel, names)), "x")


DEM = Slot("dem", "dem", (Channel("slope", derivative="slope"),), "x")
OSM = Slot(
    "osm", "osm", tuple(Channel(key, osm=OsmRecipe((TagRule(key),))) for key in ("highway", "building", "natural")), "x"
)


@pytest.fixture
def spectral(shared_data, qgis_app, tmp_path):
    """The scene of two dates, with wavelengths in its bands' metadata as ENVI and Sentinel-2 files have them."""

    def with_wavelengths(*values: str, unit: str = "nm"):
        path = tmp_path / "spectral.vrt"
        source = str(shared_data / "inn_valley_s2" / "inference-img.tif")
        bands = [word for number in range(1, len(values) + 1) for word in ("-b", str(number))]
        subprocess.run(["gdal_translate", "-q", "-of", "VRT", *bands, source, str(path)], check=True)
        text = path.read_text()
        for number, value in enumerate(values, 1):
            items = f'<MDI key="WAVELENGTH">{value}</MDI><MDI key="WAVELENGTH_UNIT">{unit}</MDI>'
            start = text.index(">", text.index(f'band="{number}"')) + 1
            text = f"{text[:start]}<Metadata>{items}</Metadata>{text[start:]}"
        path.write_text(text)
        return describe(QgsRasterLayer(str(path), "spectral"))

    return with_wavelengths


def test_wavelengths_of_the_file_name_its_bands(spectral):
    scene = spectral("490", "560", "665", "705", "842")
    assert [band.wavelength for band in scene.bands] == [0.49, 0.56, 0.665, 0.705, 0.842]
    assert told_apart(imagery(*RGBN), [scene]).bands == ((0, 3), (0, 2), (0, 1), (0, 5))


def test_a_band_that_lies_too_far_off_is_none(spectral):
    assert told_apart(imagery("red", "green", "blue"), [spectral("490", "560", "705")]) is None


def test_the_cards_wavelength_counts_before_the_usual_one(spectral):
    edge = Slot("imagery", "imagery", (Channel("red", wavelength=0.705),), "x")
    assert told_apart(edge, [spectral("490", "665", "705")]).bands == ((0, 3),)


@pytest.mark.parametrize(
    ("items", "name", "micrometres"),
    [
        ((("wavelength", "0.665"), ("wavelength_units", "Micrometers")), "", 0.665),
        ((("WAVELENGTH", "665"),), "", 0.665),
        ((("CENTRAL_WAVELENGTH_UM", "0.665"),), "", 0.665),
        ((("wavelength", "665 nm"),), "", 0.665),
        ((), "B4, central wavelength 665 nm", 0.665),
        ((), "Band at 1.61 µm", 1.61),
        ((("wavelength", "unknown"),), "red", None),
    ],
)
def test_wavelengths_are_read_as_files_write_them(items, name, micrometres):
    assert wavelength(items, name) == micrometres


@pytest.mark.parametrize(
    ("file", "layer", "bands"),
    [
        ("laos_s2/B04.tif", "LC09_L2SP_128048_20230117_SR_B4", "red"),
        ("laos_s2/B04.tif", "LT05_L2SP_128048_19980117_SR_B4", "nir"),
        ("laos_s2/B04.tif", "scene_B4", None),
    ],
)
def test_landsats_band_numbers_depend_on_the_satellite(raster, file, layer, bands):
    found = {name: told_apart(imagery(name), [raster(file, layer)]) for name in ("red", "nir")}
    assert [name for name, choice in found.items() if choice] == ([bands] if bands else [])


def test_band_files_find_their_sisters(raster):
    names = ("B02", "B03", "B04", "B08", "B8A", "cloud_mask")
    files = [raster(f"laos_s2/{name}.tif") for name in names]
    found = companions(imagery(*RGBN), files[0], files)
    assert [(one.name, band) for one, band in found] == [("B04", 1), ("B03", 1), ("B02", 1), ("B08", 1)]
    assert raster_suits(imagery(*RGBN), files[2], files).reason.endswith("bands: B04, B03, B02, B08")
    assert not raster_suits(imagery(*RGBN), files[5], files).suits
    assert not raster_suits(imagery(*RGBN), files[0], files[:3]).suits


def test_only_layers_with_the_bands_suit(raster):
    aerial, srtm = raster("swellendam/3420B_2010_328_RGB_LATLNG.tif"), raster("swellendam/srtm_41_19.tif")
    rgb = imagery("red", "green", "blue")
    assert [raster_suits(rgb, one, [aerial, srtm]).suits for one in (aerial, srtm)] == [True, False]
    assert [raster_suits(DEM, one, [aerial, srtm]).suits for one in (aerial, srtm)] == [False, True]
    assert raster_suits(DEM, aerial, []).reason == "It has 4 bands; an elevation model has one"


def test_four_bands_suit_a_model_of_four_though_one_is_called_alpha(raster):
    aerial = raster("swellendam/3420B_2010_328_RGB_LATLNG.tif")
    assert aerial.bands[3].color == "alpha"
    assert raster_suits(imagery(*RGBN), aerial, []).suits


def test_vector_layers_suit_by_their_attributes_or_name(vector):
    roads = vector("swellendam/training_data.gpkg|layername=roads", "streets")
    forest_roads = vector("loon_lake/roads.gpkg", "Forest roads")
    places = vector("swellendam/places.shp", "places")
    assert "highway" in vector_suits(OSM, roads).reason
    assert vector_suits(OSM, forest_roads).suits
    assert vector_suits(OSM, forest_roads).reason == "After its name, all of it is taken as highway=unclassified"
    assert not vector_suits(OSM, places).suits
    assert "none of the attributes building, highway, natural" in vector_suits(OSM, places).reason
