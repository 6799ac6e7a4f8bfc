"""What the GPU part is checked with: the devices, a starter model's tiles, and how answers are compared."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fusion_mapper.inference.activation import probabilities
from fusion_mapper.inference.job import Compute
from fusion_mapper.inference.sessions import BackendError, Session, open_session, tile_shapes
from fusion_mapper.models.load import LoadedModel, load_model

MODELS = Path(__file__).resolve().parents[2] / "resources" / "models"
#: Names devices to check in place of the graphics card's, as `Compute.device` calls them; for trying the checks
#: themselves on a machine without a card: ``FUSION_MAPPER_CHECK_DEVICES=openvino``.
VARIABLE = "FUSION_MAPPER_CHECK_DEVICES"
#: The devices that are a graphics card's.
GPU = ("cuda", "tensorrt", "directml")
#: What every answer is compared with.
REFERENCE = "onnxruntime-cpu"
TILE = 512
#: Seconds for which a rate is measured.
MEASURED = 2.0


@dataclass(frozen=True)
class Asked:
    """A device and the precision that is asked of it."""

    device: str
    precision: str = "f32"

    def __str__(self) -> str:
        return f"{self.device}, {self.precision}"


def devices_to_check() -> tuple[str, ...]:
    """The devices of this check: a graphics card's, unless the variable names others."""
    named = os.environ.get(VARIABLE, "").replace(",", " ").split()
    return tuple(named) or GPU


def is_asked_for() -> bool:
    """Whether the checks were called by name, so that a device that does not load is a failure."""
    return bool(os.environ.get(VARIABLE))


def starter(name: str) -> LoadedModel:
    """One of the starter models."""
    return load_model(MODELS / f"{name}.onnx")


def tiles(model: LoadedModel, batch: int = 1, tile: int = TILE) -> dict[str, np.ndarray]:
    """Inputs as the model is fed them: scaled, and as uneven in space as pictures are."""
    draws = np.random.default_rng(7)
    fed = {}
    for name, shape in tile_shapes(model.card, batch, tile).items():
        coarse = draws.normal(size=(*shape[:-2], shape[-2] // 8, shape[-1] // 8))
        fed[name] = np.float32(coarse.repeat(8, -2).repeat(8, -1) + 0.3 * draws.normal(size=shape))
    return fed


def opened(model: LoadedModel, asked: Asked, batch: int = 1, tile: int = TILE, memory: int | None = None) -> Session:
    """A session on that device and no other.

    Raises:
        BackendError: with the reason why there is none; a session on another device is none.
    """
    compute = Compute(device=asked.device, precision=asked.precision, memory=memory)
    session = open_session(model.path, model.card, compute, batch, tile)
    if session.info.reason:
        raise BackendError(session.info.reason)
    return session


def difference(model: LoadedModel, one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> tuple[float, float]:
    """The largest difference of two answers, as what the card says they are (probabilities, shares of the range), and
    the share of pixels whose class is the same, where the two highest are further apart than twice that difference.
    """
    largest, same = 0.0, 1.0
    for output in model.card.outputs:
        first, second = (probabilities(output, answer[output.name][0]) for answer in (one, other))
        if output.task == "pixel-regression":
            spread = float(np.ptp(first)) or 1.0
            largest = max(largest, float(np.abs(first - second).max()) / spread)
            continue
        largest = max(largest, float(np.abs(first - second).max()))
        same = min(same, _agreement(first, second))
    return largest, same


def rate(session: Session, fed: dict[str, np.ndarray], seconds: float = MEASURED) -> float:
    """Megapixels a second through one session, one batch after the other; the first, which prepares, is not counted."""
    session.run(fed)
    pixels = next(iter(fed.values())).shape[0] * TILE**2
    begun, runs = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        session.run(fed)
        runs += 1
    return runs * pixels / 1e6 / (time.perf_counter() - begun)


def _agreement(first: np.ndarray, second: np.ndarray) -> float:
    if len(first) < 2:
        return float(((first >= 0.5) == (second >= 0.5))[np.abs(first - 0.5) > 1e-4].mean())
    ordered = np.sort(first, axis=0)
    clear = ordered[-1] - ordered[-2] > 2e-4
    return float((first.argmax(0) == second.argmax(0))[clear].mean())
