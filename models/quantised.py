"""A model whose inner layers multiply 8-bit integers, made from its own graph and the ranges that were seen on tiles.

Static quantisation after training: activations as uint8 with one scale a tensor, weights as int8 with one scale an
output channel, written as pairs of QuantizeLinear and DequantizeLinear that a runtime folds into integer layers
(https://arxiv.org/abs/1712.05877; https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html).
Only what goes into a quantised layer is rounded, once a tensor; sums, biases and everything between stay as they are.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

#: The first operator set with a scale for each channel.
OPSET = 13
#: How many layers from the inputs, and from the outputs, stay as they are; the first choice is the fastest.
SPARED = ((1, 1), (1, 2), (2, 3))
_LAYERS = frozenset({"Conv", "Gemm", "MatMul"})
_FAR = 1 << 20

Proto = TypeVar("Proto", ModelProto, NodeProto)


@dataclass(frozen=True)
class Recipe:
    """All that decides the quantised model besides the model itself: the same recipe gives the same model."""

    layers: tuple[str, ...]
    """The quantised layers, each by the name of what it answers."""
    ranges: dict[str, tuple[float, float]]
    """Least and greatest value of each tensor that goes into one of them; zero lies between."""


def layer_choices(model: ModelProto) -> list[tuple[str, ...]]:
    """Sets of layers that may be quantised, the largest first; none where the model has no such layers.

    The layers that read the inputs and those that make the answers are never among them: they do little of the work,
    and rounding them costs most of the classes.
    """
    if not any(entry.domain in ("", "ai.onnx") and entry.version >= OPSET for entry in model.opset_import):
        return []
    layers = _layers(model)
    before, after = _depths(model, layers)
    choices: list[tuple[str, ...]] = []
    for first, last in SPARED:
        inner = tuple(
            node.output[0] for node in layers if before[node.input[0]] >= first and after[node.output[0]] >= last
        )
        if inner and inner not in choices:
            choices.append(inner)
    return choices


def entrances(model: ModelProto, layers: tuple[str, ...]) -> list[str]:
    """The tensors that go into these layers, in the graph's order.

    Raises:
        ValueError: a layer is not in the model.
    """
    known = {node.output[0]: node for node in _layers(model)}
    chosen = set(layers)
    missing = chosen - set(known)
    if missing:
        raise ValueError(f"The model has no layer '{min(missing)}'.")
    return list(dict.fromkeys(node.input[0] for name, node in known.items() if name in chosen))


def watched(model: ModelProto, tensors: list[str]) -> ModelProto:
    """The model with two numbers as further outputs for each tensor: its least and its greatest value, in turn."""
    made = _copy(model)
    graph, wanted = made.graph, set(tensors)
    looks = {name: _looks(name) for name in tensors}
    for name in tensors:
        graph.output.extend(
            helper.make_tensor_value_info(look.output[0], TensorProto.FLOAT, []) for look in looks[name]
        )
    del graph.node[:]
    for node in model.graph.node:
        graph.node.append(node)
        # Looked at where it is made, a tensor need not be kept until the end.
        for name in wanted.intersection(node.output):
            graph.node.extend(looks.pop(name))
    for name in looks:
        graph.node.extend(looks[name])
    return made


def ends_of(name: str) -> tuple[str, str]:
    """The outputs of a watched model that answer a tensor's least and greatest value."""
    return f"{name}/least", f"{name}/greatest"


def _looks(name: str) -> list[NodeProto]:
    reductions = zip(("ReduceMin", "ReduceMax"), ends_of(name), strict=True)
    return [helper.make_node(operator, [name], [end], keepdims=0) for operator, end in reductions]


def quantised(model: ModelProto, recipe: Recipe) -> ModelProto:
    """The model with the recipe's layers quantised; the values of all weights have to be loaded.

    Raises:
        ValueError: the recipe is not one of this model.
    """
    for name in entrances(model, recipe.layers):
        low, high = recipe.ranges.get(name, (math.nan, math.nan))
        if not -math.inf < low <= 0 <= high < math.inf:
            raise ValueError(f"The recipe has no range of '{name}'.")
    model = _copy(model)
    graph, chosen = model.graph, set(recipe.layers)
    weights = {tensor.name: tensor for tensor in graph.initializer}
    rounded: dict[str, str] = {}
    nodes: list[NodeProto] = []
    for node in map(_copy, graph.node):
        if chosen.intersection(node.output[:1]):
            entrance, weight = node.input[:2]
            if entrance not in rounded:
                rounded[entrance] = _round_activation(entrance, recipe.ranges[entrance], graph, nodes)
            if weight not in rounded:
                rounded[weight] = _round_weight(node, weights[weight], graph, nodes)
            node.input[0], node.input[1] = rounded[entrance], rounded[weight]
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    _drop_unread(graph, set(rounded))
    return model


def _layers(model: ModelProto) -> list[NodeProto]:
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    return [node for node in model.graph.node if _is_layer(node, weights)]


def _is_layer(node: NodeProto, weights: Mapping[str, TensorProto]) -> bool:
    """Whether the node multiplies what goes in by weights of the model's own, of 32 bits."""
    if node.op_type not in _LAYERS or node.domain not in ("", "ai.onnx") or not node.output:
        return False
    if node.input[0] in weights:
        return False
    weight = weights.get(node.input[1])
    if weight is None or weight.data_type != TensorProto.FLOAT:
        return False
    if node.op_type == "Conv":
        return len(weight.dims) > 2
    return len(weight.dims) == 2 and not _attribute(node, "transA")


def _depths(model: ModelProto, layers: list[NodeProto]) -> tuple[dict[str, int], dict[str, int]]:
    """How many layers at least lie between the inputs and a tensor, and between a tensor and the outputs."""
    own = {node.output[0] for node in layers}
    constant = {tensor.name for tensor in model.graph.initializer}
    before: defaultdict[str, int] = defaultdict(lambda: _FAR)
    before.update({value.name: 0 for value in model.graph.input if value.name not in constant})
    after: defaultdict[str, int] = defaultdict(lambda: _FAR)
    after.update({value.name: 0 for value in model.graph.output})
    for node in model.graph.node:
        least = min((before[name] for name in node.input if name), default=_FAR)
        for name in node.output:
            before[name] = least + (name in own)
    for node in reversed(model.graph.node):
        least = min((after[name] + (name in own) for name in node.output if name), default=_FAR)
        for name in node.input:
            after[name] = min(after[name], least)
    return before, after


def _round_activation(name: str, reach: tuple[float, float], graph: onnx.GraphProto, nodes: list[NodeProto]) -> str:
    """Append what rounds a tensor to 256 steps between the ends of its range; returns what it is called then."""
    low, high = reach
    step = np.float32((high - low) / 255) or np.float32(1)
    zero = np.uint8(np.clip(np.rint(-low / step), 0, 255))
    by = _keep(graph, name, scale=np.array(step), zero=np.array(zero))
    nodes.append(helper.make_node("QuantizeLinear", [name, *by], [f"{name}/integers"]))
    nodes.append(helper.make_node("DequantizeLinear", [f"{name}/integers", *by], [f"{name}/rounded"]))
    return f"{name}/rounded"


def _round_weight(node: NodeProto, weight: TensorProto, graph: onnx.GraphProto, nodes: list[NodeProto]) -> str:
    """Append the weights as integers from -127 to 127 of a scale for each output channel."""
    values = numpy_helper.to_array(weight)
    axis = 0 if node.op_type == "Conv" or _attribute(node, "transB") else 1
    scale = np.abs(values).max(axis=tuple(other for other in range(values.ndim) if other != axis), keepdims=True) / 127
    scale = np.where(scale > 0, scale, 1).astype(np.float32)
    integers = np.clip(np.rint(values / scale), -127, 127).astype(np.int8)
    by = _keep(graph, weight.name, integers=integers, scale=scale.ravel(), zero=np.zeros(scale.size, np.int8))
    nodes.append(helper.make_node("DequantizeLinear", by, [f"{weight.name}/rounded"], axis=axis))
    return f"{weight.name}/rounded"


def _keep(graph: onnx.GraphProto, name: str, **facts: np.ndarray) -> list[str]:
    """Add constants that belong to a tensor; returns their names."""
    graph.initializer.extend(numpy_helper.from_array(values, f"{name}/{fact}") for fact, values in facts.items())
    return [f"{name}/{fact}" for fact in facts]


def _drop_unread(graph: onnx.GraphProto, names: set[str]) -> None:
    """Weights that only quantised layers read are of no more use."""
    read = {name for node in graph.node for name in _read_by(node)} | {value.name for value in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in read or tensor.name not in names]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _read_by(node: NodeProto) -> Iterator[str]:
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from _read_by(inner)


def _attribute(node: NodeProto, name: str) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), 0)


def _copy(message: Proto) -> Proto:
    made = type(message)()
    made.CopyFrom(message)
    return made
