"""Runs inside a real QGIS (``qgis --code``): the same layers and the same panning, without the plugin and with it.

Where things go is told by the environment: FUSION_MAPPER_BENCH (what `gui_gaps.py` wrote for this visit, JSON).
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import qgis.utils
from qgis.core import QgsFeatureRequest, QgsPointXY, QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.PyQt.QtCore import QObject, QTimer
from qgis.PyQt.QtWidgets import QAction, QComboBox, QPushButton, QRadioButton
from qgis.utils import iface

ORDER = json.loads(os.environ["FUSION_MAPPER_BENCH"])
sys.path.insert(0, ORDER["code"])

from walk import Over, Walk, after  # noqa: E402 - found by the line above

#: Seconds after which a step is given up.
LIMIT = 120.0
#: Seconds of each measurement without a run.
SPAN = 10.0
#: Seconds between two movements of the map.
PAN = 0.4

MODEL = "Land cover, RGB, 1 m"


class Visit(Walk):
    """What is done and watched; begins at once."""

    def __init__(self) -> None:
        super().__init__(ORDER, LIMIT)
        self.canvas = iface.mapCanvas()
        self.dock = None
        self.results: dict[str, str] = {}
        self._panning = QTimer(self)
        self._panning.timeout.connect(self._pan)
        self._moves = 0

    def steps(self) -> Iterator[Over]:
        """What happens, in order."""
        imagery = self._load_layers()
        yield self._settled()
        self.canvas.setExtent(imagery.extent())
        self.canvas.refresh()
        yield self._settled()
        self.heart.start("QGIS alone, idle")
        yield after(SPAN)
        yield self._while_panning("QGIS alone, panning", after(SPAN))
        yield self._settled()
        yield from self._with_the_plugin()
        yield from self._load_results_without_the_plugin()

    def _with_the_plugin(self) -> Iterator[Over]:
        self.heart.phase = "plugin: loaded into QGIS"
        if not (qgis.utils.loadPlugin("fusion_mapper") and qgis.utils.startPlugin("fusion_mapper")):
            raise RuntimeError("QGIS could not load the plugin.")
        yield after(1)
        self.heart.phase = "plugin: dock opened"
        iface.mainWindow().findChild(QAction, "FusionMapperToggleDock").trigger()
        self.dock = iface.mainWindow().findChild(QObject, "FusionMapperDock")
        yield after(2)
        self.heart.phase = "plugin: model chosen"
        models = self._find(QComboBox, "FusionMapperModel")
        models.setCurrentIndex(models.findText(MODEL))
        self._find(QRadioButton, "FusionMapperAreaWhole").click()
        yield after(2)
        yield self._find(QPushButton, "FusionMapperRunButton").isEnabled
        self.heart.phase = "plugin: dock open, idle"
        yield after(SPAN)
        yield self._while_panning("plugin: dock open, panning", after(SPAN))
        yield self._settled()
        yield from self._run()

    def _run(self) -> Iterator[Over]:
        self.dock.runs.run_changed.connect(self._on_run_changed)
        self.heart.phase = "plugin: run, staging"
        self._find(QPushButton, "FusionMapperRunButton").click()
        (run,) = self.dock.runs.runs()
        yield lambda: run.stage.startswith("Mapping") or not run.active
        self.heart.phase = "plugin: run, mapping, idle"
        yield lambda: run.percent >= 50 or not run.active
        if run.active:
            yield self._while_panning("plugin: run, mapping, panning", lambda: not run.active)
        if run.state.value != "finished":
            raise RuntimeError(f"The run {run.state.value}: {run.sentence}")
        self.results = {key: path for key, path in run.results.items() if str(path).endswith((".tif", ".gpkg"))}
        yield after(0.5)
        yield self._settled()

    def _on_run_changed(self, number: int) -> None:
        if self.dock.runs.run(number).state.value == "finished":
            self._panning.stop()
            self.heart.phase = "plugin: results loaded"

    def _load_results_without_the_plugin(self) -> Iterator[Over]:
        self.heart.phase = "plugin: unloaded"
        qgis.utils.unloadPlugin("fusion_mapper")
        yield after(1)
        for group in QgsProject.instance().layerTreeRoot().findGroups():
            QgsProject.instance().layerTreeRoot().removeChildNode(group)
        yield self._settled()
        self.heart.phase = "QGIS alone, same results loaded"
        for path in self.results.values():
            load = iface.addRasterLayer if path.endswith(".tif") else iface.addVectorLayer
            load(path, Path(path).stem, "gdal" if path.endswith(".tif") else "ogr")
        yield self._settled()

    def _load_layers(self) -> QgsRasterLayer:
        folder = Path(ORDER["data"])
        roads = QgsVectorLayer(f"{folder}/training_data.gpkg|layername=roads", "roads", "ogr")
        buildings = QgsVectorLayer(f"{folder}/training_data.gpkg|layername=buildings", "buildings", "ogr")
        layers = [
            QgsRasterLayer(f"{folder}/srtm_41_19.tif", "srtm_41_19"),
            QgsRasterLayer(f"{folder}/3420B_2010_328_RGB_LATLNG.tif", "3420B_2010_328_RGB"),
        ]
        # Layers that only QGIS can read, so that they are staged.
        for layer in (buildings, roads):
            copy = layer.materialize(QgsFeatureRequest())
            copy.setName(layer.name())
            layers.append(copy)
        for layer in layers:
            QgsProject.instance().addMapLayer(layer)
        return layers[1]

    def _while_panning(self, phase: str, over: Over) -> Over:
        self.heart.phase = phase
        self._panning.start(round(1000 * PAN))

        def done() -> bool:
            if over():
                self._panning.stop()
                return True
            return False

        return done

    def _pan(self) -> None:
        self._moves += 1
        extent = self.canvas.extent()
        step = extent.height() / 4 * (1 if self._moves // 4 % 2 else -1)
        self.canvas.setCenter(QgsPointXY(extent.center().x(), extent.center().y() + step))
        self.canvas.refresh()

    def _settled(self) -> Over:
        """The map is drawn, and has been for a second."""
        state = {"since": time.monotonic()}

        def done() -> bool:
            if self.canvas.isDrawing():
                state["since"] = time.monotonic()
            return time.monotonic() - state["since"] > 1

        return done

    def _find(self, kind: type, name: str):
        return self.dock.findChild(kind, name)


visit = Visit()
