"""The quantised model by a recipe."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper

from ..graph import number_of, proto_nodes
from .flow import Flow, flow_into, handed_on
from .layers import chosen_layers, free_mark, is_convolution
from .recipe import Recipe, Steps
from .rounding import integer_weights

#: Before the names of what is rounded as a whole.
_WHOLE = "whole "

Proto = TypeVar("Proto", ModelProto, NodeProto)


def quantised(model: ModelProto, recipe: Recipe) -> ModelProto:
    """The model with the recipe's layers quantised; the values of all weights have to be loaded.

    Raises:
        ValueError: the recipe is not one of this model.
    """
    nodes = chosen_layers(model, recipe.layers)
    recipe.require_sound()
    made = _copy(model)
    rewriting = _Rewriting(made.graph, recipe, flow_into(model, nodes), free_mark(model))
    rewriting.begin([value.name for value in model.graph.input])
    chosen = set(recipe.layers)
    for node in model.graph.node:
        rewriting.take(_copy(node), bool(chosen.intersection(node.output[:1])))
    del made.graph.node[:]
    made.graph.node.extend(rewriting.nodes)
    _drop_unread(made.graph, {name for node in nodes for name in node.input[1:3]})
    return made


class _Rewriting:
    """The graph's nodes, taken one by one in its order, and what is put between them.

    Rounded tensors for convolutions hold whole steps, whatever a step is worth in each channel: the weights that they
    meet are worth that much more.
    """

    def __init__(self, graph: GraphProto, recipe: Recipe, flow: Flow, mark: str) -> None:
        self.nodes: list[NodeProto] = []
        self._graph, self._recipe, self._flow, self._mark = graph, recipe, flow, mark
        self._origins = {name for group in flow.origins for name in group}
        self._whole = set(flow.whole)
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        self._worth: dict[str, np.ndarray] = {}

    def begin(self, inputs: list[str]) -> None:
        """Round what is there before any node."""
        for name in dict.fromkeys((*inputs, *self._weights)):
            self._after(name)

    def take(self, node: NodeProto, is_chosen: bool) -> None:
        """Append a node, quantised where it is one of the recipe's layers, and what its answers are rounded by."""
        answers = list(node.output)
        passed = [name for name in answers if name in self._flow.passed]
        if is_chosen:
            self._quantise(node)
        self.nodes.append(node)
        for name in passed:
            self._pass_on(self._flow.passed[name], name)
        for name in answers:
            self._after(name)

    def _after(self, name: str) -> None:
        if name in self._origins:
            steps = self._steps(self._recipe.steps, name)
            self._worth[name] = np.float32(steps.sizes)
            zeros = np.full(len(steps.sizes), steps.zero, np.uint8)
            self._round(name, "", (self._worth[name], zeros), (np.float32(1), np.uint8(steps.zero)))
        if name in self._whole:
            steps = self._steps(self._recipe.whole, name)
            by = np.float32(steps.sizes[0]), np.uint8(steps.zero)
            self._round(name, _WHOLE, by, by)

    def _steps(self, known: dict[str, Steps], name: str) -> Steps:
        if name not in known:
            raise ValueError(f"The recipe has no steps for '{name}'.")
        return known[name]

    def _round(self, name: str, how: str, to: tuple[np.ndarray, ...], back: tuple[np.ndarray, ...]) -> None:
        """Append what rounds a tensor to 256 levels."""
        levels = self._called(name, f"{how}levels")
        to_names = self._keep(name, **{f"{how}step": to[0], f"{how}zero": to[1]})
        back_names = self._keep(name, **{f"{how}worth": back[0], f"{how}level": back[1]})
        self._append("QuantizeLinear", [name, *to_names], levels, axis=1)
        self._append("DequantizeLinear", [levels, *back_names], self._rounded(name, how), axis=1)

    def _pass_on(self, node: NodeProto, name: str) -> None:
        """Append a node once more, for rounded values."""
        ways = handed_on(node)
        if not all(way in self._worth for way in ways):
            raise ValueError(f"The recipe has no steps for '{name}'.")
        self._worth[name] = np.concatenate([self._worth[way] for way in ways])
        node = _copy(node)
        node.name = ""
        node.input[: len(ways)] = map(self._rounded, ways)
        node.output[0] = self._rounded(name)
        self.nodes.append(node)

    def _quantise(self, node: NodeProto) -> None:
        entrance, layer = node.input[0], node.output[0]
        values = numpy_helper.to_array(self._weights[node.input[1]])
        if not is_convolution(node):
            axis = 0 if number_of(node, "transB", 0) else 1
            node.input[0] = self._rounded(entrance, _WHOLE)
            node.input[1] = self._integers(layer, *integer_weights(values, axis), axis)
            return
        means = np.float32(self._recipe.means.get(entrance, ()))
        worth = _by_weight(self._worth.get(entrance, np.empty(0)), values, node)
        if worth is None or means.size != self._worth[entrance].size:
            raise ValueError(f"The recipe has not as many channels as '{entrance}'.")
        with np.errstate(over="ignore", invalid="ignore"):
            values, means = values * worth, means / self._worth[entrance]
            self._require_finite(layer, values)
            integers, scale = integer_weights(values, 0)
            lost = values - integers * scale.reshape(-1, *[1] * (values.ndim - 1))
            lost = (lost * _by_weight(means, values, node)).reshape(len(values), -1).sum(1)
        self._require_finite(layer, lost)
        node.input[0], node.input[1] = self._rounded(entrance), self._integers(layer, integers, scale, 0)
        bias = numpy_helper.to_array(self._weights[node.input[2]]) if node.input[2:] and node.input[2] else 0
        del node.input[2:]
        node.input.extend(self._keep(layer, bias=np.float32(bias + lost)))

    @staticmethod
    def _require_finite(layer: str, values: np.ndarray) -> None:
        if not np.isfinite(values).all():
            raise ValueError(f"The recipe makes no weights of '{layer}'.")

    def _integers(self, layer: str, integers: np.ndarray, scale: np.ndarray, axis: int) -> str:
        """Append a layer's weights; returns what they are called."""
        by = self._keep(layer, integers=integers, scale=scale, zeros=np.zeros(scale.size, np.int8))
        self._append("DequantizeLinear", by, self._called(layer, "weights"), axis=axis)
        return self._called(layer, "weights")

    def _append(self, operator: str, inputs: list[str], output: str, axis: int) -> None:
        self.nodes.append(helper.make_node(operator, inputs, [output], axis=axis))

    def _keep(self, name: str, **facts: np.ndarray) -> list[str]:
        """Add constants that belong to a tensor or layer; returns their names."""
        made = [numpy_helper.from_array(np.asarray(values), self._called(name, fact)) for fact, values in facts.items()]
        self._graph.initializer.extend(made)
        return [tensor.name for tensor in made]

    def _rounded(self, name: str, how: str = "") -> str:
        return self._called(name, f"{how}rounded")

    def _called(self, name: str, fact: str) -> str:
        return f"{name}{self._mark}{fact}"


def _by_weight(channels: np.ndarray, values: np.ndarray, node: NodeProto) -> np.ndarray | None:
    """Of each weight of a convolution (O×C/groups×…) what belongs to the channel that it meets (C); None where there
    are not as many channels.
    """
    groups = number_of(node, "group", 1)
    if channels.size != groups * values.shape[1] or len(values) % groups:
        return None
    met = np.repeat(channels.reshape(groups, -1), len(values) // groups, axis=0)
    return met.reshape(*values.shape[:2], *[1] * (values.ndim - 2))


def _drop_unread(graph: GraphProto, names: set[str]) -> None:
    """Weights that only quantised layers read are of no more use."""
    read = {name for node in proto_nodes(graph) for name in node.input} | {value.name for value in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in read or tensor.name not in names]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _copy(message: Proto) -> Proto:
    made = type(message)()
    made.CopyFrom(message)
    return made
