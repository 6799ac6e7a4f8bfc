"""Quantised models: what stays as it is, what is rounded, and that a recipe makes one model only."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from fusion_mapper.models.quantised import Recipe, ends_of, entrances, layer_choices, quantised, watched
from onnx import ModelProto, TensorProto, helper, numpy_helper

RNG = np.random.default_rng(5)


def chain(layers: int, opset: int = 17, channels: int = 8, named: bool = False) -> ModelProto:
    """3×3 convolutions with ReLU between, from 3 bands to 4 scores; nodes without names, as ONNX allows."""
    nodes, weights = [], []
    read, width = "input", 3
    for i in range(layers):
        out = 4 if i == layers - 1 else channels
        values = RNG.normal(0, 1 / np.sqrt(9 * width), (out, width, 3, 3)).astype(np.float32)
        weights += [numpy_helper.from_array(values, f"w{i}"), numpy_helper.from_array(np.full(out, 0.1, "f4"), f"b{i}")]
        name = f"conv{i}" if named else ""
        nodes.append(helper.make_node("Conv", [read, f"w{i}", f"b{i}"], [f"c{i}"], name=name, pads=[1] * 4))
        read, width = f"c{i}", out
        if i < layers - 1:
            nodes.append(helper.make_node("Relu", [read], [f"r{i}"]))
            read = f"r{i}"
    return model_of(nodes, weights, ["batch", 3, "h", "w"], read, ["batch", 4, "h", "w"], opset)


def model_of(nodes, weights, shape, output, answer, opset=17) -> ModelProto:
    port = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [port("input", TensorProto.FLOAT, shape)], [port(output, TensorProto.FLOAT, answer)], weights
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def answers(model: ModelProto, value: np.ndarray) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip((out.name for out in session.get_outputs()), session.run(None, {"input": value}), strict=True))


def recipe_for(model: ModelProto, value: np.ndarray, layers: tuple[str, ...]) -> Recipe:
    tensors = entrances(model, layers)
    seen = answers(watched(model, tensors), value)
    ranges = {}
    for name in tensors:
        low, high = (float(seen[end]) for end in ends_of(name))
        ranges[name] = min(low, 0.0), max(high, 0.0)
    return Recipe(layers, ranges)


def test_the_layers_at_both_ends_are_spared_and_then_more_of_them():
    assert layer_choices(chain(7)) == [
        ("c1", "c2", "c3", "c4", "c5"),
        ("c1", "c2", "c3", "c4"),
        ("c2", "c3"),
    ]


@pytest.mark.parametrize("model", [chain(2), chain(5, opset=12)])
def test_nothing_is_offered_where_nothing_is_left_or_operators_are_too_old(model):
    assert layer_choices(model) == []


def test_a_skip_from_the_input_makes_a_late_layer_a_first_one():
    model = chain(5)
    model.graph.node[6].input[0] = "joined"  # the fourth convolution reads the image again
    model.graph.node.insert(6, helper.make_node("Concat", ["r2", "input"], ["joined"], axis=1))
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "w3")
    weight.CopyFrom(numpy_helper.from_array(np.zeros((8, 11, 3, 3), "f4"), "w3"))
    onnx.checker.check_model(model)
    assert layer_choices(model)[0] == ("c1", "c2")


def test_watched_tensors_answer_the_ends_of_their_values_and_the_rest_stays():
    model = chain(3)
    value = RNG.normal(size=(1, 3, 16, 16)).astype(np.float32)
    seen = answers(watched(model, ["input", "r1"]), value)
    assert (seen["input/least"], seen["input/greatest"]) == (value.min(), value.max())
    assert seen["r1/least"] == 0 < seen["r1/greatest"]
    np.testing.assert_array_equal(seen["c2"], answers(model, value)["c2"])


@pytest.mark.parametrize("named", [True, False])
def test_a_quantised_model_answers_nearly_the_same_with_weights_of_one_byte(named):
    model = chain(5, channels=32, named=named)
    value = RNG.normal(size=(2, 3, 32, 32)).astype(np.float32)
    made = quantised(model, recipe_for(model, value, layer_choices(model)[0]))
    onnx.checker.check_model(made, full_check=True)
    whole, rounded = answers(model, value)["c4"], answers(made, value)["c4"]
    assert 0 < np.abs(whole - rounded).max() < 0.03 * np.ptp(whole)
    held = {tensor.name: tensor.data_type for tensor in made.graph.initializer}
    assert held["w2/integers"] == TensorProto.INT8 and "w2" not in held
    assert held["w0"] == held["w4"] == held["b2"] == TensorProto.FLOAT
    assert made.ByteSize() < model.ByteSize() / 2


def test_a_node_without_outputs_is_passed_over():
    model = chain(5)
    model.graph.node.append(helper.make_node("LSTM", ["input", "w0", "w1"], [], hidden_size=1))
    assert layer_choices(model)[0] == ("c1", "c2", "c3")
    assert quantised(model, Recipe(("c1",), {"r0": (0.0, 1.0)})).graph.node[-1].op_type == "LSTM"


def test_values_beyond_the_range_end_at_its_ends():
    model = chain(3)
    value = np.abs(RNG.normal(size=(1, 3, 16, 16))).astype(np.float32)
    made = quantised(model, Recipe(("c1",), {"r0": (0.0, 0.5)}))
    seen = answers(watched(made, ["r0/rounded"]), value)
    assert seen["r0/rounded/greatest"] == pytest.approx(0.5)


def test_a_channel_of_zeros_and_an_empty_range_are_no_division_by_zero():
    model = chain(3)
    for tensor in model.graph.initializer:
        if tensor.name == "w1":
            values = numpy_helper.to_array(tensor).copy()
            values[0] = 0
            tensor.CopyFrom(numpy_helper.from_array(values, "w1"))
    value = np.zeros((1, 3, 8, 8), np.float32)
    made = quantised(model, Recipe(("c1",), {"r0": (0.0, 0.0)}))
    assert np.isfinite(answers(made, value)["c2"]).all()


def test_matrices_are_scaled_along_their_outputs_and_shared_weights_rounded_once():
    values = (RNG.normal(size=(6, 6)) * 10.0 ** np.arange(-3, 3)).astype(np.float32)
    weights = [numpy_helper.from_array(values, "w")]
    nodes = [
        helper.make_node("Relu", ["input"], ["a"]),
        helper.make_node("MatMul", ["a", "w"], ["b"]),
        helper.make_node("Tanh", ["b"], ["t"]),
        helper.make_node("MatMul", ["t", "w"], ["c"]),
        helper.make_node("Sigmoid", ["c"], ["s"]),
        helper.make_node("Gemm", ["s", "w"], ["d"], transB=0),
        helper.make_node("Identity", ["d"], ["output"]),
    ]
    model = model_of(nodes, weights, ["n", 6], "output", ["n", 6])
    assert layer_choices(model) == [("c",)]
    value = RNG.normal(size=(5, 6)).astype(np.float32)
    made = quantised(model, recipe_for(model, value, ("b", "c", "d")))
    onnx.checker.check_model(made, full_check=True)
    assert sum(tensor.name == "w/integers" for tensor in made.graph.initializer) == 1
    scale = next(numpy_helper.to_array(tensor) for tensor in made.graph.initializer if tensor.name == "w/scale")
    assert scale.shape == (6,) and (np.diff(scale) > 0).all()
    whole, rounded = answers(model, value)["output"], answers(made, value)["output"]
    np.testing.assert_allclose(rounded, whole, rtol=0.2, atol=0.05 * np.abs(whole).max())


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (Recipe(("c9",), {}), "no layer 'c9'"),
        (Recipe(("c1",), {}), "no range of 'r0'"),
        (Recipe(("c1",), {"r0": (0.0, float("inf"))}), "no range of 'r0'"),
        (Recipe(("c1",), {"r0": (1.0, 2.0)}), "no range of 'r0'"),
    ],
)
def test_a_recipe_of_another_model_is_refused(recipe, said):
    with pytest.raises(ValueError, match=said):
        quantised(chain(3), recipe)


def test_equal_recipes_make_equal_models_and_leave_the_model_alone():
    model = chain(4)
    before = model.SerializeToString()
    recipe = Recipe(("c1", "c2"), {"r0": (0.0, 1.0), "r1": (0.0, 2.0)})
    assert quantised(model, recipe).SerializeToString() == quantised(model, recipe).SerializeToString()
    assert model.SerializeToString() == before
