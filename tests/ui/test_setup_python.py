"""A Python that is fetched on a press in the set-up window, where none was found."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from fusion_mapper.toolbox.setup import planning
from fusion_mapper.toolbox.setup.installer import install
from fusion_mapper.toolbox.setup.layers import CPU, Proposal
from fusion_mapper.toolbox.setup.machine import Machine
from fusion_mapper.toolbox.setup.planning import Survey
from fusion_mapper.toolbox.setup.standalone import TABLE, Standalone, read_table
from fusion_mapper.toolbox.setup.state import Wish, base_python, engine_folder, managed_python, read_stamp
from fusion_mapper.ui.setup import model as model_module
from fusion_mapper.ui.setup.choice import ChoicePane
from fusion_mapper.ui.setup.dialog import SetupDialog
from fusion_mapper.ui.setup.model import SetupModel
from python_server import VERSION, needs_layout, packed_python, sending
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QCheckBox, QLabel, QPushButton
from wheel_index import write_requirements, write_wheel

PROBLEM = "No Python from 3.11 to 3.14 that can make environments was found. Install Python 3.12."
SURVEY = Survey(
    machine=Machine("macos-arm64"),
    proposal=Proposal(CPU, "Models run on the processor of Apple silicon."),
    layers=(CPU,),
    pythons=(),
    problem=PROBLEM,
    free=10**12,
    standalone=read_table(TABLE)["macos-arm64"],
)


def part(parent, kind, name: str):
    return parent.findChild(kind, "FusionMapperSetup" + name)


@pytest.fixture
def choice(qtbot):
    pane = ChoicePane()
    qtbot.addWidget(pane)
    pane.show()
    return pane


def test_it_is_offered_and_only_a_press_takes_it(qtbot, choice):
    choice.show_survey(SURVEY, None)
    box = part(choice, QCheckBox, "FetchPython")
    assert box.isVisible()
    assert not box.isChecked()
    assert SURVEY.standalone.version in box.text()
    assert SURVEY.standalone.url in box.toolTip()
    assert choice.problem() == PROBLEM
    qtbot.keyClick(box, Qt.Key.Key_Space)
    assert choice.problem() == ""
    assert choice.wish() == Wish(CPU, standalone=True)
    assert "packages" in part(choice, QLabel, "Cost").text()


def test_where_one_was_found_nothing_is_offered(choice):
    choice.show_survey(replace(SURVEY, standalone=None), Wish(CPU, standalone=True))
    assert not part(choice, QCheckBox, "FetchPython").isVisible()
    assert choice.problem() == PROBLEM
    assert not choice.wish().standalone


def test_an_interrupted_one_is_asked_for_again(choice):
    choice.show_survey(SURVEY, Wish(CPU, standalone=True))
    assert part(choice, QCheckBox, "FetchPython").isChecked()
    assert choice.problem() == ""


@needs_layout
def test_after_the_press_the_engine_stands_on_it(qtbot, monkeypatch, tmp_path, qgis_app):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    asked = write_requirements(tmp_path / "asked.txt", [write_wheel(wheels, "alpha")])
    (tmp_path / "layout").mkdir()

    def plan_of(*words) -> object:
        plan = planning.make_plan(*words)
        return replace(plan, tools=None, wish=replace(plan.wish, wheels=str(wheels)), uv=None)

    with sending() as server:
        server.content = packed_python(tmp_path / "layout")
        build = Standalone(VERSION, "20260101", server.url, server.hash)
        monkeypatch.setattr(planning, "find_pythons", lambda *_words: iter(()))
        monkeypatch.setattr(planning, "offered", lambda *_words, **_more: build)
        monkeypatch.setattr(planning, "requirement_files", lambda _layer, _training: (asked,))
        monkeypatch.setattr(model_module, "make_plan", plan_of)
        monkeypatch.setattr(model_module, "install", partial(install, prove=lambda *_words: {"engine": "1"}))
        model = SetupModel()
        dialog = SetupDialog(model)
        qtbot.addWidget(dialog)
        with qtbot.waitSignal(model.surveyed):
            dialog.ask()
        button = part(dialog, QPushButton, "Install")
        assert not button.isEnabled()
        box, steps = part(dialog, QCheckBox, "FetchPython"), []
        qtbot.keyClick(box, Qt.Key.Key_Space)
        model.changed.connect(lambda: steps.append(part(dialog, QLabel, "Verdict").text()))
        with qtbot.waitSignal(model.ended, timeout=120_000):
            qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        assert model.problem == ""
        assert any(step.startswith(f"Fetching Python {VERSION}") for step in steps)
        assert read_stamp(engine_folder()) is not None
        assert base_python(engine_folder()).is_relative_to(Path(engine_folder(), build.folder).resolve())
        assert managed_python() is not None
        with qtbot.waitSignal(model.ended, timeout=60_000):
            model.remove()
    assert not engine_folder().exists()
    model.close_down()
