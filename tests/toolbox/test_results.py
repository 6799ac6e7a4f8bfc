"""Results as layers: starter models on real layers, loaded and styled."""

from __future__ import annotations

import os

import pytest
from fusion_mapper.toolbox.models import choose_model
from fusion_mapper.toolbox.products import natural_products, possible_products
from fusion_mapper.toolbox.results import ProductFinisher, RunLabel, add_run_to_project, map_parameters, run_title
from qgis import processing
from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
    QgsFillSymbol,
    QgsRasterFileWriter,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)


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
