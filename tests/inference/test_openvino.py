"""OpenVINO's sessions, where its names and the ONNX graph's are not the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from fusion_mapper.inference.job import Compute
from onnx import TensorProto, helper

pytest.importorskip("openvino", reason="OpenVINO is not installed")

from fusion_mapper.inference.sessions.open_vino import open_on_cpu


def doubled_in_double(path: Path) -> Path:
    """A graph that casts its input to double before anything else, as a location basis does."""
    nodes = [
        helper.make_node("Cast", ["location"], ["exact"], to=TensorProto.DOUBLE),
        helper.make_node("Add", ["exact", "exact"], ["sum"]),
        helper.make_node("Cast", ["sum"], ["output"], to=TensorProto.FLOAT),
    ]
    shape = ["batch", 2]
    graph = helper.make_graph(
        nodes,
        "doubled",
        [helper.make_tensor_value_info("location", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def test_an_input_that_is_cast_at_once_is_fed_by_the_graphs_name(tmp_path):
    session = open_on_cpu(doubled_in_double(tmp_path / "model.onnx"), {"location": (1, 2)}, Compute())
    answer = session.run({"location": np.array([[1.5, -2.0]], np.float32)})
    np.testing.assert_allclose(answer["output"], [[3.0, -4.0]])
