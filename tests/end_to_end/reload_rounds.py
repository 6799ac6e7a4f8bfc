"""Runs inside a real QGIS (``qgis --code``): takes the plugin out and puts it in again, and writes down what is there.

The report goes into the file that FUSION_MAPPER_ROUNDS names. Each round opens the dock over real layers, so that
everything the plugin listens to is listened to.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import threading
import time
import traceback
from collections import Counter

import qgis.utils
from qgis.core import Qgis, QgsApplication, QgsProject, QgsRasterLayer, QgsTask, QgsVectorLayer
from qgis.PyQt.QtCore import QAbstractAnimation, QEvent, QEventLoop, QObject, QTimer
from qgis.PyQt.QtWidgets import QAction, QApplication, QDockWidget, QStackedWidget, QWidget
from qgis.utils import iface

ROUNDS = 20
#: Seconds.
PATIENCE = 10
PLUGIN = "fusion_mapper"
FOLDER = os.environ["FUSION_MAPPER_ROUNDS_LAYERS"]
said = []


def rounds() -> dict:
    """What there was without the plugin, before and after the rounds, and with it."""
    load_layers()
    plug_in()
    # What QGIS itself makes when a plugin of any kind is there for the first time stays.
    pull_out()
    report = {"before": state(), "pages_before": option_pages()}
    plug_in()
    report["loaded"] = state()
    for _ in range(ROUNDS):
        qgis.utils.reloadPlugin(PLUGIN)
        open_dock()
    report["loaded_after"] = state()
    pull_out()
    return {**report, "after": state(), "pages_after": option_pages(), "said": said}


def load_layers() -> None:
    QgsProject.instance().addMapLayers(
        [
            QgsRasterLayer(f"{FOLDER}/3420B_2010_328_RGB_LATLNG.tif", "imagery"),
            QgsRasterLayer(f"{FOLDER}/srtm_41_19.tif", "srtm_41_19"),
            QgsVectorLayer(f"{FOLDER}/training_data.gpkg|layername=roads", "roads", "ogr"),
        ]
    )
    wait(lambda: not iface.mapCanvas().isDrawing())


def plug_in() -> None:
    if not (qgis.utils.loadPlugin(PLUGIN) and qgis.utils.startPlugin(PLUGIN)):
        raise RuntimeError("QGIS could not load the plugin")
    open_dock()


def open_dock() -> None:
    iface.mainWindow().findChild(QAction, "FusionMapperToggleDock").trigger()
    for _ in range(5):
        QApplication.processEvents()


def pull_out() -> None:
    qgis.utils.unloadPlugin(PLUGIN)
    # A process that was told to end needs a moment, and so do the task and the thread that wait for it.
    wait(lambda: not engines() and threading.active_count() == 1 and not ours_alive())


def state() -> dict:
    """Everything that a plugin can leave behind."""
    QgsApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    window = iface.mainWindow()
    # An animation lives as long as something moves on the screen.
    children = [child for child in window.findChildren(QObject) if not isinstance(child, QAbstractAnimation)]
    return {
        "docks": sorted(dock.objectName() for dock in window.findChildren(QDockWidget)),
        "actions": len(window.findChildren(QAction)),
        "objects": dict(Counter(type(child).__name__ for child in children)),
        "providers": sorted(provider.id() for provider in QgsApplication.processingRegistry().providers()),
        "canvas_items": len(iface.mapCanvas().scene().items()),
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "engines": engines(),
        "tasks": QgsApplication.taskManager().count(),
        "ours_alive": ours_alive(),
    }


def ours_alive() -> dict:
    """How many there are of the plugin's widgets and tasks, by class."""
    gc.collect()
    kinds = [type(thing) for thing in gc.get_objects() if isinstance(thing, (QWidget, QgsTask))]
    return dict(Counter(kind.__name__ for kind in kinds if str(kind.__module__).startswith(PLUGIN + ".")))


def engines() -> list:
    listed = subprocess.run(["ps", "-ww", "-o", "args=", "--ppid", str(os.getpid())], capture_output=True, text=True)
    return [line for line in listed.stdout.splitlines() if "inference" in line]


def option_pages() -> int:
    """How many pages QGIS's options have; they are counted in the open dialog."""
    found = []

    def look() -> None:
        dialog = QApplication.activeModalWidget()
        if dialog is not None:
            found.append(dialog.findChild(QStackedWidget, "mOptionsStackedWidget").count())
            dialog.reject()

    QTimer.singleShot(0, look)
    iface.showOptionsDialog()
    return found[0]


def wait(over) -> None:
    """Until it is over; what never is so shows in the state."""
    loop, end = QEventLoop(), time.monotonic() + PATIENCE
    clock = QTimer()
    clock.timeout.connect(lambda: loop.quit() if over() or time.monotonic() > end else None)
    clock.start(50)
    loop.exec()


def write_down() -> None:
    # QGIS shows an escaped exception in a window and waits for somebody to close it.
    try:
        report = rounds()
    except Exception:  # noqa: BLE001 - handed to the test, which shows it
        report = {"error": traceback.format_exc()}
    with open(os.environ["FUSION_MAPPER_ROUNDS"], "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1)
    QgsProject.instance().setDirty(False)
    QgsApplication.instance().quit()


def on_message(text: str, tag: str, level: Qgis.MessageLevel) -> None:
    # QGIS has warnings of its own, of fonts and the like.
    ours = PLUGIN in text or "Fusion Mapper" in (tag, text)
    if ours and level in (Qgis.MessageLevel.Warning, Qgis.MessageLevel.Critical):
        said.append([tag, text])


QgsApplication.messageLog().messageReceived.connect(on_message)
QTimer.singleShot(0, write_down)
