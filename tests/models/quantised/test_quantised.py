"""Quantised models: what stays as it is, what is rounded, and that a recipe makes one model only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from fusion_mapper.models.quantised.layers import layer_choices
from fusion_mapper.models.quantised.recipe import Recipe, Steps, recipe_for
from fusion_mapper.models.quantised.rewriting import quantised
from fusion_mapper.models.quantised.watching import seen_by, watched
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


def recipe_by(model: ModelProto, value: np.ndarray, layers: tuple[str, ...]) -> Recipe:
    return recipe_for(model, layers, seen_by(model, layers, [answers(watched(model, layers), value)]))


def lost(model: ModelProto, recipe: Recipe, value: np.ndarray) -> np.ndarray:
    """What quantising adds to the model's only answer, as a share of its spread."""
    made = quantised(model, recipe)
    onnx.checker.check_model(made, full_check=True)
    (whole,), (rounded,) = answers(model, value).values(), answers(made, value).values()
    return (rounded - whole) / np.ptp(whole)


def random_weights(**shapes: tuple[int, ...]) -> list[TensorProto]:
    return [
        numpy_helper.from_array(RNG.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]


def unet(activation: str = "Relu") -> ModelProto:
    """Two levels, with a skip; `b` to `e` are inner convolutions."""
    node = helper.make_node
    scales = numpy_helper.from_array(np.float32([1, 1, 2, 2]), "scales")
    weights = random_weights(wa=(8, 3, 3, 3), wb=(8, 8, 3, 3), wc=(8, 8, 3, 3), wd=(8, 16, 3, 3), we=(4, 8, 1, 1))
    nodes = [
        node("Conv", ["input", "wa"], ["a"], pads=[1] * 4),
        node(activation, ["a"], ["ra"]),
        node("Conv", ["ra", "wb"], ["b"], pads=[1] * 4),
        node(activation, ["b"], ["rb"]),
        node("MaxPool", ["rb"], ["pool"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["pool", "wc"], ["c"], pads=[1] * 4),
        node(activation, ["c"], ["rc"]),
        node("Resize", ["rc", "", "scales"], ["up"], mode="nearest"),
        node("Concat", ["rb", "up"], ["joined"], axis=1),
        node("Conv", ["joined", "wd"], ["d"], pads=[1] * 4),
        node(activation, ["d"], ["rd"]),
        node("Conv", ["rd", "we"], ["output"]),
    ]
    return model_of(nodes, [*weights, scales], [1, 3, 32, 32], "output", [1, 4, 32, 32])


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


def test_watched_tensors_tell_of_their_channels_and_the_rest_stays():
    model = chain(4)
    value = RNG.normal(size=(2, 3, 16, 16)).astype(np.float32)
    told = answers(watched(model, ("c1", "c2")), value)
    np.testing.assert_array_equal(told["c3"], answers(model, value)["c3"])
    model.graph.output.append(helper.make_tensor_value_info("r0", TensorProto.FLOAT, None))
    values = answers(model, value)["r0"]
    seen = seen_by(model, ("c1", "c2"), [told])["r0", False]
    np.testing.assert_array_equal(seen.low, values.min((0, 2, 3)))
    np.testing.assert_array_equal(seen.high, values.max((0, 2, 3)))
    np.testing.assert_allclose(seen.mean, values.mean((0, 2, 3)), rtol=1e-5)


def test_a_tensor_that_is_not_finite_is_refused():
    model = chain(3)
    value = np.full((1, 3, 8, 8), np.inf, np.float32)
    with pytest.raises(ValueError, match="NaN or infinity"):
        recipe_by(model, value, ("c1",))


@pytest.mark.parametrize("named", [True, False])
def test_a_quantised_model_answers_nearly_the_same_with_weights_of_one_byte(named):
    model = chain(5, channels=32, named=named)
    value = RNG.normal(size=(2, 3, 32, 32)).astype(np.float32)
    recipe = recipe_by(model, value, layer_choices(model)[0])
    assert 0 < np.abs(lost(model, recipe, value)).max() < 0.03
    made = quantised(model, recipe)
    held = {tensor.name: tensor.data_type for tensor in made.graph.initializer}
    assert held["c2/8/integers"] == TensorProto.INT8 and "w2" not in held and "b2" not in held
    assert held["w0"] == held["w4"] == held["b0"] == TensorProto.FLOAT
    assert made.ByteSize() < model.ByteSize() / 2


@pytest.mark.parametrize("activation", ["Relu", "Tanh"])
def test_what_is_pooled_enlarged_and_joined_is_rounded_once_before(activation):
    model = unet(activation)
    value = RNG.normal(size=(1, 3, 32, 32)).astype(np.float32)
    recipe = recipe_by(model, value, ("b", "c", "d"))
    assert np.abs(lost(model, recipe, value)).max() < 0.03
    assert set(recipe.steps) == {"ra", "rb", "rc"}
    # What meets in one layer has one zero, which is none of the ends where values have both signs.
    assert recipe.steps["rb"].zero == recipe.steps["rc"].zero
    assert (recipe.steps["rb"].zero == 0) == (activation == "Relu")
    reads = {node.op_type: list(node.input) for node in quantised(model, recipe).graph.node if "/8/" in node.output[0]}
    assert reads["MaxPool"] == ["rb/8/rounded"]
    assert reads["Concat"] == ["rb/8/rounded", "up/8/rounded"]


def test_channels_of_very_different_size_are_each_rounded_by_their_own():
    model = chain(4)
    sizes = np.float32(10.0 ** np.linspace(-2, 2, 8))
    for tensor in model.graph.initializer:
        if tensor.name in ("w1", "b1", "w2"):
            values = numpy_helper.to_array(tensor)
            by = sizes.reshape(-1, *[1] * (values.ndim - 1)) if tensor.name != "w2" else 1 / sizes[None, :, None, None]
            tensor.CopyFrom(numpy_helper.from_array(values * by, tensor.name))
    value = RNG.normal(size=(1, 3, 32, 32)).astype(np.float32)
    recipe = recipe_by(model, value, ("c1", "c2"))
    apart = np.abs(lost(model, recipe, value)).mean()
    widest = Steps(0, (max(recipe.steps["r1"].sizes),) * 8)
    assert apart < np.abs(lost(model, replace(recipe, steps={**recipe.steps, "r1": widest}), value)).mean() / 2


def test_what_weights_lose_is_made_up_for_in_the_mean():
    model = chain(4)
    value = RNG.normal(size=(1, 3, 32, 32)).astype(np.float32)
    recipe = recipe_by(model, value, ("c1", "c2"))
    without = replace(recipe, means={name: (0.0,) * len(means) for name, means in recipe.means.items()})
    bias, unmended = (np.abs(lost(model, one, value).mean((0, 2, 3))).max() for one in (recipe, without))
    assert bias < unmended / 2


@pytest.mark.parametrize("groups", [2, 8])
def test_convolutions_by_groups_know_their_channels(groups):
    node = helper.make_node
    weights = random_weights(wa=(8, 3, 3, 3), wb=(8, 8 // groups, 3, 3), wc=(4, 8, 1, 1))
    nodes = [
        node("Conv", ["input", "wa"], ["a"], pads=[1] * 4),
        node("Conv", ["a", "wb"], ["b"], pads=[1] * 4, group=groups),
        node("Conv", ["b", "wc"], ["output"]),
    ]
    model = model_of(nodes, weights, [1, 3, 16, 16], "output", [1, 4, 16, 16])
    value = RNG.normal(size=(1, 3, 16, 16)).astype(np.float32)
    assert np.abs(lost(model, recipe_by(model, value, ("b",)), value)).max() < 0.02


def test_a_tensor_can_be_rounded_for_convolutions_and_as_a_whole_for_matrices():
    node = helper.make_node
    weights = random_weights(wa=(8, 3, 1, 1), wb=(8, 8, 1, 1), wm=(8, 8), wc=(4, 8, 1, 1))
    nodes = [
        node("Conv", ["input", "wa"], ["a"]),
        node("MaxPool", ["a"], ["pool"], kernel_shape=[1, 1]),
        node("Conv", ["pool", "wb"], ["b"]),
        node("MatMul", ["pool", "wm"], ["m"]),
        node("Add", ["b", "m"], ["sum"]),
        node("Conv", ["sum", "wc"], ["output"]),
    ]
    model = model_of(nodes, weights, [1, 3, 8, 8], "output", [1, 4, 8, 8])
    value = RNG.normal(size=(1, 3, 8, 8)).astype(np.float32)
    recipe = recipe_by(model, value, ("b", "m"))
    assert set(recipe.steps) == {"a"} and set(recipe.whole) == {"pool"}
    assert np.abs(lost(model, recipe, value)).max() < 0.03


def test_a_node_without_outputs_is_passed_over():
    model = chain(5)
    model.graph.node.append(helper.make_node("LSTM", ["input", "w0", "w1"], [], hidden_size=1))
    assert layer_choices(model)[0] == ("c1", "c2", "c3")
    assert quantised(model, of_one_layer(1.0)).graph.node[-1].op_type == "LSTM"


def of_one_layer(top: float, channels: int = 8) -> Recipe:
    """For `c1` of a chain: what goes in is rounded up to `top`."""
    return Recipe(("c1",), {"r0": Steps(0, (top / 255,) * channels)}, {"r0": (0.1,) * channels})


def test_values_beyond_the_range_end_at_its_ends():
    model = chain(3)
    value = np.abs(RNG.normal(size=(1, 3, 16, 16))).astype(np.float32) * 10
    made = quantised(model, of_one_layer(0.5))
    made.graph.output.append(helper.make_tensor_value_info("r0/8/rounded", TensorProto.FLOAT, None))
    assert answers(made, value)["r0/8/rounded"].max() == 255


def test_a_channel_of_zeros_and_an_empty_range_are_no_division_by_zero():
    model = chain(3)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor).copy()
        if tensor.name == "w1":
            values[0] = 0
        if tensor.name == "b0":
            values[:] = 0
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    value = np.zeros((1, 3, 8, 8), np.float32)
    recipe = recipe_by(model, value, ("c1",))
    assert np.isfinite(answers(quantised(model, recipe), value)["c2"]).all()


def test_matrices_are_scaled_along_their_outputs():
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
    made = quantised(model, recipe_by(model, value, ("b", "c", "d")))
    onnx.checker.check_model(made, full_check=True)
    scale = next(numpy_helper.to_array(tensor) for tensor in made.graph.initializer if tensor.name == "b/8/scale")
    assert scale.shape == (6,) and (np.diff(scale) > 0).all()
    whole, rounded = answers(model, value)["output"], answers(made, value)["output"]
    np.testing.assert_allclose(rounded, whole, rtol=0.2, atol=0.05 * np.abs(whole).max())


GOOD = of_one_layer(1.0)


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (Recipe(("c9",)), "no layer 'c9'"),
        (Recipe(("c1",)), "no steps for 'r0'"),
        (replace(GOOD, steps={"r0": Steps(0, (float("inf"),) * 8)}), "no steps for 'r0'"),
        (replace(GOOD, steps={"r0": Steps(0, (0.0,) * 8)}), "no steps for 'r0'"),
        (replace(GOOD, steps={"r0": Steps(256, (1.0,) * 8)}), "no steps for 'r0'"),
        (replace(GOOD, steps={"r0": Steps(0, ())}), "no steps for 'r0'"),
        (replace(GOOD, layers=()), "no layers"),
        (replace(GOOD, steps={"r0": Steps(0, (1e308,) * 8)}), "no steps for 'r0'"),
        (replace(GOOD, steps={"r0": Steps(0, (1e-320,) * 8)}), "no steps for 'r0'"),
        (replace(GOOD, means={"r0": (1e308,) * 8}), "no means for 'r0'"),
        (replace(GOOD, means={"r0": (3e38,) * 8}, steps={"r0": Steps(0, (1e-9,) * 8)}), "no weights of 'c1'"),
        (replace(GOOD, steps={"r0": Steps(0, (1.0,) * 7)}), "not as many channels as 'r0'"),
        (replace(GOOD, means={}), "not as many channels as 'r0'"),
        (replace(GOOD, means={"r0": (float("nan"),) * 8}), "no means for 'r0'"),
    ],
)
def test_a_recipe_of_another_model_is_refused(recipe, said):
    with pytest.raises(ValueError, match=said):
        quantised(chain(3), recipe)


def test_equal_recipes_make_equal_models_and_leave_the_model_alone():
    model = chain(4)
    before = model.SerializeToString()
    recipe = recipe_by(model, RNG.normal(size=(1, 3, 16, 16)).astype(np.float32), ("c1", "c2"))
    assert quantised(model, recipe).SerializeToString() == quantised(model, recipe).SerializeToString()
    assert model.SerializeToString() == before


def test_names_that_somebody_else_has_are_not_taken():
    """A batch normalisation whose constants are called as this package would call its own."""
    node = helper.make_node
    ones = {name: numpy_helper.from_array(np.linspace(0.5, 1.5, 8, dtype="f4"), name) for name in ("s", "t", "m", "v")}
    named = {"s": "b/8/scale", "t": "b/8/bias", "m": "ra/8/mean", "v": "ra/8/rounded"}
    for name, tensor in ones.items():
        tensor.name = named[name]
    weights = [*random_weights(wa=(8, 3, 3, 3), wb=(8, 8, 3, 3), wc=(4, 8, 1, 1)), *ones.values()]
    nodes = [
        node("Conv", ["input", "wa"], ["a"], pads=[1] * 4),
        node("Relu", ["a"], ["ra"]),
        node("Conv", ["ra", "wb"], ["b"], pads=[1] * 4),
        node("BatchNormalization", ["b", *named.values()], ["n"]),
        node("Conv", ["n", "wc"], ["output"]),
    ]
    model = model_of(nodes, weights, [1, 3, 16, 16], "output", [1, 4, 16, 16])
    value = RNG.normal(size=(1, 3, 16, 16)).astype(np.float32)
    assert np.abs(lost(model, recipe_by(model, value, ("b",)), value)).max() < 0.02


def test_a_constant_among_the_inputs_is_rounded_once():
    model = unet()
    constant = numpy_helper.from_array(np.ones((1, 8, 32, 32), np.float32), "constant")
    model.graph.initializer.append(constant)
    model.graph.input.append(helper.make_tensor_value_info("constant", TensorProto.FLOAT, constant.dims))
    model.graph.node[8].input[1] = "constant"
    del model.graph.node[7]
    value = RNG.normal(size=(1, 3, 32, 32)).astype(np.float32)
    assert np.abs(lost(model, recipe_by(model, value, ("b", "d")), value)).max() < 0.03
