"""Large and hostile model files: seen and copied with little memory, or refused with one sentence."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from fusion_mapper.models import shapes
from fusion_mapper.models.errors import CardError
from fusion_mapper.models.graph import MAX_GRAPH_BYTES, load_proto, read_graph
from fusion_mapper.models.load import load_model
from fusion_mapper.models.wire import WireError, copy_with_metadata, without_weights
from onnx import helper
from onnx_graphs import save_classifier, save_graph


def varint(value: int) -> bytes:
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def head(number: int, length: int) -> bytes:
    return varint(number << 3 | 2) + varint(length)


def save_heavy(path: Path, size: int) -> Path:
    """A classifier with one more weight of `size` bytes, all zero, which take no room on the disk."""
    model = onnx.load(save_classifier(path))
    tensor = onnx.TensorProto(name="heavy", data_type=onnx.TensorProto.UINT8, dims=[size]).SerializeToString()
    graph = model.graph.SerializeToString()
    model.ClearField("graph")
    weight = tensor + head(9, size)
    initializer = head(5, len(weight) + size) + weight
    with path.open("wb") as stream:
        stream.write(model.SerializeToString() + head(7, len(graph) + len(initializer) + size) + graph + initializer)
        stream.truncate(stream.tell() + size)
    return path


def test_weights_are_stepped_over_and_everything_else_stays(tmp_path: Path) -> None:
    weights = {"w": np.ones((40, 30, 7, 7), np.float32), "small": np.arange(5.0)}
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"])]
    path = save_graph(tmp_path / "m.onnx", nodes, {"x": [1, 30, 8, 8]}, {"y": [1, 40, 2, 2]}, weights, {"a": "b"})
    slim, whole = load_proto(path), onnx.load(path)
    assert len(slim.graph.initializer[0].raw_data) == 0
    assert len(whole.graph.initializer[0].raw_data) == 40 * 30 * 49 * 4
    for model in (slim, whole):
        model.graph.initializer[0].ClearField("raw_data")
    assert slim == whole


@pytest.mark.parametrize("name", ["landcover-rgb-1m", "fields-10m"])
def test_a_starter_seen_without_weights_is_small(repository_root: Path, name: str) -> None:
    path = repository_root / "resources" / "models" / f"{name}.onnx"
    slim = without_weights(path, MAX_GRAPH_BYTES)
    assert len(slim) < path.stat().st_size / 2
    model = onnx.load_from_string(slim)
    assert len(model.graph.node) == len(onnx.load(path).graph.node)


PEAK = """
import resource, sys
sys.path.insert(0, sys.argv[2])
import conftest
from pathlib import Path
from fusion_mapper.models.graph import read_graph, skeleton
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
read_graph(Path(sys.argv[1]))
skeleton(Path(sys.argv[1]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="asks the system for the peak of a process's memory")
def test_looking_at_a_model_of_a_gibibyte_takes_little_memory(tmp_path: Path, repository_root: Path) -> None:
    path = save_heavy(tmp_path / "heavy.onnx", 2**30)
    command = [sys.executable, "-c", PEAK, str(path), str(repository_root / "tests")]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert int(told) < 64 * 1024  # KiB


def test_an_entry_of_metadata_takes_the_place_of_others_of_its_key(tmp_path: Path) -> None:
    path = save_classifier(tmp_path / "m.onnx", metadata={"card": "old", "author": "me"})
    first, second = io.BytesIO(), io.BytesIO()
    copy_with_metadata(path, first, "card", "new")
    (tmp_path / "again.onnx").write_bytes(first.getvalue())
    copy_with_metadata(tmp_path / "again.onnx", second, "card", "new")
    model = onnx.load_from_string(first.getvalue())
    assert {entry.key: entry.value for entry in model.metadata_props} == {"author": "me", "card": "new"}
    assert first.getvalue() == second.getvalue()
    onnxruntime.InferenceSession(first.getvalue())


def test_a_file_of_endless_small_parts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.onnx"
    path.write_bytes(save_classifier(path).read_bytes() + head(7, 3 * 2**20) + head(1, 0) * (3 * 2**19))
    with pytest.raises(CardError, match=r"bomb\.onnx holds more than .* millions of parts"):
        read_graph(path)


def test_a_file_of_endless_metadata_is_refused(tmp_path: Path) -> None:
    path = save_classifier(tmp_path / "m.onnx", metadata={"note": "x" * (MAX_GRAPH_BYTES + 1)})
    with pytest.raises(CardError, match=r"m\.onnx holds more than 32 MiB"):
        read_graph(path)


def test_messages_inside_one_another_without_end_are_refused(tmp_path: Path) -> None:
    body = bytes(2**17)
    for _ in range(60):
        body = head(6, len(body)) + body  # attribute → graph
        body = head(5, len(body)) + body  # node → attribute
        body = head(1, len(body)) + body  # graph → node
    path = tmp_path / "deep.onnx"
    path.write_bytes(head(7, len(body)) + body)
    with pytest.raises(CardError, match=r"deep\.onnx is not an ONNX model"):
        read_graph(path)


@pytest.mark.parametrize("content", [b"\x3a", b"\x3a\xff\xff\xff\xff\x0f", b"\xff" * 20, b"\x0b\x00"])
def test_bytes_that_are_no_message_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(WireError):
        without_weights(path, MAX_GRAPH_BYTES)
    with pytest.raises(CardError, match="is not an ONNX model"):
        read_graph(path)


def test_a_graph_that_swells_is_refused_before_it_takes_the_memory(tmp_path: Path) -> None:
    """Noise tells whether an output looks like probabilities; this one would be 16 GiB."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], keepdims=1, axes=[2, 3]),
        helper.make_node("Expand", ["m", "shape"], ["big"]),
        helper.make_node("ReduceMax", ["big"], ["top"], keepdims=1, axes=[2, 3]),
        helper.make_node("Add", ["x", "top"], ["y"]),
    ]
    weights = {"shape": np.array([1, 1, 2**16, 2**16])}
    path = save_graph(tmp_path / "m.onnx", nodes, {"x": [1, 1, 64, 64]}, {"y": [1, 1, 64, 64]}, weights)
    with pytest.raises(CardError, match=r"m\.onnx does not run on inputs of"):
        load_model(path)


def test_a_graph_that_never_ends_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapes, "_TRIAL_SECONDS", 1.0)
    value = helper.make_tensor_value_info("v", onnx.TensorProto.FLOAT, None)
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Mul", ["v", "v"], ["w"])],
        "body",
        [
            helper.make_tensor_value_info("i", onnx.TensorProto.INT64, []),
            helper.make_tensor_value_info("go", onnx.TensorProto.BOOL, []),
            value,
        ],
        [
            helper.make_tensor_value_info("on", onnx.TensorProto.BOOL, []),
            helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, None),
        ],
    )
    nodes = [helper.make_node("Loop", ["times", "yes", "x"], ["y"], body=body)]
    weights = {"times": np.array(10**15), "yes": np.array(True)}
    path = save_graph(tmp_path / "m.onnx", nodes, {"x": [1, 1, 64, 64]}, {"y": [1, 1, 64, 64]}, weights)
    with pytest.raises(CardError, match=r"m\.onnx does not run on inputs of .*terminate"):
        load_model(path)
