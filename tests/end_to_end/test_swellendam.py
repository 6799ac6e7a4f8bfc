"""The whole way in a real QGIS, by real clicks and keys: layers, dock, run, styled layers, cancel, close.

The pictures that are taken on the way stay in ``build/screenshots``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest
from fusion_mapper.models.card import Card, read_sidecar
from fusion_mapper.models.library import STARTERS
from swellendam import CLIP, damaged_rivers, four_layers

CARD: Card = read_sidecar(STARTERS / "landcover-rgb-1m.json")


@dataclass
class Journey:
    """What was seen on the way."""

    model: str = ""
    rows: dict = field(default_factory=dict)
    engine: str = ""
    refusal: str = ""
    refused: bool = False
    stages: list = field(default_factory=list)
    finished: dict = field(default_factory=dict)
    groups: dict = field(default_factory=dict)
    cancelled: dict = field(default_factory=dict)


@pytest.fixture(scope="module")
def journey(qgis, shared_data) -> Journey:
    """One visit: what a user does, in order."""
    seen = Journey()
    arrive(qgis, shared_data)
    open_dock(qgis, seen)
    hear_of_the_damaged_rivers(qgis, seen)
    preview(qgis)
    run(qgis, seen)
    run_and_cancel(qgis, seen)
    return seen


def arrive(qgis, shared_data) -> None:
    elevation, imagery, *osm = four_layers(shared_data)
    qgis.load([elevation, imagery, damaged_rivers(shared_data), *osm], CLIP)


def open_dock(qgis, seen) -> None:
    seen.engine = qgis.open_dock()
    seen.model = qgis.ask("state", name="FusionMapperModel")["text"]
    seen.rows = qgis.ask("rows")["rows"]
    qgis.picture("1-before")


def hear_of_the_damaged_rivers(qgis, seen) -> None:
    seen.refusal = qgis.until("FusionMapperReason", text="rivers", shown=True)["text"]
    seen.refused = not qgis.ask("state", name="FusionMapperRunButton")["enabled"]
    qgis.picture("2-refused")
    qgis.scroll("FusionMapperChoices")
    qgis.click("FusionMapperMore", child="collapseButton")
    qgis.scroll("FusionMapperChoices")
    qgis.choose("FusionMapperUnreadable", "Skip and count")
    qgis.picture("3-options")
    qgis.until("FusionMapperRunButton", enabled=True)


def preview(qgis) -> None:
    qgis.click("FusionMapperPreviewButton")
    qgis.until("FusionMapperPreviewText", text="Preview of the visible map", shown=True)
    qgis.until("FusionMapperPreviewButton", text="Preview")
    qgis.picture("4-preview")


def run(qgis, seen) -> None:
    qgis.forget_events()
    qgis.click("FusionMapperRunButton")
    seen.finished = qgis.wait_for_end(1)
    qgis.wait_for("drawn")
    qgis.picture("5-finished")
    seen.groups = qgis.ask("tree")["groups"]


def run_and_cancel(qgis, seen) -> None:
    qgis.scroll("FusionMapperChoices", down=False)
    qgis.click("FusionMapperAreaWhole")
    qgis.until("FusionMapperRunButton", enabled=True)
    qgis.click("FusionMapperRunButton")
    seen.stages.append(qgis.wait_for("run", number=2, state="running", stage_begins="Mapping,")["stage"])
    qgis.picture("6-whole-image")
    qgis.click("FusionMapperRunCancel_2")
    seen.cancelled = qgis.wait_for_end(2)


def test_the_model_that_the_layers_suit_is_chosen(journey):
    assert journey.model == CARD.label


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
    assert journey.refused


def test_a_run_tells_stage_and_rate(journey):
    (stage,) = journey.stages
    assert re.fullmatch(r"Mapping, [0-9.e+-]+ Mpx/s, \d+ s left", stage)


def test_the_results_lie_in_one_group(journey):
    assert journey.finished["state"] == "finished"
    (group,) = journey.groups
    assert group.startswith("Land cover, 3420B_2010_328_RGB (")
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


def test_cancel_stops_the_run(journey):
    assert journey.cancelled["state"] == "cancelled"
