"""The dock's inputs with the real engine: a wrong unit is told and mended, and a damaged layer is told before a run."""

from __future__ import annotations

import pytest
from fusion_mapper.models.library import STARTERS
from fusion_mapper.ui.dock import FusionDock
from fusion_mapper.ui.inputs.band_dialog import BandDialog
from fusion_mapper.ui.inputs.preflight import Level
from qgis.core import QgsRasterLayer, QgsVectorLayer
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QComboBox, QLabel, QPushButton, QToolButton

PATIENCE = 60_000


@pytest.fixture
def dock(qtbot, window, provider, project):
    dock = FusionDock(window, window.mainWindow())
    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
    dock.show()
    yield dock
    dock.close_down()


@pytest.fixture
def told(qtbot, dock):
    """Waits until the row of a slot says something, or anything else than before."""

    def wait(slot: str, text: str) -> None:
        label = f"FusionMapperVerdict_{slot}"
        qtbot.waitUntil(lambda: text in dock.findChild(QLabel, label).text(), timeout=PATIENCE)

    return wait


def test_reflectance_for_a_model_of_numbers_is_told_and_mended_by_hand(
    qtbot, dock, told, project, shared_data, look_at
):
    scene = QgsRasterLayer(str(shared_data / "amazon_s2" / "sen2.tif"), "sen2")
    project.addMapLayer(scene)
    look_at(scene)
    dock.model.open_file(STARTERS / "treecover-10m.onnx")
    told("imagery", "not what the model was trained with. Choose “Reflectance 0 to 1, made DN (× 10 000)” in Bands…")
    qtbot.mouseClick(dock.findChild(QToolButton, "FusionMapperBands_imagery"), Qt.MouseButton.LeftButton)
    dialog = dock.findChild(BandDialog)
    combo = dialog.findChild(QComboBox, "FusionMapperRadiometry")
    combo.setCurrentText("Reflectance 0 to 1, made DN (× 10 000)")
    dialog.accept()
    imagery = dock.slots.rows()[0]
    qtbot.waitUntil(lambda: not dock._settled.isActive() and not dock.check.working(), timeout=PATIENCE)
    qtbot.waitUntil(lambda: imagery.verdict.level is Level.FITS, timeout=PATIENCE)
    assert dock.findChild(QLabel, "FusionMapperVerdict_imagery").text() == "Reflectance 0 to 1, made DN (× 10 000)"
    assert dock._request().parameters["RADIOMETRY"] == "imagery=to-dn"


def test_a_damaged_layer_is_told_before_the_run_and_forgiven_once_it_may_be_skipped(
    qtbot, dock, told, project, swellendam, aerial, look_at
):
    project.addMapLayer(QgsVectorLayer(str(swellendam / "rivers.shp"), "rivers", "ogr"))
    look_at(aerial)
    dock.model.open_file(STARTERS / "landcover-rgb-1m.onnx")
    told("osm", "'rivers.shp' is damaged: repair it, or choose Skip and count under More, Unreadable data.")
    assert "shape 12" in dock.findChild(QLabel, "FusionMapperSign_osm").toolTip()
    run = dock.findChild(QPushButton, "FusionMapperRunButton")
    qtbot.waitUntil(lambda: not run.isEnabled(), timeout=PATIENCE)
    dock.findChild(QComboBox, "FusionMapperUnreadable").setCurrentText("Skip and count")
    qtbot.waitUntil(run.isEnabled, timeout=PATIENCE)
    assert dock.slots.rows()[1].verdict.level is not Level.CANNOT


def test_a_hidden_panel_asks_nothing(qtbot, dock, aerial, look_at):
    dock.hide()
    look_at(aerial)
    dock.model.open_file(STARTERS / "landcover-rgb-1m.onnx")
    dock._on_settled()
    assert not dock.check._quiet.isActive()
    dock.show()
    qtbot.waitUntil(lambda: dock.check._quiet.isActive() or dock.check.working(), timeout=PATIENCE)
