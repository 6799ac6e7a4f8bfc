"""Giving models away, and taking them in by the engine's own commands; the user's file is only read."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from fusion_mapper.inference.commands import find_command
from fusion_mapper.inference.voice import Voice
from fusion_mapper.models.errors import CardError
from fusion_mapper.models.files import sha256_of
from fusion_mapper.models.load import load_model
from fusion_mapper.models.mlm_schema import validate_item
from fusion_mapper.models.review import review
from onnx_graphs import rgb_slot, save_classifier, two_class_card


def ask(command: str, **request: object):
    return find_command(command)(request, Voice(lambda _event: None, lambda: False))


def files(folder: Path) -> dict[str, tuple[str, int]]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found[path.name] = (sha256_of(path), path.stat().st_mtime_ns)
    return found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A model with weights in a file of its own, in a folder that holds nothing else."""
    home = tmp_path / "home"
    home.mkdir()
    path = save_classifier(home / "m.onnx")
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    return path


def test_install_with_a_card_answers_the_path_and_leaves_the_users_files_alone(source: Path, tmp_path: Path) -> None:
    before = files(source.parent)
    source.chmod(0o444)
    source.parent.chmod(0o555)
    result = ask("install", model=str(source), library=str(tmp_path / "lib"), card=two_class_card().to_dict())
    source.parent.chmod(0o755)

    assert result.products["model"] == str(tmp_path / "lib" / "two-classes" / "two-classes.onnx")
    assert result.report["card"] == two_class_card().to_dict()
    assert load_model(Path(result.products["model"])).card == two_class_card()
    assert files(source.parent) == before


def test_install_asks_before_it_replaces(source: Path, tmp_path: Path) -> None:
    request = {"model": str(source), "library": str(tmp_path / "lib"), "card": two_class_card().to_dict()}
    ask("install", **request)
    with pytest.raises(CardError, match="'two-classes' is already installed"):
        ask("install", **request)
    ask("install", **{**request, "card": two_class_card(title="New").to_dict(), "replace": True})
    assert load_model(tmp_path / "lib" / "two-classes" / "two-classes.onnx").card.title == "New"


def test_install_refuses_a_model_that_nobody_completed(source: Path, tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"slots\[0\].scaling"):
        ask("install", model=str(source), library=str(tmp_path / "lib"))
    assert not (tmp_path / "lib").exists()


def test_export_writes_a_whole_model_and_a_valid_item_beside_it(source: Path, tmp_path: Path) -> None:
    installed = ask("install", model=str(source), library=str(tmp_path / "lib"), card=two_class_card().to_dict())
    before = files(tmp_path / "lib")
    given = ask("export", model=installed.products["model"], folder=str(tmp_path / "out"))

    item = json.loads((tmp_path / "out" / "two-classes.json").read_text(encoding="utf-8"))
    validate_item(item, "item")
    assert item["assets"]["model"]["href"] == "./two-classes.onnx"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "two-classes.json",
        "two-classes.onnx",
        "w.bin",
    ]
    assert load_model(Path(given.products["model"])).card == two_class_card()
    assert files(tmp_path / "lib") == before
    (tmp_path / "out" / "two-classes.json").unlink()
    assert load_model(Path(given.products["model"])).card == two_class_card()


def test_export_writes_over_nothing(source: Path, tmp_path: Path) -> None:
    installed = ask("install", model=str(source), library=str(tmp_path / "lib"), card=two_class_card().to_dict())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "w.bin").write_bytes(b"mine")
    with pytest.raises(CardError, match=r"w\.bin exists already"):
        ask("export", model=installed.products["model"], folder=str(tmp_path / "out"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["w.bin"]
    assert (tmp_path / "out" / "w.bin").read_bytes() == b"mine"


def test_review_finds_each_fault_with_its_field(source: Path) -> None:
    good = two_class_card()
    assert review(source, good.to_dict()) == {"problems": [], "unknown": [], "blocking": []}

    short = two_class_card(slots=(rgb_slot(channels=good.slots[0].channels[:2]),))
    card = {**short.to_dict(), "unknown": ["outputs[0].task"]}
    card["outputs"][0]["classes"].append({"value": 2, "name": "sky"})
    told = review(source, card)
    assert [problem["field"] for problem in told["problems"]] == ["slots[0].channels", "outputs[0].classes"]
    assert "3 classes" in told["problems"][1]["text"]
    assert told["blocking"] == ["outputs[0].task"]


def test_review_names_the_field_of_a_card_that_cannot_be_read(source: Path) -> None:
    card = {**two_class_card().to_dict(), "gsd": -1.0}
    assert review(source, card)["problems"] == [{"field": "gsd", "text": "card.gsd must be more than 0 metres."}]
    card["outputs"][0]["classes"][1]["value"] = 0
    card["gsd"] = 1.0
    assert review(source, card)["problems"][0]["field"] == "outputs[0].classes"
