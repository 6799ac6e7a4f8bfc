"""The queue of runs: what it keeps over a restart, resumes, runs again, shows and cleans; with the real engine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from fusion_mapper.inference.events import Progress
from fusion_mapper.models.card import read_sidecar
from fusion_mapper.models.library import STARTERS
from fusion_mapper.toolbox.algorithms.base import is_temporary, temporary_folder
from fusion_mapper.toolbox.kept_values import moved
from fusion_mapper.toolbox.results import map_parameters
from fusion_mapper.ui.run_actions import RunActions
from fusion_mapper.ui.run_list import EARLIER, MAX_HEIGHT, RunList
from fusion_mapper.ui.runs import Run, RunModel, RunRequest, RunState
from qgis.core import QgsApplication, QgsCoordinateReferenceSystem, QgsProject, QgsRectangle, QgsReferencedRectangle
from qgis.PyQt.QtCore import QObject, Qt, QUrl, pyqtSlot
from qgis.PyQt.QtGui import QDesktopServices, QGuiApplication
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import (
    QAction,
    QLabel,
    QMessageBox,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QToolButton,
    QTreeWidget,
    QVBoxLayout,
    QWidget,
)

LANDCOVER = STARTERS / "landcover-rgb-1m.onnx"
CARD = read_sidecar(LANDCOVER.with_suffix(".json"))
#: West, south, east, north: 200 m × 200 m, and a piece in several blocks.
CLIP = (20.5200, -34.0340, 20.5222, -34.0322)
TOWN = (20.5180, -34.0390, 20.5260, -34.0320)
PATIENCE = 120_000
#: The same numbers on every machine, and small blocks.
STEADY = {"DEVICE": "onnxruntime-cpu", "WORKERS": 3, "MEMORY": 64, "TILE": 128}


class Desk(QWidget):
    """The model with its list and its actions, as the dock puts them together, without the rest of the dock."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = RunModel(self)
        self.list = RunList(self.runs, self)
        self.actions = RunActions(self.runs, self)
        self.actions.follow(self.list)
        self.troubles: list[str] = []
        self.added: list[int] = []
        self.actions.trouble.connect(self.troubles.append)
        self.actions.add_asked.connect(self.added.append)
        self._closed = False
        self._layout = QVBoxLayout(self)
        self._layout.addWidget(self.list)
        self._layout.addStretch(1)
        self.resize(340, 560)

    def close_down(self, qtbot) -> None:
        """What the dock does when QGIS closes."""
        if self._closed:
            return
        self._closed = True
        self.actions.close_down()
        self.runs.close_down()
        qtbot.waitUntil(lambda: not self.runs.working(), timeout=PATIENCE)
        self.runs.let_go()


@pytest.fixture
def open_desk(qtbot, provider, project):
    """Opens a desk once the runs of earlier sessions are listed; as often as a profile is opened."""
    opened: list[Desk] = []

    def open_one() -> Desk:
        desk = Desk()
        opened.append(desk)
        with qtbot.waitSignal(desk.runs.runs_loaded, timeout=PATIENCE):
            desk.show()
        return desk

    yield open_one
    for desk in opened:
        desk.close_down(qtbot)
        desk.hide()
        desk.deleteLater()


@pytest.fixture
def desk(open_desk) -> Desk:
    return open_desk()


@pytest.fixture
def request_for(aerial, elevation, roads, tmp_path):
    """Builds a request for a piece of the real layers."""

    def build(name: str, box=CLIP, **others) -> RunRequest:
        folder = tmp_path / "runs" / name
        parameters = map_parameters(
            LANDCOVER,
            imagery=[aerial],
            osm=[roads],
            dem=elevation,
            products={"classes": str(folder / "classes.tif"), "confidence": str(folder / "confidence.tif")},
            EXTENT=extent(box),
            FOLDER=str(folder),
            **STEADY,
            **others,
        )
        return RunRequest(f"Land cover, {name} (08:00)", LANDCOVER, CARD, parameters, folder)

    return build


def extent(box) -> QgsReferencedRectangle:
    west, south, east, north = box
    return QgsReferencedRectangle(QgsRectangle(west, south, east, north), QgsCoordinateReferenceSystem("EPSG:4326"))


def products(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in ("classes.tif", "confidence.tif")}


def ended(qtbot, desk: Desk, number: int, state: RunState = RunState.FINISHED) -> Run:
    qtbot.waitUntil(lambda: not desk.runs.run(number).active, timeout=PATIENCE)
    run = desk.runs.run(number)
    assert (run.state, run.sentence if state is RunState.FINISHED else "") == (state, "")
    return run


def mapping(qtbot, desk: Desk, number: int) -> Run:
    """The run, once it has finished blocks and is still at work."""
    run = desk.runs.run(number)
    qtbot.waitUntil(lambda: any(run.request.folder.glob("blocks/*.npz")), timeout=PATIENCE)
    assert run.state is RunState.RUNNING
    return run


def go_on(qtbot, desk: Desk, name: str, number: int) -> Run:
    """Press the button with which a run goes on, and wait for its end: it must have used its finished blocks again."""
    heard: list[Progress] = []
    desk.runs.event_heard.connect(lambda _number, event: heard.append(event))
    button(desk, name, number).click()
    run = ended(qtbot, desk, number)
    # The engine first tells how many pixels were there already.
    first = next(event for event in heard if isinstance(event, Progress) and event.stage == "mapping")
    assert first.done > 0
    return run


def engines(parent: int = os.getpid()) -> list[int]:
    """The engines of a process."""
    found = subprocess.run(["ps", "-ww", "-o", "pid=,args=", "--ppid", str(parent)], capture_output=True, text=True)
    return [int(line.split()[0]) for line in found.stdout.splitlines() if "inference" in line]


def alive(pid: int) -> bool:
    """Whether the process still does something; one that nobody has buried does not."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return bool(found.stdout.strip()) and not found.stdout.startswith("Z")


def deed(desk: Desk, name: str, number: int) -> QAction:
    """An entry of the run's menu, as it is when the menu is opened."""
    menu = desk.findChild(QToolButton, f"FusionMapperRunMore_{number}").menu()
    menu.aboutToShow.emit()
    return desk.list.row(number).findChild(QAction, f"FusionMapperRun{name}_{number}")


def button(desk: Desk, name: str, number: int) -> QToolButton:
    return desk.findChild(QToolButton, f"FusionMapperRun{name}_{number}")


def text(desk: Desk, number: int) -> str:
    return desk.findChild(QLabel, f"FusionMapperRunText_{number}").text()


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
    desk.runs.start(request_for("town", TOWN))
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
    # The profile's data folder is named after the application.
    names = (QgsApplication.organizationName(), QgsApplication.applicationName())
    command = [sys.executable, script, repository_root, json.dumps(parameters), folder, *names]
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
    desk.runs.start(request_for("outlived", TOWN))
    mapping(qtbot, desk, 1)
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
    told["card"]["slots"] = "none"
    (record.parent / "1.json").write_text(json.dumps(told))
    second = open_desk()
    assert [run.title for run in second.runs.runs()] == ["Land cover, kept (08:00)"]
    assert len(second.runs.problems) == 2
    assert (record.parent / "0.json").read_text() == "{"


def test_many_runs_are_listed_a_few_at_a_time(qtbot, open_desk, profile, request_for):
    first = open_desk()
    first.runs.start(request_for("kept"))
    ended(qtbot, first, 1)
    first.close_down(qtbot)
    (record,) = profile.rglob("history/*.json")
    for number in range(1, 200):
        told = {**json.loads(record.read_text()), "title": f"Run {number}"}
        (record.parent / f"1999{number:04d}.json").write_text(json.dumps(told))
    desk = open_desk()
    assert len(desk.runs.runs()) == 200
    assert desk.list.row(200).isVisible()
    older = desk.findChild(QPushButton, "FusionMapperRunsOlder")
    assert older.text() == f"{200 - EARLIER} Older Runs"
    older.click()
    qtbot.waitUntil(desk.list.row(200 - EARLIER - 1).isVisible)
    assert desk.list.height() < MAX_HEIGHT + 60


def test_the_menu_is_reached_and_used_by_keys(qtbot, desk, request_for):
    desk.runs.start(request_for("keys"))
    ended(qtbot, desk, 1)
    desk.runs.loaded(1)
    chain = desk.list.focus_chain()
    chain[0].setFocus()
    QTest.keyClick(desk, Qt.Key.Key_Tab)
    more = desk.findChild(QToolButton, "FusionMapperRunMore_1")
    qtbot.waitUntil(lambda: desk.focusWidget() is more)
    more.menu().aboutToShow.connect(lambda: QTest.keyClick(more.menu(), Qt.Key.Key_V))
    QTest.keyClick(more, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: desk.runs.runs() == [])
    assert not desk.list.isVisible()


def test_every_button_says_what_it_does(qtbot, desk, request_for):
    desk.runs.start(request_for("named", TOWN))
    for name in ("Cancel", "More"):
        found = button(desk, name, 1)
        assert found.toolTip()
        assert "Land cover, named" in found.accessibleName()
    assert "Land cover, named" in desk.list.row(1).accessibleName()


class Opened(QObject):
    """Takes the place of the system's file manager."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    @pyqtSlot(QUrl)
    def take(self, url: QUrl) -> None:
        self.urls.append(url.toLocalFile())


def test_the_folder_is_opened_and_its_size_shown(qtbot, desk, request_for):
    desk.runs.start(request_for("sized"))
    run = ended(qtbot, desk, 1)
    qtbot.waitUntil(lambda: run.size is not None, timeout=PATIENCE)
    assert run.size == sum(path.stat().st_size for path in run.request.folder.rglob("*") if path.is_file())
    assert "B)" in deed(desk, "OpenFolder", 1).text()
    opened = Opened()
    QDesktopServices.setUrlHandler("file", opened, "take")
    deed(desk, "OpenFolder", 1).trigger()
    QDesktopServices.unsetUrlHandler("file")
    assert opened.urls == [str(run.request.folder)]


def test_the_log_holds_what_was_said_and_can_be_copied(qtbot, desk, request_for):
    desk.runs.start(request_for("logged"))
    run = ended(qtbot, desk, 1)
    with (run.request.folder / "engine.log").open("a") as log:
        log.write("a library's last words <b>\n")
    deed(desk, "ShowLog", 1).trigger()
    shown = desk.findChild(QPlainTextEdit, "FusionMapperRunLogText")
    qtbot.waitUntil(lambda: "a library's last words <b>" in shown.toPlainText(), timeout=PATIENCE)
    assert all(line in shown.toPlainText() for line in [*run.messages, *run.warnings, str(run.request.folder)])
    desk.findChild(QPushButton, "FusionMapperRunLogCopy").click()
    assert QGuiApplication.clipboard().text() == shown.toPlainText()


def answer(desk: Desk, yes: bool) -> None:
    (question,) = (box for box in desk.findChildren(QMessageBox, "FusionMapperDeleteFolder") if box.isVisible())
    kind = QMessageBox.StandardButton.Yes if yes else QMessageBox.StandardButton.Cancel
    question.button(kind).click()


def test_a_folder_is_deleted_only_after_a_yes_and_not_under_a_layer(qtbot, desk, project, request_for):
    from fusion_mapper.toolbox.results import add_run_to_project

    desk.runs.start(request_for("deleted"))
    run = ended(qtbot, desk, 1)
    add_run_to_project(run.results, CARD, run.title)
    deed(desk, "DeleteFolder", 1).trigger()
    assert "Map" in desk.troubles[0]
    project.clear()
    deed(desk, "DeleteFolder", 1).trigger()
    answer(desk, yes=False)
    assert run.request.folder.is_dir()
    deed(desk, "DeleteFolder", 1).trigger()
    answer(desk, yes=True)
    qtbot.waitUntil(lambda: desk.runs.runs() == [], timeout=PATIENCE)
    assert not run.request.folder.exists()


def test_clean_up_lists_folders_keeps_what_is_in_use_and_deletes_the_rest(qtbot, desk, project, request_for):
    from fusion_mapper.toolbox.results import add_run_to_project

    for name in ("shown", "free", "mixed"):
        desk.runs.start(request_for(name))
    shown, free, mixed = (ended(qtbot, desk, number) for number in (1, 2, 3))
    add_run_to_project(shown.results, CARD, shown.title)
    (mixed.request.folder / "notes.txt").write_text("mine")
    desk.findChild(QToolButton, "FusionMapperRunsCleanUp").click()
    listed = desk.findChild(QTreeWidget, "FusionMapperCleanUpList")
    qtbot.waitUntil(lambda: listed.topLevelItemCount() == 3, timeout=PATIENCE)
    desk.findChild(QRadioButton, "FusionMapperCleanUpWhole").click()
    items = {listed.topLevelItem(row).text(0): listed.topLevelItem(row) for row in range(3)}
    assert {title: item.isDisabled() for title, item in items.items()} == {
        shown.title: True, free.title: False, mixed.title: True,
    }  # fmt: skip
    assert "Map" in items[shown.title].toolTip(0)
    assert "notes.txt" in items[mixed.title].toolTip(0)
    items[free.title].setCheckState(0, Qt.CheckState.Checked)
    desk.findChild(QPushButton, "FusionMapperCleanUpDelete").click()
    qtbot.waitUntil(lambda: [run.number for run in desk.runs.runs()] == [1, 3], timeout=PATIENCE)
    assert not free.request.folder.exists()
    assert (mixed.request.folder / "notes.txt").read_text() == "mine"
    assert products(shown.request.folder)


def test_clean_up_frees_what_an_unfinished_run_left_and_keeps_its_results(qtbot, desk, request_for):
    desk.runs.start(request_for("left", TOWN))
    run = mapping(qtbot, desk, 1)
    button(desk, "Cancel", 1).click()
    ended(qtbot, desk, 1, RunState.CANCELLED)
    folder = run.request.folder
    assert list((folder / "blocks").glob("*.npz"))
    desk.findChild(QToolButton, "FusionMapperRunsCleanUp").click()
    listed = desk.findChild(QTreeWidget, "FusionMapperCleanUpList")
    qtbot.waitUntil(lambda: listed.topLevelItemCount() == 1, timeout=PATIENCE)
    listed.topLevelItem(0).setCheckState(0, Qt.CheckState.Checked)
    desk.findChild(QPushButton, "FusionMapperCleanUpDelete").click()
    told = desk.findChild(QLabel, "FusionMapperCleanUpText")
    qtbot.waitUntil(lambda: "freed" in told.text(), timeout=PATIENCE)
    assert not list((folder / "blocks").glob("*.npz"))
    assert (folder / "run.job.json").is_file()
    button(desk, "Resume", 1).click()
    ended(qtbot, desk, 1)


def test_a_second_window_of_the_profile_leaves_a_run_alone(qtbot, open_desk, request_for):
    first = open_desk()
    first.runs.start(request_for("alone", TOWN))
    mapping(qtbot, first, 1)
    assert open_desk().runs.runs() == []
    ended(qtbot, first, 1)


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
