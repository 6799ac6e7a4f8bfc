"""Where the values come from that go into layers, and so where they are best rounded.

What only passes values on or joins them does so with rounded ones as well, and with a quarter of the bytes: the
largest of rounded values is the largest, rounded.
"""

from __future__ import annotations

from dataclasses import dataclass

from onnx import ModelProto, NodeProto

from .layers import is_convolution


@dataclass(frozen=True)
class Flow:
    """What flows into some layers of a model."""

    origins: tuple[tuple[str, ...], ...]
    """Tensors that are rounded for convolutions, in groups that meet on their way and so share what stands for zero."""
    passed: dict[str, NodeProto]
    """Tensors on the way from them to the convolutions, each with the node that makes it of others."""
    whole: tuple[str, ...]
    """Tensors that are rounded as a whole, for layers that know no channels: what goes into them."""


def flow_into(model: ModelProto, layers: list[NodeProto]) -> Flow:
    """How values come into these layers."""
    passing = {node.output[0]: node for node in model.graph.node if _passes(node)}
    waiting = [layer.input[0] for layer in layers if is_convolution(layer)]
    met, passed, origins = _Groups(), dict[str, NodeProto](), dict[str, None]()
    while waiting:
        name = waiting.pop()
        if name not in passing:
            origins[name] = None
        elif name not in passed:
            passed[name] = passing[name]
            waiting += handed_on(passing[name])
            for other in handed_on(passing[name]):
                met.join(name, other)
    whole = dict.fromkeys(layer.input[0] for layer in layers if not is_convolution(layer))
    return Flow(met.of(sorted(origins)), passed, tuple(whole))


def handed_on(node: NodeProto) -> list[str]:
    """The inputs whose values a passing node hands on; the others say how."""
    return list(node.input) if node.op_type == "Concat" else [node.input[0]]


def _passes(node: NodeProto) -> bool:
    """Whether every value that the node answers is one of those that go in, its channel kept or joined to others."""
    if node.domain not in ("", "ai.onnx") or len(node.output) != 1:
        return False
    facts = {entry.name: entry for entry in node.attribute}
    if node.op_type == "Concat":
        return facts["axis"].i == 1
    if node.op_type == "Resize":
        # Another way of laying the grids upon one another puts a value of its own outside.
        crops = "coordinate_transformation_mode" in facts and b"crop" in facts["coordinate_transformation_mode"].s
        return not crops and ("mode" not in facts or facts["mode"].s == b"nearest")
    return node.op_type == "MaxPool"


class _Groups:
    """Names that belong together (a disjoint-set forest)."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def join(self, one: str, other: str) -> None:
        """The groups of both names become one."""
        self._above[self._top(one)] = self._top(other)

    def of(self, names: list[str]) -> tuple[tuple[str, ...], ...]:
        """The names by their groups."""
        groups: dict[str, list[str]] = {}
        for name in names:
            groups.setdefault(self._top(name), []).append(name)
        return tuple(map(tuple, groups.values()))

    def _top(self, name: str) -> str:
        way = []
        while (above := self._above.setdefault(name, name)) != name:
            way.append(name)
            name = above
        self._above.update(dict.fromkeys(way, name))
        return name
