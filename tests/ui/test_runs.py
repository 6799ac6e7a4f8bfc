"""Runs of a starter model on a small piece of the Swellendam image, through the dock and the real engine."""

from __future__ import annotations

import os
import subprocess

import pytest
from fusion_mapper.models.card import read_sidecar
from fusion_mapper.models.library import STARTERS
from fusion_mapper.ui.dock import FusionDock
from fusion_mapper.ui.runs.model import RunState
from qgis.core import QgsRasterLayer, QgsRectangle
from qgis.gui import QgsFileWidget, QgsMessageBarItem
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import (
    QAbstractButton,
    QAction,
    QComboBox,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QRadioButton,
)

LANDCOVER = STARTERS / "landcover-rgb-1m.onnx"
#: West, south, east, north in degrees: about 300 m × 300 m with buildings.
CLIP = QgsRectangle(20.5190, -34.0345, 20.5222, -34.0318)
#: Milliseconds within which the engine answers on a slow machine.
PATIENCE = 90_000


@pytest.fixture
def panel(window, provider, tmp_path, aerial, elevation, roads, buildings):
    """The dock with the land-cover starter and a small piece of the layers on the map."""
    window.mapCanvas().setDestinationCrs(aerial.crs())
    window.mapCanvas().setExtent(CLIP)
    dock = FusionDock(window, window.mainWindow())
    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
    dock.findChild(QgsFileWidget, "FusionMapperFolder").setFilePath(str(tmp_path))
    dock.model.open_file(LANDCOVER)
    yield dock
    dock.close_down()


@pytest.fixture
def dock(qtbot, panel):
    """The dock, ready to be run."""
    qtbot.waitUntil(button(panel, "RunButton").isEnabled)
    return panel


@pytest.fixture
def no_engine(monkeypatch, tmp_path):
    """An engine is named that is not there."""
    monkeypatch.setenv("FUSION_MAPPER_ENGINE", str(tmp_path / "python"))


def button(dock, name: str) -> QAbstractButton:
    return dock.findChild(QAbstractButton, "FusionMapper" + name)


def ended(qtbot, dock, number: int = 1):
    """The run, once it has ended."""
    qtbot.waitUntil(lambda: not dock.runs.run(number).active, timeout=PATIENCE)
    return dock.runs.run(number)


def engines() -> list[str]:
    """The engine's processes that this process started."""
    found = subprocess.run(["ps", "-ww", "-o", "args=", "--ppid", str(os.getpid())], capture_output=True, text=True)
    return [line for line in found.stdout.splitlines() if "inference" in line]


def test_a_run_ends_in_a_group_of_styled_layers(qtbot, dock, project):
    button(dock, "RunButton").click()
    run = ended(qtbot, dock)
    assert (run.state, run.sentence) == (RunState.FINISHED, "")
    (group,) = project.layerTreeRoot().findGroups()
    assert group.name().startswith("Land cover")
    layers = {node.name(): node.layer() for node in group.findLayers()}
    assert list(layers) == ["Polygons", "Map"]
    named = {info.value: info.name for info in read_sidecar(LANDCOVER.with_suffix(".json")).outputs[0].classes}
    assert {entry.value: entry.label for entry in layers["Map"].renderer().classes()} == named
    assert values(layers["Map"]) <= set(named) | {255}
    assert layers["Polygons"].featureCount() > 0


def values(layer: QgsRasterLayer) -> set[int]:
    block = layer.dataProvider().block(1, layer.extent(), layer.width(), layer.height())
    return {int(block.value(row, column)) for row in range(layer.height()) for column in range(layer.width())}


def test_each_run_has_a_folder_of_its_own(qtbot, dock, tmp_path):
    for number in (1, 2):
        button(dock, "RunButton").click()
        assert ended(qtbot, dock, number).state is RunState.FINISHED
    folders = {dock.runs.run(number).request.folder for number in (1, 2)}
    assert len(folders) == 2
    assert all(folder.parent == tmp_path and (folder / "classes.tif").is_file() for folder in folders)


def test_a_second_run_waits_for_the_first(qtbot, dock):
    button(dock, "RunButton").click()
    button(dock, "RunButton").click()
    assert [run.state for run in dock.runs.runs()] == [RunState.RUNNING, RunState.WAITING]
    button(dock, "RunCancel_2").click()
    assert dock.runs.run(2).state is RunState.CANCELLED
    assert ended(qtbot, dock).state is RunState.FINISHED


def test_cancel_ends_the_run_and_the_engine(qtbot, dock, project):
    dock.findChild(QRadioButton, "FusionMapperAreaWhole").click()
    button(dock, "RunButton").click()
    qtbot.waitUntil(lambda: dock.runs.run(1).percent > 0, timeout=PATIENCE)
    button(dock, "RunCancel_1").click()
    run = ended(qtbot, dock)
    assert run.state is RunState.CANCELLED
    assert [engine for engine in engines() if not engine.endswith(" serve")] == []
    assert not (run.request.folder / "classes.tif").exists()
    assert project.layerTreeRoot().findGroups() == []


def test_the_message_bar_follows_the_run(qtbot, dock, window):
    dock.findChild(QRadioButton, "FusionMapperAreaWhole").click()
    button(dock, "RunButton").click()
    bar = window.messageBar()
    qtbot.waitUntil(lambda: bar.findChild(QProgressBar, "FusionMapperBannerProgress").value() > 0, timeout=PATIENCE)
    bar.findChild(QPushButton, "FusionMapperBannerCancel").click()
    assert ended(qtbot, dock).state is RunState.CANCELLED
    qtbot.waitUntil(lambda: bar.findChild(QgsMessageBarItem, "FusionMapperBanner") is None)


def test_a_run_goes_on_when_its_item_is_closed(qtbot, dock, window):
    button(dock, "RunButton").click()
    window.messageBar().clearWidgets()
    assert ended(qtbot, dock).state is RunState.FINISHED


def test_what_the_engine_refuses_is_told_in_its_words(qtbot, dock, window, tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"this is no graph")
    broken.with_suffix(".json").write_text(LANDCOVER.with_suffix(".json").read_text())
    dock.model.open_file(broken)
    qtbot.waitUntil(button(dock, "RunButton").isEnabled)
    button(dock, "RunButton").click()
    run = ended(qtbot, dock)
    assert run.state is RunState.FAILED
    assert "broken.onnx" in run.sentence
    assert dock.findChild(QLabel, "FusionMapperRunText_1").text() == run.sentence
    item = window.messageBar().currentItem()
    assert run.sentence in item.text()
    item.findChild(QPushButton, "FusionMapperBannerDetails").click()
    assert run.sentence in dock.findChild(QPlainTextEdit, "FusionMapperRunLogText").toPlainText()


def test_refused_parameters_are_told_and_the_next_run_starts(qtbot, dock, tmp_path):
    gone = tmp_path / "gone.onnx"
    gone.write_bytes(b"")
    gone.with_suffix(".json").write_text(LANDCOVER.with_suffix(".json").read_text())
    dock.model.open_file(gone)
    qtbot.waitUntil(button(dock, "RunButton").isEnabled)
    gone.unlink()
    button(dock, "RunButton").click()
    assert dock.runs.run(1).state is RunState.FAILED
    assert "gone.onnx" in dock.runs.run(1).sentence
    dock.model.open_file(LANDCOVER)
    button(dock, "RunButton").click()
    assert ended(qtbot, dock, 2).state is RunState.FINISHED


def test_a_run_that_outlives_its_project_waits_to_be_added_to_the_next(qtbot, dock, project):
    button(dock, "RunButton").click()
    assert dock.runs.run(1).state is RunState.RUNNING
    project.clear()
    assert ended(qtbot, dock).state is RunState.FINISHED
    assert project.layerTreeRoot().findGroups() == []
    button(dock, "RunAddToMap_1").click()
    (group,) = project.layerTreeRoot().findGroups()
    assert [node.name() for node in group.findLayers()] == ["Polygons", "Map"]
    assert not button(dock, "RunAddToMap_1").isVisible()


def test_an_ended_run_can_be_taken_out_of_the_list(qtbot, dock):
    button(dock, "RunButton").click()
    ended(qtbot, dock)
    dock.findChild(QAction, "FusionMapperRunForget_1").trigger()
    assert dock.runs.runs() == []
    qtbot.waitUntil(lambda: dock.findChild(QLabel, "FusionMapperRunText_1") is None)


def test_closing_down_ends_a_run_and_its_engine(qtbot, dock):
    dock.findChild(QRadioButton, "FusionMapperAreaWhole").click()
    button(dock, "RunButton").click()
    qtbot.waitUntil(lambda: dock.runs.run(1).percent > 0, timeout=PATIENCE)
    dock.close_down()
    qtbot.waitUntil(lambda: not dock.runs.working(), timeout=PATIENCE)
    qtbot.waitUntil(lambda: engines() == [], timeout=PATIENCE)


def test_the_engine_says_what_it_runs_on(qtbot, dock):
    line = dock.findChild(QLabel, "FusionMapperEngine")
    qtbot.waitUntil(lambda: line.text().startswith("Engine ready · "), timeout=PATIENCE)
    assert "CPU" in line.text() or "CUDA" in line.text()


def test_after_a_run_the_line_names_the_device_and_why_it_is_not_the_one_asked_for(qtbot, dock):
    devices = dock.findChild(QComboBox, "FusionMapperDevice")
    devices.setCurrentIndex(devices.findData("cuda"))
    button(dock, "RunButton").click()
    assert ended(qtbot, dock).state is RunState.FINISHED
    line = dock.findChild(QLabel, "FusionMapperEngine")
    assert line.text().startswith("Engine ready · ")
    assert "CUDA" in line.text() + line.toolTip()


def test_an_engine_that_is_not_there_is_told(qtbot, no_engine, panel):
    reason = panel.findChild(QLabel, "FusionMapperReason")
    qtbot.waitUntil(lambda: "FUSION_MAPPER_ENGINE" in reason.text(), timeout=PATIENCE)
    assert not button(panel, "RunButton").isEnabled()


def test_an_engine_that_was_set_up_meanwhile_is_found_when_the_dock_is_reopened(qtbot, monkeypatch, no_engine, panel):
    qtbot.waitUntil(lambda: bool(panel.engine.problem), timeout=PATIENCE)
    monkeypatch.undo()
    panel.hide()
    panel.show()
    qtbot.waitUntil(lambda: not panel.engine.problem, timeout=PATIENCE)
    qtbot.waitUntil(button(panel, "RunButton").isEnabled)
