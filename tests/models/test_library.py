from __future__ import annotations

import ast
import json
import os
from pathlib import Path

import onnx
import onnxruntime
import pytest
from fusion_mapper.models import install as install_module
from fusion_mapper.models import library, palette
from fusion_mapper.models.card import ClassInfo
from fusion_mapper.models.errors import CardError
from fusion_mapper.models.files import sha256_of
from fusion_mapper.models.install import install_model, write_sidecar
from fusion_mapper.models.library import file_hashes, find_model, list_models
from fusion_mapper.models.load import load_model
from fusion_mapper.models.palette import class_color
from onnx_graphs import save_classifier, two_class_card


def test_an_installed_model_is_listed_with_its_card_and_runs(tmp_path: Path) -> None:
    shelf = tmp_path / "library"
    made = install_model(save_classifier(tmp_path / "m.onnx"), shelf, two_class_card())
    (listed,) = list_models(shelf)

    assert listed == made
    assert listed.card == two_class_card()
    assert listed.path == shelf / "two-classes" / "two-classes.onnx"
    loaded = load_model(listed.path)
    assert (loaded.convention, loaded.card, loaded.warnings) == ("fusion-mapper", two_class_card(), ())
    assert onnxruntime.InferenceSession(str(listed.path)).get_inputs()[0].name == "x"


def test_hashes_of_the_original_and_the_copy_are_kept(tmp_path: Path) -> None:
    source = save_classifier(tmp_path / "m.onnx")
    made = install_model(source, tmp_path / "library", two_class_card())
    kept = file_hashes(made.sidecar)

    assert kept == {"model": sha256_of(made.path), "source": sha256_of(source), "external": {}}
    made.path.write_bytes(source.read_bytes())
    with pytest.raises(CardError, match="written for another model file"):
        load_model(made.path)


def test_external_data_are_installed_whole_and_hashed(tmp_path: Path) -> None:
    path = save_classifier(tmp_path / "m.onnx")
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    made = install_model(path, tmp_path / "library", two_class_card())

    assert file_hashes(made.sidecar)["external"] == {"w.bin": sha256_of(tmp_path / "w.bin")}
    assert load_model(made.path).card == two_class_card()
    (made.path.parent / "w.bin").write_bytes(bytes(24))
    with pytest.raises(CardError, match="written for another model file"):
        load_model(made.path)


def test_a_foreign_model_is_installed_as_one_of_ours(tmp_path: Path, shared_data: Path) -> None:
    sample = shared_data / "onnx_deepness" / "two_outputs_softmax_bsx2x512x512.onnx"
    made = install_model(sample, tmp_path)
    loaded = load_model(made.path)

    assert loaded.convention == "fusion-mapper"
    assert loaded.card == load_model(sample).card
    assert loaded.warnings == ()


def test_installing_again_replaces_the_model_and_leaves_nothing_behind(tmp_path: Path) -> None:
    shelf = tmp_path / "library"
    first = install_model(save_classifier(tmp_path / "a.onnx"), shelf, two_class_card(title="First"))
    second = install_model(first.path, shelf, two_class_card(title="Second"))

    assert [model.label for model in list_models(shelf)] == ["Second"]
    assert sorted(path.name for path in shelf.iterdir()) == ["two-classes"]
    assert second.path == first.path


def test_what_a_killed_installation_left_is_swept_once_it_is_old(tmp_path: Path) -> None:
    fresh, stale = tmp_path / ".install-new", tmp_path / ".install-old"
    for folder in (fresh, stale):
        folder.mkdir()
    os.utime(stale, (0, 0))
    install_model(save_classifier(tmp_path / "m.onnx"), tmp_path, two_class_card())
    assert (fresh.exists(), stale.exists()) == (True, False)


def test_a_failed_installation_leaves_the_library_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = tmp_path / "library"
    source = save_classifier(tmp_path / "m.onnx")
    install_model(source, shelf, two_class_card(title="Kept"))
    before = {path: path.read_bytes() for path in shelf.rglob("*") if path.is_file()}

    def full(*_: object) -> None:
        raise CardError("The disk is full.")

    monkeypatch.setattr(install_module, "write_sidecar", full)
    with pytest.raises(CardError, match="disk is full"):
        install_model(source, shelf, two_class_card(title="Lost"))
    assert {path: path.read_bytes() for path in shelf.rglob("*") if path.is_file()} == before
    assert [path.name for path in shelf.iterdir()] == ["two-classes"]


@pytest.mark.parametrize("name", ["../../escape", "/etc/model", "a/b\\c", "..", "con:1", "x" * 300])
def test_a_hostile_name_stays_inside_the_library(tmp_path: Path, name: str) -> None:
    shelf = tmp_path / "deep" / "library"
    made = install_model(save_classifier(tmp_path / "m.onnx"), shelf, two_class_card(name=name))

    assert made.path.resolve().is_relative_to(shelf.resolve())
    assert made.path.parent.parent == shelf
    assert list_models(shelf)[0].card == two_class_card(name=name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "m.onnx"]


def test_starters_lie_flat_in_their_folder(tmp_path: Path) -> None:
    """As in resources/models: <name>.onnx and <name>.json side by side."""
    model = save_classifier(tmp_path / "starter.onnx")
    sidecar = write_sidecar(model, two_class_card())

    assert sidecar == tmp_path / "starter.json"
    assert [entry.card for entry in list_models(tmp_path)] == [two_class_card()]
    assert load_model(model).convention == "fusion-mapper"


def test_broken_sidecars_are_reported_and_hide_no_other_model(tmp_path: Path) -> None:
    write_sidecar(save_classifier(tmp_path / "good.onnx"), two_class_card())
    for name, text in {"alien": '{"a": 1}', "bad": "{", "new": '{"schema": 9, "slots": []}'}.items():
        (tmp_path / f"{name}.onnx").write_bytes(b"")
        (tmp_path / f"{name}.json").write_text(text, encoding="utf-8")
    (tmp_path / "naked.onnx").write_bytes(b"")
    models = {model.name: model for model in list_models(tmp_path)}

    assert list(models) == ["alien", "bad", "good", "naked", "new"]
    assert models["good"].card is not None
    assert not models["good"].problem
    for name in ("alien", "bad", "naked", "new"):
        assert models[name].card is None
        assert name in models[name].problem
    assert list_models(tmp_path / "absent") == []


def test_models_are_found_by_path_file_name_and_title(tmp_path: Path) -> None:
    made = install_model(save_classifier(tmp_path / "m.onnx"), tmp_path / "l", two_class_card(title="Two classes"))
    folders = [tmp_path / "empty", tmp_path / "l"]

    for name in (str(made.path), "two-classes", "two-classes.onnx", "Two classes"):
        assert find_model(folders, name).path == made.path
    with pytest.raises(CardError, match="no model 'three-classes'; installed models: two-classes"):
        find_model(folders, "three-classes")


@pytest.mark.parametrize("module", [library, palette])
def test_what_qgis_reads_needs_the_standard_library_alone(module: object) -> None:
    text = Path(module.__file__).read_text(encoding="utf-8")  # type: ignore[attr-defined]
    tree = ast.parse(text, feature_version=(3, 9))
    absolute = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 0}
    relative = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 1}

    assert absolute <= {"__future__", "collections.abc", "dataclasses", "pathlib", "typing"}
    assert relative <= {"card", "errors"}


def test_colours_are_the_cards_own_then_the_names_then_the_palettes() -> None:
    assert class_color(ClassInfo(1, "water", "#ABCDEF"), 0) == "#abcdef"
    assert class_color(ClassInfo(1, "Open water"), 3) == class_color(ClassInfo(9, "water"), 0)
    unnamed = [class_color(ClassInfo(i, f"class {i}"), i) for i in range(40)]
    assert len(set(unnamed)) == 40
    assert all(len(color) == 7 and color.startswith("#") for color in unnamed)
    assert class_color(ClassInfo(1, "x", "red; drop"), 0) == unnamed[0]


def test_a_sidecar_is_the_same_for_the_same_model_and_card(tmp_path: Path) -> None:
    model = save_classifier(tmp_path / "m.onnx")
    first = write_sidecar(model, two_class_card()).read_bytes()

    assert write_sidecar(model, two_class_card()).read_bytes() == first
    assert str(tmp_path) not in first.decode()
    assert json.loads(first)["type"] == "Feature"
