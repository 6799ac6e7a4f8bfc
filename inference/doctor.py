"""The doctor: versions, and the devices on which a session really runs, each with its rate, or the reason why not."""

from __future__ import annotations

import importlib.metadata
import platform
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..models.card import Card, Channel, Output, Slot
from .cuda import cuda_facts, why_not
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
#: Pixels of a side of the tile that is run, and seconds for which it is run again and again.
TILE, MEASURED = 256, 0.15
#: Channels in, between and out of the small network that is run.
_WIDTHS = (3, 16, 16, 5)


def examine() -> dict[str, Any]:
    """Run a tiny model on every backend and report what happened; nothing is inferred from a list of providers.

    A device that works has its ``rate``: megapixels a second through a network of three small convolutions, which
    compares the devices of one machine and is more than a real model reaches. ``cuda`` is as `cuda.cuda_facts` tells.
    """
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "probe.onnx"
        onnx.save(_probe(), model)
        devices = {"openvino": _try(lambda shapes: open_on_cpu(model, shapes, Compute()))}
        for device in PROVIDERS:
            name = "onnxruntime-cpu" if device == "cpu" else device
            devices[name] = _try(lambda shapes, device=device: open_on(device, model, shapes, Compute()))
    report = {
        "engine": ENGINE_VERSION,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "devices": devices,
    }
    facts = cuda_facts()
    if facts is None:
        return report
    lacking = why_not() if facts["wanted"] and not devices["cuda"]["works"] else ""
    if lacking and lacking not in devices["cuda"]["reason"]:
        devices["cuda"]["reason"] = f"{devices['cuda']['reason']} {lacking}"
    return {**report, "cuda": facts}


def _try(opener: Any) -> dict[str, Any]:
    try:
        session = opener(tile_shapes(_CARD, 1, TILE))
        answer = session.run(_ONES)["y"]
    except BackendError as problem:
        return {"works": False, "reason": str(problem)}
    except Exception as problem:  # noqa: BLE001 - a backend that fails in any way is reported with its own words
        return {"works": False, "reason": str(problem).splitlines()[0][:300]}
    # Away from the border, where zeros are looked at as well.
    right = bool(np.allclose(answer[:, :, 4:-4, 4:-4], 1.0, atol=1e-2))
    told = {"device": session.info.device, "precision": session.info.precision}
    if not right:
        return {"works": False, **told, "reason": "the answer is wrong."}
    return {"works": True, **told, "rate": _rate(session), "reason": session.info.reason}


def _rate(session: Any) -> float:
    """Megapixels a second, in two digits that count; the first run, which prepares the device, is over."""
    begun, runs = time.perf_counter(), 0
    while time.perf_counter() - begun < MEASURED:
        session.run(_ONES)
        runs += 1
    rate = runs * TILE**2 / 1e6 / (time.perf_counter() - begun)
    return float(f"{rate:.2g}")


_ONES = {"x": np.ones((1, _WIDTHS[0], TILE, TILE), np.float32)}
_CARD = Card(
    "probe",
    (Slot("x", "raster", tuple(Channel(f"x{number}") for number in range(_WIDTHS[0])), "x"),),
    (Output("y", "pixel-regression"),),
)


def _probe() -> onnx.ModelProto:
    """Three convolutions of 3 × 3 with ReLU between them, whose weights turn ones into ones."""
    nodes, weights, name = [], [], "x"
    for number, (before, after) in enumerate(pairwise(_WIDTHS)):
        weight = np.full((after, before, 3, 3), 1 / (before * 9), np.float32)
        weights.append(numpy_helper.from_array(weight, f"w{number}"))
        last = number == len(_WIDTHS) - 2
        target = "y" if last else f"c{number}"
        nodes.append(helper.make_node("Conv", [name, f"w{number}"], [target], pads=[1, 1, 1, 1]))
        if not last:
            nodes.append(helper.make_node("Relu", [target], [f"r{number}"]))
        name = f"r{number}"
    ends = [
        helper.make_tensor_value_info(end, TensorProto.FLOAT, [None, width, None, None])
        for end, width in (("x", _WIDTHS[0]), ("y", _WIDTHS[-1]))
    ]
    graph = helper.make_graph(nodes, "probe", ends[:1], ends[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
