"""AREA: polygons of a layer, or those that are selected in it, limit the map."""

from __future__ import annotations

from pathlib import Path

import pytest
from fusion_mapper.inference.errors import SourceError
from fusion_mapper.toolbox.layers.sources import describe, selected_features
from fusion_mapper.toolbox.layers.staging import Stage, stage_vector
from qgis import processing
from qgis.core import (
    QgsCoordinateTransform,
    QgsCoordinateTransformContext,
    QgsFeature,
    QgsGeometry,
    QgsProcessingException,
    QgsProcessingFeatureSourceDefinition,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)

NODATA = 255


@pytest.fixture
def squares(project) -> QgsVectorLayer:
    """Three squares of about 200 m in the imagery, the second of which is selected."""
    layer = QgsVectorLayer("Polygon?crs=EPSG:4326", "squares", "memory")
    for west in (20.512, 20.517, 20.522):
        feature = QgsFeature()
        feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(west, -34.034, west + 0.002, -34.032)))
        layer.dataProvider().addFeature(feature)
    project.addMapLayer(layer, False)
    layer.select(sorted(layer.allFeatureIds())[1])
    return layer


@pytest.fixture
def landcover(models, swellendam) -> dict[str, object]:
    """Parameters of a small land-cover run on all of the imagery, at ten metres."""
    return {"MODEL": str(models / "tiny-landcover.onnx"), "IMAGERY": [swellendam["aerial"]], "RESOLUTION": 10.0}


@pytest.fixture
def mapped(provider, landcover, context, ears, tmp_path):
    """The map of an area, and which of its pixels are mapped."""

    def run(area: object) -> tuple[QgsRasterLayer, int]:
        path = tmp_path / "classes.tif"
        chosen = {**landcover, "AREA": area, "CLASSES": str(path)}
        processing.run("fusion_mapper:map", chosen, context=context, feedback=ears)
        layer = QgsRasterLayer(str(path))
        block = layer.dataProvider().block(1, layer.extent(), layer.width(), layer.height())
        cells = [(row, column) for row in range(layer.height()) for column in range(layer.width())]
        return layer, sum(block.value(*cell) not in (0, NODATA) for cell in cells)

    return run


def pixel_area(layer: QgsRasterLayer) -> float:
    return layer.rasterUnitsPerPixelX() * layer.rasterUnitsPerPixelY()


def test_only_what_is_selected_is_mapped(mapped, squares):
    layer, pixels = mapped(QgsProcessingFeatureSourceDefinition(squares.id(), True))
    wanted = squares.boundingBoxOfSelected()
    pixel = layer.rasterUnitsPerPixelX()
    assert layer.extent().contains(wanted.buffered(-pixel))
    assert layer.extent().width() < wanted.width() + 2 * pixel
    assert pixels == pytest.approx(wanted.width() * wanted.height() / pixel_area(layer), rel=0.05)


@pytest.mark.parametrize("whole", [lambda layer: layer, lambda layer: layer.id(), lambda layer: layer.name()])
def test_all_of_a_layer_is_mapped_whatever_is_selected(mapped, squares, whole):
    layer, pixels = mapped(whole(squares))
    area = sum(feature.geometry().area() for feature in squares.getFeatures())
    assert pixels == pytest.approx(area / pixel_area(layer), rel=0.05)


def test_a_file_is_an_area_too(mapped, shared_data, swellendam):
    farms = swellendam["farms"]
    layer, pixels = mapped(str(shared_data / "swellendam" / "farms_33S.shp"))
    there = QgsCoordinateTransform(farms.crs(), layer.crs(), QgsProject.instance())
    assert pixels > 0
    assert there.transformBoundingBox(farms.extent()).buffered(0.001).contains(layer.extent())


def test_nothing_selected_is_told(mapped, squares):
    squares.removeSelection()
    with pytest.raises(QgsProcessingException, match="No feature of 'squares' is selected"):
        mapped(QgsProcessingFeatureSourceDefinition(squares.id(), True))


def test_a_limit_is_refused_and_not_passed_over(mapped, squares):
    with pytest.raises(QgsProcessingException, match="AREA has a filter or limit of its own"):
        mapped(QgsProcessingFeatureSourceDefinition(squares.id(), False, 1))


def test_a_layer_and_what_is_selected_in_it_are_staged_side_by_side(squares, tmp_path):
    stage = Stage(tmp_path, QgsCoordinateTransformContext(), lambda: False, lambda _text: None, lambda _text: None)
    first = stage_vector(selected_features(squares), stage)
    squares.select(sorted(squares.allFeatureIds())[0])
    second = stage_vector(selected_features(squares), stage)
    whole = stage_vector(describe(squares), stage)
    counts = [QgsVectorLayer(f"{staged.path}|layername=features").featureCount() for staged in (first, second, whole)]
    assert counts == [1, 2, 3]
    assert len({Path(staged.path) for staged in (first, second, whole)}) == 3


def test_selected_features_need_a_selection(squares):
    squares.removeSelection()
    with pytest.raises(SourceError):
        selected_features(squares)
