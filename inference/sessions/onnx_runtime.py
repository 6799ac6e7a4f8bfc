"""ONNX Runtime behind the session interface: CPU, CUDA, TensorRT and DirectML."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import threading
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ...models.errors import CardError
from ...models.files import model_hash
from ...models.graph import read_graph
from ..job import Compute
from ..nvidia import ask_cards
from ..user_cache import cache_folder
from ..workers import threads_per_worker, worker_count
from . import BackendError, SessionInfo, Shapes, runtime_versions
from .provider_options import (
    BOUND,
    FULL_PRECISION,
    PROVIDERS,
    engine_folder,
    left_behind,
    memory_pattern,
    provider_chain,
)

__all__ = ["PROVIDERS", "RECORD", "OnnxRuntimeSession", "assigned", "cast", "open_on", "run_bound"]
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
#: A place in ONNX Runtime's source: file, line and function.
_SOURCE = re.compile(r"^\S+\.(?:cc|h):\d+ .*?\) (?=\[|[A-Z])")
#: TensorRT's engines of this many models, batches and versions are kept.
_ENGINES = 20
#: Has a session tell which provider runs which operator; ONNX Runtime before 1.24 passes over it.
RECORD = "session.record_ep_graph_assignment_info"


class OnnxRuntimeSession:
    """One ONNX Runtime session.

    Args:
        session: ONNX Runtime's own.
        info: what it really runs on.
        at_once: how many threads may run it at the same time.
        memory: the memory that inputs and outputs are bound in, such as ``cuda``; empty binds none.
    """

    def __init__(self, session: Any, info: SessionInfo, at_once: int, memory: str = "") -> None:
        self._session = session
        self._turn = threading.BoundedSemaphore(at_once)
        self._types = {item.name: _dtype(item.type, item.name) for item in session.get_inputs()}
        self._outputs = [item.name for item in session.get_outputs()]
        self._memory = memory
        self.info = info

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        feed = {name: cast(array, self._types[name]) for name, array in inputs.items() if name in self._types}
        with self._turn:
            if self._memory:
                return run_bound(self._session, feed, self._memory)
            return dict(zip(self._outputs, self._session.run(None, feed), strict=True))


def run_bound(session: Any, feed: Mapping[str, np.ndarray], memory: str) -> dict[str, np.ndarray]:
    """Run with inputs and outputs bound: each input is copied into the session's memory once, and each output lies
    there until it is copied back, once (https://onnxruntime.ai/docs/performance/tune-performance/iobinding.html).

    Args:
        session: ONNX Runtime's own.
        feed: arrays of the graph's types by input.
        memory: where outputs are allocated: ``cuda``, or ``cpu``.
    """
    binding = session.io_binding()
    for name, array in feed.items():
        binding.bind_cpu_input(name, array)
    names = [item.name for item in session.get_outputs()]
    for name in names:
        binding.bind_output(name, memory)
    session.run_with_iobinding(binding)
    return dict(zip(names, binding.copy_outputs_to_cpu(), strict=True))


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
    if device == "tensorrt":
        os.environ.setdefault(*FULL_PRECISION)
    missing = _load_libraries(onnxruntime) if device in BOUND else ""
    chain = provider_chain(device, compute, _engines(model) if device == "tensorrt" else None)
    options = _options(onnxruntime, device, compute)
    try:
        # Without `enable_fallback=0` a failure is printed and another provider silently taken.
        session = onnxruntime.InferenceSession(str(model), options, chain, enable_fallback=0)
    except Exception as problem:  # ONNX Runtime raises classes of its own, RuntimeError and others
        raise BackendError(f"{_words(problem)} {missing}".strip()) from problem
    live = session.get_providers()
    if provider not in live:
        raise BackendError(f"{provider} did not load; the session runs on {', '.join(live)}. {missing}".strip())
    precision, *reasons = _precision(device, compute)
    reasons += [_not_loaded(chain, live), left_behind(assigned(session), provider) if device != "cpu" else ""]
    info = SessionInfo("onnxruntime", device.upper(), precision, " ".join(filter(None, reasons)))
    at_once = worker_count(compute) if device == "cpu" else 1
    return OnnxRuntimeSession(session, info, at_once, BOUND.get(device, ""))


def _options(onnxruntime: Any, device: str, compute: Compute) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads_per_worker(compute)
    options.enable_mem_pattern = memory_pattern(device)
    if device != "cpu":
        options.add_session_config_entry(RECORD, "1")
    return options


def _words(problem: Exception) -> str:
    """What ONNX Runtime says of it, without the line of its source in which it says so."""
    return _SOURCE.sub("", (str(problem).splitlines() or [type(problem).__name__])[0])[:300]


def _load_libraries(onnxruntime: Any) -> str:
    """Load CUDA's and cuDNN's libraries from the wheels beside ONNX Runtime, where they are not found without it
    (https://onnxruntime.ai/docs/execution-providers/CUDA-ExecutionProvider.html#preload-dlls); what was missing.
    """
    said = io.StringIO()
    # It prints what it does not find, and raises nothing.
    with contextlib.redirect_stdout(said):
        onnxruntime.preload_dlls()
    return next((line.strip()[:300] for line in said.getvalue().splitlines() if line.startswith("Failed")), "")


def _engines(model: Path) -> Path | None:
    """The folder of the model's TensorRT engines; None where none can be written."""
    try:
        digest = model_hash(model, read_graph(model).external)
        folder = engine_folder(cache_folder(), digest, _versions(), _cards())
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        _sweep(folder.parent)
    except (OSError, CardError):
        return None
    return folder


def _versions() -> dict[str, str]:
    """Of what builds engines and what runs them."""
    packages = ((one.name or "").lower() for one in metadata.distributions())
    return {**runtime_versions(), **{name: metadata.version(name) for name in packages if name.startswith("tensorrt")}}


@cache
def _cards() -> tuple[str, ...]:
    return tuple(f"{card.name} {card.driver}" for card in ask_cards())


def _sweep(home: Path) -> None:
    """Delete the engines that were used longest ago."""
    used = sorted((one for one in home.iterdir() if one.is_dir()), key=lambda one: one.stat().st_mtime, reverse=True)
    for old in used[_ENGINES:]:
        shutil.rmtree(old, ignore_errors=True)


def assigned(session: Any) -> dict[str, list[str]]:
    """Operators by the provider that runs them, of a session made with `RECORD`; empty where ONNX Runtime is old."""
    found: dict[str, list[str]] = {}
    tell = getattr(session, "get_provider_graph_assignment_info", tuple)
    try:
        parts = list(tell())
    except Exception:  # noqa: BLE001 - a provider that cannot tell its operators runs them all the same
        return found
    for part in parts:
        found.setdefault(part.ep_name, []).extend(node.op_type for node in part.get_nodes())
    return found


def _not_loaded(chain: list[Any], live: list[str]) -> str:
    """What was offered beside the device and is not there."""
    offered = [one if isinstance(one, str) else one[0] for one in chain]
    gone = [name for name in offered if name not in live]
    return f"{' and '.join(gone)} did not load beside it." if gone else ""


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
