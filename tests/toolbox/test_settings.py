"""What is set once: where it is kept, and what reads it."""

from __future__ import annotations

import pytest
from fusion_mapper.inference.job import Compute
from fusion_mapper.toolbox import settings
from fusion_mapper.toolbox.algorithms.compute import given_compute
from fusion_mapper.toolbox.algorithms.map import MapAlgorithm
from fusion_mapper.toolbox.engine import environment
from fusion_mapper.toolbox.models import choose_model, library_folders
from fusion_mapper.toolbox.runs.execute import new_run_folder
from qgis.core import QgsSettings


@pytest.fixture(autouse=True)
def unset(qgis_app):
    """Nothing set, before and after."""
    for setting in settings.SETTINGS:
        setting.write(setting.default)
    yield
    for setting in settings.SETTINGS:
        setting.write(setting.default)


def test_nothing_has_to_be_set(qgis_app):
    assert settings.library_folder() == settings.data_folder() / "models"
    assert settings.output_folder() is None
    assert settings.engine_python() == ""
    assert settings.default_device() == "auto"
    assert settings.memory_ceiling() is None
    assert settings.show_blocks()


def test_what_is_set_is_read_again_and_what_is_unset_leaves_no_key(tmp_path):
    settings.set_library_folder(tmp_path)
    settings.set_memory_ceiling(2048)
    settings.set_show_blocks(False)
    QgsSettings().sync()
    assert settings.library_folder() == tmp_path
    assert settings.memory_ceiling() == 2048
    assert not settings.show_blocks()
    settings.set_library_folder(None)
    settings.set_memory_ceiling(None)
    settings.set_show_blocks(True)
    assert not [setting.key for setting in settings.SETTINGS if QgsSettings().contains(setting.key)]


def test_a_value_that_was_edited_into_nonsense_counts_as_unset():
    QgsSettings().setValue(settings.MEMORY_CEILING.key, "plenty")
    assert settings.memory_ceiling() is None


def test_models_are_looked_for_in_the_library_folder_first(tmp_path):
    settings.set_library_folder(tmp_path)
    assert library_folders()[0] == tmp_path
    starter = choose_model("landcover-rgb-1m").path
    mine = tmp_path / "landcover-rgb-1m.onnx"
    mine.write_bytes(starter.read_bytes())
    mine.with_suffix(".json").write_bytes(starter.with_suffix(".json").read_bytes())
    assert choose_model("landcover-rgb-1m").path == mine


def test_runs_without_a_folder_go_to_the_output_folder(tmp_path):
    assert new_run_folder().parent == settings.data_folder() / "runs"
    settings.set_output_folder(tmp_path)
    assert new_run_folder().parent == tmp_path


def test_the_engine_is_the_one_that_is_set(tmp_path, monkeypatch):
    monkeypatch.delenv(environment.ENGINE_VARIABLE, raising=False)
    python = tmp_path / "python"
    python.touch()
    settings.set_engine_python(f" {python} ")
    assert environment.find_engine() == python
    python.unlink()
    with pytest.raises(environment.EngineMissing, match="which does not exist"):
        environment.find_engine()


def test_processing_takes_the_ceiling_but_not_the_device(context):
    settings.set_memory_ceiling(2048)
    settings.set_default_device("cuda")
    algorithm = MapAlgorithm().create()
    assert given_compute(algorithm, {}, context) == Compute(device="auto", memory=2048)
    assert given_compute(algorithm, {"MEMORY": 512, "DEVICE": "cpu"}, context) == Compute(device="cpu", memory=512)
