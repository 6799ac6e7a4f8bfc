"""What an empty project is greeted with, and what stands under a starter model; with the real engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fusion_mapper.models.library import STARTERS
from fusion_mapper.toolbox.help import PAGE as HELP
from fusion_mapper.toolbox.sample import sample_folder
from fusion_mapper.ui.dock import FusionDock
from fusion_mapper.ui.options.page import PAGE
from qgis.core import QgsProject
from qgis.PyQt.QtCore import QObject, Qt, QUrl, pyqtSlot
from qgis.PyQt.QtGui import QDesktopServices
from qgis.PyQt.QtWidgets import QDialog, QLabel, QPushButton, QToolButton, QWidget

ENGINE = Path(__file__).resolve().parents[2] / ".venv-engine" / "bin" / "python"
needs_engine = pytest.mark.skipif(not ENGINE.is_file(), reason="no engine environment")
MADE = 60_000


@pytest.fixture
def dock(qtbot, window, project):
    dock = FusionDock(window, window.mainWindow())
    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
    dock.show()
    yield dock
    dock.close_down()


def part(dock, kind, name):
    return dock.findChild(kind, "FusionMapper" + name)


def press(qtbot, button) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def open_scene(qtbot, dock) -> str:
    with qtbot.waitSignal(dock.first_steps.scene_opened, timeout=MADE) as opened:
        press(qtbot, part(dock, QPushButton, "OpenSample"))
    return opened.args[-1]


def test_an_empty_project_is_greeted_with_three_sentences(dock, aerial):
    QgsProject.instance().clear()
    assert part(dock, QWidget, "FirstSteps").isVisible()
    text = part(dock, QLabel, "Greeting").text()
    assert text.count(". ") + text.endswith(".") == 3


def test_a_project_with_layers_is_not(dock, aerial):
    assert not part(dock, QWidget, "FirstSteps").isVisible()


@needs_engine
def test_the_sample_scene_is_ready_to_be_mapped(qtbot, window, dock):
    said = open_scene(qtbot, dock)
    layers = {layer.name(): layer for layer in QgsProject.instance().mapLayers().values()}
    assert {"Aerial image (simulated)", "Roads (simulated)", "Elevation (simulated)"} <= set(layers)
    assert all("no real place" in layer.metadata().abstract() for layer in layers.values())
    root = QgsProject.instance().layerTreeRoot()
    assert root.children()[0].name() == "Simulated sample scene"
    assert not root.findLayer(layers["Elevation (simulated)"].id()).itemVisibilityChecked()
    assert not part(dock, QWidget, "FirstSteps").isVisible()
    assert "simulated in" in said
    qtbot.waitUntil(lambda: window.messageBar().currentItem() is not None)
    assert window.messageBar().currentItem().text() == said
    assert dock.model.model().name == "landcover-rgb-1m"
    imagery = layers["Aerial image (simulated)"]
    qtbot.waitUntil(lambda: window.mapCanvas().extent().contains(imagery.extent()))
    assert window.mapCanvas().mapSettings().destinationCrs() == imagery.crs()
    qtbot.waitUntil(part(dock, QPushButton, "RunButton").isEnabled, timeout=MADE)
    bound = {row.slot.name: {layer.name() for layer in row.layers()} for row in dock.slots.rows()}
    assert bound["imagery"] == {"Aerial image (simulated)"}
    assert bound["dem"] == {"Elevation (simulated)"}
    assert {"Roads (simulated)", "Buildings (simulated)"} <= bound["osm"]


@needs_engine
def test_the_scene_is_made_once(qtbot, dock):
    open_scene(qtbot, dock)
    before = (sample_folder() / "imagery.tif").stat().st_mtime_ns
    QgsProject.instance().clear()
    assert "there already" in open_scene(qtbot, dock)
    assert (sample_folder() / "imagery.tif").stat().st_mtime_ns == before


@needs_engine
def test_a_new_project_stops_the_scene_that_is_being_opened(qtbot, dock):
    QgsProject.instance().layersAdded.connect(QgsProject.instance().clear, Qt.ConnectionType.QueuedConnection)
    try:
        with qtbot.assertNotEmitted(dock.first_steps.scene_opened):
            press(qtbot, part(dock, QPushButton, "OpenSample"))
            qtbot.waitUntil(lambda: not dock.first_steps.working(), timeout=MADE)
    finally:
        QgsProject.instance().layersAdded.disconnect(QgsProject.instance().clear)
    assert not QgsProject.instance().mapLayers()
    assert part(dock, QPushButton, "OpenSample").isEnabled()


@needs_engine
def test_a_scene_that_cannot_be_written_is_told_and_can_be_tried_again(qtbot, dock):
    sample_folder().parent.mkdir(parents=True, exist_ok=True)
    sample_folder().write_text("in the way")
    button = part(dock, QPushButton, "OpenSample")
    press(qtbot, button)
    assert not button.isEnabled()
    qtbot.waitUntil(button.isEnabled, timeout=MADE)
    assert "cannot be written" in part(dock, QLabel, "SampleState").text()
    sample_folder().unlink()
    open_scene(qtbot, dock)


def test_a_starter_model_is_told_from_one_that_maps(qtbot, dock, tmp_path, landcover):
    notice = part(dock, QLabel, "ModelNotice")
    dock.model.open_file(STARTERS / "landcover-rgb-1m.onnx")
    assert notice.isVisible()
    assert notice.text().startswith("Trained on simulated landscapes")
    assert "For real imagery" in notice.text()
    assert notice in dock.model.focus_chain()
    notice.linkActivated.emit("import")
    qtbot.waitUntil(lambda: dock.findChild(QDialog, "FusionMapperImportDialog").isVisible())
    own = tmp_path / "own.onnx"
    own.write_bytes(b"")
    own.with_suffix(".json").write_text(json.dumps(landcover.to_dict()), encoding="utf-8")
    dock.model.open_file(own)
    assert "real imagery" not in notice.text()
    assert notice not in dock.model.focus_chain()


def test_the_gear_opens_the_options_on_our_page(qtbot, window, dock):
    press(qtbot, part(dock, QToolButton, "OpenOptions"))
    assert window.options_opened == [PAGE]


class Browser(QObject):
    """Takes addresses in the place of the system's browser."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[QUrl] = []

    @pyqtSlot(QUrl)
    def open(self, url: QUrl) -> None:
        self.opened.append(url)


def test_the_question_mark_opens_the_help_that_comes_with_the_plugin(qtbot, dock):
    browser = Browser()
    QDesktopServices.setUrlHandler("file", browser, "open")
    try:
        press(qtbot, part(dock, QToolButton, "Help"))
    finally:
        QDesktopServices.unsetUrlHandler("file")
    assert [url.toLocalFile() for url in browser.opened] == [str(HELP)]
    assert HELP.is_file()


def test_the_small_buttons_are_named(dock):
    for name in ("OpenOptions", "Help"):
        button = part(dock, QToolButton, name)
        assert button.accessibleName()
        assert button.toolTip()
