from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from fusion_mapper.models.card import ONNX_KEY
from fusion_mapper.models.embed import embed_card, embedded_card, read_embedded_card
from fusion_mapper.models.errors import CardError
from fusion_mapper.models.graph import read_graph
from onnx_graphs import rich_card, save_classifier, two_class_card


def test_a_card_comes_back_from_the_file_as_it_went_in(tmp_path: Path) -> None:
    source = save_classifier(tmp_path / "m.onnx", channels=9, classes=3, ending=None, metadata={"author": "me"})
    out = tmp_path / "out" / "m.onnx"
    embed_card(source, rich_card(), out)

    assert read_embedded_card(out) == rich_card()
    assert read_graph(out).metadata["author"] == "me"
    assert read_embedded_card(source) is None


def test_the_same_card_gives_the_same_bytes_and_replaces_the_old_one(tmp_path: Path) -> None:
    source = save_classifier(tmp_path / "m.onnx")
    first, second = tmp_path / "1.onnx", tmp_path / "2.onnx"
    embed_card(source, two_class_card(), first)
    embed_card(source, two_class_card(title="Old"), second)
    embed_card(second, two_class_card(), second)

    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.onnx", "2.onnx", "m.onnx"]


def test_the_network_answers_as_before(tmp_path: Path) -> None:
    source, out = save_classifier(tmp_path / "m.onnx"), tmp_path / "out.onnx"
    embed_card(source, two_class_card(), out)
    image = np.random.default_rng(0).random((1, 3, 16, 16), np.float32)

    before, after = (onnxruntime.InferenceSession(str(path)).run(None, {"x": image})[0] for path in (source, out))
    assert np.array_equal(before, after)


def test_a_card_that_contradicts_the_graph_is_not_embedded(tmp_path: Path) -> None:
    source = save_classifier(tmp_path / "m.onnx", channels=4)

    with pytest.raises(CardError, match="give 3 channels"):
        embed_card(source, two_class_card(), tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()


def external(path: Path) -> Path:
    model = onnx.load(save_classifier(path))
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path


def test_external_data_travel_whole_and_the_copy_runs(tmp_path: Path) -> None:
    home, away = tmp_path / "home", tmp_path / "away"
    home.mkdir()
    source = external(home / "m.onnx")
    embed_card(source, two_class_card(), away / "m.onnx")

    assert (away / "weights.bin").read_bytes() == (home / "weights.bin").read_bytes()
    assert onnxruntime.InferenceSession(str(away / "m.onnx")).get_outputs()[0].name == "y"


def test_other_data_of_the_same_name_are_not_overwritten(tmp_path: Path) -> None:
    home, away = tmp_path / "home", tmp_path / "away"
    home.mkdir()
    away.mkdir()
    (away / "weights.bin").write_bytes(b"of another model")

    with pytest.raises(CardError, match=r"weights\.bin exists and holds other data"):
        embed_card(external(home / "m.onnx"), two_class_card(), away / "m.onnx")
    assert (away / "weights.bin").read_bytes() == b"of another model"
    assert not (away / "m.onnx").exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{not json", "card inside m.onnx is not valid JSON"),
        ("[" * 100_000, "card inside m.onnx is not valid JSON"),
        ("[1, 2]", "m.onnx: card has no 'fusion:card' block"),
        ('{"schema": 2, "name": "a", "slots": []}', "m.onnx: card.schema is 2"),
        ('{"schema": 1, "name": 5, "slots": [], "outputs": []}', "m.onnx: card.name must be a text"),
        ('"' + "x" * 2**22 + '"', "larger than 4 MiB"),
    ],
    ids=["no-json", "deep", "no-card", "version", "type", "large"],
)
def test_a_broken_card_inside_a_file_is_refused_by_field(tmp_path: Path, text: str, sentence: str) -> None:
    graph = read_graph(save_classifier(tmp_path / "m.onnx", metadata={ONNX_KEY: text}))

    with pytest.raises(CardError, match=sentence):
        embedded_card(graph)
