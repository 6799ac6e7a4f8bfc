"""Layers and files may be called anything: what looks like markup is shown as it is written."""

from __future__ import annotations

import pytest
from fusion_mapper.models.library import STARTERS
from fusion_mapper.ui.dock import FusionDock
from fusion_mapper.ui.runs.model import RunState
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QLabel, QPushButton, QTextBrowser, QWidget
from run_desk import PATIENCE

NAME = 'a <b>bold</b> & "%1" {x} <img src="file:///nowhere.png">\nחדש'


@pytest.fixture
def dock(qtbot, window, provider, aerial):
    window.mapCanvas().setDestinationCrs(aerial.crs())
    dock = FusionDock(window, window.mainWindow())
    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
    dock.model.open_file(STARTERS / "landcover-rgb-1m.onnx")
    yield dock
    dock.close_down()


def assert_no_markup(shown: QWidget) -> None:
    """No tool tip and no label under `shown` lets Qt make anything of the name."""
    for widget in (shown, *shown.findChildren(QWidget)):
        tip = widget.toolTip()
        assert "<b>bold" not in tip and "<img" not in tip, (widget.objectName(), tip)
        if isinstance(widget, QLabel) and "<b>bold" in widget.text():
            assert widget.textFormat() == Qt.TextFormat.PlainText, (widget.objectName(), widget.text())


def test_a_layers_name_is_shown_as_it_is_written(qtbot, dock, window, aerial, elevation, roads):
    for layer in (aerial, elevation, roads):
        layer.setName(NAME)
    run = dock.findChild(QPushButton, "FusionMapperRunButton")
    window.mapCanvas().setExtent(aerial.extent())
    dock.model.open_file(STARTERS / "landcover-rgb-1m.onnx")
    qtbot.waitUntil(run.isEnabled, timeout=PATIENCE)
    assert_no_markup(dock)
    # A name that stands in a sentence about what keeps the run from being made.
    aerial.setDataSource("/nowhere/<b>bold</b>.tif", NAME, "gdal")
    dock.model.open_file(STARTERS / "landcover-rgb-1m.onnx")
    qtbot.wait(500)
    assert_no_markup(dock)


def test_a_runs_name_and_sentence_are_shown_as_they_are_written(qtbot, desk, request_for, window, tmp_path):
    (tmp_path / "runs").write_text("a file where a folder should be")
    request = request_for("<b>bold</b>")
    run = desk.runs.start(request)
    qtbot.waitUntil(lambda: run.state is RunState.FAILED, timeout=PATIENCE)
    assert "<b>bold" in run.sentence
    assert_no_markup(desk)


def test_a_message_of_the_dock_is_no_markup(qtbot, dock, window):
    dock.run_actions.trouble.emit(f"The folder {NAME} is gone.")
    shown = window.messageBar().currentItem().findChild(QTextBrowser).toPlainText()
    assert '<b>bold</b> & "%1" {x} <img' in shown
