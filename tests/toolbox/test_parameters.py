"""What the algorithms ask for, and the sentences with which they refuse."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fusion_mapper.toolbox.provider import ALGORITHMS
from qgis.core import (
    QgsApplication,
    QgsProcessing,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingParameterDefinition,
    QgsProject,
)
from qgis.PyQt.QtCore import QUrl

NAMES = [one().name() for one in ALGORITHMS]
TOWN = "20.5220,20.5245,-34.0490,-34.0470 [EPSG:4326]"


def algorithm(name: str):
    return QgsApplication.processingRegistry().createAlgorithmById(f"fusion_mapper:{name}")


@pytest.fixture
def check(provider, context):
    """Runs an algorithm's check; answers the sentence, empty when all is well."""

    def run(name: str, **parameters) -> str:
        fine, sentence = algorithm(name).checkParameterValues(parameters, context)
        assert fine == (not sentence)
        return sentence

    return run


@pytest.fixture
def landcover(models, swellendam):
    return {
        "MODEL": str(models / "tiny-landcover.onnx"),
        "IMAGERY": [swellendam["aerial"]],
        "OSM": [swellendam["roads"]],
        "DEM": swellendam["srtm"],
        "EXTENT": TOWN,
        "CLASSES": QgsProcessing.TEMPORARY_OUTPUT,
    }


def test_the_provider_has_its_algorithms(provider):
    assert provider.id() == "fusion_mapper"
    expected = {"map", "stack", "rasterizeosm", "terrain", "importmodel", "models"}
    assert {algorithm.name() for algorithm in provider.algorithms()} >= expected
    assert not provider.icon().isNull()


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_is_explained(provider, name):
    asked = algorithm(name)
    assert asked.shortHelpString() and asked.tags()
    unexplained = [one.name() for one in asked.parameterDefinitions() if not one.help()]
    assert not unexplained


@pytest.mark.parametrize("name", NAMES)
def test_the_help_shows_a_call_that_names_real_parameters(provider, name):
    asked = algorithm(name)
    known = {one.name() for one in asked.parameterDefinitions()}
    assert asked.example() in asked.shortHelpString()
    assert set(re.findall(r"--(\w+)=", asked.example())) <= known


@pytest.mark.parametrize("name", NAMES)
def test_the_help_button_leads_to_the_algorithms_section(provider, name):
    address = QUrl(algorithm(name).helpUrl())
    page = Path(address.toLocalFile()).read_text(encoding="utf-8")
    assert f'id="{address.fragment()}"' in page


@pytest.mark.parametrize("name", NAMES)
def test_the_form_explains_what_is_not_folded_away(provider, name):
    asked = algorithm(name)
    advanced = QgsProcessingParameterDefinition.Flag.FlagAdvanced
    shown = [one for one in asked.parameterDefinitions() if not one.flags() & advanced]
    said = asked.shortHelpString()
    assert all(one.description() in said and one.help() in said for one in shown)


def test_the_form_names_the_installed_models_and_asks_for_the_map_first(provider):
    asked = algorithm("map")
    assert "landcover-rgb-1m" in asked.shortHelpString()
    assert [one.name() for one in asked.destinationParameterDefinitions()][:2] == ["CLASSES", "REGRESSION"]


def test_what_few_need_is_folded_away(provider):
    advanced = QgsProcessingParameterDefinition.Flag.FlagAdvanced
    asked = algorithm("map")
    shown = {one.name() for one in asked.parameterDefinitions() if not one.flags() & advanced}
    assert shown == {
        "MODEL", "IMAGERY", "OSM", "PRIOR", "DEM", "EXTENT", "AREA", "RESOLUTION", "CLASSES", "CONFIDENCE", "ENTROPY",
        "PROBABILITIES", "REGRESSION", "POLYGONS", "FIELDS", "SUMMARY", "STACK", "MISSING",
    }  # fmt: skip


def test_all_outputs_are_declared(provider):
    asked = algorithm("map")
    outputs = {one.name() for one in asked.outputDefinitions()}
    assert outputs >= {"CLASSES", "REGRESSION", "POLYGONS", "FIELDS", "SUMMARY", "STACK", "FOLDER"}


def test_layers_that_fit_are_accepted(check, landcover):
    assert check("map", **landcover) == ""


def test_an_algorithm_without_an_engine_says_how_to_get_one(provider, monkeypatch):
    monkeypatch.setenv("FUSION_MAPPER_ENGINE", "/nowhere/python")
    fine, sentence = algorithm("map").canExecute()
    assert not fine
    assert "/nowhere/python, which does not exist" in sentence


def test_an_unknown_model_is_refused(check, landcover):
    assert "no model 'land cover of mars'" in check("map", **{**landcover, "MODEL": "land cover of mars"})


def test_a_missing_layer_is_refused_before_the_run(check, landcover):
    sentence = check("map", **{**landcover, "IMAGERY": []})
    assert sentence == "The model 'Tiny land cover' needs imagery for its slot 'imagery'; choose it under IMAGERY."


def test_imagery_with_too_few_bands_is_refused_before_the_run(check, landcover, swellendam):
    sentence = check("map", **{**landcover, "IMAGERY": [swellendam["srtm"]]})
    assert "'imagery' takes 3 bands (red, green, blue), and 'srtm' has 1" in sentence


def test_a_slot_line_with_an_unknown_layer_is_refused(check, landcover):
    assert "SLOTS names the layer 'gone' for 'imagery'" in check("map", **landcover, SLOTS="imagery=gone:1,2,3")


def test_a_slot_line_finds_a_layer_by_name_id_or_path(check, landcover, swellendam):
    aerial = swellendam["aerial"]
    for reference in (aerial.name(), aerial.id(), aerial.source()):
        assert check("map", **{**landcover, "IMAGERY": []}, SLOTS=f"imagery={reference}:1,2,3") == ""


def test_an_area_of_lines_is_refused(check, landcover, swellendam):
    assert "'rivers' has lines; choose a layer of polygons" in check("map", **landcover, AREA=swellendam["rivers"])


def test_a_layer_that_is_gone_is_refused(check, landcover):
    assert "/nowhere/dem.tif" in check("map", **{**landcover, "DEM": "/nowhere/dem.tif"})


def test_polygons_go_to_a_file_of_their_own(check, landcover):
    target = QgsProcessingOutputLayerDefinition("ogr:dbname='/tmp/all.gpkg' table=\"parcels\"", QgsProject.instance())
    for value in (target, target.sink.staticValue()):
        assert "POLYGONS must be a file of its own that ends with .gpkg" in check("map", **landcover, POLYGONS=value)


def test_other_formats_than_the_engine_writes_are_refused(check, landcover):
    assert "CLASSES must be a file of its own that ends with .tif" in check(
        "map", **{**landcover, "CLASSES": "/tmp/classes.img"}
    )


def test_rasterising_needs_to_know_the_grid(check, swellendam):
    parameters = {"OSM": [swellendam["roads"]], "OUTPUT": QgsProcessing.TEMPORARY_OUTPUT}
    assert "choose a REFERENCE raster, or give EXTENT, RESOLUTION and CRS" in check("rasterizeosm", **parameters)
    assert check("rasterizeosm", **parameters, EXTENT=TOWN, RESOLUTION=5, CRS="EPSG:32734") == ""
    assert check("rasterizeosm", **parameters, REFERENCE=swellendam["srtm"]) == ""


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        ("{roads", "not valid JSON"),
        ("[]", "must name channels"),
        ('{"paths": {"rules": []}}', "RECIPE.paths needs 'osm' with at least one rule"),
        ('{"paths": {"rules": [{"tag": "highway"}]}}', "RECIPE.paths.rules[0] has an unknown field 'tag'"),
        ('{"paths": {"rules": [{"key": "highway"}], "soften": 4}}', "soften must be 0 or an odd number"),
    ],
)
def test_a_wrong_recipe_is_refused(check, swellendam, recipe, sentence):
    parameters = {"OSM": [swellendam["roads"]], "OUTPUT": QgsProcessing.TEMPORARY_OUTPUT}
    assert sentence in check("rasterizeosm", **parameters, REFERENCE=swellendam["srtm"], RECIPE=recipe)


def test_a_stack_of_nothing_is_refused(check):
    assert "nothing to stack" in check("stack", OUTPUT=QgsProcessing.TEMPORARY_OUTPUT)


def test_the_same_parameters_hold_after_a_round_trip_as_a_model_designer_saves_them(provider):
    """The model designer stores definitions as code or as a map, and must get the same ones back."""
    asked = algorithm("map")
    for definition in asked.parameterDefinitions():
        twin = definition.clone()
        assert twin.toVariantMap() == definition.toVariantMap()


@pytest.mark.parametrize("text", ["2,5", "1.000,0", "abc"])
def test_a_text_that_is_no_number_is_refused_rather_than_passed_over(check, landcover, text):
    sentence = check("map", **{**landcover, "RESOLUTION": text})
    assert sentence == f"RESOLUTION is '{text}', which is no number; write it like 2.5."


def test_a_number_may_be_a_text(check, landcover):
    assert check("map", **{**landcover, "RESOLUTION": "2.5", "WORKERS": "2", "THRESHOLD": ""}) == ""


@pytest.mark.parametrize("elsewhere", ["0,1,0,1 [EPSG:4326]", "300000,301000,6200000,6201000 [EPSG:32733]"])
def test_an_extent_that_no_imagery_reaches_is_refused(check, landcover, elsewhere):
    assert check("map", **{**landcover, "EXTENT": elsewhere}).startswith("The extent lies outside '3420B'")


def test_a_stack_of_an_extent_without_its_layers_is_refused(check, swellendam):
    sentence = check("terrain", DEM=swellendam["srtm"], EXTENT="0,1,0,1 [EPSG:4326]", OUTPUT="TEMPORARY_OUTPUT")
    assert sentence.startswith("The extent lies outside 'srtm'")


def test_an_extent_larger_than_the_layers_is_none_of_their_business(check, landcover):
    assert check("map", **{**landcover, "EXTENT": "-180,180,-90,90 [EPSG:4326]"}) == ""
