"""Files made to take an engine's time, memory or life: one sentence each, and the engine goes on.

The engine is held to its memory (`limited`), and each answer to its time on the processor.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from engine_runs import WarmEngine
from fusion_mapper.models.card import Card
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import save_classifier, two_class_card
from small_scene import Job, save_job, thorough

SECONDS = 20
OWN = helper.make_opsetid("own", 1)
TILE = ["batch", 3, 64, 64]


def node(kind: str, into: Sequence[str], out: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, list(into), [out], **attributes)


def value(name: str, dims: Sequence[int | str] | None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)


def constant(name: str, numbers: object, kind: type = np.int64) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(numbers, kind), name)


def model(
    nodes: Sequence[onnx.NodeProto],
    weights: Sequence[onnx.TensorProto] = (),
    inputs: Sequence[onnx.ValueInfoProto] = (value("x", TILE),),
    outputs: Sequence[onnx.ValueInfoProto] = (value("y", TILE),),
    functions: Sequence[onnx.FunctionProto] = (),
) -> onnx.ModelProto:
    graph = helper.make_graph(list(nodes), "g", list(inputs), list(outputs), list(weights))
    opsets = [helper.make_opsetid("", 17), *([OWN] if functions else [])]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9, functions=list(functions))


def calling(name: str, *calls: str) -> onnx.FunctionProto:
    """A function that calls others of the file one after the other."""
    names = ["a", *(f"t{i}" for i in range(len(calls) - 1)), "b"]
    nodes = [node(call, [names[i]], names[i + 1], domain="own") for i, call in enumerate(calls)]
    return helper.make_function("own", name, ["a"], ["b"], nodes, [helper.make_opsetid("", 17), OWN])


def doubling(levels: int) -> list[onnx.FunctionProto]:
    """Each calls the one before twice."""
    ground = helper.make_function("own", "f0", ["a"], ["b"], [node("Relu", ["a"], "b")], [helper.make_opsetid("", 17)])
    return [ground, *(calling(f"f{i}", f"f{i - 1}", f"f{i - 1}") for i in range(1, levels))]


def chain(length: int) -> onnx.ModelProto:
    names = ["x", *(f"v{i}" for i in range(length - 1)), "y"]
    return model([node("Relu", [names[i]], names[i + 1]) for i in range(length)])


def nested(depth: int) -> onnx.ModelProto:
    """Branches inside branches."""

    def graph(body: onnx.NodeProto) -> onnx.GraphProto:
        return helper.make_graph([body], "b", [], [value(body.output[0], None)])

    inner = node("Identity", ["x"], "o0")
    for level in range(1, depth + 1):
        other = node("Identity", ["x"], f"e{level}")
        name = "y" if level == depth else f"o{level}"
        inner = node("If", ["c"], name, then_branch=graph(inner), else_branch=graph(other))
    return model([inner], [constant("c", True, bool)])


def crowded(count: int) -> onnx.ModelProto:
    return model([node("Relu", ["x"], "y")], outputs=[value("y", TILE)] * count)


HUGE = 2**40
MODELS: dict[str, tuple[Callable[[], onnx.ModelProto], str | None]] = {
    "a cycle": (
        lambda: model([node("Add", ["x", "q"], "p"), node("Relu", ["p"], "q"), node("Relu", ["q"], "y")]),
        "does not run",
    ),
    "a node that feeds itself": (lambda: model([node("Add", ["x", "y"], "y")]), "does not run"),
    "a million nodes": (lambda: chain(1_000_000), "more than 50,000 nodes"),
    "more nodes than are read": (lambda: chain(50_001), "more than 50,000 nodes"),
    "many nodes": (lambda: chain(20_000), None),
    "branches in branches": (lambda: nested(20), None),
    "a function that calls itself": (
        lambda: model([node("f", ["x"], "y", domain="own")], functions=[calling("f", "f")]),
        "calls itself",
    ),
    "functions that call one another": (
        lambda: model([node("f", ["x"], "y", domain="own")], functions=[calling("f", "g"), calling("g", "f")]),
        "calls itself",
    ),
    "functions that double one another": (
        lambda: model([node("f29", ["x"], "y", domain="own")], functions=doubling(30)),
        "more than 50,000 nodes",
    ),
    "an input of 2^40 channels": (
        lambda: model([node("Relu", ["x"], "y")], inputs=[value("x", ["batch", HUGE, 64, 64])]),
        "more than any layers give",
    ),
    "an input of 2^40 dates": (
        lambda: model([node("Relu", ["x"], "y")], inputs=[value("x", ["batch", 3, HUGE, 64, 64])]),
        "more than any layers give",
    ),
    "tiles of 2^40 pixels": (
        lambda: model([node("Relu", ["x"], "y")], inputs=[value("x", ["batch", 3, HUGE, HUGE])]),
        "too large to be tried",
    ),
    "weights of 2^40 values that are not there": (
        lambda: model([node("Add", ["x", "w"], "y")], [TensorProto(name="w", dims=[HUGE], data_type=1)]),
        "does not run",
    ),
    "2^40 zeros": (
        lambda: model([node("ConstantOfShape", ["s"], "k"), node("Add", ["x", "k"], "y")], [constant("s", [HUGE])]),
        "does not run",
    ),
    "an output of 2^40 channels": (
        lambda: model([node("Expand", ["x", "s"], "y")], [constant("s", [1, HUGE, 64, 64])]),
        "",
    ),
    "an output of tiles side by side": (
        lambda: model([node("Tile", ["x", "s"], "y")], [constant("s", [1, 2**19, 1, 1])]),
        "",
    ),
    "thousands of outputs": (lambda: crowded(20_000), "more than 1,000 inputs and outputs"),
}


@pytest.mark.parametrize("name", [thorough(name) if name == "a million nodes" else name for name in MODELS])
def test_a_hostile_model(limited: WarmEngine, tmp_path: Path, name: str) -> None:
    make, sentence = MODELS[name]
    path = tmp_path / "hostile.onnx"
    path.write_bytes(make().SerializeToString())
    answer = limited.ask(SECONDS, command="inspect", model=str(path))
    if sentence is None:
        assert answer["event"] == "result", answer
        return
    assert (answer["event"], answer.get("code")) == ("failed", 2), answer
    assert sentence in answer["text"]


def with_slots(card: dict[str, Any], count: int) -> dict[str, Any]:
    return {**card, "slots": [{**card["slots"][0], "name": f"s{i}", "channels": [{"name": "c"}]} for i in range(count)]}


def text_of(card: Card, **changes: object) -> str:
    return json.dumps({**card.to_dict(), **changes})


CARDS: dict[str, Callable[[Card], str]] = {
    "tens of thousands of slots": lambda card: json.dumps(with_slots(card.to_dict(), 40_000)),
    "a name of a million letters": lambda card: text_of(card, name="n" * 1_000_000),
    "lists in lists": lambda card: text_of(card)[:-1] + ', "training": ' + '{"a": ' * 500 + "1" + "}" * 501,
    "lists in lists without end": lambda card: "[" * 1_000_000,
    "more than a card can be": lambda card: text_of(card, description="d" * 5_000_000),
    "numbers in place of texts": lambda card: text_of(card, name=1, slots=7),
    "a number of a hundred thousand digits": lambda card: text_of(card)[:-1] + ', "gsd": ' + "9" * 100_000 + "}",
    "half of a letter": lambda card: text_of(card, title="\ud800"),
}


@pytest.mark.parametrize("name", CARDS)
def test_a_hostile_card(limited: WarmEngine, tmp_path: Path, name: str) -> None:
    """Refused, or left out with a word where it is no card at all."""
    path = save_classifier(tmp_path / "m.onnx")
    path.with_suffix(".json").write_text(CARDS[name](two_class_card()))
    answer = limited.ask(SECONDS, command="inspect", model=str(path))
    if answer["event"] == "failed":
        assert answer["code"] == 2, answer["details"]
        assert len(answer["text"]) <= 1000
    else:
        assert answer["report"]["warnings"] or answer["report"]["convention"] == "fusion-mapper"


JOBS: dict[str, dict[str, Any]] = {
    "a file name beyond all length": {"model": "m" * 5000},
    "a folder name beyond all length": {"outputs": {"folder": "o" * 300, "products": {"classes": None}}},
    "a folder that is a device": {"outputs": {"folder": "/dev/null", "products": {"classes": None}}},
    "a layer that never ends": {"sources": {"imagery": {"path": "/dev/zero"}}},
    "a model that never ends": {"model": "/dev/zero"},
    "a resolution finer than dust": {"grid": {"resolution": 1e-12}},
    "an extent beyond the earth": {"grid": {"extent": [-1e300, -1e300, 1e300, 1e300]}},
    "blocks beyond all memory": {"compute": {"block": 2**40}},
    "tiles beyond all memory": {"compute": {"tile": 16384, "batch": 1024}},
    "memory beyond all machines": {"compute": {"memory": 2**60}},
    "a CRS that is none": {"grid": {"crs": "+proj=pipeline +step +proj=" + "x" * 10_000}},
    "a filter that is none": {"sources": {"imagery": {"path": "ortho.tif"}, "osm": {"layers": [
        {"path": "roads.geojson", "where": "1=1; DROP TABLE roads; --"}]}}},
}  # fmt: skip


@pytest.mark.parametrize("name", JOBS)
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_hostile_job(limited: WarmEngine, place: Path, job: Job, name: str, command: str) -> None:
    """A run is made only of what is harmless: a number that only means as much as there is."""
    job["outputs"] = {"folder": "out", "products": {"classes": None}}
    answer = limited.ask(SECONDS, command=command, job=str(save_job(place, job, **JOBS[name])))
    assert answer["event"] == "result" or answer["code"] == 2, answer
    assert answer["event"] == "failed" or name.startswith(("blocks", "memory")) or command == "check"
