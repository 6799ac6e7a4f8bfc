"""``fusion_mapper:setup``, as ``qgis_process`` calls it on a server; from tiny wheels on this machine."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from fusion_mapper.toolbox.algorithms import setup as module
from fusion_mapper.toolbox.engine import environment
from fusion_mapper.toolbox.setup import planning
from fusion_mapper.toolbox.setup.installer import install
from fusion_mapper.toolbox.setup.standalone import Standalone
from fusion_mapper.toolbox.setup.state import engine_folder, managed_python
from qgis.core import QgsApplication
from wheel_index import write_requirements, write_wheel

PYTHON = "/usr/bin/python3"
REPORT = {"devices": {"openvino": {"works": True, "device": "CPU", "precision": "f32"},
                      "cuda": {"works": False, "reason": "no driver"}}}  # fmt: skip


@pytest.fixture
def wheels(tmp_path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    write_wheel(folder, "alpha")
    return folder


@pytest.fixture(autouse=True)
def tiny(monkeypatch, wheels, tmp_path, qgis_app):
    """A profile of its own, no engine, and a tiny wheel in the place of the engine's packages; all else is as it is."""
    monkeypatch.setattr(QgsApplication, "qgisSettingsDirPath", staticmethod(lambda: f"{tmp_path}/profile/"))
    monkeypatch.delenv(environment.ENGINE_VARIABLE, raising=False)
    monkeypatch.setattr(environment, "_local", lambda _name: None)
    asked = write_requirements(tmp_path / "asked.txt", list(wheels.glob("*.whl")))
    monkeypatch.setattr(planning, "requirement_files", lambda _layer, _training: (asked,))
    monkeypatch.setattr(module, "make_plan", lambda *words: replace(planning.make_plan(*words), tools=None))
    monkeypatch.setattr(module, "install", partial(install, prove=lambda *_words: REPORT))


@pytest.fixture
def setup(provider, context, ears):
    """Runs the algorithm with parameters; its results."""

    def run(**parameters):
        algorithm = QgsApplication.processingRegistry().createAlgorithmById("fusion_mapper:setup")
        results, fine = algorithm.run(parameters, context, ears)
        return results if fine else None

    return run


def test_it_can_run_where_there_is_no_engine(provider):
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("fusion_mapper:setup")
    assert algorithm.canExecute() == (True, "")
    for other in ("map", "importmodel"):
        fine, sentence = QgsApplication.processingRegistry().createAlgorithmById(f"fusion_mapper:{other}").canExecute()
        assert not fine
        assert "fusion_mapper:setup" in sentence


def test_it_sets_up_once_and_tells_the_devices(setup, wheels, ears):
    results = setup(PYTHON=PYTHON, WHEELS=str(wheels), DEVICE="cpu")
    assert managed_python().is_relative_to(results["FOLDER"])
    assert Path(results["LOG"]).is_file()
    assert Path(results["FOLDER"]).parent == engine_folder()
    assert "openvino runs on CPU, f32." in ears.said
    assert "cuda does not run: no driver" in ears.said
    again = setup(PYTHON=PYTHON, WHEELS=str(wheels), DEVICE="cpu")
    assert again["FOLDER"] == results["FOLDER"]
    assert "The engine is set up already; nothing was installed." in ears.said
    repaired = setup(PYTHON=PYTHON, WHEELS=str(wheels), DEVICE="cpu", AGAIN=True)
    assert repaired["FOLDER"] != results["FOLDER"]
    assert not Path(results["FOLDER"]).exists()


def test_another_engine_that_stays_in_use_is_told(setup, wheels, ears, monkeypatch):
    monkeypatch.setenv(environment.ENGINE_VARIABLE, PYTHON)
    assert setup(PYTHON=PYTHON, WHEELS=str(wheels), DEVICE="cpu")
    assert any("name another Python, which stays in use" in text for text in ears.warned)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"PYTHON": "/nowhere/python"}, "Incorrect parameter value for PYTHON"),  # QGIS's own words
        ({"WHEELS": "/nowhere"}, "WHEELS is '/nowhere', which is no folder"),
    ],
)
def test_what_is_not_there_is_refused_before_the_run(provider, context, parameters, said):
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("fusion_mapper:setup")
    fine, sentence = algorithm.checkParameterValues(parameters, context)
    assert not fine
    assert said in sentence


def test_a_device_without_packages_here_is_refused(setup, ears):
    assert setup(PYTHON=PYTHON, DEVICE="directml") is None
    assert any("no packages of directml" in text for text in ears.errors)
    assert not engine_folder().exists()


def test_without_a_python_one_is_fetched_only_where_that_is_asked(setup, ears, monkeypatch):
    build = Standalone("3.12.14", "20260814", "http://127.0.0.1:9/python.tar.gz", "sha256:")
    monkeypatch.setattr(planning, "find_pythons", lambda *_words: iter(()))
    monkeypatch.setattr(planning, "offered", lambda *_words, **_more: build)
    assert setup(DEVICE="cpu") is None
    assert any("No Python from 3.11 to 3.14" in text for text in ears.errors)
    assert not engine_folder().exists()
    assert setup(DEVICE="cpu", STANDALONE=True) is None
    assert any("127.0.0.1 cannot be reached" in text for text in ears.errors)
