"""The Python that trains: where it is found, and what is said where there is none."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from fusion_mapper.inference.events import Epoch, Progress, Result, to_line
from fusion_mapper.inference.learnjob import CompareJob, LearnJob, to_dict
from fusion_mapper.toolbox import settings
from fusion_mapper.toolbox.algorithms.base import EventFeedback, FeedbackListener
from fusion_mapper.toolbox.engine import environment
from fusion_mapper.toolbox.engine.commands import deaf
from fusion_mapper.toolbox.engine.once import Engine
from fusion_mapper.toolbox.runs.execute import hearer
from fusion_mapper.toolbox.runs.learn import COMPARING, TRAINING
from qgis.core import QgsApplication


@pytest.fixture
def bare(monkeypatch, tmp_path, qgis_app):
    """No Python is named, and the checkout has no environments."""
    monkeypatch.delenv(environment.TRAINER_VARIABLE, raising=False)
    monkeypatch.delenv(environment.ENGINE_VARIABLE, raising=False)
    monkeypatch.setattr(environment, "PLUGIN_ROOT", tmp_path)
    yield tmp_path
    settings.set_trainer_python("")
    settings.set_engine_python("")


def python_in(folder: Path, *packages: str) -> Path:
    """A virtual environment's skeleton."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    for package in packages:
        (folder / "lib" / "python3.11" / "site-packages" / package).mkdir(parents=True)
    return python


def test_without_any_the_sentence_says_how_to_get_one(bare):
    with pytest.raises(environment.TrainerMissing, match=r"options of QGIS.*FUSION_MAPPER_TRAINER.*make setup-train"):
        environment.find_trainer()


def test_the_variable_counts_before_the_option_and_both_before_the_checkout(bare, monkeypatch):
    named, option, local = (python_in(bare / name) for name in ("named", "option", ".venv-train"))
    assert environment.find_trainer() == local
    settings.set_trainer_python(str(option))
    assert environment.find_trainer() == option
    monkeypatch.setenv(environment.TRAINER_VARIABLE, str(named))
    assert environment.find_trainer() == named


def test_the_engines_own_python_trains_where_it_has_torch(bare):
    python_in(bare / ".venv-engine")
    with pytest.raises(environment.TrainerMissing):
        environment.find_trainer()
    (bare / ".venv-engine" / "lib" / "python3.11" / "site-packages" / "torch").mkdir(parents=True)
    assert environment.find_trainer() == bare / ".venv-engine" / "bin" / "python"


def test_a_python_that_was_named_and_is_gone_is_told(bare):
    settings.set_trainer_python("/nowhere/python")
    with pytest.raises(
        environment.TrainerMissing, match=r"Python for training .* names /nowhere/python, which does not"
    ):
        environment.find_trainer()


@pytest.mark.parametrize("name", ["train", "compare"])
def test_what_trains_says_that_it_cannot_run_without_one(provider, monkeypatch, name, engine_python):
    monkeypatch.setenv(environment.TRAINER_VARIABLE, "/nowhere/python")
    fine, sentence = QgsApplication.processingRegistry().createAlgorithmById(f"fusion_mapper:{name}").canExecute()
    assert not fine
    assert "/nowhere/python, which does not exist" in sentence


@pytest.mark.parametrize("name", ["evaluate", "exportchips"])
def test_the_rest_needs_the_engine_alone(provider, monkeypatch, name, engine_python):
    monkeypatch.setenv(environment.TRAINER_VARIABLE, "/nowhere/python")
    assert QgsApplication.processingRegistry().createAlgorithmById(f"fusion_mapper:{name}").canExecute()[0]


@pytest.mark.parametrize(("command", "job"), [("train", LearnJob("m", (), "out")), ("compare", CompareJob((), "out"))])
def test_a_command_keeps_its_job_in_the_folder(tmp_path, command, job):
    program = tmp_path / "program.py"
    program.write_text(f"print({to_line(Result({'model': 'm.onnx'}))!r})")
    engine = Engine(Path(sys.executable), program)
    result = getattr(engine, command)(job, tmp_path / "out", deaf, lambda: False)
    assert result.products == {"model": "m.onnx"}
    kept = tmp_path / "out" / f"{command}.job.json"
    assert json.loads(kept.read_text()) == to_dict(job)
    asked = json.loads((tmp_path / "out" / f"{command}.request.json").read_text())
    assert asked == {"command": command, "job": str(kept)}


class Plain(EventFeedback):
    """A feedback that takes events, and remembers them with the words and percents."""

    def __init__(self) -> None:
        super().__init__()
        self.events, self.words = [], []

    def heard(self, event):
        self.events.append(event)

    def setProgressText(self, text):
        self.words.append(text)


def test_an_epoch_is_told_as_it_is_in_words_and_as_a_share_of_the_work(qgis_app):
    feedback = Plain()
    epoch = Epoch(5, 10, 0.4123, 0.7312, "mIoU", True, 42.0)
    hearer(FeedbackListener(feedback), TRAINING)(epoch)
    assert feedback.events == [epoch]
    assert feedback.words == ["Epoch 5 of 10: loss 0.412, mIoU 0.731 (best), 42 s left"]
    assert feedback.progress() == pytest.approx(52.5)


def test_reading_comes_before_the_epochs_whatever_is_read(qgis_app):
    feedback = Plain()
    for done in (0, 1):
        hearer(FeedbackListener(feedback), TRAINING)(Progress(done, 1, "reading imagery"))
    assert feedback.words == ["Reading imagery"] * 2
    assert feedback.progress() == 10


def test_one_training_of_many_moves_no_bar_by_itself(qgis_app):
    feedback = Plain()
    hearer(FeedbackListener(feedback), COMPARING)(Epoch(10, 10, 0.4, 0.7, "mIoU", False))
    assert feedback.words == ["Epoch 10 of 10: loss 0.400, mIoU 0.700"]
    assert feedback.progress() == 0
