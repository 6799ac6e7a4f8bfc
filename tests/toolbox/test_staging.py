"""Staging: layers that only QGIS can read become files, off the main thread too."""

from __future__ import annotations

import math
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fusion_mapper.inference.errors import Cancelled, SourceError
from fusion_mapper.toolbox.layers.sources import describe
from fusion_mapper.toolbox.layers.staging import PixelGrid, Stage, stage_raster, stage_vector
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCoordinateTransformContext,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)

sys.path.insert(0, str(Path(__file__).parent))
from tile_server import TileServer, tile_color

#: Seconds; QGIS itself gives a silent server up after 60.
PATIENCE = 30
WGS84 = QgsCoordinateReferenceSystem("EPSG:4326")


@pytest.fixture
def stage(tmp_path, ears):
    return Stage(tmp_path / "staged", QgsCoordinateTransformContext(), ears.isCanceled, ears.pushInfo, ears.pushWarning)


@pytest.fixture
def tiles():
    server = TileServer()
    yield server
    server.close()


def in_background(function, *arguments):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *arguments).result()


def read_back(vector) -> QgsVectorLayer:
    layer = vector.as_layer()
    back = QgsVectorLayer(f"{layer.path}|layername={layer.layer}", "back", "ogr")
    assert back.isValid()
    return back


def grid(extent: QgsRectangle, crs: str, columns: int, rows: int) -> PixelGrid:
    return PixelGrid(QgsCoordinateReferenceSystem(crs), extent, columns, rows)


def test_a_memory_layer_becomes_a_geopackage_with_all_it_has(swellendam, stage):
    memory = swellendam["roads"].materialize(_some("\"highway\" = 'residential'"))
    staged = in_background(stage_vector, describe(memory), stage)
    back = read_back(staged)
    assert back.featureCount() == memory.featureCount() > 100
    assert back.crs() == memory.crs()
    assert {feature["highway"] for feature in back.getFeatures()} == {"residential"}
    assert not list(Path(staged.path).parent.glob("part-*"))


def test_unsaved_edits_are_what_the_user_sees(farms_to_edit, stage):
    assert farms_to_edit.startEditing()
    farms_to_edit.deleteFeature(next(farms_to_edit.getFeatures()).id())
    count = farms_to_edit.featureCount()
    staged = in_background(stage_vector, describe(farms_to_edit), stage)
    farms_to_edit.rollBack()
    assert read_back(staged).featureCount() == count == farms_to_edit.featureCount() - 1


def test_a_virtual_layer_of_the_project_is_evaluated(swellendam, stage):
    virtual = QgsVectorLayer("?query=select * from buildings limit 25", "few", "virtual")
    staged = in_background(stage_vector, describe(virtual), stage)
    assert read_back(staged).featureCount() == 25


def test_only_features_near_the_run_are_copied(swellendam, stage):
    memory = swellendam["buildings"].materialize(_some("1"))
    near = grid(QgsRectangle(20.44, -34.0235, 20.442, -34.022), "EPSG:4326", 0, 0)
    staged = stage_vector(describe(memory), stage, near)
    back = read_back(staged)
    assert 0 < back.featureCount() < memory.featureCount()
    assert near.extent.buffered(0.01).contains(back.extent())


def test_cancelling_leaves_no_geopackage(swellendam, stage, ears):
    ears.cancel()
    with pytest.raises(Cancelled):
        stage_vector(describe(swellendam["roads"].materialize(_some("1"))), stage)
    assert not [path for path in stage.folder.glob("*.gpkg") if not path.name.startswith("part-")]


def test_a_map_service_is_drawn_on_the_grid_with_a_word_on_its_terms(tiles, stage, ears):
    layer = QgsRasterLayer(tiles.uri, "tiles", "wms")
    # Four tiles of zoom 10 at their own resolution.
    side = 2 * math.pi * 6378137 / 2**10
    left, top = -math.pi * 6378137 + 570 * side, math.pi * 6378137 - 612 * side
    square = grid(QgsRectangle(left, top - 2 * side, left + 2 * side, top), "EPSG:3857", 512, 512)
    staged = in_background(stage_raster, describe(layer), stage, square)
    back = QgsRasterLayer(staged.path, "back")
    assert (back.width(), back.height(), back.bandCount()) == (512, 512, 4)
    for column in (0, 1):
        for row in (0, 1):
            seen = _values(back, left + (column + 0.5) * side, top - (row + 0.5) * side)
            assert seen == (*tile_color(10, 570 + column, 612 + row), 255)
    assert any("terms" in text for text in ears.warned)


def test_a_map_service_is_reprojected_to_the_grid(tiles, stage):
    layer = QgsRasterLayer(tiles.uri, "tiles", "wms")
    utm = grid(QgsRectangle(260000, 6234000, 262000, 6236000), "EPSG:32734", 200, 200)
    staged = stage_raster(describe(layer), stage, utm)
    back = QgsRasterLayer(staged.path, "back")
    zoom = max(zoom for zoom, _, _ in tiles.asked)
    transform = QgsCoordinateTransform(utm.crs, WGS84, QgsProject.instance())
    point = transform.transform(261000, 6235000)
    column = int((point.x() + 180) / 360 * 2**zoom)
    row = int((1 - math.asinh(math.tan(math.radians(point.y()))) / math.pi) / 2 * 2**zoom)
    assert _values(back, 261000, 6235000)[:3] == tile_color(zoom, column, row)


def test_what_a_service_refuses_is_nodata(stage):
    server = TileServer(refuse=True)
    layer = QgsRasterLayer(server.uri, "tiles", "wms")
    staged = stage_raster(describe(layer), stage, grid(QgsRectangle(0, 0, 1000, 1000), "EPSG:3857", 64, 64))
    server.close()
    assert _values(QgsRasterLayer(staged.path, "back"), 500, 500)[3] == 0


def test_cancel_is_heard_while_a_map_service_lets_one_wait(stage, ears):
    server = TileServer(silent=True)
    layer = QgsRasterLayer(server.uri, "tiles", "wms")
    square = grid(QgsRectangle(0, 0, 100_000, 100_000), "EPSG:3857", 1000, 1000)
    with ThreadPoolExecutor(1) as pool:
        staging = pool.submit(stage_raster, describe(layer), stage, square)
        try:
            assert server.reached.wait(PATIENCE)
            ears.cancel()
            with pytest.raises(Cancelled):
                staging.result(PATIENCE)
        finally:
            server.close()
    assert not list(stage.folder.iterdir())


def test_a_service_is_not_asked_for_more_than_the_limit(tiles, stage):
    layer = QgsRasterLayer(tiles.uri, "tiles", "wms")
    huge = grid(QgsRectangle(0, 0, 1e6, 1e6), "EPSG:3857", 10000, 10000)
    with pytest.raises(SourceError, match="100 million pixels, and the limit is 64"):
        stage_raster(describe(layer), stage, huge)
    assert not tiles.asked


def test_what_was_drawn_before_is_used_again(tiles, stage):
    layer = QgsRasterLayer(tiles.uri, "tiles", "wms")
    small = grid(QgsRectangle(0, 0, 1000, 1000), "EPSG:3857", 64, 64)
    first = stage_raster(describe(layer), stage, small)
    tiles.asked.clear()
    assert stage_raster(describe(layer), stage, small).path == first.path
    assert not tiles.asked


def test_a_chosen_crs_lies_over_the_file_and_nothing_else_changes(swellendam, stage):
    chosen = QgsCoordinateReferenceSystem("EPSG:32734")
    layer = swellendam["aerial"].clone()
    layer.setCrs(chosen)
    staged = in_background(stage_raster, describe(layer), stage)
    back = QgsRasterLayer(staged.path, "back")
    assert back.crs() == chosen
    assert (back.width(), back.height(), back.extent()) == (layer.width(), layer.height(), layer.extent())
    assert back.dataProvider().colorInterpretationName(4) == "Alpha"
    middle = layer.extent().center()
    assert _values(back, middle.x(), middle.y()) == _values(layer, middle.x(), middle.y())


def test_a_raster_that_only_qgis_reads_is_copied_with_its_values(swellendam, stage, tmp_path):
    hidden = tmp_path / "srtm.tif?token=abc"
    hidden.write_bytes(Path(swellendam["srtm"].source()).read_bytes())
    layer = QgsRasterLayer(str(hidden), "srtm")
    near = grid(QgsRectangle(20.44, -34.03, 20.45, -34.02), "EPSG:4326", 0, 0)
    staged = in_background(stage_raster, describe(layer), stage, near)
    back = QgsRasterLayer(staged.path, "back")
    middle = back.extent().center()
    assert back.width() < layer.width()
    assert _values(back, middle.x(), middle.y()) == _values(layer, middle.x(), middle.y())
    assert "token" not in staged.path


def _values(layer: QgsRasterLayer, x: float, y: float) -> tuple:
    from qgis.core import QgsPointXY, QgsRaster

    found = layer.dataProvider().identify(QgsPointXY(x, y), QgsRaster.IdentifyFormat.IdentifyFormatValue)
    return tuple(found.results().values())


def _some(expression: str):
    from qgis.core import QgsFeatureRequest

    return QgsFeatureRequest().setFilterExpression(expression)
