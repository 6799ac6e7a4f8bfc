"""A map service as imagery: drawn on the grid that the engine's check answers, then mapped like a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from qgis import processing
from qgis.core import QgsApplication, QgsProcessingAlgRunnerTask, QgsProcessingException, QgsRasterLayer

sys.path.insert(0, str(Path(__file__).parent))
from tile_server import TileServer

TOWN = "20.5220,20.5245,-34.0490,-34.0470 [EPSG:4326]"


@pytest.fixture
def service(project):
    server = TileServer()
    layer = QgsRasterLayer(server.uri, "Tiles", "wms")
    assert layer.isValid()
    project.addMapLayer(layer, False)
    yield layer
    server.close()


@pytest.fixture
def landcover(models, swellendam, service):
    return {"MODEL": str(models / "tiny-landcover.onnx"), "IMAGERY": [service], "OSM": [swellendam["roads"]]}


def test_a_service_is_mapped_in_the_background(provider, landcover, context, ears, tmp_path, qtbot):
    path = tmp_path / "classes.tif"
    run = tmp_path / "run"
    parameters = {**landcover, "EXTENT": TOWN, "CLASSES": str(path), "FOLDER": str(run)}
    task = QgsProcessingAlgRunnerTask(provider.algorithm("map"), parameters, context, ears)
    with qtbot.waitSignal(task.executed, timeout=120000) as done:
        QgsApplication.taskManager().addTask(task)
    assert done.args[0], ears.errors
    classes = QgsRasterLayer(str(path))
    assert classes.crs().authid() == "EPSG:3857"
    drawn = QgsRasterLayer(json.loads((run / "run.job.json").read_text())["sources"]["imagery"]["path"])
    # The image has the very pixels of the run, so nothing is resampled twice.
    assert (drawn.extent(), drawn.width(), drawn.height()) == (classes.extent(), classes.width(), classes.height())
    assert any("its provider's terms" in text for text in ears.warned)


def test_a_service_without_an_end_needs_an_extent(provider, landcover, context, ears, tmp_path):
    with pytest.raises(QgsProcessingException, match="'Tiles' is a map service without an end; choose an extent"):
        processing.run(
            "fusion_mapper:map", {**landcover, "CLASSES": str(tmp_path / "c.tif")}, context=context, feedback=ears
        )


def test_the_limit_is_the_users_to_set(provider, landcover, context, ears, tmp_path):
    parameters = {**landcover, "EXTENT": TOWN, "FETCH_LIMIT": 0.001, "CLASSES": str(tmp_path / "c.tif")}
    with pytest.raises(QgsProcessingException, match="the limit is"):
        processing.run("fusion_mapper:map", parameters, context=context, feedback=ears)
    assert not (tmp_path / "c.tif").exists()
