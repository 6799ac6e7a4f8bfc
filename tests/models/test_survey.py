from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from fusion_mapper.models.anatomy import channels_of, stride_of
from fusion_mapper.models.errors import CardError
from fusion_mapper.models.graph import read_graph
from fusion_mapper.models.shapes import infer_output_shapes
from fusion_mapper.models.survey import probability_outputs, survey
from onnx import helper
from onnx_graphs import save_classifier, save_graph
from tiny_models import pooled_network

SAMPLES = "onnx_deepness"


def test_declared_output_dimensions_that_lie_are_not_believed(tmp_path: Path) -> None:
    shape = np.array([1, 64, 64], np.int64)
    nodes = [helper.make_node("ReduceMean", ["x"], ["m"], axes=[1]), helper.make_node("Reshape", ["m", "s"], ["y"])]
    declared = {"y": ["batch", 7, 99]}
    graph = read_graph(save_graph(tmp_path / "m.onnx", nodes, {"x": ["batch", 3, 64, 64]}, declared, {"s": shape}))

    assert infer_output_shapes(graph, {"x": (1, 3, 64, 64)}) == {"y": (1, 64, 64)}
    assert survey(graph).batch == 1


def test_shapes_that_operators_leave_open_are_found_by_a_run(tmp_path: Path) -> None:
    """The reshape's target is computed from the input's values, which shape inference cannot follow."""
    weights = {"one": np.array([1.0], np.float32), "side": np.array([[1.0, 1.0, 8.0, 8.0]], np.float32)}
    nodes = [
        helper.make_node("ReduceMin", ["x"], ["low"], keepdims=0),
        helper.make_node("Min", ["low", "one"], ["bounded"]),
        helper.make_node("Mul", ["bounded", "zero"], ["nought"]),
        helper.make_node("Add", ["side", "nought"], ["target"]),
        helper.make_node("Cast", ["target"], ["whole"], to=onnx.TensorProto.INT64),
        helper.make_node("Squeeze", ["whole"], ["flat"]),
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1]),
        helper.make_node("Reshape", ["mean", "flat"], ["y"]),
    ]
    weights["zero"] = np.array([0.0], np.float32)
    graph = read_graph(save_graph(tmp_path / "m.onnx", nodes, {"x": [1, 3, 8, 8]}, {"y": [None] * 4}, weights))

    assert infer_output_shapes(graph, {"x": (1, 3, 8, 8)}) == {"y": (1, 1, 8, 8)}


def test_a_wrong_input_shape_is_named(tmp_path: Path) -> None:
    graph = read_graph(save_classifier(tmp_path / "m.onnx"))

    with pytest.raises(CardError, match=r"input 'x' of m\.onnx is batch×3×size×size and takes no 1×4×8×8"):
        infer_output_shapes(graph, {"x": (1, 4, 8, 8)})
    with pytest.raises(CardError, match="an input 'x' that nothing is bound to"):
        infer_output_shapes(graph, {})


@pytest.mark.parametrize(
    ("kernel", "stride", "size", "expected"),
    [(1, 1, 512, (1, 0)), (29, 1, 512, (1, 14)), (4, 4, 512, (4, 0)), (4, 4, "size", (4, 0)), (5, 1, "size", (1, 2))],
)
def test_stride_and_margin_follow_from_the_sizes(
    tmp_path: Path, kernel: int, stride: int, size: int | str, expected: tuple[int, int]
) -> None:
    graph = read_graph(save_classifier(tmp_path / "m.onnx", size=size, kernel=kernel, stride=stride))
    found = survey(graph).output("y")

    assert (found.stride, found.margin) == expected


def test_fixed_and_free_batches_are_told_apart(tmp_path: Path) -> None:
    assert survey(read_graph(save_classifier(tmp_path / "free.onnx"))).batch is None
    assert survey(read_graph(save_classifier(tmp_path / "four.onnx", batch=4))).batch == 4


def test_samples_of_deepness_are_surveyed_as_they_run(shared_data: Path) -> None:
    folder = shared_data / SAMPLES
    flat = survey(read_graph(folder / "one_output_sigmoid_bsx512x512.onnx"))
    gathered = survey(read_graph(folder / "regression" / "one_output_sigmoid_bsx512x512.onnx"))
    two = survey(read_graph(folder / "two_outputs_softmax_bsx2x512x512.onnx"))

    assert (flat.batch, flat.outputs[0].rank, flat.outputs[0].channels) == (1, 3, 1)
    assert (gathered.batch, gathered.outputs[0].rank) == (None, 3)
    assert [(shape.name, shape.channels, shape.ending) for shape in two.outputs] == [
        ("output", 2, "softmax"),
        ("output2", 2, "softmax"),
    ]


def test_one_answer_a_tile_is_told_from_one_a_pixel(tmp_path: Path) -> None:
    nodes = [helper.make_node("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0)]
    graph = read_graph(save_graph(tmp_path / "m.onnx", nodes, {"x": ["n", 5, 32, 32]}, {"y": ["n", 5]}))

    assert (survey(graph).output("y").grid, survey(graph).output("y").channels) == ("tile", 5)


def test_coarser_inputs_get_a_ratio_to_the_tile(tmp_path: Path) -> None:
    scales = np.array([1, 1, 4, 4], np.float32)
    nodes = [
        helper.make_node("Resize", ["coarse", "", "scales"], ["fine"]),
        helper.make_node("Concat", ["x", "fine"], ["y"], axis=1),
    ]
    inputs = {"x": [1, 3, 64, 64], "coarse": [1, 1, 16, 16]}
    found = survey(
        read_graph(save_graph(tmp_path / "m.onnx", nodes, inputs, {"y": [1, 4, 64, 64]}, {"scales": scales}))
    )

    assert [(shape.name, shape.ratio) for shape in found.inputs] == [("x", 1), ("coarse", 4)]


@pytest.mark.parametrize(
    ("dims", "sentence"),
    [
        ([1, 3, 64, 32], "64×32 pixels; only square tiles work"),
        ([1, 64, 64, 3], "channels last"),
        ([3, 64, 64], "N×C×H×W"),
    ],
)
def test_inputs_that_no_tile_fits_are_refused(tmp_path: Path, dims: list[int], sentence: str) -> None:
    path = save_graph(tmp_path / "m.onnx", [helper.make_node("Identity", ["x"], ["y"])], {"x": dims}, {"y": dims})

    with pytest.raises(CardError, match=rf"input 'x' of m\.onnx .*{sentence}"):
        survey(read_graph(path))


def test_an_output_without_values_is_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("Slice", ["x", "start", "start", "axis"], ["y"])]
    weights = {"start": np.array([1], np.int64), "axis": np.array([1], np.int64)}
    shape = {"x": [1, 3, 64, 64]}
    path = save_graph(tmp_path / "m.onnx", nodes, shape, {"y": [1, 3, 64, 64]}, weights)

    with pytest.raises(CardError, match=r"output 'y' of m\.onnx is empty"):
        survey(read_graph(path))


def test_a_file_that_cannot_run_prints_nothing_and_says_why(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    nodes = [helper.make_node("Conv", ["x", "absent"], ["y"])]
    path = save_graph(tmp_path / "m.onnx", nodes, {"x": [1, 3, 64, 64]}, {"y": [1, 3, 64, 64]})

    with pytest.raises(CardError, match=r"m\.onnx does not run on inputs of 1×3×64×64"):
        survey(read_graph(path))
    assert capfd.readouterr().out == ""


def test_super_resolution_is_refused(tmp_path: Path) -> None:
    scales = np.array([1, 1, 2, 2], np.float32)
    nodes = [helper.make_node("Resize", ["x", "", "scales"], ["y"])]
    shape = {"x": [1, 3, 64, 64]}
    path = save_graph(tmp_path / "m.onnx", nodes, shape, {"y": [1, 3, 128, 128]}, {"scales": scales})

    with pytest.raises(CardError, match=r"output 'y' of m\.onnx has 128 pixels along a tile of 64"):
        survey(read_graph(path))


def test_the_stride_of_an_encoder_with_pooling_is_that_of_its_deepest_level(tmp_path: Path) -> None:
    model, _, stride = pooled_network(4, 3)
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())

    assert stride_of(read_graph(path)) == stride == 4
    assert stride_of(read_graph(save_classifier(tmp_path / "flat.onnx"))) == 1


def test_channels_that_an_input_leaves_open_are_those_of_its_convolution(tmp_path: Path) -> None:
    nodes = [helper.make_node("Div", ["x", "d"], ["s"]), helper.make_node("Conv", ["s", "w"], ["y"])]
    weights = {"w": np.zeros((2, 7, 1, 1), np.float32), "d": np.array([255.0], np.float32)}
    inputs = {"x": ["n", "c", 32, 32]}
    graph = read_graph(save_graph(tmp_path / "m.onnx", nodes, inputs, {"y": ["n", 2, 32, 32]}, weights))

    assert channels_of(graph, "x") == 7
    assert survey(graph).input("x").channels == 7


def test_a_softmax_written_out_is_seen_by_a_run_and_logits_are_not(tmp_path: Path) -> None:
    weights = {"w": np.random.default_rng(0).normal(size=(3, 3, 1, 1)).astype(np.float32)}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["l"]),
        helper.make_node("Exp", ["l"], ["e"]),
        helper.make_node("ReduceSum", ["e", "axis"], ["sum"]),
        helper.make_node("Div", ["e", "sum"], ["y"]),
    ]
    written = {**weights, "axis": np.array([1], np.int64)}
    shape = {"x": ["n", 3, 32, 32]}
    spelled = read_graph(save_graph(tmp_path / "m.onnx", nodes, shape, {"y": ["n", 3, 32, 32]}, written))
    logits = read_graph(save_classifier(tmp_path / "logits.onnx", classes=3, ending=None))

    assert probability_outputs(spelled, survey(spelled)) == {"y"}
    assert probability_outputs(logits, survey(logits)) == set()
