"""The list of runs under the hand: keys, menus, log, folders; with the real engine."""

from __future__ import annotations

import json

from fusion_mapper.ui.runs.list import EARLIER, MAX_HEIGHT
from fusion_mapper.ui.runs.model import RunState
from qgis.PyQt.QtCore import QObject, Qt, QUrl, pyqtSlot
from qgis.PyQt.QtGui import QDesktopServices, QGuiApplication
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import (
    QLabel,
    QMessageBox,
    QPlainTextEdit,
    QPushButton,
    QRadioButton,
    QToolButton,
    QTreeWidget,
)
from run_desk import CARD, PATIENCE, TOWN, RunDesk, button, deed, ended, mapping, products


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


def answer(desk: RunDesk, yes: bool) -> None:
    (question,) = (box for box in desk.findChildren(QMessageBox, "FusionMapperDeleteFolder") if box.isVisible())
    kind = QMessageBox.StandardButton.Yes if yes else QMessageBox.StandardButton.Cancel
    question.button(kind).click()


def test_a_folder_is_deleted_only_after_a_yes_and_not_under_a_layer(qtbot, desk, project, request_for):
    from fusion_mapper.toolbox.results.project import add_run_to_project

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
    from fusion_mapper.toolbox.results.project import add_run_to_project

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
