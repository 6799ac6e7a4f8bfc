"""The doctor: versions, and the devices on which a session really runs, each with the reason when it does not."""

from __future__ import annotations

import importlib.metadata
import platform
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from ..models.card import Card, Channel, Output, Slot
from .job import Compute
from .sessions import BackendError, tile_shapes
from .sessions.onnx_runtime import PROVIDERS, open_on
from .sessions.open_vino import open_on_cpu
from .version import ENGINE_VERSION

PACKAGES = (
    "numpy",
    "rasterio",
    "pyogrio",
    "shapely",
    "pyproj",
    "scipy",
    "onnx",
    "stac-model",
    "openvino",
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-directml",
    "torch",
)


def examine() -> dict[str, Any]:
    """Run a tiny model on every backend and report what happened; nothing is inferred from a list of providers."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "probe.onnx"
        onnx.save(_probe(), model)
        devices = {"openvino": _try(lambda shapes: open_on_cpu(model, shapes, Compute()))}
        for device in PROVIDERS:
            name = "onnxruntime-cpu" if device == "cpu" else device
            devices[name] = _try(lambda shapes, device=device: open_on(device, model, shapes, Compute()))
    return {
        "engine": ENGINE_VERSION,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "devices": devices,
    }


def _try(opener: Any) -> dict[str, Any]:
    try:
        session = opener(tile_shapes(_CARD, 1, 8))
        answer = session.run({"x": np.ones((1, 1, 8, 8), np.float32)})["y"]
    except BackendError as problem:
        return {"works": False, "reason": str(problem)}
    except Exception as problem:  # noqa: BLE001 - a backend that fails in any way is reported with its own words
        return {"works": False, "reason": str(problem).splitlines()[0][:300]}
    right = bool(np.allclose(answer, 2.0))
    return {
        "works": right,
        "device": session.info.device,
        "precision": session.info.precision,
        "reason": session.info.reason if right else "the answer is wrong.",
    }


_CARD = Card(
    "probe",
    (Slot("x", "raster", (Channel("x"),), "x"),),
    (Output("y", "pixel-regression"),),
)


def _probe() -> onnx.ModelProto:
    shape = [None, 1, None, None]
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        "probe",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
