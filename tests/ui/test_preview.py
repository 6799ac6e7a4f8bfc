"""Preview and live blocks through the dock and the real engine, on a small piece of the Swellendam image."""

from __future__ import annotations

import math
import sys
import tempfile
from pathlib import Path

import pytest
from fusion_mapper.models.card import read_sidecar
from fusion_mapper.models.library import STARTERS
from fusion_mapper.models.palette import class_color
from fusion_mapper.toolbox.engine.warm import WarmEngine
from fusion_mapper.toolbox.settings import SHOW_BLOCKS
from fusion_mapper.ui.dock import FusionDock
from fusion_mapper.ui.preview.preview import LIMIT, PreviewState, middle_of, preview_text
from fusion_mapper.ui.runs.model import RunState
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsFeatureRequest,
    QgsRasterLayer,
    QgsRectangle,
    QgsReferencedRectangle,
)
from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QAbstractButton, QLabel

sys.path.insert(0, str(Path(__file__).parents[1] / "toolbox"))
from tile_server import TileServer

LANDCOVER = STARTERS / "landcover-rgb-1m.onnx"
#: West, south, east, north in degrees: about 300 m × 300 m with buildings.
CLIP = QgsRectangle(20.5190, -34.0345, 20.5222, -34.0318)
#: Milliseconds within which the engine answers on a slow machine.
PATIENCE = 90_000


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """The system's folder for temporary files, empty to begin with."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def blocks_are_wanted():
    """As in a new profile, whatever other tests have left in the settings."""
    before = SHOW_BLOCKS.read()
    SHOW_BLOCKS.write(True)
    yield
    SHOW_BLOCKS.write(before)


@pytest.fixture
def dock(qtbot, blocks_are_wanted, window, provider, temporary, tmp_path, aerial, elevation, roads, buildings):
    """The dock with the land-cover starter and a small piece of the layers on the map, ready to be run."""
    window.mapCanvas().setDestinationCrs(aerial.crs())
    window.mapCanvas().setExtent(CLIP)
    dock = FusionDock(window, window.mainWindow())
    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
    dock.findChild(QgsFileWidget, "FusionMapperFolder").setFilePath(str(tmp_path / "runs"))
    dock.model.open_file(LANDCOVER)
    qtbot.waitUntil(button(dock, "RunButton").isEnabled, timeout=PATIENCE)
    yield dock
    dock.close_down()


def button(dock, name: str) -> QAbstractButton:
    return dock.findChild(QAbstractButton, "FusionMapper" + name)


def said(dock) -> str:
    return dock.findChild(QLabel, "FusionMapperPreviewText").text()


def settled(qtbot, dock) -> PreviewState:
    """How the preview ended; its task has let go of everything."""
    qtbot.waitUntil(lambda: dock.preview.state is not PreviewState.WORKING, timeout=PATIENCE)
    qtbot.waitUntil(lambda: not dock.preview.working(), timeout=PATIENCE)
    return dock.preview.state


def traces(folder: Path) -> list[str]:
    """Files of a preview: the folder of the dock's check is another matter."""
    return [str(path) for path in folder.rglob("*") if path.suffix in (".png", ".npz", ".tif", ".json")]


def drawn(window) -> set[str]:
    """Colours of the model's classes that are seen on the canvas, through the overlay's opacity."""
    card = read_sidecar(LANDCOVER.with_suffix(".json"))
    image = window.mapCanvas().grab().toImage()
    pixels = {
        image.pixelColor(x, y).getRgb()[:3] for x in range(0, image.width(), 3) for y in range(0, image.height(), 3)
    }
    found = set()
    for place, info in enumerate(card.outputs[0].classes):
        color = tuple(bytes.fromhex(class_color(info, place)[1:]))
        # The canvas is white below, since no layer is drawn in it here.
        expected = [0.8 * part + 0.2 * 255 for part in color]
        if any(math.dist(expected, pixel) < 4 for pixel in pixels):
            found.add(info.name)
    return found


def test_a_preview_is_seen_and_leaves_nothing_behind(qtbot, dock, window, project, temporary):
    layers = set(project.mapLayers())
    window.mapCanvas().setLayers([])
    button(dock, "PreviewButton").click()
    assert button(dock, "PreviewButton").text() == "&Stop"
    assert settled(qtbot, dock) is PreviewState.SHOWN
    assert button(dock, "PreviewButton").text() == "&Preview"
    assert said(dock) == "Preview of the visible map"
    assert "impervious" in drawn(window)
    assert traces(temporary) == []
    assert set(project.mapLayers()) == layers
    assert dock.runs.runs() == []
    button(dock, "PreviewClear").click()
    assert drawn(window) == set()
    assert dock.findChild(QLabel, "FusionMapperPreviewText").isHidden() or not dock._preview_line.isVisible()


def test_a_preview_that_is_stopped_leaves_nothing_behind(qtbot, dock, temporary):
    button(dock, "PreviewButton").click()
    button(dock, "PreviewButton").click()
    assert settled(qtbot, dock) is PreviewState.NONE
    assert traces(temporary) == []


def test_an_engine_that_dies_is_told_and_leaves_nothing_behind(qtbot, dock, temporary, tmp_path):
    program = tmp_path / "dying.py"
    program.write_text("import os, sys\nsys.stdin.readline()\nos._exit(7)\n")
    dock.preview._engine = WarmEngine(program=program)
    button(dock, "PreviewButton").click()
    assert settled(qtbot, dock) is PreviewState.FAILED
    assert "without a" in said(dock)
    assert traces(temporary) == []
    dock.preview._engine.close_down()


def test_a_preview_goes_with_the_model_and_with_a_run(qtbot, dock):
    for leave in (lambda: dock.model.open_file(STARTERS / "landcover-rgbn-1m.onnx"), None):
        button(dock, "PreviewButton").click()
        assert settled(qtbot, dock) is PreviewState.SHOWN
        assert dock.preview.overlay.count() > 0
        if leave is not None:
            leave()
            dock.model.open_file(LANDCOVER)
            qtbot.waitUntil(button(dock, "PreviewButton").isEnabled, timeout=PATIENCE)
        else:
            button(dock, "RunButton").click()
        assert dock.preview.state is PreviewState.NONE
        assert dock.preview.overlay.count() == 0
    qtbot.waitUntil(lambda: not dock.runs.runs()[-1].active, timeout=PATIENCE)


def test_memory_layers_are_staged_as_in_a_run(qtbot, dock, project, roads, temporary):
    memory = roads.materialize(QgsFeatureRequest())
    memory.setName("roads in memory")
    project.removeMapLayer(roads.id())
    project.addMapLayer(memory)
    qtbot.waitUntil(lambda: memory in dock.slots.rows()[1].layers())
    button(dock, "PreviewButton").click()
    assert settled(qtbot, dock) is PreviewState.SHOWN
    assert dock.preview.overlay.count() > 0
    assert traces(temporary) == []


def test_a_map_service_is_drawn_as_in_a_run(qtbot, dock, project, aerial, temporary):
    server = TileServer()
    project.removeMapLayer(aerial.id())
    project.addMapLayer(QgsRasterLayer(server.uri, "Tiles", "wms"))
    dock.slots.rows()[0].choose(project.mapLayersByName("Tiles"))
    qtbot.waitUntil(button(dock, "PreviewButton").isEnabled, timeout=PATIENCE)
    button(dock, "PreviewButton").click()
    assert settled(qtbot, dock) is PreviewState.SHOWN
    assert dock.preview.overlay.count() > 0
    assert server.asked
    assert traces(temporary) == []
    server.close()


def test_the_preview_needs_imagery_in_view_whatever_the_area_is(qtbot, dock, window):
    button(dock, "AreaWhole").click()
    window.mapCanvas().setExtent(QgsRectangle(10, 50, 10.1, 50.1))
    qtbot.waitUntil(lambda: not button(dock, "PreviewButton").isEnabled())
    assert "shows nothing of the imagery" in button(dock, "PreviewButton").toolTip()
    assert button(dock, "RunButton").isEnabled()


def test_finished_blocks_are_seen_until_the_layers_are_there(qtbot, dock, window, project):
    window.mapCanvas().setLayers([])
    overlay = dock.live_blocks.overlay
    button(dock, "RunButton").click()
    with qtbot.waitSignal(overlay.picture_shown, timeout=PATIENCE):
        pass
    assert "impervious" in drawn(window)
    run = dock.runs.runs()[-1]
    qtbot.waitUntil(lambda: not run.active, timeout=PATIENCE)
    assert run.state is RunState.FINISHED
    qtbot.waitUntil(lambda: overlay.count() == 0, timeout=PATIENCE)
    assert list(run.request.folder.rglob("*.png")) == []


def test_blocks_are_hidden_where_the_user_does_not_want_them(qtbot, dock):
    button(dock, "ShowBlocks").click()
    assert SHOW_BLOCKS.read() is False
    shown = []
    dock.live_blocks.overlay.picture_shown.connect(lambda: shown.append(1))
    button(dock, "RunButton").click()
    qtbot.waitUntil(lambda: not dock.runs.runs()[-1].active, timeout=PATIENCE)
    assert shown == []


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(500, 800, (500, 800)), (4000, 4000, (2000, 2000)), (500, 80_000, (500, 8000)), (90_000, 400, (10_000, 400))],
)
def test_a_large_map_is_previewed_in_its_middle(width, height, expected):
    utm = QgsCoordinateReferenceSystem("EPSG:32733")
    area = QgsReferencedRectangle(QgsRectangle(500_000, 6_200_000, 500_000 + width, 6_200_000 + height), utm)
    middle = middle_of(area, 1.0)
    assert (middle.width(), middle.height()) == pytest.approx(expected, rel=0.01)
    assert middle.center().distance(area.center()) < 1
    assert middle.width() * middle.height() <= LIMIT * 1.01
    assert ("the middle" in preview_text(middle, area)) == (middle != area)


def test_a_map_service_without_pixels_of_its_own_is_previewed_at_the_models():
    area = QgsReferencedRectangle(QgsRectangle(0, 0, 1, 1), QgsCoordinateReferenceSystem("EPSG:4326"))
    assert middle_of(area, None) == area
    assert middle_of(area, 10.0) != area
