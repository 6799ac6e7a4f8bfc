"""Passwords and keys of layers' sources reach no sentence."""

from __future__ import annotations

import pytest
from fusion_mapper.toolbox.scrub import carries_secret, scrubbed
from qgis.core import QgsApplication, QgsProcessingContext

SOURCES = [
    r"dbname='gis' host=db.example port=5432 user='me' password='hun\'ter2 x' sslmode=disable table=\"public\".\"dem\"",
    "/vsicurl/http://me:hunter2@127.0.0.1:9/dem.tif",
    "http://127.0.0.1:9/dem.tif?sv=2020&sig=hunter2%2Bhunter2&se=2030",
    "crs=EPSG:3857&layers=dem&url=http://127.0.0.1:9/wms?map%3Da%26access_token%3Dhunter2",
    '/vsicurl?header.Authorization="Basic hunter2"&url=http://127.0.0.1:9/dem.tif',
]


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_secret_is_hidden_and_the_rest_is_told(source):
    told = scrubbed(f"DEM is '{source}', which cannot be read.")
    assert "unter2" not in told and "ter2" not in told
    assert told.startswith("DEM is '") and not carries_secret(told)


def test_a_sentence_without_secrets_is_told_as_it_is():
    text = "The layer 'Keys & tokens = <all>' is read from C:/Users/me/token.gpkg."
    assert scrubbed(text) == text


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", ["DEM", "IMAGERY", "OSM", "SLOTS", "AREA", "MODEL"])
def test_a_layer_that_cannot_be_read_is_told_without_its_password(provider, name, source):
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("fusion_mapper:map")
    value = [source] if name in ("IMAGERY", "OSM") else f"imagery={source}" if name == "SLOTS" else source
    parameters = {"MODEL": "landcover-rgb-1m", name: value}
    fine, sentence = algorithm.checkParameterValues(parameters, QgsProcessingContext())
    assert not fine
    assert sentence and "ter2" not in sentence


def test_one_missing_layer_of_several_is_no_run_without_it(provider, shared_data, context, ears):
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("fusion_mapper:map")
    swellendam = shared_data / "swellendam"
    parameters = {
        "MODEL": "landcover-rgb-1m",
        "IMAGERY": [str(swellendam / "3420B_2010_328_RGB_LATLNG.tif")],
        "OSM": [f"{swellendam}/training_data.gpkg|layername=roads", "/nowhere/buildings.gpkg"],
    }
    assert not algorithm.create().prepare(parameters, context, ears)
    assert "/nowhere/buildings.gpkg" in ears.errors[0]
