"""Which layers of a model may be quantised."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from onnx import ModelProto, NodeProto, TensorProto

from ..graph import number_of, proto_nodes

#: The first operator set with a scale for each channel.
OPSET = 13
#: How many layers from the inputs, and from the outputs, stay as they are; the first choice is the fastest.
SPARED = ((1, 1), (1, 2), (2, 3))
_LAYERS = frozenset({"Conv", "Gemm", "MatMul"})
_FAR = 1 << 20


def layer_choices(model: ModelProto) -> list[tuple[str, ...]]:
    """Sets of layers that may be quantised, the largest first, each layer by the name of what it answers; none where
    the model has no such layers.

    The layers that read the inputs and those that make the answers are never among them: they do little of the work,
    and rounding them costs most of the classes.
    """
    if not any(entry.domain in ("", "ai.onnx") and entry.version >= OPSET for entry in model.opset_import):
        return []
    layers = layers_of(model)
    before, after = _depths(model, layers)
    choices: list[tuple[str, ...]] = []
    for first, last in SPARED:
        inner = tuple(
            node.output[0] for node in layers if before[node.input[0]] >= first and after[node.output[0]] >= last
        )
        if inner and inner not in choices:
            choices.append(inner)
    return choices


def chosen_layers(model: ModelProto, names: tuple[str, ...]) -> list[NodeProto]:
    """The nodes of these layers, in the graph's order.

    Raises:
        ValueError: a layer is not in the model.
    """
    known = {node.output[0]: node for node in layers_of(model)}
    chosen = set(names)
    if missing := chosen - set(known):
        raise ValueError(f"The model has no layer '{min(missing)}'.")
    return [node for name, node in known.items() if name in chosen]


def layers_of(model: ModelProto) -> list[NodeProto]:
    """All nodes that multiply what goes in by weights of the model's own, of 32 bits."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    return [node for node in model.graph.node if _is_layer(node, weights)]


def is_convolution(node: NodeProto) -> bool:
    """Whether a layer's channels are the second axis of what goes in, and of its weights."""
    return node.op_type == "Conv"


def free_mark(model: ModelProto) -> str:
    """A mark that no name in the graph contains, so that names made with it are nobody else's."""
    names = [value.name for value in (*model.graph.input, *model.graph.output, *model.graph.initializer)]
    for node in proto_nodes(model.graph):
        names += (*node.input, *node.output)
    mark, text = "/8", "\n".join(names)
    while f"{mark}/" in text:
        mark += "8"
    return f"{mark}/"


def _is_layer(node: NodeProto, weights: Mapping[str, TensorProto]) -> bool:
    if node.op_type not in _LAYERS or node.domain not in ("", "ai.onnx") or not node.output:
        return False
    if node.input[0] in weights:
        return False
    weight = weights.get(node.input[1])
    if weight is None or weight.data_type != TensorProto.FLOAT:
        return False
    if is_convolution(node):
        return len(weight.dims) > 2 and not set(node.input[2:]) - set(weights)
    return len(weight.dims) == 2 and not number_of(node, "transA", 0)


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
