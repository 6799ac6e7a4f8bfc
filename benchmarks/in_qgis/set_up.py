"""Runs inside a real QGIS (``qgis --code``): the engine is set up with the mouse, and QGIS's own thread is watched.

Where things go is told by the environment: FUSION_MAPPER_BENCH (what `gui_gaps.py` wrote for this visit, JSON).
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import qgis.utils
from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import QObject
from qgis.PyQt.QtWidgets import QAction, QComboBox, QPushButton
from qgis.utils import iface

ORDER = json.loads(os.environ["FUSION_MAPPER_BENCH"])
sys.path.insert(0, ORDER["code"])

from walk import Over, Walk, after  # noqa: E402 - found by the line above

#: Seconds after which a step is given up.
LIMIT = 1500.0
#: Seconds of each measurement without an installation.
SPAN = 10.0


class SetUp(Walk):
    """What is done and watched; begins at once."""

    def __init__(self) -> None:
        super().__init__(ORDER, LIMIT)
        self.seconds: dict[str, float] = {}

    def told(self) -> dict[str, Any]:
        """How long the set-up took."""
        return {"seconds": self.seconds}

    def steps(self) -> Iterator[Over]:
        """What happens, in order."""
        yield after(2)
        self.heart.start("QGIS alone, idle")
        yield after(SPAN)
        self.heart.phase = "plugin: loaded into QGIS"
        if not (qgis.utils.loadPlugin("fusion_mapper") and qgis.utils.startPlugin("fusion_mapper")):
            raise RuntimeError("QGIS could not load the plugin.")
        yield after(1)
        self.heart.phase = "plugin: dock opened"
        iface.mainWindow().findChild(QAction, "FusionMapperToggleDock").trigger()
        dock = iface.mainWindow().findChild(QObject, "FusionMapperDock")
        yield after(2)
        self.heart.phase = "plugin: set-up, window"
        from fusion_mapper.ui.setup.dialog import SetupDialog

        # The notice in the dock opens one only where there is no engine, as in a checkout there is.
        dialog = SetupDialog(dock.setup, iface.mainWindow())
        dialog.ask()
        install = dialog.findChild(QPushButton, "FusionMapperSetupInstall")
        yield install.isEnabled
        devices = dialog.findChild(QComboBox, "FusionMapperSetupDevice")
        devices.setCurrentIndex(devices.findData("cpu"))
        dialog.findChild(QgsFileWidget, "FusionMapperSetupWheels").setFilePath(ORDER["wheels"])
        yield after(2)
        yield from self._install(dock.setup, install)
        self.heart.phase = "plugin: dock open, idle"
        yield after(SPAN)

    def _install(self, model: QObject, install: QPushButton) -> Iterator[Over]:
        began = time.monotonic()
        model.changed.connect(lambda: self._on_changed(model))
        install.click()
        yield lambda: not model.installing()
        self.seconds["set-up"] = time.monotonic() - began
        if model.problem:
            raise RuntimeError(f"The set-up failed: {model.problem}")

    def _on_changed(self, model: QObject) -> None:
        if model.step is not None:
            self.heart.phase = f"plugin: set-up, {model.step.name}"


visit = SetUp()
