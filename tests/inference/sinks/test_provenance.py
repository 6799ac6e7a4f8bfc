"""Products say how they were made, and nothing that should stay at home."""

from __future__ import annotations

import json

import pytest
from classmaps import utm
from fusion_mapper.inference.job import Outputs, RasterFile, Source, VectorLayer
from fusion_mapper.inference.sinks.provenance import output_settings, product_tags, source_names
from fusion_mapper.models.card import Card, Channel, ClassInfo, Output, Slot

CARD = Card(
    "tiny",
    slots=(Slot("imagery", "imagery", (Channel("red"),), "x"), Slot("osm", "osm", (Channel("roads"),), "x", 1)),
    outputs=(Output("y", "semantic-segmentation", classes=(ClassInfo(0, "a"), ClassInfo(1, "b"))),),
    notice="For trying out,\nnot for mapping.",
    version="2",
)


def tags(**sources: Source) -> dict[str, str]:
    settings = {"tile": 512, **output_settings(Outputs("/home/me/out", minimum_area=50.0))}
    return product_tags(CARD, "ab" * 32, sources, utm(60, 70), settings, {"engine": "1.0", "gdal": "3.10"})


def test_a_product_names_model_sources_grid_settings_and_versions():
    found = tags(imagery=Source(path="/data/secret/ortho.tif", name="My ortho", attribution=("© Survey",)))
    assert found["FUSION_MAPPER_MODEL"] == "tiny (version 2)"
    assert found["FUSION_MAPPER_MODEL_HASH"] == "sha256:" + "ab" * 32
    assert found["FUSION_MAPPER_SOURCE_imagery"] == "My ortho"
    assert found["FUSION_MAPPER_GRID"] == "EPSG:32633; 70 × 60 pixels; transform 1, 0, 600000, 0, -1, 5000000"
    assert "minimum_area=50.0" in found["FUSION_MAPPER_SETTINGS"]
    assert "tile=512" in found["FUSION_MAPPER_SETTINGS"]
    assert found["FUSION_MAPPER_VERSIONS"] == "engine=1.0, gdal=3.10"
    assert found["FUSION_MAPPER_NOTICE"] == "For trying out, not for mapping."
    assert found["FUSION_MAPPER_ATTRIBUTION"] == "© Survey"


def test_how_stored_numbers_became_values_is_told():
    assert "FUSION_MAPPER_RADIOMETRY_imagery" not in tags(imagery=Source(path="a.tif"))
    newer = tags(imagery=Source(path="a.tif", dn_offset=-1000.0, dn_scale=1e-4))
    assert newer["FUSION_MAPPER_RADIOMETRY_imagery"] == "stored -1000, values × 0.0001"


def test_openstreetmap_is_thanked_once():
    layer = VectorLayer("osm.gpkg", "roads")
    assert "© OpenStreetMap contributors, ODbL" in tags(osm=Source(layers=(layer,)))["FUSION_MAPPER_ATTRIBUTION"]
    whole = "© OpenStreetMap contributors (ODbL)"
    said = tags(osm=Source(layers=(layer,), attribution=(whole,)))
    assert said["FUSION_MAPPER_ATTRIBUTION"] == whole


def test_a_name_without_its_licence_is_no_credit():
    layer = VectorLayer("osm.gpkg", "roads")
    said = tags(osm=Source(layers=(layer,), attribution=("OpenStreetMap, cut by us",)))["FUSION_MAPPER_ATTRIBUTION"]
    assert said.startswith("OpenStreetMap, cut by us; © OpenStreetMap contributors, ODbL")
    assert "FUSION_MAPPER_ATTRIBUTION" not in tags(imagery=Source(path="a.tif"))


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (Source(path="/home/me/ortho.tif"), ["ortho.tif"]),
        (Source(path="C:\\Users\\me\\ortho.tif"), ["ortho.tif"]),
        (Source(path="/vsicurl/https://me:hunter2@tiles.org/a.tif?key=hunter2"), ["a.tif"]),
        (Source(path="https://me:hunter2@tiles.org"), ["tiles.org"]),
        (Source(path="PG:dbname=gis user=me password=hunter2"), ["PG"]),
        (Source(stack=(RasterFile("/d/B02.tif"), RasterFile("/d/B03.tif"))), ["B02.tif", "B03.tif"]),
        (Source(layers=(VectorLayer("/d/osm.gpkg", "roads"),)), ["osm.gpkg:roads"]),
    ],
)
def test_a_source_is_told_by_its_bare_name(source, names):
    assert source_names(source) == names
    assert "hunter2" not in json.dumps(tags(imagery=source))
    assert "/home" not in json.dumps(tags(imagery=source))


def test_a_stack_needs_no_model():
    found = product_tags(None, None, {"dem": Source(path="srtm.tif")}, utm(60, 70), {}, {"engine": "1.0"})
    assert found["FUSION_MAPPER_SOURCE_dem"] == "srtm.tif"
    assert "FUSION_MAPPER_MODEL" not in found
