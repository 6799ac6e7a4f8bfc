"""The area and the resolution that are chosen on the panel are those of the map that the engine makes."""

from __future__ import annotations

from pathlib import Path

import pytest
from fusion_mapper.models.library import STARTERS
from fusion_mapper.ui.dock import FusionDock
from fusion_mapper.ui.runs.model import RunState
from fusion_mapper.ui.shared.ground import pixel_size
from qgis.core import QgsFeature, QgsGeometry, QgsProcessingUtils, QgsRasterLayer, QgsRectangle, QgsVectorLayer
from qgis.gui import QgsDoubleSpinBox
from qgis.PyQt.QtCore import QPoint, Qt
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QAbstractButton, QDoubleSpinBox

#: West, south, east, north in degrees: about 300 m × 300 m with buildings.
CLIP = QgsRectangle(20.5190, -34.0345, 20.5222, -34.0318)
PATIENCE = 90_000
NODATA = 255


@pytest.fixture
def dock(qtbot, window, provider, aerial):
    window.mapCanvas().setDestinationCrs(aerial.crs())
    window.mapCanvas().setExtent(CLIP)
    dock = FusionDock(window, window.mainWindow())
    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
    dock.model.open_file(STARTERS / "landcover-rgb-1m.onnx")
    button(dock, "Temporary").click()
    button(dock, "Product_polygons").setChecked(False)
    qtbot.waitUntil(button(dock, "RunButton").isEnabled, timeout=PATIENCE)
    yield dock
    dock.close_down()


def button(dock, name: str) -> QAbstractButton:
    return dock.findChild(QAbstractButton, "FusionMapper" + name)


def mapped(qtbot, dock) -> QgsRasterLayer:
    """The class map of a run with what the panel says."""
    qtbot.waitUntil(button(dock, "RunButton").isEnabled, timeout=PATIENCE)
    button(dock, "RunButton").click()
    run = dock.runs.runs()[-1]
    qtbot.waitUntil(lambda: not run.active, timeout=PATIENCE)
    assert (run.state, run.sentence) == (RunState.FINISHED, ""), (run.messages, run.warnings, run.request.parameters)
    return QgsRasterLayer(run.results["CLASSES"])


def share_mapped(layer: QgsRasterLayer) -> float:
    block = layer.dataProvider().block(1, layer.extent(), layer.width(), layer.height())
    count = layer.width() * layer.height()
    empty = sum(
        block.isNoData(row, column) or block.value(row, column) == NODATA
        for row in range(layer.height())
        for column in range(layer.width())
    )
    return 1 - empty / count


def test_a_drawn_area_at_a_chosen_resolution_into_a_temporary_folder(qtbot, dock, window):
    canvas = window.mapCanvas()
    button(dock, "AreaDraw").click()
    left, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    center = QPoint(canvas.width() // 2, canvas.height() // 2)
    QTest.mousePress(canvas.viewport(), left, keys, center - QPoint(60, 40))
    QTest.mouseMove(canvas.viewport(), center)
    QTest.mouseMove(canvas.viewport(), center + QPoint(60, 40))
    QTest.mouseRelease(canvas.viewport(), left, keys, center + QPoint(60, 40))
    dock.findChild(QgsDoubleSpinBox, "FusionMapperResolution").setValue(2)
    layer = mapped(qtbot, dock)
    wanted, pixel = dock.area.extent(), layer.rasterUnitsPerPixelX()
    assert pixel_size(layer) == pytest.approx(2, rel=0.01)
    assert layer.extent().buffered(pixel / 100).contains(wanted)
    assert wanted.buffered(1.01 * pixel).contains(layer.extent())
    assert Path(QgsProcessingUtils.tempFolder()) in Path(layer.source()).parents


def test_selected_polygons_and_a_least_confidence(qtbot, dock, project):
    squares = QgsVectorLayer("Polygon?crs=EPSG:4326", "squares", "memory")
    for west in (20.5190, 20.5200, 20.5210):
        feature = QgsFeature()
        corner = QgsGeometry.fromWkt(
            f"Polygon(({west} -34.033, {west + 0.001} -34.033, {west} -34.032, {west} -34.033))"
        )
        feature.setGeometry(corner)
        squares.dataProvider().addFeature(feature)
    squares.updateExtents()
    project.addMapLayer(squares)
    squares.select(sorted(squares.allFeatureIds())[1])
    button(dock, "AreaPolygons").click()
    layer = mapped(qtbot, dock)
    box, pixel = squares.boundingBoxOfSelected(), layer.rasterUnitsPerPixelX()
    assert box.buffered(1.01 * pixel).contains(layer.extent())
    assert share_mapped(layer) == pytest.approx(0.5, abs=0.05)
    dock.findChild(QDoubleSpinBox, "FusionMapperLeastConfidence").setValue(100)
    assert share_mapped(mapped(qtbot, dock)) < 0.1
