"""What is said of a run follows from its facts."""

from __future__ import annotations

from pathlib import Path

import pytest
from fusion_mapper.inference.events import Progress, Started
from fusion_mapper.ui.runs.log import log_text
from fusion_mapper.ui.runs.menu import Deed, deeds_of, fill_menu, foremost_deed
from fusion_mapper.ui.runs.state import Run, RunRequest, RunState
from fusion_mapper.ui.runs.words import brief_text, rate_text, row_text, running_text, summary_text, told
from fusion_mapper.ui.shared.wording import short_number
from qgis.PyQt.QtWidgets import QMenu

SESSION = Started("0.2", backend="openvino", device="CPU (Some Processor)", precision="f32", reason="No GPU was found.")


@pytest.fixture
def run(landcover) -> Run:
    request = RunRequest("Land cover, 3420B (08:00)", Path("m.onnx"), landcover, {}, Path("/data/runs/one"))
    return Run(1, request, created="2001-02-03T04:05:06Z", state=RunState.RUNNING)


def test_a_running_run_tells_stage_rate_time_left_and_device(run):
    run.progress, run.session = Progress(61, 100, "mapping", 2_140_000.0, 8.3), SESSION
    assert running_text(run) == "Mapping · 2.1 Mpx/s · 8 s left · CPU"
    assert brief_text(run) == "Mapping · 8 s left"


def test_a_run_that_was_told_to_stop_says_so_whatever_else_it_did(run):
    run.progress, run.stage = Progress(61, 100, "mapping", 2e6, 8.0), "Stopping…"
    assert running_text(run) == "Stopping…"


@pytest.mark.parametrize(
    ("rate", "said"),
    [(25.4e6, "25 Mpx/s"), (2.14e6, "2.1 Mpx/s"), (660e3, "660 kpx/s"), (99.7e3, "100 kpx/s"), (1200.0, "1.2 kpx/s")],
)
def test_rates_are_plain_numbers(rate, said):
    assert rate_text(rate) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0"),
        (0.003, "0.003"),
        (0.957, "0.96"),
        (2.0, "2"),
        (8.44, "8.4"),
        (99.7, "100"),
        (-99.7, "-100"),
        (1e4, "10,000"),
    ],
)
def test_numbers_are_never_in_powers_of_ten(number, said):
    assert short_number(number) == said


def test_a_run_of_another_day_names_it(run):
    run.state, run.seconds, run.warnings = RunState.FINISHED, 12.1, ["Mind the gap."]
    assert row_text(run).endswith("Finished after 12 s, 1 note in the log")
    assert "Feb" in row_text(run)


def test_the_tooltip_holds_what_the_row_has_no_room_for(run):
    run.state, run.session, run.size = RunState.FINISHED, SESSION, 5_000_000
    told_all = summary_text(run)
    for part in (run.title, "/data/runs/one", "OpenVINO f32", "No GPU was found.", "MB"):
        assert part in told_all


def test_the_log_says_each_thing_once(run):
    run.state, run.session, run.seconds, run.warnings = RunState.FINISHED, SESSION, 12.1, ["Mind the gap."]
    head, notes = log_text(run, "").split("\n\n")
    assert "Finished after 12 s\nDevice: CPU (OpenVINO f32)\nNo GPU was found.\nModel: " in head
    assert notes == "Notes\nMind the gap."


def test_an_interrupted_run_says_by_what(run):
    run.state = RunState.INTERRUPTED
    assert told(run) == "QGIS ended while it ran"
    run.sentence = "Interrupted by closing QGIS"
    assert told(run) == run.sentence


@pytest.mark.parametrize(
    ("state", "on_map", "gone", "foremost"),
    [
        (RunState.WAITING, False, False, Deed.CANCEL),
        (RunState.RUNNING, False, False, Deed.CANCEL),
        (RunState.FINISHED, True, False, None),
        (RunState.FINISHED, False, False, Deed.ADD_TO_MAP),
        (RunState.FINISHED, True, True, Deed.RUN_AGAIN),
        (RunState.FAILED, False, False, Deed.RETRY),
        (RunState.CANCELLED, False, False, Deed.RESUME),
        (RunState.INTERRUPTED, False, False, Deed.RESUME),
    ],
)
def test_each_state_offers_what_it_needs_most_and_its_mnemonics_are_its_own(qtbot, run, state, on_map, gone, foremost):
    run.state, run.on_map, run.gone = state, on_map, gone
    assert foremost_deed(run) is foremost
    assert foremost is None or foremost in deeds_of(run)
    menu = QMenu()
    qtbot.addWidget(menu)
    fill_menu(menu, run, lambda deed: None)
    keys = [action.text().split("&")[1][0].lower() for action in menu.actions() if not action.isSeparator()]
    assert len(keys) == len(set(keys)) == len(deeds_of(run))
