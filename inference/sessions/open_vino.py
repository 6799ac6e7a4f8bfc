"""OpenVINO behind the session interface, on the CPU."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..job import Compute
from ..workers import cores, worker_count
from . import BackendError, SessionInfo, Shapes
from .onnx_runtime import cast


class OpenVinoSession:
    """One compiled model with an infer request for each thread that asks."""

    def __init__(self, compiled: Any, info: SessionInfo, shapes: Shapes) -> None:
        self._compiled = compiled
        self._own = threading.local()
        # An input or output may go by several names in OpenVINO (an input that is cast at once, by the cast's as well);
        # the card knows it by one of them.
        self._types = {_known(port, shapes): port.element_type.to_dtype().type for port in compiled.inputs}
        self._outputs = [name for port in compiled.outputs for name in port.names]
        self.info = info

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        feed = {name: cast(inputs[name], kind) for name, kind in self._types.items()}
        if not hasattr(self._own, "request"):
            self._own.request = self._compiled.create_infer_request()
        self._own.request.infer(feed, share_inputs=True)
        return {name: self._own.request.get_tensor(name).data for name in self._outputs}


def open_on_cpu(model: Path | bytes, shapes: Shapes, compute: Compute) -> OpenVinoSession:
    """Compile a model file, or the bytes of one, for the CPU with fixed shapes, which OpenVINO optimises best.

    Precision is always set: left alone, OpenVINO takes bf16 on processors with AMX.

    Raises:
        BackendError: when OpenVINO is absent or cannot read, reshape or compile the model.
    """
    try:
        import openvino
        import openvino.properties.hint as hints
        import openvino.properties.streams
    except ImportError as problem:
        raise BackendError(f"OpenVINO is not installed ({problem}).") from None
    kinds = {"f32": openvino.Type.f32, "f16": openvino.Type.f16, "bf16": openvino.Type.bf16}
    asked = "f32" if compute.precision == "auto" else compute.precision
    core, at_once = openvino.Core(), worker_count(compute)
    try:
        network = core.read_model(model if isinstance(model, bytes) else str(model))
        network.reshape(
            {port.any_name: list(shapes[port.any_name]) for port in network.inputs if port.any_name in shapes}
        )
        config = {
            hints.inference_precision: kinds[asked],
            hints.performance_mode: hints.PerformanceMode.THROUGHPUT,
            openvino.properties.streams.num: min(at_once, cores()),
            openvino.properties.inference_num_threads: cores(),
            # Other threads of a run, and of QGIS, share these cores.
            hints.enable_cpu_pinning: False,
        }
        compiled = core.compile_model(network, "CPU", config)
    except RuntimeError as problem:
        raise BackendError(" ".join(str(problem).split())[:300]) from problem
    live = {kind: name for name, kind in kinds.items()}.get(compiled.get_property(hints.inference_precision), "f32")
    reason = "" if live == asked else f"OpenVINO runs in {live} here, not in {asked}."
    name = core.get_property("CPU", "FULL_DEVICE_NAME").strip()
    return OpenVinoSession(compiled, SessionInfo("openvino", f"CPU ({name})", live, reason), shapes)


def abilities() -> list[str]:
    """In what this processor computes by itself, in OpenVINO's own words: ``FP32``, ``BF16``, ``INT8`` and others."""
    try:
        import openvino
    except ImportError:
        return []
    return list(openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


def reduced_precisions() -> list[str]:
    """Floating-point precisions below 32 bits in which this processor computes by itself."""
    able = abilities()
    return [name for word, name in (("BF16", "bf16"), ("FP16", "f16")) if word in able]


def _known(port: Any, shapes: Shapes) -> str:
    """The input's name in the ONNX graph."""
    return next((name for name in port.names if name in shapes), port.any_name)
