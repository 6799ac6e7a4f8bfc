"""A model that tells what its tensors are like, and what it told over several tiles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from .flow import flow_into
from .layers import chosen_layers, free_mark, is_convolution
from .recipe import Look, Seen


def watched(model: ModelProto, layers: tuple[str, ...]) -> ModelProto:
    """The model with the statistics of all tensors of which a recipe for these layers, or for some of them, tells, as
    further outputs.

    Raises:
        ValueError: a layer is not in the model.
    """
    mark, made = free_mark(model), type(model)()
    made.CopyFrom(model)
    graph, flat = made.graph, f"{mark}flat"
    nodes: defaultdict[str, list[NodeProto]] = defaultdict(list)
    for look in _looks(model, layers):
        nodes[look[0]] += _nodes(look, mark, flat)
        graph.output.extend(helper.make_tensor_value_info(fact, TensorProto.FLOAT, None) for fact in _facts(look, mark))
    if any(node.op_type == "Reshape" for added in nodes.values() for node in added):
        graph.initializer.append(numpy_helper.from_array(np.array([1, 1, -1]), flat))
    del graph.node[:]
    for node in model.graph.node:
        graph.node.append(node)
        # Looked at where it is made, a tensor need not be kept until the end.
        for name in node.output:
            graph.node.extend(nodes.pop(name, ()))
    graph.node.extend(node for rest in nodes.values() for node in rest)
    return made


def seen_by(model: ModelProto, layers: tuple[str, ...], told: Sequence[Mapping[str, np.ndarray]]) -> dict[Look, Seen]:
    """What the watched model told of its tensors over several tiles.

    Raises:
        ValueError: a tensor holds NaN or infinity.
    """
    mark, found = free_mark(model), {}
    for look in _looks(model, layers):
        # Tiles × channels, whatever the batch.
        mean, high, opposite = (
            np.concatenate([answer[fact].reshape(answer[fact].shape[:2]) for answer in told])
            for fact in _facts(look, mark)
        )
        found[look] = Seen(-opposite.max(0), high.max(0), mean.mean(0))
        if not np.isfinite([found[look].low, found[look].high, found[look].mean]).all():
            raise ValueError("a layer answers NaN or infinity.")
    return found


def _looks(model: ModelProto, layers: tuple[str, ...]) -> list[Look]:
    nodes = chosen_layers(model, layers)
    flow = flow_into(model, nodes)
    names = [name for group in flow.origins for name in group]
    names += [node.input[0] for node in nodes if is_convolution(node)]
    return [*((name, False) for name in dict.fromkeys(names)), *((name, True) for name in flow.whole)]


def _facts(look: Look, mark: str) -> tuple[str, str, str]:
    """The outputs that tell of a tensor: its mean, its greatest value, and the greatest of its opposite."""
    name, whole = look
    start = f"{name}{mark}{'whole ' if whole else ''}"
    return f"{start}mean", f"{start}greatest", f"{start}opposite greatest"


def _nodes(look: Look, mark: str, flat: str) -> list[NodeProto]:
    """The nodes that tell of it. There is an operator for the greatest value of a channel, and none for the least."""
    mean, greatest, opposite = _facts(look, mark)
    name, whole = look
    seen = f"{name}{mark}flat" if whole else name
    return [
        *([helper.make_node("Reshape", [name, flat], [seen])] if whole else []),
        helper.make_node("GlobalAveragePool", [seen], [mean]),
        helper.make_node("GlobalMaxPool", [seen], [greatest]),
        helper.make_node("Neg", [seen], [f"{seen}{mark}opposite"]),
        helper.make_node("GlobalMaxPool", [f"{seen}{mark}opposite"], [opposite]),
    ]
