"""The plugin in a real QGIS with a window: it appears, it can be taken out and put in again, and it leaves nothing."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

# Runs inside QGIS, once its event loop turns. QGIS shows an escaped exception in a window and waits for somebody to
# close it, so every one is written down instead, and ends it.
LOOK = """
import json, os, traceback
import qgis.utils
from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QEvent, QTimer
from qgis.PyQt.QtWidgets import QAction

def state():
    # What was handed to deleteLater is deleted now.
    QgsApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    window = qgis.utils.iface.mainWindow()
    provider = QgsApplication.processingRegistry().providerById("fusion_mapper")
    docks = [dock for dock in window.findChildren(qgis.gui.QgsDockWidget) if dock.__class__.__name__ == "FusionDock"]
    return {{
        "algorithms": sorted(algorithm.name() for algorithm in provider.algorithms()) if provider else None,
        "docks": [bool(dock.objectName()) for dock in docks],
        "visible": [dock.isVisible() for dock in docks],
        "actions": len(window.findChildren(QAction, "FusionMapperToggleDock")),
    }}

def look():
    report = {{}}
    try:
        report["started"] = state()
        qgis.utils.iface.mainWindow().findChild(QAction, "FusionMapperToggleDock").trigger()
        report["opened"] = state()
        qgis.utils.unloadPlugin("fusion_mapper")
        report["unloaded"] = state()
        qgis.utils.loadPlugin("fusion_mapper")
        qgis.utils.startPlugin("fusion_mapper")
        report["loaded_again"] = state()
    except BaseException:
        report["error"] = traceback.format_exc()
    with open({report!r}, "w") as file:
        json.dump(report, file)
    QgsApplication.instance().quit()

QTimer.singleShot(0, look)
"""


@pytest.fixture(scope="module")
def seen(repository_root, tmp_path_factory) -> dict:
    """What was seen inside QGIS at each step."""
    folder: Path = tmp_path_factory.mktemp("qgis")
    code = folder / "look.py"
    code.write_text("import qgis.gui\n" + LOOK.format(report=str(folder / "seen.json")))
    script = repository_root / "scripts" / "run_qgis.sh"
    options = ["--xvfb", "1280x720", "--profiles", folder / "profiles", "--limit", "120"]
    subprocess.run([script, *options, "--code", code], check=True)
    report = json.loads((folder / "seen.json").read_text())
    assert "error" not in report, report["error"]
    return report


def test_the_algorithms_and_the_hidden_dock_are_there(seen):
    assert "map" in seen["started"]["algorithms"]
    assert seen["started"]["actions"] == 1
    assert seen["started"]["visible"] == [False]


def test_the_dock_has_a_name_under_which_qgis_restores_it(seen):
    assert seen["started"]["docks"] == [True]


def test_the_button_opens_the_dock(seen):
    assert seen["opened"]["visible"] == [True]


def test_unloading_leaves_nothing(seen):
    assert seen["unloaded"] == {"algorithms": None, "docks": [], "visible": [], "actions": 0}


def test_the_plugin_can_be_put_in_again(seen):
    assert seen["loaded_again"] == seen["started"]
