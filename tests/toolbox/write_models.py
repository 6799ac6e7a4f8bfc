"""Writes small ONNX models with known weights; run by the engine's Python, which has onnx: ``write_models.py FOLDER``.

``landcover``: a 1×1 convolution over red, green, blue (0 to 1), a road channel and elevation in km. The class is the
largest of: how dark (0, water), how bright (1, bare), road (2, road).
``regression``: the mean of two dates' red and near infrared.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SCHEMA = 1


def convolution(path: Path, weights: np.ndarray, bias: np.ndarray) -> None:
    """N×C×H×W → N×K×H×W by a K×C matrix and K biases."""
    outputs, channels = weights.shape
    kernel = weights.astype(np.float32)[:, :, None, None]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["input", "kernel", "bias"], ["output"])],
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", channels, "h", "w"])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", outputs, "h", "w"])],
        [numpy_helper.from_array(kernel, "kernel"), numpy_helper.from_array(bias.astype(np.float32), "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def imagery(name: str, channels: list[str], offset: int, scale: float, **others: object) -> dict:
    return {
        "name": name,
        "role": "imagery",
        "input": "input",
        "offset": offset,
        "channels": [{"name": channel, "scaling": {"scale": scale}} for channel in channels],
        **others,
    }


def landcover(folder: Path) -> None:
    weights = np.array([[-4, -4, -4, 0, 0], [4, 4, 4, 0, 0], [0, 0, 0, 9, 0]])
    convolution(folder / "tiny-landcover.onnx", weights, np.array([5.0, -5.0, 0.0]))
    roads = {"rules": [{"key": "highway", "geometry": ["line"], "width": 8}]}
    card = {
        "schema": SCHEMA,
        "name": "tiny-landcover",
        "title": "Tiny land cover",
        "notice": "For tests.",
        "gsd": 5.0,
        "receptive_radius": 0,
        "tiling": {"size": 64},
        "slots": [
            imagery("imagery", ["red", "green", "blue"], 0, 255.0),
            {
                "name": "osm",
                "role": "osm",
                "input": "input",
                "offset": 3,
                "missing": "fill",
                "channels": [{"name": "roads", "osm": roads}],
            },
            {
                "name": "dem",
                "role": "dem",
                "input": "input",
                "offset": 4,
                "missing": "fill",
                "channels": [{"name": "elevation", "derivative": "elevation", "scaling": {"scale": 1000}}],
            },
        ],
        "outputs": [
            {
                "name": "output",
                "task": "semantic-segmentation",
                "activation": "softmax",
                "classes": [
                    {"value": 1, "name": "Dark", "color": "#113355"},
                    {"value": 2, "name": "Bright", "color": "#ddccaa"},
                    {"value": 3, "name": "Road", "color": "#cc2222"},
                ],
            }
        ],
    }
    (folder / "tiny-landcover.json").write_text(json.dumps(card))


def regression(folder: Path) -> None:
    convolution(folder / "tiny-regression.onnx", np.full((1, 4), 25.0), np.zeros(1))
    card = {
        "schema": SCHEMA,
        "name": "tiny-regression",
        "title": "Tiny regression",
        "gsd": 10.0,
        "receptive_radius": 0,
        "tiling": {"size": 64},
        "slots": [
            imagery("imagery_spring", ["red", "nir"], 0, 10000.0, date="spring"),
            imagery("imagery_summer", ["red", "nir"], 2, 10000.0, date="summer"),
        ],
        "outputs": [{"name": "output", "task": "pixel-regression", "units": "%", "range": [0, 100], "ramp": "greens"}],
    }
    (folder / "tiny-regression.json").write_text(json.dumps(card))


def two_heads(folder: Path) -> None:
    """Two outputs that make the same products: ``light`` and ``red``."""
    graph = helper.make_graph(
        [helper.make_node("Conv", ["input", f"{name}_kernel"], [name]) for name in ("light", "red")],
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2, "h", "w"]) for name in ("light", "red")],
        [
            numpy_helper.from_array(np.array([[-1, -1, -1], [1, 1, 1]], np.float32)[:, :, None, None], "light_kernel"),
            numpy_helper.from_array(np.array([[-2, 1, 1], [2, -1, -1]], np.float32)[:, :, None, None], "red_kernel"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, folder / "tiny-two-heads.onnx")

    def output(name: str, title: str, color: str) -> dict:
        classes = [{"value": 1, "name": f"Not {name}", "color": "#eeeeee"}, {"value": 2, "name": name, "color": color}]
        task = {"task": "semantic-segmentation", "activation": "softmax"}
        return {"name": name, "title": title, "classes": classes, **task}

    card = {
        "schema": SCHEMA,
        "name": "tiny-two-heads",
        "gsd": 5.0,
        "receptive_radius": 0,
        "tiling": {"size": 64},
        "slots": [imagery("imagery", ["red", "green", "blue"], 0, 255.0)],
        "outputs": [output("light", "Light", "#ffee88"), output("red", "Red", "#cc2222")],
    }
    (folder / "tiny-two-heads.json").write_text(json.dumps(card))


if __name__ == "__main__":
    landcover(Path(sys.argv[1]))
    regression(Path(sys.argv[1]))
    two_heads(Path(sys.argv[1]))
