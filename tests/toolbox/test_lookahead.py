"""What the engine can be asked about before anything is staged, and that its grid is the run's."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fusion_mapper.models.card import read_sidecar
from fusion_mapper.toolbox.algorithms.map import MapAlgorithm
from fusion_mapper.toolbox.engine.once import Engine
from fusion_mapper.toolbox.layers.bands import automatic_bands
from fusion_mapper.toolbox.layers.sources import describe
from fusion_mapper.toolbox.layers.suiting import raster_suits
from fusion_mapper.toolbox.runs.execute import Outputs
from fusion_mapper.toolbox.runs.lookahead import look_ahead
from qgis.core import QgsCoordinateReferenceSystem, QgsFeature, QgsGeometry, QgsRasterLayer, QgsVectorLayer

sys.path.insert(0, str(Path(__file__).parent))
from tile_server import TileServer

TOWN = "20.5220,20.5245,-34.0490,-34.0470 [EPSG:4326]"


@pytest.fixture
def ahead(provider, models, context, tmp_path):
    """Looks ahead at a run of the tiny land-cover model."""

    def look(**parameters):
        model = models / "tiny-landcover.onnx"
        collected = MapAlgorithm().create().collect({"MODEL": str(model), **parameters}, context)
        card = read_sidecar(model.with_suffix(".json"))
        request = collected.as_request(model, card, Outputs("", {"classes": None}), context.transformContext())
        return look_ahead(request, tmp_path / "look")

    return look


@pytest.fixture
def check(engine_python, tmp_path):
    """The engine's report on what can be looked at."""

    def ask(found) -> dict:
        return Engine(engine_python).check(found.job, tmp_path, lambda _event: None, lambda: False).report

    return ask


def center(report: dict) -> tuple[float, float]:
    west, south, east, north = report["grid"]["bounds"]
    return (west + east) / 2, (south + north) / 2


def crs_of(report: dict) -> str:
    return QgsCoordinateReferenceSystem.fromWkt(report["grid"]["crs"]).authid()


def test_files_are_all_looked_at(ahead, check, swellendam):
    found = ahead(IMAGERY=[swellendam["aerial"]], OSM=[swellendam["roads"]], DEM=swellendam["srtm"], EXTENT=TOWN)
    assert found.left_out == frozenset()
    report = check(found)
    assert {name: entry["verdict"] == "cannot" for name, entry in report["slots"].items()} == dict.fromkeys(
        report["slots"], False
    )
    assert report["tiles"] > 0


def test_a_layer_with_a_crs_of_the_users_own_gives_the_grid_unseen(ahead, check, swellendam, project):
    aerial = QgsRasterLayer(swellendam["aerial"].source(), "moved")
    aerial.setCrs(QgsCoordinateReferenceSystem("EPSG:4258"))
    project.addMapLayer(aerial, False)
    found = ahead(IMAGERY=[aerial], DEM=swellendam["srtm"])
    assert found.left_out == {"imagery"}
    report = check(found)
    assert crs_of(report) == "EPSG:4258"
    middle = aerial.extent().center()
    assert center(report) == pytest.approx((middle.x(), middle.y()), abs=1e-3)


def test_a_map_service_gives_the_crs_unseen(ahead, check, swellendam, project):
    server = TileServer()
    service = QgsRasterLayer(server.uri, "Tiles", "wms")
    project.addMapLayer(service, False)
    found = ahead(IMAGERY=[service], OSM=[swellendam["roads"]], EXTENT=TOWN)
    server.close()
    assert found.left_out == {"imagery"}
    assert crs_of(check(found)) == "EPSG:3857"


def test_the_bands_of_a_map_service_are_its_colours(project, models):
    slot = read_sidecar(models / "tiny-landcover.json").slots[0]
    server = TileServer()
    service = describe(QgsRasterLayer(server.uri, "Tiles", "wms"))
    server.close()
    assert raster_suits(slot, service, []).suits
    assert automatic_bands(slot, service, [service]) == (tuple((service.id, band) for band in (1, 2, 3)), True)


def test_of_an_area_that_is_not_saved_the_extent_counts(ahead, check, swellendam, project):
    area = QgsVectorLayer("Polygon?crs=EPSG:4326", "drawn", "memory")
    feature = QgsFeature()
    feature.setGeometry(
        QgsGeometry.fromWkt("POLYGON((20.522 -34.049, 20.5245 -34.049, 20.5245 -34.047, 20.522 -34.049))")
    )
    area.dataProvider().addFeature(feature)
    area.updateExtents()
    project.addMapLayer(area, False)
    report = check(ahead(IMAGERY=[swellendam["aerial"]], AREA=area))
    assert center(report) == pytest.approx((20.52325, -34.048), abs=1e-4)
