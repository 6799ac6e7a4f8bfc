"""The dock by keys alone, and what it tells those who do not see it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from qgis_desk import Qgis
from swellendam import CLIP, four_layers

#: The frame that scrolls takes the keyboard by a click; the Tab key goes to what is in it.
FRAMES = {"FusionMapperChoices", "FusionMapperRuns"}


@dataclass
class Seen:
    """What was found on the way."""

    wanted: set = field(default_factory=set)
    reached: list = field(default_factory=list)
    nameless: dict = field(default_factory=dict)
    running: dict = field(default_factory=dict)
    cancelled: dict = field(default_factory=dict)


@pytest.fixture(scope="module")
def seen(qgis, shared_data) -> Seen:
    """One visit without the mouse, once the dock is open."""
    found = Seen()
    qgis.load(four_layers(shared_data), CLIP)
    qgis.open_dock()
    qgis.until("FusionMapperRunButton", enabled=True)
    found.wanted = set(qgis.ask("focusable", name="FusionMapperDock")["names"]) - FRAMES
    found.reached = walk(qgis, len(found.wanted))
    found.nameless["dock"] = qgis.ask("nameless", name="FusionMapperDock")
    run_and_cancel(qgis, found)
    found.nameless["dock with a run"] = qgis.ask("nameless", name="FusionMapperDock")
    return found


def walk(qgis: Qgis, count: int) -> list:
    """Where the Tab key goes, from the model on."""
    qgis.ask("take_keyboard", name="FusionMapperModel")
    way = []
    for _ in range(count + 5):
        way.append(qgis.ask("focus")["name"])
        qgis.press("Tab")
    return way


def run_and_cancel(qgis: Qgis, found: Seen) -> None:
    """Take the whole imagery, start, and cancel, by Tab and Space."""
    qgis.ask("take_keyboard", name="FusionMapperModel")
    qgis.tab_to("FusionMapperAreaVisible")
    qgis.press("Right")
    qgis.tab_to("FusionMapperRunButton")
    qgis.press("space")
    found.running = qgis.wait_for("run", number=1, state="running", stage_begins="Mapping")
    qgis.tab_to("FusionMapperRunCancel_1")
    qgis.press("space")
    found.cancelled = qgis.wait_for_end(1)


def test_the_tab_key_reaches_everything(seen):
    assert seen.wanted - set(seen.reached) == set()


def test_the_tab_key_goes_from_top_to_bottom(seen):
    marks = ["FusionMapperModel", "FusionMapperAreaVisible", "FusionMapperPreviewButton", "FusionMapperRunButton"]
    assert sorted(marks, key=seen.reached.index) == marks


def test_a_run_is_started_and_cancelled_by_keys(seen):
    assert seen.cancelled["state"] == "cancelled"


def test_every_icon_says_what_it_is(seen):
    assert {place: found["icons"] for place, found in seen.nameless.items() if found["icons"]} == {}


def test_every_field_has_a_name(seen):
    assert {place: found["fields"] for place, found in seen.nameless.items() if found["fields"]} == {}
