"""How a layer's numbers are read: said by hand, told by its file, or wrong for the model."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest
from fusion_mapper.inference.errors import CardError, RequestError
from fusion_mapper.models.card import Card, Channel, ClassInfo, Output, Scaling, Slot
from fusion_mapper.toolbox.layers.matching import Given, match
from fusion_mapper.toolbox.layers.radiometry import RADIOMETRIES, STORED, radiometry, remedy, suggested
from fusion_mapper.toolbox.layers.slots import parse_radiometry
from fusion_mapper.toolbox.layers.sources import describe
from qgis.core import QgsRasterLayer

OUTPUT = Output("o", "semantic-segmentation", (ClassInfo(1, "a"), ClassInfo(2, "b")))
SHARE, BYTE, NUMBERS = Scaling(), Scaling(scale=255.0), Scaling(scale=10_000.0)

#: As the starter models have it.
SCORES = Scaling(1174.0, 491.0, -1775.0, 4123.0)


def slot(scaling: Scaling = NUMBERS, role: str = "imagery") -> Slot:
    return Slot("imagery", role, (Channel("red", scaling),), "x")


@pytest.fixture
def red(shared_data, qgis_app, tmp_path):
    """Band 4 of the scene in Laos, with what GDAL is told to write into its metadata, under a name of one's own."""

    def describe_red(*options: str, name: str = "B04.tif"):
        path = tmp_path / name
        source = str(shared_data / "laos_s2" / "B04.tif")
        subprocess.run(["gdal_translate", "-q", *options, source, str(path)], check=True)
        return describe(QgsRasterLayer(str(path), "red"))

    return describe_red


def test_lines_of_radiometry_are_read():
    assert parse_radiometry("imagery=sentinel2; # no\n summer = to-dn") == (
        ("imagery", radiometry("sentinel2")),
        ("summer", radiometry("to-dn")),
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("imagery", "'imagery' cannot be read; write slot=name"),
        ("imagery=dn", "RADIOMETRY has no 'dn'; it has stored, sentinel2, sentinel2-reflectance, to-reflectance"),
        ("a=stored\na=to-dn", "names the slot 'a' twice"),
    ],
)
def test_lines_that_cannot_be_read_are_told(text, sentence):
    with pytest.raises(RequestError, match=sentence):
        parse_radiometry(text)


def test_the_engine_is_told_how_numbers_are_read(red):
    card = Card("model", (slot(),), (OUTPUT,))
    found = match(card, Given((red(),), radiometry=parse_radiometry("imagery=sentinel2-reflectance")))
    source = found.bindings["imagery"].to_source()
    assert (source.dn_offset, source.dn_scale) == (-1000.0, 1e-4)
    assert "made reflectance" in found.notes[-1]


def test_only_imagery_and_rasters_have_a_radiometry(red):
    card = Card(
        "model",
        (replace(slot(), missing="fill"), Slot("osm", "osm", (Channel("roads"),), "x", missing="fill")),
        (OUTPUT,),
    )
    with pytest.raises(RequestError, match="names the slot 'osm', which takes OpenStreetMap"):
        match(card, Given((red(),), radiometry=(("osm", STORED),)))
    with pytest.raises(CardError, match="no slot 'optical'"):
        match(card, Given((red(),), radiometry=(("optical", STORED),)))


@pytest.mark.parametrize(
    ("options", "name", "reason"),
    [
        (("-mo", "PROCESSING_BASELINE=05.09"), "B04.tif", "baseline 05.09 adds 1000"),
        (("-mo", "BOA_ADD_OFFSET_B4=-1000"), "B04.tif", "BOA_ADD_OFFSET_B4 = -1000"),
        ((), "S2B_MSIL2A_20230513T031539_N0509_R118_T48QUE_20230513T061244.tif", "baseline 05.09 adds 1000"),
    ],
)
def test_a_file_of_a_shifted_baseline_speaks_for_taking_the_shift_away(red, options, name, reason):
    said = suggested(slot(), red(*options, name=name))
    assert said.radiometry.name == "sentinel2"
    assert reason in said.reason
    assert suggested(slot(SHARE), red(*options, name=name)).radiometry.name == "sentinel2-reflectance"


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ((), "B04.tif"),
        (("-mo", "PROCESSING_BASELINE=02.14"), "B04.tif"),
        (("-mo", "PROCESSING_BASELINE=05.09", "-a_scale", "0.0001", "-a_offset", "-0.1"), "B04.tif"),
        ((), "S2B_MSIL2A_20190513T031539_N0212_R118_T48QUE_20190513T061244.tif"),
    ],
)
def test_where_nothing_was_shifted_nothing_is_suggested(red, options, name):
    assert suggested(slot(SHARE), red(*options, name=name)) is None


def test_a_scale_of_the_file_is_taken_back_for_a_model_of_numbers(red):
    assert suggested(slot(NUMBERS), red("-a_scale", "0.0001")).radiometry.name == "to-dn"
    assert suggested(slot(SHARE), red("-a_scale", "0.0001")) is None


@pytest.mark.parametrize(
    ("scaling", "now", "low", "high", "name"),
    [
        (SHARE, "stored", 20, 230, "byte-to-unit"),
        (SHARE, "stored", 200, 7000, "to-reflectance"),
        (NUMBERS, "stored", 0.02, 0.5, "to-dn"),
        (BYTE, "stored", 0.02, 0.9, "unit-to-byte"),
        (SHARE, "sentinel2", 200, 7000, "sentinel2-reflectance"),
        (SCORES, "stored", 0.02, 0.5, "to-dn"),
        (SCORES, "stored", 28, 212, None),
        (SHARE, "stored", -1e9, 1e9, None),
    ],
)
def test_values_of_another_unit_have_a_remedy(scaling, now, low, high, name):
    found = remedy(slot(scaling), radiometry(now), (low,), (high,))
    assert (found.name if found else None) == name


def test_names_are_told_apart():
    assert len({one.name for one in RADIOMETRIES}) == len({one.title for one in RADIOMETRIES}) == len(RADIOMETRIES)
