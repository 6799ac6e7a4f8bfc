"""Sessions: the one small interface behind which a model runs, and the choice of backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np

from ...models.card import Card
from ..errors import RequestError
from ..inputs import input_shapes
from ..job import Compute

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class SessionInfo:
    """What a live session really runs on."""

    backend: str
    """``onnxruntime`` or ``openvino``."""
    device: str
    """Device in the runtime's words, with the card's or processor's name where it tells one."""
    precision: str
    reason: str = ""
    """Why this is not what was asked for; empty when it is."""


class Session(Protocol):
    """A loaded model. `run` may be called from several threads: on a CPU as many run at once as there are workers
    (`workers.threads_per_worker`); on a device with memory of its own they take turns.
    """

    info: SessionInfo

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """ONNX input name → array of the full batch in; ONNX output name → array out, good until the same thread runs
        the session again.
        """
        ...


def tile_shapes(card: Card, batch: int, tile: int) -> Shapes:
    """The shape of each ONNX input for `batch` tiles of `tile` run-grid pixels."""
    shapes: Shapes = {}
    for name, (channels, dates, ratio) in input_shapes(card).items():
        shapes[name] = (batch, channels, *([dates] if dates else []), tile // ratio, tile // ratio)
    for slot in card.slots:
        if slot.layout == "vector":
            shapes[slot.input] = (batch, len(slot.channels))
    return shapes


def open_session(model: Path, card: Card, compute: Compute, batch: int, tile: int) -> Session:
    """Load the model on the device asked for, or on the best one that really loads.

    A device that was named, or that this installation is made for, and does not load is replaced by the CPU, and the
    session's `info.reason` says why.

    Raises:
        RequestError: when no backend can load the model.
    """
    shapes = tile_shapes(card, batch, tile)
    reasons: dict[str, str] = {}
    for name, opener in _candidates(compute.device):
        try:
            session = opener(model, shapes, compute)
        except BackendError as problem:
            reasons[name] = f"{name}: {problem}"
            continue
        # Where all is left open, a device that is not installed was not meant.
        meant = present("auto") if compute.device == "auto" else reasons
        told = [reason for device, reason in reasons.items() if device in meant]
        if told and compute.device != name:
            session.info = replace(session.info, reason=" ".join([session.info.reason, *told]).strip())
        return session
    raise RequestError(f"The model {model.name} cannot be loaded. {' '.join(reasons.values())}")


def present(device: str) -> list[str]:
    """Devices, by the names of `Compute.device`, that are installed and that `device` leaves open."""
    from .onnx_runtime import PROVIDERS

    names = [name for name, _ in _candidates(device)]
    try:
        import onnxruntime

        able = onnxruntime.get_available_providers()
    except ImportError:
        able = []
    found = {"onnxruntime-cpu": "CPUExecutionProvider" in able, "openvino": find_spec("openvino") is not None}
    return [name for name in names if found.get(name, PROVIDERS.get(name) in able)]


def runtime_versions() -> dict[str, str]:
    """Versions of what runs models, by package."""
    versions = {}
    for package in ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "openvino"):
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions


class BackendError(Exception):
    """A backend is absent or cannot load this model; the text is its own reason."""


Opener = Callable[[Path, Shapes, Compute], Session]


def _candidates(device: str) -> list[tuple[str, Opener]]:
    from . import onnx_runtime, open_vino

    def provider(name: str) -> Opener:
        return lambda model, shapes, compute: onnx_runtime.open_on(name, model, shapes, compute)

    cpu: list[tuple[str, Opener]] = [("openvino", open_vino.open_on_cpu), ("onnxruntime-cpu", provider("cpu"))]
    if device == "auto":
        return [("cuda", provider("cuda")), ("directml", provider("directml")), *cpu]
    if device in ("cpu", "openvino"):
        return cpu
    if device == "onnxruntime-cpu":
        return [("onnxruntime-cpu", provider("cpu"))]
    return [(device, provider(device)), *cpu]
