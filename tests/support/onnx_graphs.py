"""ONNX files and cards for tests of the model room: each graph is as small as the behaviour it shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from fusion_mapper.models.card import Card, Channel, ClassInfo, OsmRecipe, Output, Scaling, Slot, TagRule, Tiling
from onnx import TensorProto, helper, numpy_helper

Dims = Sequence["int | str | None"]


def save_graph(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Dims],
    outputs: Mapping[str, Dims],
    weights: Mapping[str, np.ndarray] | None = None,
    metadata: Mapping[str, str] | None = None,
    dtype: int = TensorProto.FLOAT,
    domains: Sequence[str] = (),
) -> Path:
    """Write a graph to `path`; the output dimensions are whatever the caller declares, true or not."""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in inputs.items()],
        [helper.make_tensor_value_info(name, dtype, dims) for name, dims in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )
    opsets = [helper.make_opsetid("", 17), *(helper.make_opsetid(domain, 1) for domain in domains)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    helper.set_model_props(model, dict(metadata or {}))
    path.write_bytes(model.SerializeToString())
    return path


def save_classifier(
    path: Path,
    channels: int = 3,
    classes: int = 2,
    size: int | str = "size",
    batch: int | str = "batch",
    ending: str | None = "Softmax",
    kernel: int = 1,
    stride: int = 1,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """A convolution without padding, then an activation: `kernel` makes a margin, `stride` a coarser grid."""
    rng = np.random.default_rng(0)
    weights = {"w": rng.normal(size=(classes, channels, kernel, kernel)).astype(np.float32)}
    conv = helper.make_node("Conv", ["x", "w"], ["y" if ending is None else "l"], strides=[stride, stride])
    nodes = [conv]
    if ending == "Softmax":
        nodes.append(helper.make_node("Softmax", ["l"], ["y"], axis=1))
    elif ending is not None:
        nodes.append(helper.make_node(ending, ["l"], ["y"]))
    shape = {"x": [batch, channels, size, size]}
    return save_graph(path, nodes, shape, {"y": [batch, classes, None, None]}, weights, metadata)


def deepness(**keys: object) -> dict[str, str]:
    """Metadata as Deepness writes them: every value a JSON text."""
    return {key: json.dumps(value) for key, value in keys.items()}


def rgb_slot(**changes: object) -> Slot:
    names = ("red", "green", "blue")
    return replace(
        Slot("imagery", "imagery", tuple(Channel(name, Scaling(scale=255)) for name in names), "x"), **changes
    )


def two_class_card(**changes: object) -> Card:
    """The card that fits `save_classifier` as it is by default."""
    output = Output("y", "semantic-segmentation", (ClassInfo(0, "water"), ClassInfo(1, "land")))
    return replace(Card("two-classes", (rgb_slot(),), (output,), tiling=Tiling(64)), **changes)


def rich_card() -> Card:
    """A card that uses most of what cards can say, for `save_classifier(channels=9, classes=3, ending=None)`."""
    road = OsmRecipe(
        (TagRule("highway", ("motorway",), ("line",), width=12.0), TagRule("highway", width=4.0)), soften=9
    )
    water = OsmRecipe((TagRule("natural", ("water",), ("polygon",)),), all_touched=True)
    clipped = Scaling(100.0, 50.0, minimum=0.0, maximum=4000.0)
    slots = (
        rgb_slot(gsd=1.0),
        Slot(
            "osm",
            "osm",
            (Channel("roads", osm=road), Channel("water", osm=water)),
            "x",
            offset=3,
            missing="mask_channel",
            resampling="nearest",
        ),
        Slot(
            "dem",
            "dem",
            (Channel("elevation", clipped, derivative="elevation"),),
            "x",
            offset=6,
            missing="fill",
            gsd=30.0,
        ),
        Slot("season", "imagery", (Channel("nir", wavelength=0.83), Channel("red edge")), "x", offset=7, date="spring"),
    )
    classes = (
        ClassInfo(1, "water", "#0000ff", "open water"),
        ClassInfo(5, "bare soil"),
        ClassInfo(9, "größere Bäume", "#00ff00"),
    )
    return Card(
        "rich",
        slots,
        (Output("y", "semantic-segmentation", classes, activation="softmax", nodata=255.0, title="Land cover"),),
        title="A rich card",
        description="Everything",
        version="1.2.0",
        license="CC-BY-4.0",
        notice="for tests",
        architecture="convolution",
        gsd=1.0,
        tiling=Tiling(64),
        receptive_radius=0,
        training={"bbox": [20.0, -34.1, 20.5, -34.0], "labels": 12},
    )
