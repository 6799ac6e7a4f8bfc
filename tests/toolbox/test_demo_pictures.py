"""The demo's picture script, on a small map: it uses the toolbox's own loading and styling."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from osgeo import gdal, osr
from qgis.PyQt.QtGui import QImage

SIDE = 800


@pytest.fixture
def script(repository_root, qgis_app, monkeypatch):
    """``scripts/demo_pictures.py`` as a module."""
    monkeypatch.syspath_prepend(str(repository_root / "scripts"))
    yield importlib.import_module("demo_pictures")
    for name in ("demo_pictures", "simulate"):
        sys.modules.pop(name, None)


def write(path: Path, *values: int) -> None:
    """A raster with one value a band."""
    path.parent.mkdir(parents=True)
    file = gdal.GetDriverByName("GTiff").Create(str(path), SIDE, SIDE, len(values), gdal.GDT_Byte)
    file.SetGeoTransform((500000, 1, 0, 6000000, 0, -1))
    crs = osr.SpatialReference()
    crs.ImportFromEPSG(32632)
    file.SetProjection(crs.ExportToWkt())
    for number, value in enumerate(values, start=1):
        file.GetRasterBand(number).Fill(value)


def test_a_sheet_shows_the_map_in_the_card_s_colours(script, tmp_path):
    write(tmp_path / "air" / "imagery.tif", 90, 120, 60, 200)
    write(tmp_path / "land_cover" / "classes.tif", 1)
    name, image, model, products = script.PICTURES[0]
    sheet = QImage(str(script.draw(tmp_path, name, image, model, products)))
    card = script.read_sidecar(script.ROOT / "resources" / "models" / f"{model}.json")
    color = next(info.color for info in card.outputs[0].classes if info.value == 1)
    pixels_per_mm = script.DPI / 25.4
    x = (2 * script.GAP + 1.5 * script.MAP_SIDE) * pixels_per_mm
    y = (script.TITLE + script.GAP + script.MAP_SIDE / 2) * pixels_per_mm
    assert sheet.pixelColor(int(x), int(y)).name() == color.lower()
