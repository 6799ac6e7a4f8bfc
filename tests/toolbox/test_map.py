"""``fusion_mapper:map`` from real layers to loaded, styled results, through the real engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from fusion_mapper.models.library import find_model
from fusion_mapper.toolbox.layers.attribution import attribution_of
from fusion_mapper.toolbox.results.project import add_run_to_project, map_parameters, run_title
from qgis import processing
from qgis.core import (
    QgsFeature,
    QgsGeometry,
    QgsProcessingAlgRunnerTask,
    QgsProcessingException,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterRasterLayer,
    QgsRasterBandStats,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)

#: 200 m around a street corner inside the aerial tile: xmin, xmax, ymin, ymax.
TOWN = "20.5220,20.5245,-34.0490,-34.0470 [EPSG:4326]"


@pytest.fixture
def landcover(models, swellendam):
    """Parameters of a small land-cover run."""
    return {
        "MODEL": str(models / "tiny-landcover.onnx"),
        "IMAGERY": [swellendam["aerial"]],
        "OSM": [swellendam["roads"], swellendam["buildings"]],
        "DEM": swellendam["srtm"],
        "EXTENT": TOWN,
    }


@pytest.fixture
def trees(models, shared_data, project):
    """Parameters of a small regression of two dates that stand in one file."""
    layer = QgsRasterLayer(str(shared_data / "inn_valley_s2" / "inference-img.tif"), "inn")
    project.addMapLayer(layer, False)
    return {
        "MODEL": str(models / "tiny-regression.onnx"),
        "SLOTS": "imagery_spring=inn:1,4; imagery_summer=inn:5,8",
    }


def values_of(layer: QgsRasterLayer) -> set[int]:
    block = layer.dataProvider().block(1, layer.extent(), layer.width(), layer.height())
    return {int(block.value(row, column)) for row in range(layer.height()) for column in range(layer.width())}


def test_a_class_map_of_real_layers(provider, landcover, context, ears, tmp_path):
    path = tmp_path / "classes.tif"
    results = processing.run("fusion_mapper:map", {**landcover, "CLASSES": str(path)}, context=context, feedback=ears)
    assert results["CLASSES"] == str(path)
    layer = QgsRasterLayer(str(path))
    assert layer.crs().authid() == "EPSG:4326"
    assert values_of(layer) == {1, 2, 3}
    assert ears.progress() == 100


def test_without_a_chosen_product_the_natural_one_is_made_and_told(provider, trees, context, ears, tmp_path):
    results = processing.run("fusion_mapper:map", {**trees, "FOLDER": str(tmp_path)}, context=context, feedback=ears)
    assert Path(results["REGRESSION"]) == tmp_path / "regression.tif"
    assert any("The results (regression) go to" in text for text in ears.said)
    layer = QgsRasterLayer(results["REGRESSION"])
    stats = layer.dataProvider().bandStatistics(1, QgsRasterBandStats.Stats.All)
    assert 0 <= stats.minimumValue < stats.maximumValue <= 100


def test_a_product_that_the_model_does_not_make_is_passed_over(provider, trees, context, ears, tmp_path):
    chosen = {"CLASSES": str(tmp_path / "c.tif"), "REGRESSION": str(tmp_path / "r.tif")}
    results = processing.run("fusion_mapper:map", {**trees, **chosen}, context=context, feedback=ears)
    assert "CLASSES" not in results
    assert not (tmp_path / "c.tif").exists()
    assert (tmp_path / "r.tif").exists()
    assert any("makes no classes" in text for text in ears.said)


def test_the_engines_sentence_is_the_error(provider, landcover, context, ears, tmp_path):
    nowhere = QgsVectorLayer("Polygon?crs=EPSG:4326", "nowhere", "memory")
    square = QgsFeature()
    square.setGeometry(QgsGeometry.fromRect(QgsRectangle(0, 0, 1, 1)))
    nowhere.dataProvider().addFeature(square)
    chosen = {**landcover, "AREA": nowhere, "CLASSES": str(tmp_path / "c.tif")}
    with pytest.raises(QgsProcessingException) as problem:
        processing.run("fusion_mapper:map", chosen, context=context, feedback=ears)
    assert str(problem.value) == "grid.area lies outside the extent to be mapped."
    assert not (tmp_path / "c.tif").exists()


def test_staged_layers_give_the_same_pixels_as_files(provider, landcover, swellendam, context, ears, tmp_path):
    processing.run(
        "fusion_mapper:map", {**landcover, "CLASSES": str(tmp_path / "files.tif")}, context=context, feedback=ears
    )
    memory = [_in_memory(layer) for layer in landcover["OSM"]]
    processing.run(
        "fusion_mapper:map",
        {**landcover, "OSM": memory, "CLASSES": str(tmp_path / "memory.tif")},
        context=context,
        feedback=ears,
    )
    files, staged = (QgsRasterLayer(str(tmp_path / f"{name}.tif")) for name in ("files", "memory"))
    assert values_of(files) == {1, 2, 3}
    assert _bytes_of(files) == _bytes_of(staged)


def test_loaded_results_are_styled_from_the_card_in_one_group(provider, landcover, context, ears, project, tmp_path):
    chosen = {name: str(tmp_path / f"{name}.tif") for name in ("CLASSES", "CONFIDENCE")}
    chosen["POLYGONS"] = str(tmp_path / "parcels.gpkg")
    processing.runAndLoadResults("fusion_mapper:map", {**landcover, **chosen}, feedback=ears, context=context)
    (group,) = project.layerTreeRoot().children()
    assert group.name().startswith("Tiny land cover, 3420B (")
    assert [node.name() for node in group.children()] == ["Polygons", "Map", "Confidence"]
    assert [node.itemVisibilityChecked() for node in group.children()] == [True, True, False]
    polygons, classes, confidence = (node.layer() for node in group.children())
    assert [(c.value, c.color.name(), c.label) for c in classes.renderer().classes()] == [
        (1, "#113355", "Dark"),
        (2, "#ddccaa", "Bright"),
        (3, "#cc2222", "Road"),
    ]
    assert [(c.value(), c.label()) for c in polygons.renderer().categories()] == [
        (1, "Dark"),
        (2, "Bright"),
        (3, "Road"),
    ]
    assert {feature[polygons.renderer().classAttribute()] for feature in polygons.getFeatures()} == {1, 2, 3}
    assert confidence.renderer().classificationMax() == 1.0
    assert "For tests." in classes.metadata().abstract()
    assert "OpenStreetMap contributors" in " ".join(classes.metadata().rights())


def test_the_window_loads_the_natural_product_when_the_default_does_not_fit(provider, trees, context, ears, project):
    processing.runAndLoadResults(
        "fusion_mapper:map", {**trees, "CLASSES": "TEMPORARY_OUTPUT"}, feedback=ears, context=context
    )
    (group,) = project.layerTreeRoot().children()
    (node,) = group.children()
    shader = node.layer().renderer().shader().rasterShaderFunction()
    assert (shader.minimumValue(), shader.maximumValue()) == (0, 100)
    assert shader.colorRampItemList()[-1].label == "100 %"


def test_the_dock_s_way_runs_in_the_background(
    provider, landcover, models, swellendam, context, ears, project, qtbot, tmp_path
):
    parameters = map_parameters(
        models / "tiny-landcover.onnx",
        imagery=landcover["IMAGERY"],
        osm=landcover["OSM"],
        dem=landcover["DEM"],
        products={"classes": str(tmp_path / "classes.tif")},
        EXTENT=TOWN,
    )
    task = QgsProcessingAlgRunnerTask(provider.algorithm("map"), parameters, context, ears)
    with qtbot.waitSignal(task.executed, timeout=120000) as done:
        from qgis.core import QgsApplication

        QgsApplication.taskManager().addTask(task)
    fine, results = done.args
    assert fine
    card = find_model((), str(models / "tiny-landcover.onnx")).card
    group = add_run_to_project(results, card, run_title(card, "3420B"))
    assert [node.name() for node in group.children()] == ["Map"]
    assert "OpenStreetMap contributors" in attribution_of(group.children()[0].layer())


def test_a_cancelled_run_leaves_nothing(provider, landcover, context, ears, tmp_path):
    ears.cancel()
    algorithm = provider.algorithm("map").create()
    path = tmp_path / "classes.tif"
    results, _ = algorithm.run({**landcover, "CLASSES": str(path)}, context, ears)
    assert results == {}
    assert not path.exists()


def test_the_map_is_a_step_of_a_model(provider, landcover, context, ears, project, tmp_path):
    model = _model_with_map(landcover)
    fine, _ = model.checkParameterValues({"aerial": landcover["IMAGERY"][0]}, context)
    assert fine
    path = str(tmp_path / "classes.tif")
    results = processing.runAndLoadResults(
        model, {"aerial": landcover["IMAGERY"][0], "step:map": path}, feedback=ears, context=context
    )
    assert results["step:map"] == path
    (group,) = project.layerTreeRoot().children()
    assert [c.label for c in group.children()[0].layer().renderer().classes()] == ["Dark", "Bright", "Road"]


def _model_with_map(landcover: dict[str, object]) -> QgsProcessingModelAlgorithm:
    source = QgsProcessingModelChildParameterSource
    model = QgsProcessingModelAlgorithm("model", "tests")
    model.addModelParameter(QgsProcessingParameterRasterLayer("aerial"), QgsProcessingModelParameter("aerial"))
    step = QgsProcessingModelChildAlgorithm("fusion_mapper:map")
    step.setChildId("step")
    step.addParameterSources("IMAGERY", [source.fromModelParameter("aerial")])
    step.addParameterSources("OSM", [source.fromStaticValue(layer.id()) for layer in landcover["OSM"]])
    for name in ("MODEL", "EXTENT"):
        step.addParameterSources(name, [source.fromStaticValue(landcover[name])])
    output = QgsProcessingModelOutput("map")
    output.setChildOutputName("CLASSES")
    output.setChildId("step")
    step.setModelOutputs({"map": output})
    model.addChildAlgorithm(step)
    model.updateDestinationParameters()
    return model


def _in_memory(layer: QgsVectorLayer) -> QgsVectorLayer:
    from qgis.core import QgsFeatureRequest

    return layer.materialize(QgsFeatureRequest())


def _bytes_of(layer: QgsRasterLayer) -> bytes:
    # The block must outlive its data, which it only lends.
    block = layer.dataProvider().block(1, layer.extent(), layer.width(), layer.height())
    return bytes(block.data())


def test_a_real_run_stops_in_mid_work(provider, landcover, context, ears, tmp_path):
    """The whole aerial tile at half a metre would take minutes; it is cancelled at the first sign of progress."""
    ears.progressChanged.connect(lambda percent: percent > 0 and ears.cancel())
    path = tmp_path / "classes.tif"
    everything = {name: value for name, value in landcover.items() if name != "EXTENT"}
    algorithm = provider.algorithm("map").create()
    results, _ = algorithm.run({**everything, "RESOLUTION": 0.5, "CLASSES": str(path)}, context, ears)
    assert results == {}
    assert not path.exists()
    assert not ears.errors
