"""What a graph's operators tell beyond its inputs and outputs: strides, how it ends, channels it expects."""

from __future__ import annotations

from typing import Literal

import onnx
from onnx import numpy_helper

from .graph import Graph, number_of, skeleton

#: Operators that move or cast values without changing them: what stands before them decides.
_PASSIVE = frozenset({"Cast", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose",
                      "Unsqueeze", "Pad", "Resize", "Upsample", "Clip"})  # fmt: skip
#: Operators that treat each value by itself: the channels that go in come out.
_POINTWISE = frozenset({"Add", "BatchNormalization", "Cast", "Clip", "Div", "Identity", "Mul", "Pad", "Sub"})
_DOWN = frozenset({"Conv", "MaxPool", "AveragePool", "LpPool", "SpaceToDepth"})
_UP = frozenset({"ConvTranspose", "DepthToSpace", "Resize", "Upsample"})

Ending = Literal["softmax", "sigmoid", "labels", "other"]


def stride_of(graph: Graph) -> int:
    """Coarsest stride that the network reaches, in input pixels: a default where no card tells it.

    Strides of convolutions and poolings are multiplied along each path and divided by up-sampling. Where paths join,
    their sizes agree, so the finest known stride is the right one. Limits: strides made by reshaping (patches of a
    transformer that are not cut by a convolution) and up-sampling to a computed size are not seen, so the answer may
    be too small for transformers and is meaningless for models without a finite receptive radius.
    """
    model = skeleton(graph.path)
    values = _constants(model)
    strides = {tensor.name: 1.0 for tensor in graph.inputs}
    coarsest = 1.0
    for node in model.graph.node:
        known = [strides[name] for name in node.input if name in strides]
        if not known:
            continue
        stride = min(known) * _factor(node, values)
        strides.update(dict.fromkeys(node.output, stride))
        coarsest = max(coarsest, stride)
    return max(1, round(coarsest))


def endings_of(graph: Graph) -> dict[str, Ending]:
    """How each output ends: in probabilities (softmax, sigmoid), class indices, or something else (logits, values)."""
    model = skeleton(graph.path)
    makers = {name: node for node in model.graph.node for name in node.output}
    return {tensor.name: _ending(tensor.name, tensor.dtype, makers) for tensor in graph.outputs}


def channels_of(graph: Graph, name: str) -> int | None:
    """Channels that the first convolution expects of the input `name`, where nothing before it changes their number."""
    model = skeleton(graph.path)
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    same = {name}
    for node in model.graph.node:
        if node.op_type == "Conv" and node.input[0] in same and len(shapes.get(node.input[1], ())) > 1:
            return int(shapes[node.input[1]][1]) * number_of(node, "group", 1)
        if node.op_type in _POINTWISE and same.intersection(node.input):
            same.update(node.output)
    return None


def _factor(node: onnx.NodeProto, values: dict[str, list[float]]) -> float:
    if node.op_type in _DOWN:
        return _step(node)
    if node.op_type == "ConvTranspose" or node.op_type == "DepthToSpace":
        return 1 / _step(node)
    if node.op_type in _UP:
        scales = [values[name] for name in node.input[1:] if len(values.get(name, ())) >= 3]
        return 1 / scales[0][-1] if scales and scales[0][-1] > 0 else 1.0
    return 1.0


def _step(node: onnx.NodeProto) -> int:
    for attribute in node.attribute:
        if attribute.name == "strides" and attribute.ints:
            return max(1, attribute.ints[-1])
    return max(1, number_of(node, "blocksize", 1))


def _constants(model: onnx.ModelProto) -> dict[str, list[float]]:
    """Small floating-point constants by name: the scales of up-sampling are among them."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                tensors[node.output[0]] = attribute.t
    return {
        name: numpy_helper.to_array(tensor).ravel().tolist()
        for name, tensor in tensors.items()
        if tensor.data_type == onnx.TensorProto.FLOAT
        and tensor.data_location != onnx.TensorProto.EXTERNAL
        and list(tensor.dims) in ([4], [5])
    }


def _ending(name: str, dtype: str, makers: dict[str, onnx.NodeProto]) -> Ending:
    seen: set[str] = set()
    while name in makers and name not in seen:
        seen.add(name)
        node = makers[name]
        if node.op_type in ("Softmax", "Sigmoid", "HardSigmoid"):
            return "softmax" if node.op_type == "Softmax" else "sigmoid"
        if node.op_type == "ArgMax":
            return "labels"
        if node.op_type not in _PASSIVE or not node.input:
            break
        name = node.input[0]
    return "labels" if dtype.startswith(("int", "uint", "bool")) else "other"
