"""Results as layers: starter models on real layers, loaded and styled."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fusion_mapper.inference.record import read_record
from fusion_mapper.toolbox.models import choose_model
from fusion_mapper.toolbox.products import natural_products, possible_products
from fusion_mapper.toolbox.results.project import (
    ProductFinisher,
    RunLabel,
    add_run_to_project,
    map_parameters,
    run_title,
)
from fusion_mapper.toolbox.results.run_layers import run_folder_of
from fusion_mapper.toolbox.results.styles import style_layer
from qgis import processing
from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
    QgsFillSymbol,
    QgsMapLayerLegendUtils,
    QgsRasterFileWriter,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.PyQt.QtGui import QColor

TOWN = "20.5160,20.5180,-34.0310,-34.0295 [EPSG:4326]"


@pytest.fixture
def inn(shared_data, project):
    layer = QgsRasterLayer(str(shared_data / "inn_valley_s2" / "inference-img.tif"), "Inn valley")
    project.addMapLayer(layer, False)
    return layer


def test_a_models_kind_says_what_it_can_make():
    assert natural_products(choose_model("landcover-rgb-1m").card) == ("classes",)
    assert natural_products(choose_model("fields-10m").card) == ("fields",)
    assert natural_products(choose_model("treecover-10m").card) == ("regression",)
    assert "fields" not in possible_products(choose_model("landcover-rgb-1m").card)
    assert "classes" not in possible_products(choose_model("treecover-10m").card)


def test_fields_of_two_dates_are_parcels_in_one_group(provider, engine_python, inn, context, ears, project, tmp_path):
    model = choose_model("fields-10m")
    x, y = inn.extent().center().x(), inn.extent().center().y()
    parameters = map_parameters(
        model.path,
        imagery=[inn],
        products={"fields": str(tmp_path / "fields.gpkg"), "summary": str(tmp_path / "summary.csv")},
        EXTENT=f"{x},{x + 1500},{y},{y + 1500} [EPSG:32633]",
    )
    results = processing.run("fusion_mapper:map", parameters, context=context, feedback=ears)
    group = add_run_to_project(results, model.card, run_title(model.card, inn.name()))
    (node,) = group.children()
    assert node.name() == "Fields"
    assert node.layer().featureCount() > 0
    assert isinstance(node.layer().renderer().symbol(), QgsFillSymbol)
    assert (tmp_path / "summary.csv").read_text().count("\n") > 1
    assert any("bands 5, 6, 7, 8 of 'Inn valley'" in text for text in ears.said)


def test_two_outputs_that_make_the_same_product_have_a_layer_each(
    provider, engine_python, models, swellendam, context, ears, project, tmp_path
):
    """The second output's classes come under a name of their own, in their own colours, also through Processing."""
    card = choose_model(str(models / "tiny-two-heads.onnx")).card
    parameters = map_parameters(
        models / "tiny-two-heads.onnx", imagery=[swellendam["aerial"]], FOLDER=str(tmp_path), EXTENT=TOWN
    )
    results = processing.run("fusion_mapper:map", parameters, context=context, feedback=ears)
    assert (Path(results["CLASSES"]).name, Path(results["CLASSES:red"]).name) == ("classes.tif", "classes_red.tif")
    group = add_run_to_project(results, card, "Two heads")
    first, second = group.children()
    assert (first.name(), second.name()) == ("Map", "Map, Red")
    assert [entry.color.name() for entry in second.layer().renderer().classes()] == ["#eeeeee", "#cc2222"]
    assert [figures.output for figures in read_record(tmp_path).areas] == ["Light", "Red"]


def test_a_result_says_how_it_was_made_and_knows_its_run(
    provider, engine_python, swellendam, context, ears, project, tmp_path
):
    products = {"classes": str(tmp_path / "classes.tif"), "confidence": str(tmp_path / "confidence.tif")}
    parameters = map_parameters(
        "landcover-rgb-1m",
        imagery=[swellendam["aerial"]],
        osm=[swellendam["roads"]],
        products=products,
        FOLDER=str(tmp_path / "run"),
        EXTENT=TOWN,
    )
    processing.runAndLoadResults("fusion_mapper:map", parameters, feedback=ears, context=context)
    (group,) = project.layerTreeRoot().children()
    assert group.name().startswith("Land cover, 3420B (")
    for node in group.children():
        metadata = node.layer().metadata()
        history = "\n".join(metadata.history())
        for fact in ("Layer for imagery: 3420B; EPSG:4326; 2.5", "Layer for osm: roads", "Settings: ", "sha256:"):
            assert fact in history
        assert any("OpenStreetMap" in line for line in metadata.rights())
        assert metadata.licenses() == ["CC0-1.0"]
        assert metadata.crs().authid() == "EPSG:4326"
        assert metadata.extent().spatialExtents()[0].bounds.toRectangle() == node.layer().extent()
        assert run_folder_of(node.layer()) == tmp_path / "run"
    captions = [QgsMapLayerLegendUtils.legendNodeUserLabel(node, 0) for node in group.children()]
    assert captions == ["Land cover", "Confidence"]


@pytest.mark.parametrize("product", ["confidence", "entropy", "probabilities"])
def test_shares_run_from_nothing_to_all_whatever_the_pixels_hold(project, tmp_path, product):
    layer = _result(product, tmp_path)
    style_layer(layer, product, choose_model("landcover-rgb-1m").card)
    renderer = layer.renderer()
    assert (renderer.classificationMin(), renderer.classificationMax(), renderer.usesBands()) == (0, 1, [1])
    low, high = (renderer.shader().rasterShaderFunction().colorRampItemList()[at].color for at in (0, -1))
    assert high.lightness() > low.lightness() + 50


def test_parcels_are_outlined_in_the_colour_of_boundaries(project, tmp_path):
    card = choose_model("fields-10m").card
    layer = _result("polygons", tmp_path)
    style_layer(layer, "fields", card)
    colors = {info.value: QColor(info.color) for info in card.outputs[0].classes}
    symbol = layer.renderer().symbol().symbolLayer(0)
    assert symbol.strokeColor() == colors[card.outputs[0].boundary]
    assert symbol.fillColor().rgb() == colors[card.outputs[0].field].rgb()
    assert symbol.fillColor().alpha() < 128


def test_values_have_their_units_in_the_legend_and_nodata_is_transparent(project, tmp_path):
    card = choose_model("treecover-10m").card
    layer = _result("regression", tmp_path)
    layer.dataProvider().setNoDataValue(1, 0)
    style_layer(layer, "regression", card)
    shader = layer.renderer().shader().rasterShaderFunction()
    assert shader.legendSettings().suffix() == " %"
    block = layer.renderer().block(1, layer.extent(), 2, 2)
    assert QColor.fromRgba(block.color(0, 0)).alpha() == 0


def test_two_runs_of_one_minute_have_a_group_each(provider, engine_python, inn, context, ears, project):
    x, y = inn.extent().center().x(), inn.extent().center().y()
    parameters = map_parameters(
        "fields-10m", imagery=[inn], products={"classes": None}, EXTENT=f"{x},{x + 300},{y},{y + 300} [EPSG:32633]"
    )
    for _ in range(2):
        processing.runAndLoadResults("fusion_mapper:map", dict(parameters), feedback=ears, context=context)
    groups = project.layerTreeRoot().children()
    assert [len(group.children()) for group in groups] == [1, 1]


def test_layers_stand_in_order_wherever_qgis_put_them_first(context, ears, project, tmp_path):
    """In the window, the second layer is put beside the first, into the run's group, before it is styled."""
    label = RunLabel(choose_model("landcover-rgb-1m").card, "Land cover")
    root = project.layerTreeRoot()
    for product in ("classes", "confidence", "entropy", "polygons"):
        layer = _result(product, tmp_path)
        project.addMapLayer(layer, False)
        (root.findGroups() or [root])[0].insertLayer(0, layer)
        ProductFinisher(product, label).postProcessLayer(layer, context, ears)
    (group,) = root.children()
    assert [node.name() for node in group.children()] == ["Polygons", "Map", "Confidence", "Entropy"]
    assert [node.isExpanded() for node in group.children()] == [True, True, False, False]


def test_a_layer_whose_file_was_overwritten_shows_the_new_one(context, ears, project, tmp_path):
    """Processing answers a layer that the project already has, and it moves from the old run's group to the new's."""
    card = choose_model("landcover-rgb-1m").card
    layer = _result("classes", tmp_path)
    project.addMapLayer(layer)
    ProductFinisher("classes", RunLabel(card, "First")).postProcessLayer(layer, context, ears)
    (tmp_path / "new").mkdir()
    written = _result("classes", tmp_path / "new", size=5).source()
    os.replace(written, layer.source())
    ProductFinisher("classes", RunLabel(card, "Second")).postProcessLayer(layer, context, ears)
    assert (layer.width(), layer.dataProvider().xSize()) == (5, 5)
    (group,) = project.layerTreeRoot().children()
    assert (group.name(), [node.name() for node in group.children()]) == ("Second", ["Map"])


def _result(product: str, folder, size: int = 2):
    if product == "polygons":
        return QgsVectorLayer("Polygon?crs=EPSG:4326&field=class:int", product, "memory")
    path = str(folder / f"{product}.tif")
    provider = QgsRasterFileWriter(path).createOneBandRaster(
        Qgis.DataType.Byte, size, size, QgsRectangle(20, -35, 21, -34), QgsCoordinateReferenceSystem("EPSG:4326")
    )
    del provider  # closes the file
    return QgsRasterLayer(path, product)
