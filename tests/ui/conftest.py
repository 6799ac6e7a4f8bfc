"""A small window of real QGIS widgets that stands for QGIS's own, real layers, and a card that fits them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from fusion_mapper.models.card import (
    Card,
    Channel,
    ClassInfo,
    OsmRecipe,
    Output,
    Scaling,
    Slot,
    TagRule,
)
from fusion_mapper.toolbox.engine.warm import WarmEngine
from fusion_mapper.toolbox.provider import FusionMapperProvider
from fusion_mapper.toolbox.settings import set_library_folder
from fusion_mapper.ui.importer.dialog import ImportDialog
from qgis.core import QgsApplication, QgsCoordinateReferenceSystem, QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.gui import QgsMapCanvas, QgsMessageBar
from qgis.PyQt.QtWidgets import QDockWidget, QMainWindow, QMenu
from run_desk import CLIP, PATIENCE, RunDesk, run_request


class Window:
    """The part of QgisInterface that the plugin uses, on a real main window, map canvas and message bar."""

    def __init__(self) -> None:
        self._window = QMainWindow()
        self._window.resize(1280, 720)
        self._canvas = QgsMapCanvas(self._window)
        self._window.setCentralWidget(self._canvas)
        self._bar = QgsMessageBar(self._window)
        self.log_opened = 0
        self.window_actions = []
        self._menu = QMenu(self._window)
        self.options_factories = []
        self.options_opened = []
        self.drop_handlers = []
        self.active_layer = None
        self.layer_actions = {}
        """Actions of layers' context menus, with the kinds of layers and the layers that they are for."""

    def mainWindow(self) -> QMainWindow:
        return self._window

    def mapCanvas(self) -> QgsMapCanvas:
        return self._canvas

    def messageBar(self) -> QgsMessageBar:
        return self._bar

    def openMessageLog(self) -> None:
        self.log_opened += 1

    def addDockWidget(self, area, dock: QDockWidget) -> None:
        self._window.addDockWidget(area, dock)

    def removeDockWidget(self, dock: QDockWidget) -> None:
        self._window.removeDockWidget(dock)

    def registerOptionsWidgetFactory(self, factory) -> None:
        self.options_factories.append(factory)

    def unregisterOptionsWidgetFactory(self, factory) -> None:
        self.options_factories.remove(factory)

    def registerCustomDropHandler(self, handler) -> None:
        self.drop_handlers.append(handler)

    def unregisterCustomDropHandler(self, handler) -> None:
        self.drop_handlers.remove(handler)

    def activeLayer(self):
        return self.active_layer

    def addCustomActionForLayerType(self, action, _menu: str, kind, all_layers: bool) -> None:
        assert not all_layers
        kinds, _ = self.layer_actions.setdefault(action, ([], set()))
        kinds.append(kind)

    def addCustomActionForLayer(self, action, layer) -> None:
        kinds, layers = self.layer_actions[action]
        assert layer.type() in kinds
        layers.add(layer.id())

    def removeCustomActionForLayerType(self, action) -> bool:
        kinds, _ = self.layer_actions.get(action, ([], None))
        if not kinds:
            return False
        kinds.pop()
        if not kinds:
            del self.layer_actions[action]
        return True

    def showOptionsDialog(self, _parent, page: str) -> None:
        self.options_opened.append(page)

    def addToolBarIcon(self, action) -> int:
        self.window_actions.append(action)
        return 0

    def removeToolBarIcon(self, action) -> None:
        self.window_actions.remove(action)

    def rasterMenu(self) -> QMenu:
        return self._menu


@pytest.fixture(autouse=True)
def profile(monkeypatch, tmp_path) -> Path:
    """Data folder of a profile that this test has for itself: what one test's dock remembers, the next must not see."""
    monkeypatch.setattr(QgsApplication, "qgisSettingsDirPath", staticmethod(lambda: f"{tmp_path}/profile/"))
    return tmp_path / "profile"


@pytest.fixture
def qtbot(qtbot):
    """Waits as long as a machine with much else to do may need; what never comes true still fails."""
    qtbot.waitUntil = partial(qtbot.waitUntil, timeout=PATIENCE)
    qtbot.waitSignal = partial(qtbot.waitSignal, timeout=PATIENCE)
    return qtbot


@pytest.fixture
def window(qgis_app):
    """A window to put the dock into."""
    window = Window()
    window.mainWindow().show()
    yield window
    # Not by qtbot, which deletes its widgets before the fixtures that live in this window have ended.
    window.mainWindow().close()
    window.mainWindow().deleteLater()


@pytest.fixture
def provider(qgis_app):
    """The algorithms, registered as the plugin does it."""
    provider = FusionMapperProvider()
    QgsApplication.processingRegistry().addProvider(provider)
    yield provider
    QgsApplication.processingRegistry().removeProvider(provider)


@pytest.fixture
def project(qgis_app):
    """An empty project."""
    project = QgsProject.instance()
    project.clear()
    yield project
    project.clear()


@pytest.fixture
def swellendam(shared_data) -> Path:
    """Folder of the Swellendam layers."""
    return shared_data / "swellendam"


@pytest.fixture
def aerial(swellendam, project) -> QgsRasterLayer:
    """Aerial image, red, green, blue and alpha, about 2.5 m."""
    return _add(project, QgsRasterLayer(str(swellendam / "3420B_2010_328_RGB_LATLNG.tif"), "3420B_2010_328_RGB"))


@pytest.fixture
def elevation(swellendam, project) -> QgsRasterLayer:
    """SRTM in UTM, 82 m."""
    return _add(project, QgsRasterLayer(str(swellendam / "srtm_41_19.tif"), "srtm_41_19"))


@pytest.fixture
def roads(swellendam, project) -> QgsVectorLayer:
    """OSM roads."""
    return _add(project, QgsVectorLayer(f"{swellendam}/training_data.gpkg|layername=roads", "roads", "ogr"))


@pytest.fixture
def buildings(swellendam, project) -> QgsVectorLayer:
    """OSM buildings."""
    return _add(project, QgsVectorLayer(f"{swellendam}/training_data.gpkg|layername=buildings", "buildings", "ogr"))


def _add(project: QgsProject, layer):
    assert layer.isValid(), layer.source()
    project.addMapLayer(layer)
    return layer


@pytest.fixture
def look_at(window):
    """Show a layer's extent, in its CRS, on the canvas."""

    def look(layer) -> None:
        window.mapCanvas().setDestinationCrs(QgsCoordinateReferenceSystem(layer.crs()))
        window.mapCanvas().setExtent(layer.extent())

    return look


def _tags(name: str, key: str) -> Channel:
    return Channel(name, osm=OsmRecipe(rules=(TagRule(key),)))


@pytest.fixture
def landcover() -> Card:
    """A land-cover model that needs imagery, and takes OSM and elevation where there are any."""
    byte = Scaling(scale=255.0)
    bands = tuple(Channel(name, byte) for name in ("red", "green", "blue"))
    terrain = tuple(Channel(name, derivative=name) for name in ("elevation", "slope"))
    classes = (ClassInfo(1, "Water", "#2b6cb0"), ClassInfo(2, "Tree", "#2f855a"), ClassInfo(3, "Barren", "#c9b18b"))
    return Card(
        name="landcover-rgb",
        title="Land cover, RGB",
        notice="trained on simulated landscapes: for trying out, not for mapping",
        gsd=2.5,
        slots=(
            Slot("imagery", "imagery", bands, "stack", gsd=2.5),
            Slot("osm", "osm", (_tags("road", "highway"), _tags("building", "building")), "stack", 3, missing="fill"),
            Slot("dem", "dem", terrain, "stack", 5, gsd=30.0, missing="fill"),
        ),
        outputs=(Output("logits", "semantic-segmentation", classes, "softmax"),),
    )


@pytest.fixture
def open_desk(qtbot, provider, project):
    """Opens a desk once the runs of earlier sessions are listed; as often as a profile is opened."""
    opened: list[RunDesk] = []

    def open_one() -> RunDesk:
        desk = RunDesk()
        opened.append(desk)
        with qtbot.waitSignal(desk.runs.runs_loaded, timeout=PATIENCE):
            desk.show()
        return desk

    yield open_one
    for desk in opened:
        desk.close_down(qtbot)
        desk.hide()
        desk.deleteLater()


@pytest.fixture
def desk(open_desk) -> RunDesk:
    """A desk in a fresh profile."""
    return open_desk()


@pytest.fixture
def request_for(aerial, elevation, roads, tmp_path):
    """Builds a request for a piece of the real layers."""

    def build(name: str, box=CLIP):
        folder = tmp_path / "runs" / name
        return run_request(name, folder, box, imagery=[aerial], osm=[roads], dem=elevation)

    return build


@pytest.fixture(scope="module")
def warm(qgis_app):
    """One warm engine for all tests of a file."""
    engine = WarmEngine()
    yield engine
    engine.close_down()


@pytest.fixture
def library(tmp_path, qgis_app) -> Path:
    """The library folder, empty."""
    folder = tmp_path / "library"
    set_library_folder(folder)
    yield folder
    set_library_folder(None)


@pytest.fixture
def dialog(qtbot, window, warm, library, project):
    """The import dialog, shown."""
    dialog = ImportDialog(window.mapCanvas(), warm, window.mainWindow())
    dialog.show()
    yield dialog
    dialog.close_down()
    qtbot.waitUntil(lambda: not dialog.working(), timeout=PATIENCE)
    dialog.deleteLater()
