"""The area: visible, whole, drawn with the mouse, polygons and their selection; and the size of a pixel."""

from __future__ import annotations

import pytest
from fusion_mapper.ui.area.picker import AreaPicker
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsFeature,
    QgsGeometry,
    QgsProcessingFeatureSourceDefinition,
    QgsProject,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.gui import QgsDoubleSpinBox, QgsMapLayerComboBox, QgsMapToolPan, QgsRubberBand
from qgis.PyQt.QtCore import QPoint, Qt
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QAbstractButton, QLabel

DEGREES = QgsCoordinateReferenceSystem("EPSG:4326")


@pytest.fixture
def picker(qtbot, window, aerial, look_at):
    """The picker on a canvas that shows all of the aerial image."""
    look_at(aerial)
    picker = AreaPicker(window.mapCanvas())
    qtbot.addWidget(picker)
    picker.set_layer(aerial)
    picker.show()
    yield picker
    picker.close_down()


@pytest.fixture
def fields(project) -> QgsVectorLayer:
    """Two squares, the second one selected; the first lies outside the imagery."""
    layer = QgsVectorLayer("Polygon?crs=EPSG:4326", "fields", "memory")
    for west, south in ((19.0, -34.0), (20.51, -34.04)):
        feature = QgsFeature()
        feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(west, south, west + 0.005, south + 0.005)))
        layer.dataProvider().addFeature(feature)
    layer.updateExtents()
    layer.select(sorted(layer.allFeatureIds())[1])
    project.addMapLayer(layer)
    return layer


def click(picker, name: str) -> None:
    QTest.mouseClick(picker.findChild(QAbstractButton, "FusionMapperArea" + name), Qt.MouseButton.LeftButton)


def drag(canvas, start: QPoint, end: QPoint) -> None:
    """Press, move and release on the canvas."""
    left = Qt.MouseButton.LeftButton
    QTest.mousePress(canvas.viewport(), left, Qt.KeyboardModifier.NoModifier, start)
    QTest.mouseMove(canvas.viewport(), (start + end) / 2)
    QTest.mouseMove(canvas.viewport(), end)
    QTest.mouseRelease(canvas.viewport(), left, Qt.KeyboardModifier.NoModifier, end)


def frames(canvas) -> list[QgsRubberBand]:
    return [item for item in canvas.scene().items() if isinstance(item, QgsRubberBand) and item.isVisible()]


def estimate(picker) -> str:
    return picker.findChild(QLabel, "FusionMapperAreaEstimate").text()


def test_the_visible_map_is_taken_within_the_imagery(picker, window, aerial):
    whole = picker.extent()
    window.mapCanvas().setExtent(aerial.extent().buffered(-0.005))
    assert picker.extent().area() < whole.area()
    assert picker.parameters() == {"EXTENT": picker.extent(), "AREA": None, "RESOLUTION": None}


def test_the_whole_imagery_names_no_extent(picker, window):
    window.mapCanvas().setExtent(QgsRectangle(10, 50, 10.1, 50.1))
    assert "shows nothing of the imagery" in picker.problem()
    click(picker, "Whole")
    assert picker.problem() == ""
    assert picker.parameters() == {"EXTENT": None, "AREA": None, "RESOLUTION": None}


def test_a_rectangle_is_drawn_with_the_mouse(qtbot, picker, window):
    canvas = window.mapCanvas()
    pan = QgsMapToolPan(canvas)
    canvas.setMapTool(pan)
    click(picker, "Draw")
    assert picker.problem() == "Draw the area on the map."
    center = QPoint(canvas.width() // 2, canvas.height() // 2)
    corners = center - QPoint(20, 30), center + QPoint(20, 30)
    with qtbot.waitSignal(picker.area_changed):
        drag(canvas, *corners)
    to_map = canvas.getCoordinateTransform()
    first, second = (to_map.toMapCoordinates(corner.x(), corner.y()) for corner in corners)
    drawn, pixel = picker.extent(), canvas.mapUnitsPerPixel()
    assert (drawn.xMinimum(), drawn.yMaximum()) == pytest.approx((first.x(), first.y()), abs=pixel)
    assert (drawn.xMaximum(), drawn.yMinimum()) == pytest.approx((second.x(), second.y()), abs=pixel)
    assert picker.parameters()["EXTENT"] == drawn
    assert canvas.mapTool() is pan
    assert not picker.findChild(QAbstractButton, "FusionMapperAreaDraw").isChecked()


def test_esc_stops_drawing_and_the_former_tool_returns(picker, window):
    canvas = window.mapCanvas()
    pan = QgsMapToolPan(canvas)
    canvas.setMapTool(pan)
    click(picker, "Draw")
    assert canvas.mapTool() is not pan
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert canvas.mapTool() is pan
    assert not picker.findChild(QAbstractButton, "FusionMapperAreaDraw").isChecked()


def test_another_tool_ends_drawing(picker, window):
    canvas = window.mapCanvas()
    click(picker, "Draw")
    pan = QgsMapToolPan(canvas)
    canvas.setMapTool(pan)
    assert not picker.findChild(QAbstractButton, "FusionMapperAreaDraw").isChecked()
    assert canvas.mapTool() is pan


def test_the_drawn_frame_is_seen_while_it_counts_and_stays_on_its_ground(picker, window):
    canvas = window.mapCanvas()
    click(picker, "Draw")
    drag(canvas, QPoint(canvas.width() // 2 - 20, 200), QPoint(canvas.width() // 2 + 20, 260))
    (frame,) = frames(canvas)
    before, rectangle = frame.asGeometry().boundingBox(), picker.extent()
    click(picker, "Visible")
    assert frames(canvas) == []
    click(picker, "Drawn")
    canvas.setDestinationCrs(QgsCoordinateReferenceSystem("EPSG:32734"))
    (frame,) = frames(canvas)
    there = QgsCoordinateTransform(DEGREES, canvas.mapSettings().destinationCrs(), QgsProject.instance())
    moved = there.transform(before.center())
    assert frame.asGeometry().boundingBox().center().distance(moved) < 5
    assert picker.extent() == rectangle


def test_nothing_stays_on_the_canvas(qtbot, window, aerial, look_at):
    look_at(aerial)
    canvas = window.mapCanvas()
    before, picker = len(canvas.scene().items()), AreaPicker(canvas)
    picker.set_layer(aerial)
    click(picker, "Draw")
    drag(canvas, QPoint(100, 100), QPoint(160, 160))
    click(picker, "Draw")
    tool = canvas.mapTool()
    picker.close_down()
    qtbot.waitUntil(lambda: len(canvas.scene().items()) == before)
    assert canvas.mapTool() is not tool


def test_selected_polygons_are_the_area(picker, fields):
    click(picker, "Polygons")
    parameter = picker.parameters()["AREA"]
    assert isinstance(parameter, QgsProcessingFeatureSourceDefinition)
    assert (parameter.source.staticValue(), parameter.selectedFeaturesOnly) == (fields.id(), True)
    assert picker.extent().width() == pytest.approx(0.005, abs=1e-4)
    assert picker.parameters()["EXTENT"] is None


def test_a_selection_is_what_is_most_likely_meant(picker, fields, buildings):
    combo = picker.findChild(QgsMapLayerComboBox, "FusionMapperAreaLayer")
    combo.setLayer(buildings)
    click(picker, "Polygons")
    assert combo.currentLayer() == fields
    combo.setLayer(buildings)
    assert picker.parameters()["AREA"] == buildings.id()


def test_all_polygons_are_the_area_when_the_selection_does_not_count(qtbot, picker, fields):
    click(picker, "Polygons")
    with qtbot.waitSignal(picker.area_changed):
        click(picker, "Selected")
    assert picker.parameters()["AREA"] == fields.id()
    click(picker, "Selected")
    with qtbot.waitSignal(picker.area_changed):
        fields.removeSelection()
    assert picker.problem() == "No feature of fields is selected; select some or take all."
    fields.select(sorted(fields.allFeatureIds())[0])
    assert picker.problem() == "The polygons lie outside the imagery; choose others."


def test_a_polygon_layer_may_go(picker, fields, project):
    click(picker, "Polygons")
    project.removeMapLayer(fields.id())
    assert picker.problem() == "The project has no polygon layer; add one or choose another area."
    assert picker.parameters()["AREA"] is None


def test_the_resolution_is_the_models_unless_set(qtbot, picker, aerial):
    box = picker.findChild(QgsDoubleSpinBox, "FusionMapperResolution")
    picker.show_estimate(1.0)
    assert (picker.resolution(), picker.gsd(1.0), box.text()) == (None, 1.0, "Model's own (1 m)")
    with qtbot.waitSignal(picker.area_changed):
        box.setValue(5)
    picker.show_estimate(1.0)
    assert (picker.parameters()["RESOLUTION"], picker.gsd(1.0)) == (5, 5)
    assert "at 5 m · 0.85 Mpx" in estimate(picker)
    box.clear()
    assert picker.resolution() is None
    picker.show_estimate(None)
    assert box.text() == "Imagery's own (2.5 m)"


def test_the_engines_figures_stand_until_the_area_changes(picker, window, aerial):
    picker.show_estimate(2.5)
    quick = estimate(picker)
    picker.show_report({"tiles": 1234, "seconds": 75.0, "disk": 45_000_000})
    assert estimate(picker) == f"{quick}\n1,234 tiles · about 1 min 15 s · 42.9 MB"
    picker.show_estimate(2.5)
    assert "1,234 tiles" in estimate(picker)
    picker.show_report({"tiles": 1})
    assert estimate(picker) == f"{quick}\n1 tile"
    window.mapCanvas().setExtent(aerial.extent().buffered(-0.005))
    picker.show_estimate(2.5)
    assert "tiles" not in estimate(picker)


def test_a_disk_that_is_too_small_is_told_before_the_run(qtbot, picker, tmp_path):
    picker.show_estimate(2.5)
    picker.set_place(tmp_path / "not" / "yet" / "there")
    picker.show_report({"disk": 1000})
    assert "free" not in estimate(picker)
    picker.show_report({"disk": 10**18})
    qtbot.waitUntil(lambda: "are free where the results go; choose another folder" in estimate(picker))
