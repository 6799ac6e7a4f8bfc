"""Foreign conventions, quirk by quirk; whole files are loaded in test_load.py."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fusion_mapper.models.card import Card
from fusion_mapper.models.errors import CardError
from fusion_mapper.models.graph import read_graph
from fusion_mapper.models.load import load_model
from fusion_mapper.models.readers import bare
from onnx import helper
from onnx_graphs import deepness, save_classifier, save_graph


def load(tmp_path: Path, metadata: dict[str, str], **graph: object) -> tuple[Card, tuple[str, ...]]:
    loaded = load_model(save_classifier(tmp_path / "m.onnx", metadata=metadata, **graph))
    assert loaded.convention == "deepness"
    return loaded.card, loaded.warnings


def names(card: Card) -> list[str]:
    return [info.name for info in card.outputs[0].classes]


def test_all_keys_of_a_segmentor_are_read(tmp_path: Path) -> None:
    keys = deepness(
        model_type="Segmentor",
        class_names={0: "background", 1: "tree", 2: "road"},
        resolution=25,
        tile_size=256,
        tiles_overlap=12.5,
        standardization_mean=[0.5, 0.25, 0.0],
        standardization_std=[0.2, 0.5, 1.0],
        seg_thresh=0.6,
        seg_small_segment=7,
    )
    card, warnings = load(tmp_path, keys, classes=3)
    scalings = [(channel.scaling.offset, channel.scaling.scale) for channel in card.slots[0].channels]

    assert names(card) == ["background", "tree", "road"]
    assert card.gsd == 0.25
    assert (card.tiling.size, card.tiling.overlap) == (256, 32)
    assert scalings == [(127.5, 51.0), (63.75, 127.5), (0.0, 255.0)]
    assert card.outputs[0].threshold == 0.6
    assert card.unknown == ()
    assert len(warnings) == 1
    assert "seg_small_segment (7 pixels)" in warnings[0]


def test_all_keys_of_a_regressor_are_read(tmp_path: Path) -> None:
    keys = deepness(model_type="regressor", class_names={0: "NDVI"}, tiles_size=128, reg_output_scaling=100)
    card, warnings = load(tmp_path, keys, classes=1, ending=None)
    output = card.outputs[0]

    assert (output.task, output.classes, output.title, output.scaling.scale) == ("pixel-regression", (), "NDVI", 100.0)
    assert card.tiling.size == 128
    assert warnings == ()


@pytest.mark.parametrize("kind", ["Detector", "Recognition", "Superresolution", "Oracle"])
def test_other_types_are_refused_with_the_ones_that_work(tmp_path: Path, kind: str) -> None:
    path = save_classifier(tmp_path / "m.onnx", metadata=deepness(model_type=kind))

    with pytest.raises(
        CardError, match=rf"m\.onnx is a Deepness model of the type '{kind}'; .* Segmentor and Regressor"
    ):
        load_model(path)


def test_python_literals_and_words_without_quotes_are_read(tmp_path: Path) -> None:
    keys = {"model_type": "Segmentor", "class_names": "{0: 'water', 1: 'land'}", "resolution": "50"}
    card, warnings = load(tmp_path, keys)

    assert (names(card), card.gsd, warnings) == (["water", "land"], 0.5, ())


def test_the_old_key_for_names_and_unordered_numbers_are_read(tmp_path: Path) -> None:
    card, _ = load(tmp_path, deepness(model_type="Segmentor", names={"1": "land", "0": "water"}))

    assert names(card) == ["water", "land"]


@pytest.mark.parametrize(
    ("given", "channels", "expected"),
    [
        ({0: "tree"}, 1, ["background", "tree"]),
        ([{0: "tree"}], 1, ["background", "tree"]),
        ({0: "no tree", 1: "tree"}, 1, ["no tree", "tree"]),
        ({0: "tree"}, 2, ["tree", "class 1"]),
        ({0: "a", 1: "b", 2: "c"}, 2, ["a", "b"]),
    ],
)
def test_names_meet_the_channels_as_deepness_means_them(
    tmp_path: Path, given: object, channels: int, expected: list[str]
) -> None:
    card, _ = load(tmp_path, deepness(model_type="Segmentor", class_names=given), classes=channels, ending="Sigmoid")

    assert names(card) == expected


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("resolution", "fine"),
        ("resolution", -5),
        ("tile_size", [512]),
        ("tile_size", 1e9),
        ("tiles_overlap", 100),
        ("seg_thresh", None),
        ("seg_thresh", {"a": 1}),
        ("class_names", 17),
        ("class_names", {"a": "b"}),
        ("class_names", []),
        ("standardization_mean", [0.5, "x", 0.1]),
        ("standardization_std", [0, 0, 0]),
    ],
)
def test_malformed_keys_are_told_or_silent_but_never_crash(tmp_path: Path, key: str, value: object) -> None:
    card, warnings = load(tmp_path, deepness(model_type="Segmentor", **{key: value}))

    assert len(names(card)) == 2
    assert value is None or any(key in warning for warning in warnings)


@pytest.mark.parametrize(
    "text", ["", "\x00", "[" * 50_000, "9" * 5000, "__import__('os').system('false')", "nan", "1e999"]
)
def test_hostile_texts_are_data(tmp_path: Path, text: str) -> None:
    keys = dict.fromkeys(("resolution", "class_names", "tile_size", "seg_thresh", "standardization_mean"), text)
    card, _ = load(tmp_path, {**deepness(model_type="Segmentor"), **keys})

    assert card.gsd is None or card.gsd > 0


def test_standardisation_of_another_length_is_fitted_and_told(tmp_path: Path) -> None:
    keys = deepness(model_type="Segmentor", standardization_mean=[0.1, 0.2], standardization_std=[1, 1])
    card, warnings = load(tmp_path, keys)

    assert [channel.scaling.offset for channel in card.slots[0].channels] == [25.5, 51.0, 51.0]
    assert any("standardization_mean has 2 values, but the graph has 3 channels" in warning for warning in warnings)


def test_logits_get_the_activation_that_deepness_expects_of_the_graph(tmp_path: Path) -> None:
    card, warnings = load(tmp_path, deepness(model_type="Segmentor"), ending=None)

    assert card.outputs[0].activation == "softmax"
    assert any("'y' does not give probabilities" in warning for warning in warnings)


def test_a_model_without_its_type_is_taken_for_a_segmentor_and_told(tmp_path: Path) -> None:
    card, warnings = load(tmp_path, deepness(resolution=100))

    assert card.outputs[0].task == "semantic-segmentation"
    assert any("model_type is missing" in warning for warning in warnings)


def geoai(tmp_path: Path, sidecar: dict[str, object], **graph: object) -> tuple[Card, tuple[str, ...]]:
    path = save_classifier(tmp_path / "m.onnx", **graph)
    (tmp_path / "m.onnx.json").write_text(json.dumps(sidecar), encoding="utf-8")
    loaded = load_model(path)
    assert loaded.convention == "geoai"
    return loaded.card, loaded.warnings


SIDECAR = {
    "model_name": "nvidia/segformer-b0",
    "task": "semantic-segmentation",
    "input_height": 512,
    "input_width": 512,
    "input_channels": 3,
    "opset_version": 17,
    "output_names": ["y"],
    "id2label": {"0": "wall", "1": "building"},
    "num_labels": 2,
}


def test_a_geoai_sidecar_is_read(tmp_path: Path) -> None:
    card, _ = geoai(tmp_path, SIDECAR, ending=None, kernel=4, stride=4)

    assert (card.name, card.title) == ("segformer-b0", "nvidia/segformer-b0")
    assert names(card) == ["wall", "building"]
    assert (card.outputs[0].activation, card.outputs[0].stride) == ("softmax", 4)
    assert {channel.scaling.scale for channel in card.slots[0].channels} == {255.0}
    assert (card.tiling.size, card.tiling.fixed) == (512, False)
    assert card.unknown == ("gsd",)


def test_what_a_geoai_sidecar_gets_wrong_is_repaired_and_told(tmp_path: Path) -> None:
    wrong = {**SIDECAR, "input_channels": 4, "input_height": 640, "output_names": ["logits"], "id2label": {"0": "a"}}
    card, warnings = geoai(tmp_path, wrong, size=512)

    assert (card.tiling.size, len(card.slots[0].channels), names(card)) == (512, 3, ["a", "class 1"])
    for fragment in ("4 input channels", "output 'logits'", "640×512", "added: class 1"):
        assert any(fragment in warning for warning in warnings), fragment


@pytest.mark.parametrize("labels", ["many", {"a": "b"}, {"-1": "a"}, [1]])
def test_malformed_labels_are_left_out(tmp_path: Path, labels: object) -> None:
    card, warnings = geoai(tmp_path, {**SIDECAR, "id2label": labels})

    assert names(card) == ["class 0", "class 1"]
    assert any("id2label" in warning for warning in warnings)


def test_other_tasks_of_geoai_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"m\.onnx\.json: the task is 'object-detection'"):
        geoai(tmp_path, {**SIDECAR, "task": "object-detection"})


def test_a_bare_graph_with_dates_places_and_coarse_inputs_becomes_slots(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMax", ["dates"], ["d"], axes=[2], keepdims=0),
        helper.make_node("ReduceMean", ["place"], ["p"], axes=[1], keepdims=1),
        helper.make_node("Unsqueeze", ["p", "axes"], ["q"]),
        helper.make_node("Add", ["d", "q"], ["e"]),
        helper.make_node("Resize", ["relief:0", "", "scales"], ["r"]),
        helper.make_node("Add", ["e", "r"], ["y"]),
    ]
    inputs = {"dates": ["n", 4, 2, 64, 64], "place": ["n", 2], "relief:0": ["n", 1, 16, 16]}
    weights = {"axes": np.array([2, 3], np.int64), "scales": np.array([1, 1, 4, 4], np.float32)}
    card = bare.read(read_graph(save_graph(tmp_path / "m.onnx", nodes, inputs, {"y": ["n", 4, 64, 64]}, weights)))

    assert [(slot.name, slot.role, slot.layout, slot.time, slot.grid_ratio) for slot in card.slots] == [
        ("dates_1", "imagery", "NCTHW", 0, 1),
        ("dates_2", "imagery", "NCTHW", 1, 1),
        ("place", "location", "vector", 0, 1),
        ("relief-0", "raster", "NCHW", 0, 4),
    ]
    assert card.slots[2].location is not None
    assert "slots[2].location" in card.unknown
    assert "slots[3].role" in card.unknown


def test_class_indices_are_told_from_values(tmp_path: Path) -> None:
    nodes = [helper.make_node("ArgMax", ["x"], ["y"], axis=1, keepdims=1)]
    shape = ["n", 1, 32, 32]
    path = save_graph(tmp_path / "m.onnx", nodes, {"x": ["n", 3, 32, 32]}, {"y": shape}, dtype=7)

    assert bare.read(read_graph(path)).outputs[0].activation == "labels"


def test_a_vector_that_no_layer_gives_is_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("ReduceMean", ["v"], ["m"]), helper.make_node("Add", ["x", "m"], ["y"])]
    shape = ["n", 3, 32, 32]
    path = save_graph(tmp_path / "m.onnx", nodes, {"x": shape, "v": ["n", 7]}, {"y": shape})

    with pytest.raises(CardError, match=r"input 'v' of m\.onnx takes 7 values"):
        bare.read(read_graph(path))
