from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fusion_mapper.models.card import Card, Channel, ClassInfo, LocationRecipe, Slot, Tiling
from fusion_mapper.models.consistency import check_card
from fusion_mapper.models.errors import CardError
from fusion_mapper.models.graph import read_graph
from fusion_mapper.models.remarks import Remarks
from fusion_mapper.models.repair import repair
from onnx import helper
from onnx_graphs import rgb_slot, rich_card, save_classifier, save_graph, two_class_card

NIR = Slot("nir", "imagery", (Channel("nir"),), "x", offset=3)


def test_cards_that_fit_pass(tmp_path: Path) -> None:
    check_card(two_class_card(), read_graph(save_classifier(tmp_path / "two.onnx")))
    check_card(rich_card(), read_graph(save_classifier(tmp_path / "rich.onnx", channels=9, classes=3, ending=None)))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"slots": (rgb_slot(input="image"),)}, r"m\.onnx has no input 'image'; it has 'x'"),
        ({"slots": (rgb_slot(), NIR)}, r"give 4 channels \(imagery 0-2, nir 3-3\), but the input 'x' of m\.onnx has 3"),
        ({"slots": (rgb_slot(missing="mask_channel"),)}, "give 4 channels"),
        ({"slots": (rgb_slot(offset=1),)}, "leave a hole at channel 1"),
        ({"slots": (rgb_slot(), replace(NIR, offset=2))}, "overlap at channel 2"),
        ({"slots": (rgb_slot(), replace(NIR, grid_ratio=2))}, "different grid ratios"),
        ({"slots": (rgb_slot(layout="vector"),)}, "layout vector, but the input 'x' of m.onnx is batch×3×size×size"),
        ({"tiling": Tiling(64, batch=2)}, None),
    ],
)
def test_slots_that_contradict_the_graph_are_refused(tmp_path: Path, change: dict, sentence: str | None) -> None:
    graph = read_graph(save_classifier(tmp_path / "m.onnx"))
    card = two_class_card(**change)
    if sentence is None:
        check_card(card, graph)
        return
    with pytest.raises(CardError, match=sentence):
        check_card(card, graph)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": "z"}, r"m\.onnx has no output 'z'; it has 'y'"),
        (
            {"classes": tuple(ClassInfo(i, f"c{i}") for i in range(5))},
            r"5 classes need 5 channel.*'y' of m\.onnx has 2",
        ),
        ({"task": "pixel-regression", "classes": ()}, "the task pixel-regression need 1 channel"),
        ({"stride": 2}, "stride 2 and margin 0 .* a tile of 64 pixels gives 64"),
        ({"margin": 4}, "stride 1 and margin 4"),
        ({"grid": "tile"}, "grid 'tile' .* graph gives 'pixel'"),
        ({"activation": "labels"}, "activation 'labels'"),
    ],
)
def test_outputs_that_contradict_the_graph_are_refused(tmp_path: Path, change: dict, sentence: str) -> None:
    card = two_class_card()
    card = replace(card, outputs=(replace(card.outputs[0], **change),))

    with pytest.raises(CardError, match=sentence):
        check_card(card, read_graph(save_classifier(tmp_path / "m.onnx")))


@pytest.mark.parametrize(
    ("tiling", "sentence"),
    [
        (Tiling(64), "tiling is 64 pixels .free.* takes exactly 64"),
        (Tiling(128, fixed=True), "tiling is 128 pixels .fixed"),
        (Tiling(64, fixed=True), "tiling.batch is free, but m.onnx takes only 2"),
        (Tiling(64, fixed=True, batch=2), None),
    ],
)
def test_a_fixed_graph_wants_a_card_that_says_so(tmp_path: Path, tiling: Tiling, sentence: str | None) -> None:
    graph = read_graph(save_classifier(tmp_path / "m.onnx", size=64, batch=2))
    if sentence is None:
        check_card(two_class_card(tiling=tiling), graph)
        return
    with pytest.raises(CardError, match=sentence):
        check_card(two_class_card(tiling=tiling), graph)


def test_an_input_without_a_slot_is_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["x", "second"], ["y"])]
    shape = ["n", 3, 64, 64]
    graph = read_graph(save_graph(tmp_path / "m.onnx", nodes, {"x": shape, "second": shape}, {"y": shape}))

    with pytest.raises(CardError, match="no slot for the input 'second'"):
        check_card(two_class_card(tiling=Tiling(64, fixed=True)), graph)


def test_a_location_slot_has_the_values_of_its_basis(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["place"], ["p"], axes=[1], keepdims=1),
        helper.make_node("Unsqueeze", ["p", "axes"], ["q"]),
        helper.make_node("Add", ["x", "q"], ["y"]),
    ]
    inputs = {"x": ["n", 2, 64, 64], "place": ["n", 100]}
    weights = {"axes": np.array([2, 3], np.int64)}
    graph = read_graph(save_graph(tmp_path / "m.onnx", nodes, inputs, {"y": ["n", 2, 64, 64]}, weights))
    values = tuple(Channel(f"Y{i}") for i in range(100))
    place = Slot(
        "place", "location", values, "place", layout="vector", location=LocationRecipe("spherical_harmonics", 10)
    )
    image = Slot("imagery", "imagery", (Channel("a"), Channel("b")), "x")
    card = two_class_card(slots=(image, place), tiling=Tiling(64, fixed=True))

    check_card(card, graph)
    wrong = replace(place, location=LocationRecipe("spherical_harmonics", 9))
    with pytest.raises(CardError, match="'place' has 100 channels, but its location recipe gives 81"):
        check_card(replace(card, slots=(image, wrong)), graph)


def test_dates_of_a_stacked_input_are_all_needed(tmp_path: Path) -> None:
    nodes = [helper.make_node("ReduceMax", ["x"], ["y"], axes=[2], keepdims=0)]
    graph = read_graph(save_graph(tmp_path / "m.onnx", nodes, {"x": ["n", 2, 2, 64, 64]}, {"y": ["n", 2, 64, 64]}))
    bands = (Channel("red"), Channel("nir"))
    spring = Slot("spring", "imagery", bands, "x", layout="NCTHW", time=0)
    autumn = Slot("autumn", "imagery", bands, "x", layout="NCTHW", time=1)
    card = two_class_card(slots=(spring, autumn), tiling=Tiling(64, fixed=True))

    check_card(card, graph)
    with pytest.raises(CardError, match=r"times \[0\] for the input 'x' of m\.onnx, which has 2"):
        check_card(replace(card, slots=(spring,)), graph)


def repaired(tmp_path: Path, card: Card, **graph: object) -> tuple[Card, Remarks]:
    return repair(card, read_graph(save_classifier(tmp_path / "m.onnx", **graph)))


def test_repair_changes_nothing_that_fits(tmp_path: Path) -> None:
    card = two_class_card()
    assert repaired(tmp_path, card) == (card, [])


def test_repair_tells_each_change(tmp_path: Path) -> None:
    card = two_class_card(slots=(rgb_slot(input="image"),), tiling=Tiling(256, batch=8, overlap=64))
    card = replace(card, outputs=(replace(card.outputs[0], name="out"),))
    fixed, remarks = repaired(tmp_path, card, channels=4, size=128, batch=1)

    assert [slot.input for slot in fixed.slots] == ["x"]
    assert [channel.name for channel in fixed.slots[0].channels] == ["red", "green", "blue", "band 4"]
    assert fixed.slots[0].channels[3].scaling == fixed.slots[0].channels[2].scaling
    assert fixed.outputs[0].name == "y"
    assert fixed.tiling == Tiling(128, fixed=True, batch=1, overlap=32)
    told = {remark.field: remark.text for remark in remarks}
    assert len(remarks) == len(told) == 5
    for field, word in (
        ("slots[0]", "'image'"),
        ("outputs[0].name", "'out'"),
        ("tiling.size", "256"),
        ("tiling.batch", "8"),
        ("slots[0].channels", "channels are 4"),
    ):
        assert word in told[field]


@pytest.mark.parametrize(
    ("channels", "names", "sentence"),
    [
        (1, ["background", "object"], "has 1 channel.*binary head"),
        (2, ["a", "b"], "left out: c, d, e"),
        (6, ["a", "b", "c", "d", "e", "class 5"], "added: class 5"),
    ],
)
def test_repair_fits_the_classes_to_the_channels(
    tmp_path: Path, channels: int, names: list[str], sentence: str
) -> None:
    card = two_class_card()
    five = tuple(ClassInfo(i, name) for i, name in enumerate("abcde"))
    card = replace(card, outputs=(replace(card.outputs[0], classes=five),))
    fixed, remarks = repaired(tmp_path, card, classes=channels, ending="Sigmoid")
    assert [info.name for info in fixed.outputs[0].classes] == names
    (remark,) = remarks
    assert remark.field == "outputs[0].classes"
    assert re.search(sentence, remark.text)


def test_repair_refuses_a_regression_of_several_channels(tmp_path: Path) -> None:
    card = two_class_card()
    card = replace(card, outputs=(replace(card.outputs[0], task="pixel-regression", classes=()),))

    with pytest.raises(CardError, match="'y' is said to be a regression, but the graph gives 2 channels"):
        repaired(tmp_path, card, ending=None)
