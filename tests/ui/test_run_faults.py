"""However a run fails, it says why in one sentence."""

from __future__ import annotations

import os
import signal

import pytest
from fusion_mapper.toolbox.algorithms.map import MapAlgorithm
from fusion_mapper.ui.runs.model import RunState
from run_desk import TOWN, button, ended, engines, mapping


@pytest.mark.parametrize("step", ["collect", "make"])
@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (ValueError("a\nb"), "Fusion Mapper met a fault of its own; please report ValueError('a\\nb')."),
        (KeyError(), "Fusion Mapper met a fault of its own; please report KeyError()."),
        (MemoryError(), "There is not enough memory; close other programs or map a smaller area."),
        (OSError(28, "No space left on device", "/a/b"), "/a/b cannot be read or written: No space left on device."),
        (OSError(28, "No space left on device"), "A file cannot be read or written: No space left on device."),
    ],
)
def test_a_fault_anywhere_in_the_algorithm_is_told(qtbot, desk, request_for, monkeypatch, step, fault, sentence):
    def fail(*_anything: object) -> None:
        raise fault

    monkeypatch.setattr(MapAlgorithm, step, fail)
    run = ended(qtbot, desk, desk.runs.start(request_for("town")).number, RunState.FAILED)
    assert run.sentence == sentence


def test_a_run_folder_that_cannot_be_made_is_named(qtbot, desk, request_for, tmp_path):
    (tmp_path / "runs").write_text("a file where a folder should be")
    run = ended(qtbot, desk, desk.runs.start(request_for("town")).number, RunState.FAILED)
    assert run.sentence == f"{tmp_path}/runs/town cannot be read or written: Not a directory."


def test_a_resumed_run_whose_engine_dies_tells_of_the_second_death(qtbot, desk, request_for):
    run = desk.runs.start(request_for("town", TOWN))
    mapping(qtbot, desk, run.number)
    os.kill(engines()[0], signal.SIGKILL)
    ended(qtbot, desk, run.number, RunState.FAILED)
    assert "signal 9" in run.sentence
    job = run.request.folder / "run.job.json"
    whole = job.read_text(encoding="utf-8")
    job.write_text(whole[: len(whole) // 2], encoding="utf-8")
    button(desk, "Retry", run.number).click()
    ended(qtbot, desk, run.number, RunState.FAILED)
    assert str(job) in run.sentence


def test_the_engine_stopped_by_somebody_else_is_no_finished_run(qtbot, desk, request_for, tmp_path, monkeypatch):
    engine = tmp_path / "python"
    engine.write_text("#!/bin/sh\nexit 3\n")
    engine.chmod(0o755)
    monkeypatch.setenv("FUSION_MAPPER_ENGINE", str(engine))
    run = ended(qtbot, desk, desk.runs.start(request_for("town")).number, RunState.FAILED)
    assert run.sentence == "The run was cancelled."
