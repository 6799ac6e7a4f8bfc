"""Setting up the engine with the mouse: notice, window, options page; from an index of tiny wheels on this machine."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from fusion_mapper.inference.nvidia import NvidiaCard
from fusion_mapper.toolbox import settings
from fusion_mapper.toolbox.engine import environment
from fusion_mapper.toolbox.setup import layers, planning
from fusion_mapper.toolbox.setup.installer import install
from fusion_mapper.toolbox.setup.layers import CPU, CUDA13, Proposal
from fusion_mapper.toolbox.setup.machine import Machine
from fusion_mapper.toolbox.setup.planning import Survey
from fusion_mapper.toolbox.setup.pythons import Found
from fusion_mapper.toolbox.setup.state import UNFINISHED, State, Wish, engine_folder, read_stamp, write_record
from fusion_mapper.ui.dock import FusionDock
from fusion_mapper.ui.options.page import OptionsFactory
from fusion_mapper.ui.setup import model as model_module
from fusion_mapper.ui.setup.choice import ChoicePane
from fusion_mapper.ui.setup.report import without_paths
from qgis.core import QgsApplication
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QGuiApplication
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QLabel,
    QMessageBox,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QWidget,
)
from wheel_index import serve, write_requirements, write_wheel

PYTHON = Path("/usr/bin/python3")
NAMES = ("alpha", "beta")
#: What a doctor answers, for there is no engine among the tiny wheels.
REPORT = {
    "engine": "1",
    "python": "3.11.2",
    "packages": {"onnxruntime": "1.31.1", "openvino": "2026.4.1"},
    "devices": {
        "cuda": {"works": False, "reason": "no driver"},
        "openvino": {"works": True, "device": "CPU (Some Processor)", "precision": "f32", "reason": ""},
    },
}


@pytest.fixture(autouse=True)
def no_engine(monkeypatch, qgis_app):
    """As for a user outside a checkout, in a fresh profile."""
    monkeypatch.delenv(environment.ENGINE_VARIABLE, raising=False)
    monkeypatch.setattr(environment, "_local", lambda _name: None)
    yield
    for setting in settings.SETTINGS:
        setting.write(setting.default)


@pytest.fixture
def index(tmp_path):
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in NAMES:
        write_wheel(folder, name, ballast=200_000)
    with serve(folder) as index:
        yield index


@pytest.fixture
def tiny(monkeypatch, index, tmp_path):
    """Tiny wheels from this machine in the place of the engine's packages; all else is as it is."""
    asked = write_requirements(tmp_path / "asked.txt", sorted((tmp_path / "wheels").glob("*.whl")))

    def plan_of(found, wish, network, folder=None):
        plan = planning.make_plan(found, wish, network, folder)
        here = {**plan.environment, **index.environment()}
        return replace(plan, tools=None, packages=len(NAMES), download=400_000, environment=here)

    monkeypatch.setattr(planning, "requirement_files", lambda _layer, _training: (asked,))
    monkeypatch.setattr(model_module, "make_plan", plan_of)
    monkeypatch.setattr(model_module, "install", partial(install, prove=lambda *_words: REPORT))
    monkeypatch.setattr("fusion_mapper.toolbox.setup.pythons.sys.executable", str(PYTHON))


@pytest.fixture
def dock(qtbot, window, project):
    dock = FusionDock(window, window.mainWindow())
    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
    dock.show()
    qtbot.waitUntil(lambda: not dock.engine.working())
    yield dock
    dock.close_down()


def part(parent: QWidget, kind, name: str):
    return parent.findChild(kind, "FusionMapper" + name)


def press(qtbot, button: QPushButton) -> None:
    assert button.isVisible()
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def notice(dock) -> tuple[str, str]:
    """Sentence and button; empty where nothing is to be done."""
    whole = part(dock, QWidget, "SetupNotice")
    if not whole.isVisible():
        return "", ""
    button = part(dock, QPushButton, "SetupButton")
    return part(dock, QLabel, "SetupText").text(), button.text() if button.isVisible() else ""


def opened(qtbot, window, dock) -> QDialog:
    """The window, once the machine was looked at."""
    with qtbot.waitSignal(dock.setup.surveyed):
        press(qtbot, part(dock, QPushButton, "SetupButton"))
    dialog = part(window.mainWindow(), QDialog, "Setup")
    assert dialog.isVisible()
    return dialog


def installed(qtbot, window, dock) -> QDialog:
    dialog = opened(qtbot, window, dock)
    with qtbot.waitSignal(dock.setup.ended):
        press(qtbot, part(dialog, QPushButton, "SetupInstall"))
    return dialog


def test_without_an_engine_the_dock_says_so_in_one_sentence_with_one_button(dock):
    sentence, button = notice(dock)
    assert sentence.endswith("which is not set up yet.")
    assert sentence.count(".") == 1
    assert button == "&Set Up Engine…"
    assert not engine_folder().exists()


def test_with_an_engine_it_says_nothing(qtbot, window, project, monkeypatch):
    monkeypatch.setenv(environment.ENGINE_VARIABLE, str(PYTHON))
    dock = FusionDock(window, window.mainWindow())
    dock.show()
    assert notice(dock) == ("", "")
    dock.close_down()


def test_the_window_tells_what_how_large_where_and_for_which_device(qtbot, window, dock):
    dialog = opened(qtbot, window, dock)
    survey = dock.setup.survey
    device = part(dialog, QComboBox, "SetupDevice")
    assert device.currentData() == survey.proposal.layer
    assert part(dialog, QLabel, "SetupReason").text() == survey.proposal.reason
    assert "packages" in part(dialog, QLabel, "SetupCost").text()
    assert part(dialog, QLabel, "SetupFolder").text() == str(engine_folder())
    assert str(survey.pythons[0].python) in part(dialog, QLabel, "SetupFoundPython").text()
    assert part(dialog, QPushButton, "SetupInstall").isEnabled()
    small = part(dialog, QLabel, "SetupCost").text()
    qtbot.keyClick(part(dialog, QCheckBox, "SetupTraining"), Qt.Key.Key_Space)
    assert part(dialog, QCheckBox, "SetupTraining").isChecked()
    assert part(dialog, QLabel, "SetupCost").text() != small
    press(qtbot, part(dialog, QPushButton, "SetupClose"))
    assert not engine_folder().exists()


def test_after_the_press_the_engine_is_there(qtbot, window, dock, tiny):
    settings.set_engine_python("/gone/python")
    said = []
    dock.setup.changed.connect(lambda: said.append(notice(dock)[0]))
    dialog = installed(qtbot, window, dock)
    assert any(text.startswith("Fetching alpha") for text in said)
    assert dock.setup.state is State.READY
    assert environment.find_engine().is_relative_to(engine_folder())
    assert part(dialog, QLabel, "SetupVerdict").text().startswith("The engine is set up. Engine 1 with Python 3.11.2")
    assert "cuda: no driver" in part(dialog, QLabel, "SetupVerdict").toolTip()
    assert "Successfully installed" in part(dialog, QPlainTextEdit, "SetupLog").toPlainText()
    assert notice(dock) == ("", "")
    assert dock.engine.working()


def test_a_device_that_is_chosen_is_installed(qtbot, window, dock, tiny):
    dialog = opened(qtbot, window, dock)
    device = part(dialog, QComboBox, "SetupDevice")
    device.setCurrentIndex(device.findData(CUDA13))
    assert part(dialog, QLabel, "SetupReason").text().startswith("Proposed for this machine is")
    with qtbot.waitSignal(dock.setup.ended):
        press(qtbot, part(dialog, QPushButton, "SetupInstall"))
    assert read_stamp(engine_folder()).layer == CUDA13


def test_cancel_keeps_what_was_fetched_and_the_dock_offers_to_go_on(qtbot, window, dock, tiny, index, monkeypatch):
    monkeypatch.setattr(layers, "_BATCH", 1)
    index.held = "beta"
    dialog = opened(qtbot, window, dock)
    press(qtbot, part(dialog, QPushButton, "SetupInstall"))
    qtbot.waitUntil(index.waiting.is_set)
    qtbot.waitUntil(lambda: notice(dock)[0].startswith("Fetching"))
    assert part(dialog, QProgressBar, "SetupBar").isVisible()
    press(qtbot, part(dialog, QPushButton, "SetupClose"))
    assert not dialog.isVisible()
    press(qtbot, part(dock, QPushButton, "SetupButton"))
    assert dialog.isVisible()
    with qtbot.waitSignal(dock.setup.ended):
        press(qtbot, part(dialog, QPushButton, "SetupCancel"))
    qtbot.waitUntil(index.left.is_set)
    assert "kept for the next time" in part(dialog, QLabel, "SetupVerdict").text()
    sentence, button = notice(dock)
    assert "interrupted" in sentence
    assert button == "&Go On…"
    index.held, index.asked = "", []
    with qtbot.waitSignal(dock.setup.surveyed):
        press(qtbot, part(dialog, QPushButton, "SetupInstall"))
    with qtbot.waitSignal(dock.setup.ended):
        press(qtbot, part(dialog, QPushButton, "SetupInstall"))
    assert dock.setup.state is State.READY
    assert "/files/alpha-1.0-py3-none-any.whl" not in index.asked


def test_what_was_begun_in_an_earlier_session_is_offered_as_it_was_chosen(qtbot, window, dock):
    engine_folder().mkdir(parents=True)
    write_record(engine_folder(), UNFINISHED, Wish(CUDA13, True, "", "/räder"))
    dock.setup.refresh()
    assert notice(dock)[1] == "&Go On…"
    dialog = opened(qtbot, window, dock)
    assert part(dialog, QComboBox, "SetupDevice").currentData() == CUDA13
    assert part(dialog, QCheckBox, "SetupTraining").isChecked()


def test_a_failure_is_told_with_the_next_step_and_can_be_tried_again(qtbot, window, dock, tiny, index):
    index.forged = "beta"
    dialog = installed(qtbot, window, dock)
    assert "was refused; try again" in part(dialog, QLabel, "SetupVerdict").text()
    again = part(dialog, QPushButton, "SetupInstall")
    assert again.text() == "&Try Again"
    index.forged = ""
    with qtbot.waitSignal(dock.setup.surveyed):
        press(qtbot, again)
    with qtbot.waitSignal(dock.setup.ended):
        press(qtbot, again)
    assert dock.setup.state is State.READY


def test_the_report_can_be_copied_and_names_nobody(qtbot, window, dock, tiny):
    dialog = installed(qtbot, window, dock)
    press(qtbot, part(dialog, QPushButton, "SetupCopyReport"))
    text = QGuiApplication.clipboard().text()
    assert "QGIS" in text
    assert "onnxruntime 1.31.1" in text
    assert "cuda does not run: no driver" in text
    assert "Successfully installed" in text
    assert str(Path.home()) not in text
    assert QgsApplication.qgisSettingsDirPath() not in text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/home/ana/.local/share/QGIS/QGIS3/profiles/default/fusion_mapper/engine", "<profile>/fusion_mapper/engine"),
        ("/home/ana/x /home/ben/y", "~/x /home/<user>/y"),
        (r"C:\Users\Ana Maria\AppData\x", r"C:\Users\<user> Maria\AppData\x"),
        ("owner anastasia", "owner <user>"),
        ("banastasia", "banastasia"),
    ],
)
def test_folders_and_names_are_taken_out(text, told):
    folders = {"/home/ana/.local/share/QGIS/QGIS3/profiles/default": "<profile>", "/home/ana": "~"}
    assert without_paths(text, folders, "anastasia") == told


def test_closing_the_dock_ends_the_installation(qtbot, window, dock, tiny, index):
    index.held = "alpha"
    dialog = opened(qtbot, window, dock)
    press(qtbot, part(dialog, QPushButton, "SetupInstall"))
    qtbot.waitUntil(index.waiting.is_set)
    dock.close_down()
    assert not dock.setup.working()
    qtbot.waitUntil(index.left.is_set)


@pytest.fixture
def page(qtbot, dock):
    factory = OptionsFactory(dock.setup)
    page = factory.createWidget()
    qtbot.addWidget(page)
    page.show()
    page.factory = factory
    return page


def test_the_options_say_that_nothing_is_set_up(page):
    assert part(page, QLabel, "EnvironmentState").text() == "Not set up."
    assert part(page, QPushButton, "EnvironmentSetUp").text() == "&Set Up…"
    assert not part(page, QPushButton, "EnvironmentRemove").isEnabled()


def test_the_options_set_up_and_remove(qtbot, dock, page, tiny):
    with qtbot.waitSignal(dock.setup.surveyed):
        press(qtbot, part(page, QPushButton, "EnvironmentSetUp"))
    with qtbot.waitSignal(dock.setup.ended):
        press(qtbot, part(page, QPushButton, "SetupInstall"))
    python = ".".join(map(str, sys.version_info[:2]))
    assert part(page, QLabel, "EnvironmentState").text().startswith(f"Set up (Processor, Python {python}.")
    press(qtbot, part(page, QPushButton, "SetupClose"))
    press(qtbot, part(page, QPushButton, "EnvironmentRemove"))
    question = part(page, QMessageBox, "RemoveEngine")
    press(qtbot, question.button(QMessageBox.StandardButton.Cancel))
    assert dock.setup.state is State.READY
    press(qtbot, part(page, QPushButton, "EnvironmentRemove"))
    question = page.findChildren(QMessageBox, "FusionMapperRemoveEngine")[-1]
    with qtbot.waitSignal(dock.setup.ended):
        press(qtbot, part(question, QPushButton, "RemoveEngineYes"))
    assert part(page, QLabel, "EnvironmentState").text() == "Not set up."
    assert not engine_folder().exists()
    assert notice(dock)[1] == "&Set Up Engine…"


def test_after_an_update_of_the_plugin_the_dock_offers_one(qtbot, window, dock, tiny, monkeypatch, tmp_path):
    installed(qtbot, window, dock)
    newer = write_requirements(tmp_path / "newer.txt", sorted((tmp_path / "wheels").glob("alpha*.whl")))
    monkeypatch.setattr(planning, "requirement_files", lambda _layer, _training: (newer,))
    dock.setup.refresh()
    assert notice(dock)[1] == "&Update Engine…"
    before = read_stamp(engine_folder())
    installed(qtbot, window, dock)
    assert dock.setup.state is State.READY
    assert read_stamp(engine_folder()).environment != before.environment


def test_an_engine_whose_python_has_gone_is_offered_to_be_repaired(qtbot, window, dock, tiny):
    installed(qtbot, window, dock)
    environment.find_engine().unlink()
    dock.setup.refresh()
    assert notice(dock)[1] == "&Repair Engine…"
    installed(qtbot, window, dock)
    assert dock.setup.state is State.READY


@pytest.fixture
def choice(qtbot):
    pane = ChoicePane()
    qtbot.addWidget(pane)
    pane.show()
    return pane


SURVEY = Survey(
    machine=Machine("linux-x86_64", (NvidiaCard("NVIDIA T4", "580.65.06", 7.5, 15360),)),
    proposal=Proposal(CUDA13, "NVIDIA T4 with driver 580.65.06 runs CUDA 13."),
    layers=(CUDA13, CPU),
    pythons=(Found(PYTHON, "3.11.2"),),
    problem="",
    free=10**12,
)


def test_the_proposed_device_is_chosen(choice):
    choice.show_survey(SURVEY, None)
    assert choice.wish() == Wish(CUDA13)
    assert choice.problem() == ""


def test_too_little_room_is_told_before_the_press(choice):
    choice.show_survey(replace(SURVEY, free=10**9), None)
    assert choice.problem().endswith("free some space first.")
    assert part(choice, QLabel, "SetupProblem").isVisible()


def test_without_a_python_the_next_step_is_told(choice):
    choice.show_survey(replace(SURVEY, pythons=(), problem="No Python was found. Install Python 3.12."), None)
    assert choice.problem() == "No Python was found. Install Python 3.12."


def test_every_field_has_a_name_for_those_who_listen(choice):
    for edit in (part(choice, QWidget, "SetupPython"), part(choice, QWidget, "SetupWheels")):
        assert edit.lineEdit().accessibleName()


def test_a_python_that_is_none_is_told(qtbot, window, dock, tmp_path):
    dialog = opened(qtbot, window, dock)
    named = part(dialog, QWidget, "SetupPython")
    with qtbot.waitSignal(dock.setup.surveyed):
        named.setFilePath(str(tmp_path / "python3"))
    assert "does not start" in part(dialog, QLabel, "SetupProblem").text()
    assert not part(dialog, QPushButton, "SetupInstall").isEnabled()
