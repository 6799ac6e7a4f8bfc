"""The queue of runs: what it keeps over a restart, resumes and runs again; with the real engine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from fusion_mapper.toolbox.algorithms.base import is_temporary, temporary_folder
from fusion_mapper.toolbox.runs.kept_values import moved
from fusion_mapper.ui.runs.model import RunRequest, RunState
from qgis.core import QgsApplication, QgsProject
from qgis.PyQt.QtWidgets import (
    QProgressBar,
)
from run_desk import (
    DISTRICT,
    LANDCOVER,
    PATIENCE,
    STEADY,
    TOWN,
    alive,
    button,
    deed,
    ended,
    engines,
    go_on,
    mapping,
    products,
    text,
)


@pytest.fixture(scope="module")
def once() -> dict[str, bytes]:
    """What is computed once for all tests."""
    return {}


@pytest.fixture
def undisturbed(qtbot, open_desk, request_for, once) -> dict[str, bytes]:
    """Products of the town that nothing happened to."""
    if once:
        return once
    desk = open_desk()
    run = desk.runs.start(request_for("undisturbed", TOWN))
    ended(qtbot, desk, run.number)
    desk.runs.forget(run.number)
    desk.close_down(qtbot)
    once.update(products(run.request.folder))
    return once


def test_a_run_at_work_shows_rate_time_left_and_device(qtbot, desk, request_for):
    desk.runs.start(request_for("district", DISTRICT))
    run = mapping(qtbot, desk, 1)
    qtbot.waitUntil(lambda: run.progress.rate is not None and run.progress.remaining is not None, timeout=PATIENCE)
    shown = text(desk, 1)
    assert "px/s" in shown
    assert "left" in shown
    assert "CPU" in shown
    assert "ONNX Runtime" in desk.list.row(1).toolTip()
    assert desk.findChild(QProgressBar, "FusionMapperRunBar_1").value() == int(run.percent)


def test_a_finished_run_is_there_after_a_restart_with_its_results(qtbot, open_desk, request_for):
    first = open_desk()
    first.runs.start(request_for("kept"))
    before = ended(qtbot, first, 1)
    first.close_down(qtbot)
    after = open_desk().runs.run(1)
    assert after.request == before.request
    assert (after.state, after.results, after.session, after.messages, after.created) == (
        before.state, before.results, before.session, before.messages, before.created,
    )  # fmt: skip
    assert after.layers == before.layers


def test_closing_in_mid_run_ends_the_engine_and_the_run_goes_on_at_the_next_start(
    qtbot, open_desk, request_for, undisturbed
):
    first = open_desk()
    first.runs.start(request_for("closed", TOWN))
    first.runs.start(request_for("waiting"))
    mapping(qtbot, first, 1)
    first.close_down(qtbot)
    assert engines() == []
    assert first.runs.run(1).state is RunState.INTERRUPTED

    second = open_desk()
    assert [run.state for run in second.runs.runs()] == [RunState.INTERRUPTED] * 2
    assert text(second, 1) == "Interrupted by closing QGIS"
    # The layers are not needed to go on.
    QgsProject.instance().clear()
    run = go_on(qtbot, second, "Resume", 1)
    assert products(run.request.folder) == undisturbed
    assert set(run.results) >= {"CLASSES", "CONFIDENCE", "FOLDER", "ATTRIBUTION"}


def test_a_run_whose_qgis_was_killed_goes_on_at_the_next_start(
    qtbot, open_desk, profile, swellendam, undisturbed, tmp_path, repository_root
):
    folder = tmp_path / "runs" / "killed"
    west, south, east, north = TOWN
    parameters = {
        "MODEL": str(LANDCOVER),
        "IMAGERY": {"3420B_2010_328_RGB": str(swellendam / "3420B_2010_328_RGB_LATLNG.tif")},
        "OSM": {"roads": f"{swellendam}/training_data.gpkg|layername=roads"},
        "DEM": {"srtm_41_19": str(swellendam / "srtm_41_19.tif")},
        "CLASSES": str(folder / "classes.tif"),
        "CONFIDENCE": str(folder / "confidence.tif"),
        "EXTENT": f"{west},{east},{south},{north} [EPSG:4326]",
        "FOLDER": str(folder),
        **STEADY,
    }
    script = repository_root / "tests" / "support" / "hold_run.py"
    command = [sys.executable, script, repository_root, json.dumps(parameters), folder, profile]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as held:
        assert held.stdout.readline() == "mapping\n"
        (engine,) = engines(held.pid)
        os.kill(held.pid, signal.SIGKILL)
    qtbot.waitUntil(lambda: not alive(engine), timeout=PATIENCE)
    assert not (folder / "classes.tif").exists()
    desk = open_desk()
    (run,) = desk.runs.runs()
    assert (run.state, run.title, text(desk, 1)) == (RunState.INTERRUPTED, "Held", "QGIS ended while it ran")
    go_on(qtbot, desk, "Resume", 1)
    assert products(folder) == undisturbed


def test_a_run_whose_engine_was_killed_is_told_and_retried(qtbot, desk, request_for, undisturbed):
    desk.runs.start(request_for("killed", TOWN))
    mapping(qtbot, desk, 1)
    for pid in engines():
        os.kill(pid, signal.SIGKILL)
    run = ended(qtbot, desk, 1, RunState.FAILED)
    assert "signal 9" in text(desk, 1)
    go_on(qtbot, desk, "Retry", 1)
    assert products(run.request.folder) == undisturbed


def test_a_cancelled_run_goes_on_where_it_was(qtbot, desk, request_for, undisturbed):
    desk.runs.start(request_for("cancelled", TOWN))
    mapping(qtbot, desk, 1)
    button(desk, "Cancel", 1).click()
    run = ended(qtbot, desk, 1, RunState.CANCELLED)
    go_on(qtbot, desk, "Resume", 1)
    assert products(run.request.folder) == undisturbed


def test_a_run_that_never_started_is_resumed_from_its_layers_or_says_which_it_lacks(qtbot, desk, project, request_for):
    desk.runs.start(request_for("first", TOWN))
    desk.runs.start(request_for("second"))
    button(desk, "Cancel", 2).click()
    assert text(desk, 2) == "Cancelled before it began"
    mapping(qtbot, desk, 1)
    button(desk, "Cancel", 1).click()
    ended(qtbot, desk, 1, RunState.CANCELLED)
    roads = project.mapLayersByName("roads")[0].clone()
    project.removeMapLayer(project.mapLayersByName("roads")[0].id())
    button(desk, "Resume", 2).click()
    ended(qtbot, desk, 2, RunState.FAILED)
    assert "lacks roads" in text(desk, 2)
    project.addMapLayer(roads)
    desk.runs.run(2).layers = {roads.id(): "roads"}
    desk.runs.run(2).request.parameters["OSM"] = [roads.id()]
    button(desk, "Retry", 2).click()
    ended(qtbot, desk, 2)


def test_run_again_takes_a_new_folder_and_gives_the_same_map(qtbot, desk, request_for):
    desk.runs.start(request_for("once"))
    once = ended(qtbot, desk, 1)
    deed(desk, "RunAgain", 1).trigger()
    again = ended(qtbot, desk, 2)
    assert again.request.folder != once.request.folder
    assert again.request.folder.parent == once.request.folder.parent
    assert products(again.request.folder) == products(once.request.folder)
    assert again.title.startswith("Land cover, once (")
    assert again.warnings == once.warnings


def test_run_again_without_the_layers_reads_the_same_files_and_says_so(qtbot, desk, project, request_for):
    desk.runs.start(request_for("once"))
    once = ended(qtbot, desk, 1)
    project.clear()
    deed(desk, "RunAgain", 1).trigger()
    again = ended(qtbot, desk, 2)
    assert products(again.request.folder) == products(once.request.folder)
    assert any("roads" in warning for warning in again.warnings)
    assert "The project lacks" in again.warnings[0]


def test_a_run_that_outlives_its_project_is_loaded_into_no_other(qtbot, desk, project, request_for):
    desk.runs.start(request_for("outlived"))
    assert desk.runs.run(1).state is RunState.RUNNING
    project.clear()
    run = ended(qtbot, desk, 1)
    assert not run.here
    button(desk, "AddToMap", 1).click()
    assert desk.added == [1]
    desk.runs.loaded(1)
    assert not button(desk, "AddToMap", 1).isVisible()


def test_results_that_are_gone_are_not_offered_to_the_map(qtbot, desk, request_for):
    desk.runs.start(request_for("gone"))
    run = ended(qtbot, desk, 1)
    (run.request.folder / "classes.tif").unlink()
    deed(desk, "AddToMap", 1).trigger()
    assert desk.added == []
    assert "are gone" in desk.troubles[0]


def temporary(request: RunRequest) -> RunRequest:
    """The request with temporary results, as the panel asks for them."""
    folder = temporary_folder()
    return replace(request, folder=folder, parameters=moved(request.parameters, folder))


def test_temporary_results_that_went_with_qgis_are_told_and_made_again(qtbot, open_desk, request_for):
    first = open_desk()
    first.runs.start(temporary(request_for("temporary")))
    before = ended(qtbot, first, 1)
    made = products(before.request.folder)
    first.close_down(qtbot)
    shutil.rmtree(before.request.folder)  # as QGIS does at its end
    second = open_desk()
    assert text(second, 1) == "Its temporary results went when QGIS was closed"
    button(second, "RunAgain", 1).click()
    again = ended(qtbot, second, 2)
    assert again.request.folder != before.request.folder
    assert is_temporary(again.request.folder)
    assert products(again.request.folder) == made


def test_an_interrupted_run_whose_temporary_folder_went_with_qgis_starts_again_in_a_new_one(
    qtbot, open_desk, request_for, undisturbed
):
    first = open_desk()
    first.runs.start(temporary(request_for("temporary", TOWN)))
    folder = mapping(qtbot, first, 1).request.folder
    first.close_down(qtbot)
    shutil.rmtree(folder)
    second = open_desk()
    button(second, "Resume", 1).click()
    run = ended(qtbot, second, 1)
    assert not folder.exists()
    assert is_temporary(run.request.folder)
    assert products(run.request.folder) == undisturbed
    second.close_down(qtbot)
    assert open_desk().runs.run(1).request == run.request


def test_a_broken_record_is_told_and_hides_no_run(qtbot, open_desk, profile, request_for):
    first = open_desk()
    first.runs.start(request_for("kept"))
    ended(qtbot, first, 1)
    first.close_down(qtbot)
    (record,) = profile.rglob("history/*.json")
    told = json.loads(record.read_text())
    (record.parent / "0.json").write_text("{")
    (record.parent / "2.json").write_text(json.dumps({**told, "folder": "/" + "x" * 5000, "title": "Too long"}))
    told["card"]["slots"] = "none"
    (record.parent / "1.json").write_text(json.dumps(told))
    second = open_desk()
    assert [run.title for run in second.runs.runs()] == ["Too long", "Land cover, kept (08:00)"]
    assert len(second.runs.problems) == 2
    assert (record.parent / "0.json").read_text() == "{"


def test_a_second_window_of_the_profile_leaves_a_run_alone(qtbot, open_desk, request_for):
    first = open_desk()
    first.runs.start(request_for("alone", TOWN))
    mapping(qtbot, first, 1)
    assert open_desk().runs.runs() == []
    button(first, "Cancel", 1).click()
    ended(qtbot, first, 1, RunState.CANCELLED)


def test_nothing_of_a_password_reaches_the_record(qtbot, desk, profile, request_for):
    request = request_for("secret")
    secret = "dbname='gis' user='anna' password='hunter2' table=\"public\".\"farms\""
    request.parameters["AREA"] = secret
    desk.runs.start(request)
    ended(qtbot, desk, 1, RunState.FAILED)
    desk.close_down(qtbot)
    (record,) = profile.rglob("history/*.json")
    assert "hunter2" not in record.read_text()
    assert QgsApplication.taskManager().countActiveTasks() == 0
