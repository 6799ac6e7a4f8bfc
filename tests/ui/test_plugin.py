"""The plugin in a window: put in, taken out, and nothing left of it."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import fusion_mapper
import pytest
from fusion_mapper.models.library import STARTERS
from fusion_mapper.toolbox import settings
from fusion_mapper.toolbox.widgets import _WIDGETS
from qgis.core import QgsApplication
from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import QCoreApplication, QEvent
from qgis.PyQt.QtWidgets import QAction, QComboBox, QDockWidget


def left_in(window) -> dict[str, object]:
    """What the window has of the plugin; empty where there is nothing."""
    main = window.mainWindow()
    provider = QgsApplication.processingRegistry().providerById("fusion_mapper")
    found = {
        "docks": main.findChildren(QDockWidget),
        "actions": [action for action in main.findChildren(QAction) if action.objectName().startswith("FusionMapper")],
        "buttons": [*window.window_actions, *window.rasterMenu().actions()],
        "options pages": list(window.options_factories),
        "drop handlers": list(window.drop_handlers),
        "layer actions": dict(window.layer_actions),
        "provider": provider,
        "widgets": dict(_WIDGETS),
        "tasks": QgsApplication.taskManager().tasks(),
    }
    return {what: these for what, these in found.items() if these}


def still_working() -> list[str]:
    """Threads and child processes of the plugin, which end a moment after they were told to."""
    threads = [one.name for one in threading.enumerate() if one.name.startswith("fusion-mapper")]
    children = [Path(f"/proc/{child}/cmdline") for child in _children()]
    commands = [path.read_bytes().replace(b"\0", b" ").decode() for path in children if path.exists()]
    return threads + [command for command in commands if "inference" in command]


def _children() -> list[str]:
    found = []
    for task in Path("/proc/self/task").iterdir():
        try:
            found += (task / "children").read_text().split()
        except OSError:  # the thread has ended in the meantime
            continue
    return found


def canvas_items(window) -> int:
    return len(window.mapCanvas().scene().items())


@pytest.fixture
def plugin(window, project):
    """The plugin in the window; taken out afterwards."""
    plugin = fusion_mapper.classFactory(window)
    plugin.initGui()
    yield plugin
    plugin.unload()


def test_everything_is_put_in_once(plugin, window):
    there = left_in(window)
    assert len(there["docks"]) == len(there["options pages"]) == len(there["drop handlers"]) == 1
    assert there["provider"] is not None
    assert set(there["widgets"]) == {"model", "imagery"}


def test_twenty_rounds_of_loading_leave_nothing(window, project, qtbot):
    assert left_in(window) == {}
    items = canvas_items(window)
    for _ in range(20):
        plugin = fusion_mapper.classFactory(window)
        plugin.initGui()
        window.mainWindow().findChild(QDockWidget).show()
        assert "docks" in left_in(window)
        plugin.unload()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        assert left_in(window) == {}
        assert canvas_items(window) == items
    qtbot.waitUntil(lambda: still_working() == [], timeout=20_000)


def test_it_can_be_taken_out_before_it_was_put_in_and_twice(window, project):
    plugin = fusion_mapper.classFactory(window)
    plugin.unload()
    plugin.initGui()
    plugin.unload()
    plugin.unload()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert left_in(window) == {}


@pytest.fixture
def unset(qgis_app):
    """Nothing set, before and after."""
    for setting in settings.SETTINGS:
        setting.write(setting.default)
    yield
    for setting in settings.SETTINGS:
        setting.write(setting.default)


def test_the_options_reach_the_dock(plugin, window, qtbot, tmp_path, unset):
    for part in STARTERS.glob("treecover-10m.*"):
        shutil.copyfile(part, tmp_path / f"mine{part.suffix}")
    page = window.options_factories[0].createWidget()
    qtbot.addWidget(page)
    page.findChild(QgsFileWidget, "FusionMapperLibraryFolder").setFilePath(str(tmp_path))
    default = page.findChild(QComboBox, "FusionMapperDefaultDevice")
    default.setCurrentIndex(default.findData("cpu"))
    page.apply()
    dock = window.mainWindow().findChild(QDockWidget)
    assert dock.findChild(QComboBox, "FusionMapperDevice").currentData() == "cpu"
    models = dock.findChild(QComboBox, "FusionMapperModel")
    qtbot.waitUntil(lambda: models.count() == len(list(STARTERS.glob("*.onnx"))) + 1)


def test_without_a_window_there_are_only_the_algorithms(qgis_app):
    plugin = fusion_mapper.classFactory(None)
    plugin.initProcessing()
    assert QgsApplication.processingRegistry().providerById("fusion_mapper") is not None
    plugin.unload()
    assert QgsApplication.processingRegistry().providerById("fusion_mapper") is None
