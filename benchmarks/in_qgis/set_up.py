"""Runs inside a real QGIS (``qgis --code``): the engine is set up with the mouse, and QGIS's own thread is watched.

Where things go is told by the environment: FUSION_MAPPER_BENCH (what `gui_gaps.py` wrote for this visit, JSON).
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import qgis.utils
from qgis.core import QgsApplication
from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import QObject, QTimer
from qgis.PyQt.QtWidgets import QAction, QComboBox, QPushButton
from qgis.utils import iface

ORDER = json.loads(os.environ["FUSION_MAPPER_BENCH"])
sys.path.insert(0, ORDER["code"])

from heartbeat import Heartbeat  # noqa: E402 - found by the line above

#: Seconds between two looks at whether a step is over, and after which it is given up.
LOOK, LIMIT = 0.02, 1500.0
#: Seconds of each measurement without an installation.
SPAN = 10.0

Over = Callable[[], bool]


class SetUp(QObject):
    """Walks through `steps`, each of which says when it is over."""

    def __init__(self) -> None:
        super().__init__(iface.mainWindow())
        # QGIS shows an escaped exception in a window and waits for somebody to close it.
        qgis.utils.showException = self._on_exception
        self.heart = Heartbeat(Path(ORDER["folder"]) / "stacks.txt", ORDER["watched"], self)
        self.seconds: dict[str, float] = {}
        self._steps = self.steps()
        self._over: Over = lambda: True
        self._began = time.monotonic()
        self._clock = QTimer(self)
        self._clock.timeout.connect(self._on_look)
        self._clock.start(round(1000 * LOOK))

    def steps(self) -> Iterator[Over]:
        """What happens, in order."""
        yield _after(2)
        self.heart.start("QGIS alone, idle")
        yield _after(SPAN)
        self.heart.phase = "plugin: loaded into QGIS"
        if not (qgis.utils.loadPlugin("fusion_mapper") and qgis.utils.startPlugin("fusion_mapper")):
            raise RuntimeError("QGIS could not load the plugin.")
        yield _after(1)
        self.heart.phase = "plugin: dock opened"
        iface.mainWindow().findChild(QAction, "FusionMapperToggleDock").trigger()
        dock = iface.mainWindow().findChild(QObject, "FusionMapperDock")
        yield _after(2)
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
        yield _after(2)
        yield from self._install(dock.setup, install)
        self.heart.phase = "plugin: dock open, idle"
        yield _after(SPAN)

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

    def _on_look(self) -> None:
        try:
            if self._over():
                self._over = next(self._steps)
                self._began = time.monotonic()
            elif time.monotonic() - self._began > LIMIT:
                raise TimeoutError(f"'{self.heart.phase}' was not over within {LIMIT} s")
        except StopIteration:
            self._end("")
        except Exception:  # noqa: BLE001 - handed to the caller, who prints it
            self._end(traceback.format_exc())

    def _on_exception(self, kind: type, value: BaseException, trace: object, *_told: object, **_more: object) -> None:
        self._end("".join(traceback.format_exception(kind, value, trace)))

    def _end(self, fault: str) -> None:
        if not self._clock.isActive():
            return
        self._clock.stop()
        self.heart.stop()
        report = {"gaps": self.heart.gaps, "slow": self.heart.slow, "fault": fault, "seconds": self.seconds}
        (Path(ORDER["folder"]) / "report.json").write_text(json.dumps(report), encoding="utf-8")
        QgsApplication.instance().quit()


def _after(seconds: float) -> Over:
    begin = time.monotonic()
    return lambda: time.monotonic() - begin > seconds


visit = SetUp()
