"""The engine's pre-flight behind the rows: real engine, real layers, starter models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fusion_mapper.models.card import read_sidecar
from fusion_mapper.models.library import STARTERS
from fusion_mapper.toolbox.results.project import map_parameters
from fusion_mapper.ui.inputs.engine_check import EngineCheck
from fusion_mapper.ui.inputs.preflight import Level
from fusion_mapper.ui.inputs.slot_list import SlotList
from fusion_mapper.ui.runs.state import RunRequest
from qgis.core import (
    QgsProcessingFeatureSourceDefinition,
    QgsRasterLayer,
    QgsRectangle,
    QgsReferencedRectangle,
    QgsVectorLayer,
)

PATIENCE = 60_000


@pytest.fixture
def check(qtbot, warm, provider, project):
    check = EngineCheck(warm)
    check.reports, check.verdicts, check.problems = [], [], []
    check.report_changed.connect(check.reports.append)
    check.verdicts_changed.connect(check.verdicts.append)
    check.failed.connect(check.problems.append)
    yield check
    check.close_down()
    qtbot.waitUntil(lambda: not check.working(), timeout=PATIENCE)
    check.let_go()


def settle(qtbot, check) -> None:
    """Wait until the last question was answered."""
    qtbot.waitUntil(lambda: not check._quiet.isActive() and not check.working(), timeout=PATIENCE)


@pytest.fixture
def request_of(tmp_path):
    """A run of a starter model over the first raster's middle, as the panel describes one."""

    def request(model: str, imagery, size: float = 0.004, **others) -> RunRequest:
        path = STARTERS / f"{model}.onnx"
        folder = tmp_path / "run"
        center = imagery[0].extent().center()
        part = QgsRectangle(center.x() - size, center.y() - size, center.x() + size, center.y() + size)
        parameters = map_parameters(path, imagery=imagery, products={"classes": str(folder / "c.tif")}, **others)
        parameters["EXTENT"] = QgsReferencedRectangle(part, imagery[0].crs())
        return RunRequest("a run", path, read_sidecar(path.with_suffix(".json")), parameters, folder)

    return request


@pytest.fixture
def amazon(shared_data: Path, project) -> QgsRasterLayer:
    """Sentinel-2 as reflectance from 0 to 1."""
    layer = QgsRasterLayer(str(shared_data / "amazon_s2" / "sen2.tif"), "sen2")
    project.addMapLayer(layer)
    return layer


def test_the_engine_looks_at_the_layers_of_every_slot(qtbot, check, request_of, aerial, roads, elevation):
    check.ask(request_of("landcover-rgb-1m", [aerial], osm=[roads], dem=elevation))
    settle(qtbot, check)
    assert check.problems == []
    assert {name: verdict.level for name, verdict in check.verdicts[-1].items()} == {
        "imagery": Level.FITS,
        "osm": Level.FITS,
        "dem": Level.FITS,
    }
    assert check.reports[0]["tiles"] >= 1
    assert check.reports[-1]["seconds"] > 0
    assert not check.reports[-1]["partial"]


def test_reflectance_for_a_model_of_bytes_is_caught_and_the_remedy_named(qtbot, check, request_of, amazon):
    check.ask(request_of("landcover-rgb-1m", [amazon]))
    settle(qtbot, check)
    verdict = check.verdicts[-1]["imagery"]
    assert verdict.level is Level.NOTE
    assert verdict.text.startswith("red is 0.")
    assert verdict.text.endswith("Choose “0 to 1, made 8 bit (× 255)” in Bands…")


def test_the_named_remedy_settles_it(qtbot, check, request_of, amazon):
    check.ask(request_of("landcover-rgb-1m", [amazon], RADIOMETRY="imagery=unit-to-byte"))
    settle(qtbot, check)
    assert check.verdicts[-1]["imagery"].level is Level.FITS


def test_features_that_fit_no_channel_are_told(qtbot, check, request_of, amazon, buildings):
    check.ask(request_of("landcover-rgb-1m", [amazon], osm=[buildings]))
    settle(qtbot, check)
    assert check.verdicts[-1]["osm"].text.startswith("No feature of the layers for 'osm' fits its channels")


def test_the_latest_question_wins(qtbot, check, request_of, aerial, amazon):
    check.ask(request_of("landcover-rgb-1m", [aerial]))
    qtbot.waitUntil(lambda: check._task is not None)
    check.ask(request_of("landcover-rgb-1m", [amazon]))
    settle(qtbot, check)
    assert len(check.verdicts) == 1
    assert check.verdicts[0]["imagery"].level is Level.NOTE


def test_the_same_question_is_asked_once(qtbot, check, request_of, aerial):
    check.ask(request_of("landcover-rgb-1m", [aerial]))
    settle(qtbot, check)
    check.ask(request_of("landcover-rgb-1m", [aerial]))
    assert not check._quiet.isActive()
    check.ask(request_of("landcover-rgb-1m", [aerial], size=0.003))
    assert check._quiet.isActive()


def test_a_selection_of_polygons_is_one_question_until_it_changes(qtbot, check, request_of, aerial, buildings):
    def request():
        asked = request_of("landcover-rgb-1m", [aerial])
        return replace(asked, parameters={**asked.parameters, "EXTENT": None, "AREA": selected()})

    def selected():
        return QgsProcessingFeatureSourceDefinition(buildings.id(), True)

    buildings.selectByIds([1, 2])
    check.ask(request())
    settle(qtbot, check)
    check.ask(request())
    assert not check._quiet.isActive()
    buildings.selectByIds([3])
    check.ask(request())
    assert check._quiet.isActive()


def test_layers_that_have_to_be_staged_keep_the_cheap_verdict(qtbot, check, request_of, project, aerial):
    drawn = QgsVectorLayer("LineString?crs=EPSG:4326&field=highway:string", "drawn roads", "memory")
    project.addMapLayer(drawn)
    check.ask(request_of("landcover-rgb-1m", [aerial], osm=[drawn]))
    settle(qtbot, check)
    assert check.problems == []
    assert set(check.verdicts[-1]) == {"imagery"}
    assert check.reports[-1]["partial"]


def test_the_engine_is_left_to_what_the_user_waits_for(qtbot, check, request_of, aerial):
    request = request_of("landcover-rgb-1m", [aerial])
    check.ask(request)
    check.give_way()
    settle(qtbot, check)
    assert check.verdicts == []
    check.ask(request)
    settle(qtbot, check)
    assert len(check.verdicts) == 1
    check.give_way()
    check.ask(request)
    assert not check._quiet.isActive()


def test_what_the_engine_cannot_open_is_told_in_its_words(qtbot, check, request_of, project, aerial, tmp_path):
    broken = tmp_path / "broken.tif"
    broken.write_bytes(Path(aerial.source()).read_bytes())
    layer = QgsRasterLayer(str(broken), "broken")
    project.addMapLayer(layer)
    request = request_of("landcover-rgb-1m", [layer])
    broken.write_bytes(b"no raster")
    check.ask(request)
    settle(qtbot, check)
    assert "broken.tif is not a raster that GDAL can open" in check.problems[-1]
    assert check.reports == []


def test_rows_show_the_graver_of_both_verdicts(qtbot, check, request_of, amazon):
    slots = SlotList()
    qtbot.addWidget(slots)
    slots.show_card(read_sidecar(STARTERS / "landcover-rgb-1m.json"))
    imagery = slots.rows()[0]
    imagery.choose([amazon])
    check.verdicts_changed.connect(slots.show_thorough)
    check.ask(request_of("landcover-rgb-1m", [amazon]))
    settle(qtbot, check)
    slots.judge(None)
    assert imagery.verdict.text.startswith("red is 0.")
    imagery.choose([])
    slots.judge(None)
    assert "trained with" not in imagery.verdict.text
