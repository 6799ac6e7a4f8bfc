"""The whole way in a real QGIS, by real clicks and keys: layers, dock, run, styled layers, cancel, close.

The pictures that are taken on the way stay in ``build/screenshots``.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field

import pytest
from fusion_mapper.models.card import Card, read_sidecar
from fusion_mapper.models.library import STARTERS

#: About 850 m × 1050 m of the aerial image, with houses and roads: west, south, east, north in degrees.
CLIP = [20.5170, -34.0425, 20.5262, -34.0330]
CARD: Card = read_sidecar(STARTERS / "landcover-rgb-1m.json")


@dataclass
class Journey:
    """What was seen on the way."""

    rows: dict = field(default_factory=dict)
    engine: str = ""
    refusal: str = ""
    stages: list = field(default_factory=list)
    finished: dict = field(default_factory=dict)
    groups: dict = field(default_factory=dict)
    cancelled: dict = field(default_factory=dict)
    engines_after_cancel: list = field(default_factory=list)
    engines_while_running: list = field(default_factory=list)
    engines_after_close: list = field(default_factory=list)
    exit_code: int = -1


@pytest.fixture(scope="module")
def journey(qgis, shared_data) -> Journey:
    """One visit: what a user does, in order."""
    seen = Journey()
    arrive(qgis, shared_data / "swellendam")
    open_dock(qgis, seen)
    run_with_the_damaged_rivers(qgis, seen)
    run_and_leave_the_damaged_out(qgis, seen)
    run_and_cancel(qgis, seen)
    run_and_close(qgis, seen)
    return seen


def arrive(qgis, folder) -> None:
    qgis.ask("size", width=1280, height=720)
    answer = qgis.ask(
        "load",
        layers=[
            [f"{folder}/srtm_41_19.tif", "srtm_41_19", "gdal"],
            [f"{folder}/3420B_2010_328_RGB_LATLNG.tif", "3420B_2010_328_RGB", "gdal"],
            [f"{folder}/rivers.shp", "rivers", "ogr"],
            [f"{folder}/training_data.gpkg|layername=buildings", "buildings", "ogr"],
            [f"{folder}/training_data.gpkg|layername=roads", "roads", "ogr"],
        ],
    )
    assert len(answer["valid"]) == 5
    qgis.wait_for("drawn")
    qgis.ask("look", extent=CLIP, crs="EPSG:4326")
    qgis.wait_for("drawn")


def open_dock(qgis, seen) -> None:
    qgis.click("FusionMapperToggleDock")
    qgis.wait_for("dock", shown=True)
    seen.engine = qgis.wait_for("engine")["text"]
    qgis.choose("FusionMapperModel", CARD.label)
    qgis.wait_until_run_is_enabled()
    seen.rows = qgis.ask("rows")["rows"]
    qgis.picture("1-before")


def run_with_the_damaged_rivers(qgis, seen) -> None:
    qgis.click("FusionMapperRunButton")
    seen.refusal = qgis.wait_for("run", number=1, state="failed")["sentence"]
    qgis.picture("2-refused")


def run_and_leave_the_damaged_out(qgis, seen) -> None:
    qgis.scroll("FusionMapperChoices")
    qgis.click("FusionMapperMore", child="collapseButton")
    qgis.scroll("FusionMapperChoices")
    qgis.choose("FusionMapperUnreadable", "Skip and count")
    qgis.forget_events()
    qgis.click("FusionMapperRunButton")
    qgis.wait_for("run", number=2, state="running", stage_begins="Mapping")
    qgis.picture("3-running")
    seen.finished = qgis.wait_for_end(2)
    qgis.wait_for("drawn")
    qgis.picture("4-finished")
    seen.groups = qgis.ask("tree")["groups"]


def run_and_cancel(qgis, seen) -> None:
    qgis.scroll("FusionMapperChoices", down=False)
    qgis.click("FusionMapperAreaWhole")
    qgis.click("FusionMapperRunButton")
    seen.stages.append(qgis.wait_for("run", number=3, state="running", stage_begins="Mapping,")["stage"])
    qgis.picture("5-whole-image")
    qgis.click("FusionMapperRunCancel_3")
    seen.cancelled = qgis.wait_for_end(3)
    seen.engines_after_cancel = qgis.engines()


def run_and_close(qgis, seen) -> None:
    qgis.click("FusionMapperRunButton")
    qgis.wait_for("run", number=4, state="running", stage_begins="Mapping")
    running = qgis.engines()
    seen.engines_while_running = running
    qgis.ask("close")
    qgis.click_at(qgis.wait_for("question"))  # whether what is running may be cancelled; the spot is that of Yes
    qgis.wait_for("run", number=4, state="cancelled")
    qgis.ask("close")
    seen.exit_code = qgis.exit_code()
    seen.engines_after_close = [pid for pid in running if alive(pid)]


def alive(pid: int) -> bool:
    return subprocess.run(["ps", "-p", str(pid)], capture_output=True).returncode == 0


def test_every_slot_finds_its_layers_without_a_hand_on_it(journey):
    chosen = {slot: sorted(layers) for slot, (layers, _) in journey.rows.items()}
    assert chosen == {
        "imagery": ["3420B_2010_328_RGB"],
        "osm": ["buildings", "rivers", "roads"],
        "dem": ["srtm_41_19"],
    }


def test_a_coarse_elevation_model_is_told_under_its_row(journey):
    assert journey.rows["dem"][1] == "82 m elevation for a model trained with 30 m; slopes will be smooth."


def test_the_engine_names_its_device(journey):
    assert journey.engine.startswith("Engine ready · ")


def test_a_damaged_layer_is_refused_with_a_sentence_that_names_it(journey):
    assert "rivers" in journey.refusal


def test_a_run_tells_stage_and_rate(journey):
    (stage,) = journey.stages
    assert re.fullmatch(r"Mapping, [0-9.e+-]+ Mpx/s, \d+ s left", stage)


def test_the_results_lie_in_one_group(journey):
    assert journey.finished["state"] == "finished"
    (group,) = journey.groups
    assert group.startswith(f"{CARD.label}, 3420B_2010_328_RGB (")
    assert [layer["name"] for layer in journey.groups[group]] == ["Polygons", "Map"]


def test_the_map_has_the_model_s_classes_and_the_legend_names_them(journey):
    (layers,) = journey.groups.values()
    polygons, raster = layers
    names = [info.name for info in CARD.outputs[0].classes]
    assert raster["visible"]
    assert set(raster["values"]) <= {info.value for info in CARD.outputs[0].classes} | {255}
    assert len(raster["values"]) > 1
    assert [entry for entry in raster["legend"] if entry in names] == names
    assert [entry for entry in polygons["legend"] if entry in names] == names
    assert polygons["features"] > 0


def test_cancel_stops_the_run_and_its_engine(journey):
    assert journey.cancelled["state"] == "cancelled"
    assert journey.engines_after_cancel == []


def test_closing_qgis_ends_the_engine(journey):
    assert journey.engines_while_running
    assert journey.engines_after_close == []
    assert journey.exit_code == 0
