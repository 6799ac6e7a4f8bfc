"""Small ONNX models with cards, built in the test that needs them. Engine environment only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from fusion_mapper.models.card import Card, Channel, ClassInfo, Output, Slot, Tiling
from fusion_mapper.models.embed import embed_card
from onnx import TensorProto, helper, numpy_helper

CLASSES = tuple(ClassInfo(value, name) for value, name in enumerate(["water", "built", "field", "tree"], 1))


def pooled_network(channels: int, classes: int, seed: int = 0) -> tuple[onnx.ModelProto, int, int]:
    """A two-level encoder-decoder with max pooling and a skip: the model, its receptive radius and its stride.

    conv3 - pool2 - conv3 - pool2 - conv3 - up2 - conv3 - up2 - (skip) conv1. In pixels of the input the convolutions
    reach 1, 2, 4 and 2, and each pooling and upsampling at most its own cell: 1 + 1 + 2 + 3 + 4 + 2 + 3 < 20.
    """
    rng = np.random.default_rng(seed)
    weights: list[onnx.TensorProto] = []
    nodes: list[onnx.NodeProto] = []

    def conv(source: str, target: str, into: int, out: int, side: int) -> None:
        kernel = rng.normal(0, np.sqrt(2 / (into * side * side)), (out, into, side, side)).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"{target}_w"))
        weights.append(numpy_helper.from_array(rng.normal(0, 0.3, out).astype(np.float32), f"{target}_b"))
        pads = [side // 2] * 4
        nodes.append(helper.make_node("Conv", [source, f"{target}_w", f"{target}_b"], [f"{target}_l"], pads=pads))
        nodes.append(helper.make_node("Relu", [f"{target}_l"], [target]))

    def up(source: str, target: str) -> None:
        nodes.append(
            helper.make_node("Resize", [source, "", "scales"], [target], mode="nearest", nearest_mode="floor",
                             coordinate_transformation_mode="asymmetric")
        )  # fmt: skip

    weights.append(numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales"))
    conv("x", "a", channels, 8, 3)
    nodes.append(helper.make_node("MaxPool", ["a"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]))
    conv("p1", "b", 8, 8, 3)
    nodes.append(helper.make_node("MaxPool", ["b"], ["p2"], kernel_shape=[2, 2], strides=[2, 2]))
    conv("p2", "c", 8, 8, 3)
    up("c", "u1")
    conv("u1", "d", 8, 8, 3)
    up("d", "u2")
    nodes.append(helper.make_node("Concat", ["u2", "a"], ["skip"], axis=1))
    conv("skip", "e", 16, 8, 1)
    kernel = rng.normal(0, 0.6, (classes, 8, 1, 1)).astype(np.float32)
    weights.append(numpy_helper.from_array(kernel, "head_w"))
    nodes.append(helper.make_node("Conv", ["e", "head_w"], ["y"]))
    shape = ["batch", channels, "height", "width"]
    graph = helper.make_graph(
        nodes,
        "pooled",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", classes, "height", "width"])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model, 20, 4


def save_pooled(path: Path, slots: tuple[Slot, ...], gsd: float | None = None, tile: int = 128) -> Card:
    """Write the pooled network with a land-cover card for `slots`, which share the input ``x``."""
    channels = max(slot.offset + slot.width for slot in slots)
    model, radius, stride = pooled_network(channels, len(CLASSES))
    card = Card(
        path.stem,
        slots,
        (Output("y", "semantic-segmentation", CLASSES, activation="softmax"),),
        gsd=gsd,
        tiling=Tiling(tile),
        receptive_radius=radius,
        stride=stride,
        architecture="pooled test network",
    )
    bare = path.with_suffix(".bare.onnx")
    onnx.save(model, bare)
    embed_card(bare, card, path)
    bare.unlink()
    return card


def imagery_slot(bands: tuple[str, ...] = ("red", "green", "blue"), offset: int = 0) -> Slot:
    """An imagery slot whose values are z-scored around 128."""
    from fusion_mapper.models.card import Scaling

    channels = tuple(Channel(name, Scaling(128.0, 64.0)) for name in bands)
    return Slot("imagery", "imagery", channels, "x", offset)
