"""From the parameters of learning to the jobs that the engine is given, on real layers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.inference.learnjob import LearnJob, learnjob_from_dict, to_dict
from fusion_mapper.models.card import ClassInfo
from fusion_mapper.toolbox.algorithms.base import FeedbackListener
from fusion_mapper.toolbox.algorithms.compare import parse_fractions
from fusion_mapper.toolbox.engine.once import Engine
from fusion_mapper.toolbox.runs.learn import make_place
from qgis.core import (
    QgsApplication,
    QgsFeature,
    QgsGeometry,
    QgsProcessing,
    QgsRasterLayer,
    QgsRasterRange,
    QgsRectangle,
    QgsVectorLayer,
)


@pytest.fixture
def amazon(shared_data, project) -> dict[str, object]:
    """Real imagery, elevation and labelled polygons of one place, as parameters."""
    folder = shared_data / "amazon_s2"
    layers = {
        "IMAGERY": QgsRasterLayer(str(folder / "sen2.tif"), "sen2"),
        "DEM": QgsRasterLayer(str(folder / "srtm_sen2.tif"), "srtm"),
        "LABELS": QgsVectorLayer(str(folder / "trainingPolygons_sen2.gpkg"), "polygons", "ogr"),
    }
    assert all(layer.isValid() for layer in layers.values())
    project.addMapLayers(layers.values(), False)
    return {**layers, "IMAGERY": [layers["IMAGERY"]], "FIELD": "class", "NAME": "amazon", "INSTALL": False}


@pytest.fixture
def loon_lake(shared_data, project) -> dict[str, object]:
    """Another place, with roads."""
    folder = shared_data / "loon_lake"
    layers = {
        "IMAGERY": QgsRasterLayer(str(folder / "landsat.tif"), "landsat"),
        "OSM": QgsVectorLayer(str(folder / "roads.gpkg"), "roads", "ogr"),
        "LABELS": QgsVectorLayer(f"{folder}/vri2023.gpkg|layername=main", "inventory", "ogr"),
    }
    project.addMapLayers(layers.values(), False)
    return {name: [layer] if name in ("IMAGERY", "OSM") else layer for name, layer in layers.items()}


@pytest.fixture
def algorithm(provider):
    def create(name: str):
        return QgsApplication.processingRegistry().createAlgorithmById(f"fusion_mapper:{name}")

    return create


@pytest.fixture
def check(algorithm, context):
    """The sentence with which an algorithm refuses its parameters; empty when all is well."""

    def run(name: str, **parameters) -> str:
        fine, sentence = algorithm(name).checkParameterValues(parameters, context)
        assert fine == (not sentence)
        return sentence

    return run


@pytest.fixture
def collect(algorithm, context):
    def run(name: str, **parameters):
        return algorithm(name).collect(parameters, context)

    return run


@pytest.fixture
def place_of(collect, engine_python, ears, tmp_path):
    """The place as the job has it, with what is no file copied into the test's folder."""

    def run(name: str, **parameters):
        return make_place(collect(name, **parameters).place, tmp_path, Engine(engine_python), FeedbackListener(ears))

    return run


def test_layers_and_labels_become_a_place(place_of, amazon):
    place = place_of("train", **amazon)
    assert place.name == "sen2"
    assert set(place.sources) == {"imagery", "dem"}
    assert place.sources["imagery"].path == amazon["IMAGERY"][0].source()
    assert place.sources["imagery"].bands == tuple(range(1, 13))
    assert (place.labels.path, place.labels.field) == (amazon["LABELS"].source(), "class")


def test_what_is_collected_is_a_job_that_the_engine_reads(collect, place_of, amazon, tmp_path):
    collected = collect("train", **amazon, EPOCHS=3, STEPS=2, CHIP=32, BATCH=4, SEED=7, VARIANTS=["int8"])
    data = to_dict(collected.job)
    data.update(places=[to_dict(place_of("train", **amazon))], folder=str(tmp_path))
    job = learnjob_from_dict(LearnJob, json.loads(json.dumps(data)))
    assert (job.name, job.strategy, job.network.architecture) == ("amazon", "stack", "unet-small")
    assert (job.training.epochs, job.training.steps, job.training.chip, job.training.seed) == (3, 2, 32, 7)
    assert job.variants == ("int8",)


def test_nothing_chosen_takes_the_usual_settings(collect, amazon):
    usual = LearnJob("amazon", (), "")
    job = collect("train", **amazon).job
    assert (job.training, job.network, job.task) == (usual.training, usual.network, usual.task)


def test_the_model_is_called_after_the_labels_when_no_name_is_given(collect, amazon):
    amazon["LABELS"].setName("my classes (2023)")
    assert collect("train", **{**amazon, "NAME": ""}).job.name == "my-classes-2023"


def test_labels_in_memory_are_copied_with_their_unsaved_edits(place_of, amazon, project, tmp_path):
    layer = QgsVectorLayer("Polygon?crs=EPSG:32622&field=kind:string", "drawn", "memory")
    project.addMapLayer(layer, False)
    layer.startEditing()
    feature = QgsFeature(layer.fields())
    feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(620000, 9600000, 620100, 9600100)))
    feature.setAttributes(["forest"])
    assert layer.addFeature(feature)
    labels = place_of("train", **{**amazon, "LABELS": layer, "FIELD": "kind"}).labels
    copy = QgsVectorLayer(f"{labels.path}|layername={labels.layer}", "copy", "ogr")
    assert Path(labels.path).is_relative_to(tmp_path)
    assert [one["kind"] for one in copy.getFeatures()] == ["forest"]


def test_a_filter_of_the_labels_goes_along(place_of, amazon):
    amazon["LABELS"].setSubsetString("\"class\" != 'village'")
    assert place_of("train", **amazon).labels.where == "\"class\" != 'village'"


def test_only_selected_labels_are_learned_from_when_that_is_asked(place_of, amazon):
    amazon["LABELS"].selectByExpression("\"class\" = 'water'")
    labels = place_of("train", **amazon, SELECTED=True).labels
    copy = QgsVectorLayer(f"{labels.path}|layername={labels.layer}", "copy", "ogr")
    assert copy.featureCount() == amazon["LABELS"].selectedFeatureCount() > 0
    assert {one["class"] for one in copy.getFeatures()} == {"water"}


def test_a_class_raster_labels_by_its_band(place_of, amazon, shared_data):
    path = str(shared_data / "inn_valley_s2" / "mask.tif")
    raster = QgsRasterLayer(path, "mask")
    raster.dataProvider().setUserNoDataValue(1, [QgsRasterRange(3, 3)])
    labels = place_of("train", **{**amazon, "LABELS": raster, "FIELD": ""}, UNLABELLED="9, unknown").labels
    assert (labels.path, labels.band, labels.field) == (path, 1, None)
    assert labels.unlabelled == ("9", "unknown", "3")


def test_roads_without_tags_are_taken_by_their_name(place_of, loon_lake):
    place = place_of("train", **loon_lake, FIELD="BCLCS_LEVEL_4", INSTALL=False)
    (roads,) = place.sources["osm"].layers
    assert roads.tags == {"highway": "unclassified"}
    assert place.sources["imagery"].bands == (1, 2, 3, 4)


def test_a_prior_is_given_to_the_strategy_that_makes_one(collect, amazon, ears):
    amazon["PRIOR"] = [amazon["DEM"]]
    assert collect("train", **amazon, STRATEGY="proc-stack").place.slots[-1].name == "prior"


def test_the_prior_is_given_the_vectors_that_are_added_to_it(place_of, loon_lake):
    loon_lake["PRIOR"] = loon_lake["IMAGERY"]
    place = place_of("train", **loon_lake, FIELD="BCLCS_LEVEL_4", STRATEGY="proc-stack", INSTALL=False)
    assert place.sources["prior"].bands == (1,)
    assert place.sources["prior"].layers == place.sources["osm"].layers != ()


def test_a_slot_line_binds_bands_and_further_rasters(place_of, amazon):
    dem = amazon.pop("DEM")
    text = f"imagery={amazon['IMAGERY'][0].id()}:4,3,2,8; height={dem.id()}"
    place = place_of("train", **{**amazon, "IMAGERY": []}, SLOTS=text)
    assert place.sources["imagery"].bands == (4, 3, 2, 8)
    assert place.sources["height"].path == dem.source()


def test_the_radiometry_goes_along(place_of, amazon):
    assert place_of("train", **amazon, RADIOMETRY="imagery=to-dn").sources["imagery"].dn_scale == 10000


@pytest.mark.parametrize("strategy", ["vit", "token-fuse", "token-control"])
def test_a_strategy_that_is_a_transformer_has_its_network(collect, amazon, strategy):
    assert collect("train", **amazon, STRATEGY=strategy).job.network.architecture == "vit"


def test_units_and_range_are_a_regressions(collect, amazon):
    told = {**amazon, "UNITS": "%", "RANGE": "0,100"}
    assert collect("train", **told).job.range is None
    regression = collect("train", **told, TASK="pixel-regression").job
    assert (regression.units, regression.range) == ("%", (0.0, 100.0))


def test_fields_need_no_field(check, amazon):
    assert check("train", **{**amazon, "FIELD": "", "TASK": "field-boundaries"}) == ""


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"IMAGERY": []}, "IMAGERY is empty; choose the imagery that the model is to see."),
        ({"FIELD": ""}, "FIELD is empty; choose the field of 'polygons' that holds the labels: fid, class."),
        ({"FIELD": "kind"}, "The labels 'polygons' have no field 'kind'; their fields are fid, class."),
        ({"STRATEGY": "proc-stack"}, "The strategy proc-stack needs a coarse class raster; choose it under PRIOR."),
        ({"STRATEGY": "compress", "ARCHITECTURE": "vit"}, "stands before a convolutional network"),
        ({"WEIGHTS": "/nowhere/resnet.pth"}, "WEIGHTS is '/nowhere/resnet.pth', which is no file"),
        ({"TASK": "pixel-regression", "RANGE": "5,5"}, "write the least and the greatest value, as in 0,100"),
        ({"SLOTS": "height=polygons"}, "SLOTS binds the vector layer 'polygons' to 'height'"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_read(check, amazon, wrong, sentence):
    assert sentence in check("train", **{**amazon, **wrong})


def test_lines_are_no_labels(check, amazon, loon_lake):
    assert "'roads' are lines; choose polygons, points or a class raster" in check(
        "train", **{**amazon, "LABELS": loon_lake["OSM"][0]}
    )


def test_a_name_that_is_taken_is_told_before_the_training(check, amazon, tmp_path, monkeypatch):
    from fusion_mapper.models.library import STARTERS
    from fusion_mapper.toolbox import settings

    (tmp_path / "amazon").mkdir()
    for ending in (".onnx", ".json"):
        source = (STARTERS / "landcover-rgb-1m").with_suffix(ending)
        (tmp_path / "amazon" / f"amazon{ending}").write_bytes(source.read_bytes())
    settings.set_library_folder(tmp_path)
    try:
        told = check("train", **{**amazon, "INSTALL": True})
        assert told == "A model 'amazon' is installed already; choose another NAME, or set REPLACE."
        assert check("train", **{**amazon, "INSTALL": True}, REPLACE=True) == ""
        assert check("train", **amazon) == ""
    finally:
        settings.set_library_folder(None)


def test_a_comparison_has_shares_seeds_and_a_place_that_no_training_sees(collect, amazon, loon_lake):
    second = {f"{name}_2": layer for name, layer in loon_lake.items()}
    first = {**loon_lake, "FIELD": "BCLCS_LEVEL_4"}
    collected = collect("compare", **first, **second, STRATEGIES=["stack", "imagery"], FRACTIONS=".1, 1", SEEDS=2)
    assert collected.job.fractions == (1.0, 0.1)
    assert collected.job.seeds == (1, 2)
    assert set(collected.job.strategies) == {"stack", "imagery"}
    assert (collected.place.name, collected.unseen.name) == ("landsat", "landsat, unseen")
    assert [slot.name for slot in collected.unseen.slots] == ["imagery", "osm"]


def test_an_unseen_place_without_labels_is_refused(check, amazon):
    told = check("compare", **amazon, STRATEGIES=["imagery"], IMAGERY_2=amazon["IMAGERY"])
    assert told == "LABELS_2 is empty; choose the layer with what is known on the ground."


def test_a_prior_is_needed_in_both_places(check, amazon):
    first = {**amazon, "PRIOR": [amazon["DEM"]]}
    second = {"IMAGERY_2": amazon["IMAGERY"], "LABELS_2": amazon["LABELS"]}
    told = check("compare", **first, **second, STRATEGIES=["proc-stack"])
    assert told.endswith("choose it under PRIOR_2.")


@pytest.mark.parametrize("text", ["1, half", "0", "1.5", ""])
def test_what_is_no_share_is_refused(text):
    with pytest.raises(RequestError, match="FRACTIONS names"):
        parse_fractions(text)


def test_chips_have_a_size_and_a_step(collect, amazon):
    job = collect(
        "exportchips", **amazon, SIZE=64, STRIDE=32, LABELLED=False, FOLDER=QgsProcessing.TEMPORARY_OUTPUT
    ).job
    assert (job.size, job.stride, job.labelled) == (64, 32, False)


def test_an_evaluation_judges_a_map_or_a_model_and_not_both(check, amazon, models):
    judged = {"LABELS": amazon["LABELS"], "FIELD": "class"}
    model = str(models / "tiny-landcover.onnx")
    told = "Choose either a MAP to judge, or a MODEL with its layers."
    assert check("evaluate", **judged) == told
    assert check("evaluate", **judged, MAP=amazon["DEM"], MODEL=model) == told
    assert check("evaluate", **judged, MAP=amazon["DEM"]) == ""
    assert "MAP_BAND is 2, and the last band of 'srtm' is 1" in check(
        "evaluate", **judged, MAP=amazon["DEM"], MAP_BAND=2
    )


def test_an_evaluation_takes_the_models_task(collect, amazon, models):
    model = str(models / "tiny-regression.onnx")
    chosen = {"LABELS": amazon["LABELS"], "FIELD": "class", "MODEL": model, "IMAGERY": amazon["IMAGERY"] * 2}
    assert collect("evaluate", **chosen).job.task == "pixel-regression"
    judged = {"LABELS": amazon["LABELS"], "FIELD": "class", "MAP": amazon["DEM"]}
    assert collect("evaluate", **judged).job.task == "semantic-segmentation"


def test_classes_are_named_with_value_and_colour_or_without(collect, amazon):
    text = "10:water #2B6CB0; dry out\nforest #117733"
    assert collect("train", **amazon, CLASSES=text).job.classes == (
        ClassInfo(10, "water", "#2b6cb0"),
        ClassInfo(2, "dry out"),
        ClassInfo(3, "forest", "#117733"),
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("water; Water", "CLASSES has the name 'water' twice"),
        ("2:water; forest", "CLASSES has the value '2' twice"),
        ("#112233", "CLASSES has the line '#112233', which cannot be read; write it like 1:water #2b6cb0."),
    ],
)
def test_classes_that_cannot_be_told_apart_are_refused(check, amazon, text, sentence):
    assert sentence in check("train", **amazon, CLASSES=text)
