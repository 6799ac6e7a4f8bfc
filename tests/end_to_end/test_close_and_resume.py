"""QGIS closed in the middle of a run: the engine goes with it, and the next QGIS finishes the run."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from qgis_desk import Qgis, open_qgis
from swellendam import CLIP, four_layers

#: Seconds in which the engine has to be gone once QGIS has ended.
FAREWELL = 5


@dataclass
class Seen:
    """What was seen on the way."""

    engines: list = field(default_factory=list)
    engines_left: list = field(default_factory=list)
    exit_code: int = -1
    offered: dict = field(default_factory=dict)
    resumed: dict = field(default_factory=dict)
    groups: dict = field(default_factory=dict)


@pytest.fixture(scope="module")
def seen(home, shared_data) -> Seen:
    """Two visits to one profile."""
    found = Seen()
    layers = four_layers(shared_data)
    with open_qgis(home) as qgis:
        qgis.load(layers, CLIP)
        start_and_close(qgis, found)
    with open_qgis(home) as qgis:
        resume(qgis, found)
    return found


def start_and_close(qgis: Qgis, found: Seen) -> None:
    """Close as the menu does, answer that the run may go, and look at the engine's processes."""
    qgis.open_dock()
    qgis.click("FusionMapperAreaWhole")
    qgis.until("FusionMapperRunButton", enabled=True)
    qgis.click("FusionMapperRunButton")
    qgis.wait_for("run", number=1, state="running", stage_begins="Mapping,")
    found.engines = qgis.engines()
    qgis.ask("close")
    qgis.click_at(qgis.wait_for("question"))  # whether what is running may be cancelled; the spot is that of Yes
    # QGIS itself stays open when it cancels its tasks, and has to be closed once more.
    qgis.wait_for_end(1)
    qgis.ask("close")
    found.exit_code, ended = qgis.exit_code(), time.monotonic()
    while (left := [pid for pid in found.engines if alive(pid)]) and time.monotonic() - ended < FAREWELL:
        time.sleep(0.05)
    found.engines_left = left


def resume(qgis: Qgis, found: Seen) -> None:
    """Open the dock of an empty project, and press what the interrupted run offers."""
    qgis.open_dock()
    found.offered = qgis.until("FusionMapperRunResume_1", shown=True, enabled=True)
    qgis.picture("7-resume")
    qgis.click("FusionMapperRunResume_1")
    found.resumed = qgis.wait_for_end(1)
    qgis.wait_for("drawn")
    qgis.picture("8-resumed")
    found.groups = qgis.ask("tree")["groups"]


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() and subprocess.run(["ps", "-p", str(pid)], capture_output=True).returncode == 0


def test_closing_qgis_ends_the_engine_in_time(seen):
    assert seen.engines
    assert seen.engines_left == []
    assert seen.exit_code == 0


def test_the_next_qgis_offers_to_resume(seen):
    assert "Resume" in seen.offered["text"]


def test_the_resumed_run_gives_its_results(seen):
    assert seen.resumed["state"] == "finished"
    (layers,) = seen.groups.values()
    assert "Map" in [layer["name"] for layer in layers]
