"""How many tiles at once: as many as gain, and never more than the device has memory for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from fusion_mapper.inference.batching import MOST, fastest_batch

MODEL = Path(__file__).resolve().parents[2] / "resources" / "models" / "landcover-rgb-1m.onnx"


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(MODEL), providers=["CPUExecutionProvider"])


@pytest.fixture
def tile(session) -> dict[str, np.ndarray]:
    (feed,) = session.get_inputs()
    return {feed.name: np.zeros((1, feed.shape[1], 64, 64), np.float32)}


def test_a_real_session_takes_what_is_chosen(session, tile):
    seen: list[int] = []

    def run(batch):
        seen.append(len(next(iter(batch.values()))))
        return session.run(None, batch)

    chosen = fastest_batch(run, tile)
    assert chosen in seen
    assert seen == sorted(seen)
    assert 1 <= chosen <= MOST


class Device:
    """A device whose memory and time a test decides."""

    def __init__(self, room: int, seconds: Callable[[int], float]) -> None:
        self.now = 0.0
        self.seen: list[int] = []
        self._room, self._seconds = room, seconds

    def __call__(self, batch: dict[str, np.ndarray]) -> None:
        size = len(next(iter(batch.values())))
        self.seen.append(size)
        if size > self._room:
            raise RuntimeError("CUDA failure 2: out of memory ; GPU=0")
        self.now += self._seconds(size)


def test_what_finds_no_memory_is_not_chosen(tile):
    device = Device(4, lambda size: 1.0)
    assert fastest_batch(device, tile, clock=lambda: device.now) == 4


def test_without_memory_for_one_tile_the_device_is_not_taken(tile):
    def run(batch):
        raise RuntimeError("Failed to allocate memory for requested buffer of size 536870912")

    with pytest.raises(RuntimeError, match="Failed to allocate"):
        fastest_batch(run, tile)


def test_a_doubling_that_gains_nothing_is_the_last_that_is_tried(tile):
    device = Device(1000, lambda size: 1.0 + 0.98 * size)
    assert fastest_batch(device, tile, clock=lambda: device.now) == 16
    assert max(device.seen) == 32


def test_a_device_that_gains_to_the_end_stops_at_the_most(tile):
    device = Device(1000, lambda size: 1.0)
    assert fastest_batch(device, tile, clock=lambda: device.now) == MOST
