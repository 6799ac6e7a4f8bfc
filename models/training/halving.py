"""A model in half precision, but for where it works on a location."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

from onnx import ModelProto, NodeProto, TensorProto, helper
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel

PLACE = "/place/"
"""Part of the names of the nodes that embed a location (`Place`). Half precision knows longitudes to 0.1° only."""


@dataclass(frozen=True)
class _Embedding:
    """The nodes that embed a location, and the weights that belong to them alone."""

    nodes: list[NodeProto]
    weights: list[TensorProto]


def halve(model: ModelProto) -> ModelProto:
    """The model with weights and arithmetic in half precision; inputs, outputs and the location stay in float32.

    The location embedding is cut off before the conversion and joined again afterwards: the converter can leave nodes
    as they are, but leads what they read through half precision.
    """
    inputs = deepcopy(list(model.graph.input))
    model, embedding = _cut(model)
    model = convert_float_to_float16(model, keep_io_types=True)
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.graph.initializer.extend(embedding.weights)
    model.graph.node.extend(embedding.nodes)
    # The converter puts its casts behind the nodes that need them.
    ordered = OnnxModel(model)
    ordered.topological_sort()
    return ordered.model


def _cut(model: ModelProto) -> tuple[ModelProto, _Embedding]:
    """The model, whose further input is what the embedding answers, and the embedding."""
    model = deepcopy(model)
    graph = model.graph
    nodes = deepcopy([node for node in graph.node if PLACE in node.name])
    rest = deepcopy([node for node in graph.node if PLACE not in node.name])
    made = {name for node in nodes for name in node.output}
    read = {name for node in nodes for name in node.input}
    answers = sorted(made & {name for node in rest for name in node.input})
    weights = deepcopy([weight for weight in graph.initializer if weight.name in read])
    constants = deepcopy([node for node in rest if node.op_type == "Constant" and node.output[0] in read])
    # Equal weights and constants stand once in a graph: what others read too is converted there, and kept here.
    for weight in weights:
        weight.name = PLACE + weight.name
    for constant in constants:
        constant.name = constant.output[0] = PLACE + constant.output[0]
    own = {name.removeprefix(PLACE): name for name in [*(w.name for w in weights), *(c.name for c in constants)]}
    for node in nodes:
        node.input[:] = [own.get(name, name) for name in node.input]
    left = [deepcopy(item) for item in graph.input if item.name not in read]
    left += [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in answers]
    unread = read - {name for node in rest for name in node.input}
    kept = [deepcopy(weight) for weight in graph.initializer if weight.name not in unread]
    for field, values in ((graph.node, rest), (graph.input, left), (graph.initializer, kept)):
        del field[:]
        field.extend(values)
    return model, _Embedding(constants + nodes, weights)
