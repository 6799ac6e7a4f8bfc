"""The dock, the Processing toolbox and the command line are one engine: they give identical pixels."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from fusion_mapper.models.library import STARTERS
from fusion_mapper.toolbox.engine.environment import find_engine
from fusion_mapper.ui.dock import FusionDock
from fusion_mapper.ui.runs.model import RunState
from osgeo import gdal
from qgis.core import QgsRectangle
from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QAbstractButton
from qgis_command import qgis_command

LANDCOVER = STARTERS / "landcover-rgb-1m.onnx"
#: About 300 m × 300 m of Swellendam with buildings, in degrees.
CLIP = QgsRectangle(20.5190, -34.0345, 20.5222, -34.0318)
PATIENCE = 90_000


def pixels(path: Path) -> tuple[bytes, tuple, int, int]:
    raster = gdal.Open(str(path))
    return (
        raster.GetRasterBand(1).ReadRaster(), raster.GetGeoTransform(), raster.RasterXSize, raster.RasterYSize,
    )  # fmt: skip


def by_the_dock(qtbot, window, aerial, folder: Path) -> tuple[Path, QgsRectangle]:
    """Run what the dock proposes; returns the map and the extent that was asked for."""
    window.mapCanvas().setDestinationCrs(aerial.crs())
    window.mapCanvas().setExtent(CLIP)
    dock = FusionDock(window, window.mainWindow())
    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
    try:
        dock.findChild(QgsFileWidget, "FusionMapperFolder").setFilePath(str(folder))
        dock.model.open_file(LANDCOVER)
        run_button = dock.findChild(QAbstractButton, "FusionMapperRunButton")
        qtbot.waitUntil(run_button.isEnabled, timeout=PATIENCE)
        extent = dock.area.extent()
        run_button.click()
        qtbot.waitUntil(lambda: not dock.runs.run(1).active, timeout=PATIENCE)
        assert dock.runs.run(1).state is RunState.FINISHED
        return dock.runs.run(1).request.folder / "classes.tif", QgsRectangle(extent)
    finally:
        dock.close_down()


def by_the_toolbox(root: Path, folder: Path, layers: Path, extent: QgsRectangle) -> Path:
    corners = (extent.xMinimum(), extent.xMaximum(), extent.yMinimum(), extent.yMaximum())
    done = qgis_command(root, folder / "profile")(
        "run",
        "fusion_mapper:map",
        f"--MODEL={LANDCOVER}",
        f"--IMAGERY={layers / '3420B_2010_328_RGB_LATLNG.tif'}",
        f"--OSM={layers / 'training_data.gpkg'}|layername=roads",
        f"--OSM={layers / 'training_data.gpkg'}|layername=buildings",
        f"--DEM={layers / 'srtm_41_19.tif'}",
        f"--EXTENT={','.join(map(repr, corners))} [EPSG:4326]",
        f"--CLASSES={folder / 'toolbox.tif'}",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "toolbox.tif"


def by_the_command_line(root: Path, folder: Path, layers: Path, extent: QgsRectangle) -> Path:
    vectors = str(layers / "training_data.gpkg")
    job = {
        "schema": 1,
        "model": str(LANDCOVER),
        "sources": {
            "imagery": {"path": str(layers / "3420B_2010_328_RGB_LATLNG.tif"), "bands": [1, 2, 3]},
            "osm": {"layers": [{"path": vectors, "layer": "roads"}, {"path": vectors, "layer": "buildings"}]},
            "dem": {"path": str(layers / "srtm_41_19.tif")},
        },
        "grid": {
            "extent": [extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()],
            "extent_crs": "EPSG:4326",
        },
        "outputs": {"folder": "out", "products": {"classes": None}},
    }
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    command = [str(find_engine()), str(root / "inference"), "run", str(folder / "job.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "out" / "classes.tif"


def test_the_dock_the_toolbox_and_the_command_line_give_the_same_pixels(
    qtbot, window, provider, aerial, elevation, roads, buildings, swellendam, repository_root, tmp_path
):
    dock, extent = by_the_dock(qtbot, window, aerial, tmp_path / "dock")
    toolbox = by_the_toolbox(repository_root, tmp_path, swellendam, extent)
    command = by_the_command_line(repository_root, tmp_path, swellendam, extent)
    assert pixels(dock) == pixels(toolbox) == pixels(command)
    assert len(set(pixels(dock)[0])) > 1
