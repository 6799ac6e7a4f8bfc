from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from fusion_mapper.models.errors import CardError
from fusion_mapper.models.graph import read_graph
from onnx import TensorProto, helper
from onnx_graphs import save_classifier, save_graph


def test_inputs_outputs_opset_and_metadata_are_read(tmp_path: Path) -> None:
    graph = read_graph(save_classifier(tmp_path / "m.onnx", size=64, metadata={"author": "somebody"}))

    assert [(tensor.name, tensor.dtype, tensor.dims) for tensor in graph.inputs] == [
        ("x", "float32", (None, 3, 64, 64))
    ]
    assert graph.inputs[0].symbols[0] == "batch"
    assert graph.inputs[0].said == "batch×3×64×64"
    assert graph.outputs[0].dims == (None, 2, None, None)
    assert graph.opset == 17
    assert graph.metadata == {"author": "somebody"}
    assert graph.external == ()
    assert graph.nodes == 2


def test_weights_listed_as_inputs_are_no_inputs(tmp_path: Path) -> None:
    """IR version 3 wants every initializer among the inputs; nobody binds a layer to these."""
    path = save_classifier(tmp_path / "m.onnx")
    model = onnx.load(path)
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [2, 3, 1, 1]))
    onnx.save(model, path)

    assert [tensor.name for tensor in read_graph(path).inputs] == ["x"]


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n" + bytes(64), b"{}", b"\x08\x08" * 40])
def test_what_is_no_onnx_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "picture.onnx"
    path.write_bytes(content)

    with pytest.raises(CardError, match=r"picture\.onnx is not an ONNX model, or is cut short"):
        read_graph(path)


def test_a_file_cut_short_anywhere_is_refused_or_lacks_only_metadata(tmp_path: Path) -> None:
    whole = save_classifier(tmp_path / "m.onnx", size=64, metadata={"key": "value"}).read_bytes()
    cut = tmp_path / "cut.onnx"
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])
        try:
            graph = read_graph(cut)
        except CardError as problem:
            assert "cut.onnx" in str(problem)
        else:
            assert graph.inputs[0].dims == (None, 3, 64, 64)
            assert graph.nodes == 2


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"absent\.onnx cannot be read"):
        read_graph(tmp_path / "absent.onnx")
    with pytest.raises(CardError, match="is not a file"):
        read_graph(tmp_path)


def test_a_file_beyond_protobufs_limit_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.onnx"
    with path.open("wb") as stream:
        stream.truncate(2**31)

    with pytest.raises(CardError, match=r"huge\.onnx is larger than 2 GiB"):
        read_graph(path)


def test_operators_of_other_makers_are_refused_by_name(tmp_path: Path) -> None:
    nodes = [helper.make_node("Detonate", ["x"], ["y"], domain="evil.ops")]
    path = save_graph(tmp_path / "m.onnx", nodes, {"x": [1, 3, 8, 8]}, {"y": [1, 3, 8, 8]}, domains=["evil.ops"])

    with pytest.raises(CardError, match=r"m\.onnx uses the operator 'Detonate' of the domain 'evil\.ops'"):
        read_graph(path)


def test_operators_of_other_makers_are_found_inside_branches(tmp_path: Path) -> None:
    out = helper.make_tensor_value_info("b", TensorProto.FLOAT, [1])
    branch = helper.make_graph([helper.make_node("Detonate", ["x"], ["b"], domain="evil.ops")], "branch", [], [out])
    constant = helper.make_node("Constant", [], ["c"], value=helper.make_tensor("t", TensorProto.BOOL, [], [True]))
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    path = save_graph(tmp_path / "m.onnx", [constant, node], {"x": [1]}, {"y": [1]}, domains=["evil.ops"])

    with pytest.raises(CardError, match="Detonate"):
        read_graph(path)


def test_a_function_that_the_file_defines_from_known_operators_is_fine(tmp_path: Path) -> None:
    twice = helper.make_function(
        "local", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    nodes = [helper.make_node("Twice", ["x"], ["y"], domain="local")]
    path = save_graph(tmp_path / "m.onnx", nodes, {"x": [1, 3, 8, 8]}, {"y": [1, 3, 8, 8]}, domains=["local"])
    model = onnx.load(path)
    model.functions.append(twice)
    onnx.save(model, path)

    assert read_graph(path).nodes == 2


def test_an_input_that_is_no_tensor_of_numbers_is_refused(tmp_path: Path) -> None:
    path = save_classifier(tmp_path / "m.onnx")
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING
    path.write_bytes(model.SerializeToString())

    with pytest.raises(CardError, match=r"input 'x' of m\.onnx is not a tensor of numbers"):
        read_graph(path)


def with_external_weights(path: Path, location: str, length: int = 24) -> Path:
    """The classifier with its weights declared to lie at `location`."""
    model = onnx.load(save_classifier(path))
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value=location)
    weight.external_data.add(key="length", value=str(length))
    path.write_bytes(model.SerializeToString())
    return path


def test_external_weights_inside_the_folder_are_listed_and_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "w.bin").write_bytes(np.zeros(6, np.float32).tobytes())

    assert read_graph(with_external_weights(tmp_path / "m.onnx", "parts/w.bin")).external == ("parts/w.bin",)


@pytest.mark.parametrize("location", ["../w.bin", "/etc/passwd", "C:\\w.bin", "a/../../w.bin", "..\\w.bin", ""])
def test_external_weights_outside_the_folder_are_refused(tmp_path: Path, location: str) -> None:
    home = tmp_path / "model"
    home.mkdir()
    (tmp_path / "w.bin").write_bytes(bytes(24))

    with pytest.raises(CardError, match=r"m\.onnx keeps weights in .* not a file inside the model's folder"):
        read_graph(with_external_weights(home / "m.onnx", location))


def test_external_weights_behind_a_link_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    home = tmp_path / "model"
    home.mkdir()
    (tmp_path / "w.bin").write_bytes(bytes(24))
    (home / "w.bin").symlink_to(tmp_path / "w.bin")

    with pytest.raises(CardError, match=r"'w\.bin', a link that leaves the model's folder"):
        read_graph(with_external_weights(home / "m.onnx", "w.bin"))


def test_missing_and_short_external_weights_are_named(tmp_path: Path) -> None:
    path = with_external_weights(tmp_path / "m.onnx", "w.bin")
    with pytest.raises(CardError, match=r"'w\.bin', which is missing"):
        read_graph(path)
    (tmp_path / "w.bin").write_bytes(bytes(23))
    with pytest.raises(CardError, match=r"'w\.bin', which holds the weights of m\.onnx, is cut short"):
        read_graph(path)


def test_a_named_tensor_that_is_absent_is_answered_with_the_names_there_are(tmp_path: Path) -> None:
    graph = read_graph(save_classifier(tmp_path / "m.onnx"))
    with pytest.raises(CardError, match=r"m\.onnx has no input 'image'; it has 'x'"):
        graph.input("image")
