"""ONNX Runtime behind the session interface: CPU, CUDA, TensorRT and DirectML."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..job import Compute
from ..workers import threads_per_worker, worker_count
from . import BackendError, SessionInfo, Shapes

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "directml": "DmlExecutionProvider",
}
_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(uint16)": np.uint16,
    "tensor(int16)": np.int16,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


class OnnxRuntimeSession:
    """One ONNX Runtime session."""

    def __init__(self, session: Any, info: SessionInfo, at_once: int) -> None:
        self._session = session
        self._turn = threading.BoundedSemaphore(at_once)
        self._types = {item.name: _dtype(item.type, item.name) for item in session.get_inputs()}
        self._outputs = [item.name for item in session.get_outputs()]
        self.info = info

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        feed = {name: cast(array, self._types[name]) for name, array in inputs.items() if name in self._types}
        with self._turn:
            return dict(zip(self._outputs, self._session.run(None, feed), strict=True))


def cast(array: np.ndarray, dtype: type) -> np.ndarray:
    """The array as the graph's type; whole-number types are rounded and held to their range, never wrapped."""
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        array = np.clip(np.rint(array), limits.min, limits.max)
    return np.ascontiguousarray(array, dtype=dtype)


def open_on(device: str, model: Path, shapes: Shapes, compute: Compute) -> OnnxRuntimeSession:
    """A session on one device.

    Raises:
        BackendError: when the provider is not in this build, does not load, or cannot run the model.
    """
    try:
        import onnxruntime
    except ImportError as problem:
        raise BackendError(f"ONNX Runtime is not installed ({problem}).") from None
    provider = PROVIDERS[device]
    if provider not in onnxruntime.get_available_providers():
        raise BackendError(f"the installed ONNX Runtime has no {provider}.")
    if device in ("cuda", "tensorrt"):
        # Loads CUDA's and cuDNN's libraries from the wheels beside ONNX Runtime; without it they are not found.
        onnxruntime.preload_dlls()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads_per_worker(compute)
    try:
        # Without `enable_fallback=0` a failure is printed and another provider silently taken.
        session = onnxruntime.InferenceSession(str(model), options, _chain(device, compute), enable_fallback=0)
    except Exception as problem:  # ONNX Runtime raises classes of its own, RuntimeError and others
        raise BackendError(str(problem).splitlines()[0][:300]) from problem
    live = session.get_providers()
    if provider not in live:
        raise BackendError(f"{provider} did not load; the session runs on {', '.join(live)}.")
    precision, reason = _precision(device, compute)
    at_once = worker_count(compute) if device == "cpu" else 1
    return OnnxRuntimeSession(session, SessionInfo("onnxruntime", device.upper(), precision, reason), at_once)


def _chain(device: str, compute: Compute) -> list[Any]:
    cuda = (PROVIDERS["cuda"], {"use_tf32": "0"})
    chains: dict[str, list[Any]] = {
        "cpu": [PROVIDERS["cpu"]],
        "cuda": [cuda, PROVIDERS["cpu"]],
        "tensorrt": [
            (PROVIDERS["tensorrt"], {"trt_fp16_enable": str(compute.precision == "f16")}),
            cuda,
            PROVIDERS["cpu"],
        ],
        "directml": [PROVIDERS["directml"], PROVIDERS["cpu"]],
    }
    return chains[device]


def _precision(device: str, compute: Compute) -> tuple[str, str]:
    if device == "tensorrt" and compute.precision == "f16":
        return "f16", ""
    if compute.precision in ("auto", "f32"):
        return "f32", ""
    return "f32", f"ONNX Runtime on {device.upper()} runs this model as it is stored, in f32."


def _dtype(name: str, tensor: str) -> type:
    if name not in _DTYPES:
        raise BackendError(f"the input '{tensor}' has the type {name}, which holds no pixel values.")
    return _DTYPES[name]
