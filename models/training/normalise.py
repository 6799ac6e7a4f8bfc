"""How each channel is scaled: measured on the training scenes, written into the card, the same in every run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from ..card import Channel, Scaling, Slot
from .scenes import Scene

#: Every so many rows and columns are looked at.
_STEP = 5
#: Clipping lies so many standard deviations off: a stray value cannot drown a tile, and nothing usual is touched.
_FAR = 6.0


@dataclass(frozen=True)
class Normalisation:
    """What the card's scaling says of every channel: ``(clip(x, low, high) - offset) / scale``, float arrays of C."""

    offset: np.ndarray
    scale: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def apply(self, scene: Scene, fill: float = 0.0) -> np.ndarray:
        """Model input, C×H×W float32, with `fill` where a channel is not valid."""
        shape = (-1, 1, 1)
        values = np.where(scene.valid, scene.values, 0)
        clipped = np.clip(values, self.low.reshape(shape), self.high.reshape(shape))
        scaled = (clipped - self.offset.reshape(shape)) / self.scale.reshape(shape)
        return np.where(scene.valid, scaled, fill).astype(np.float32)


def measure(scenes: list[Scene], slots: tuple[Slot, ...]) -> Normalisation:
    """Z-score statistics of every channel over a regular sample of all scenes.

    Shares, probabilities and directions (OpenStreetMap, priors, aspect), whose zero says "nothing there", keep their
    values.
    """
    channels = [channel for slot in slots for channel in _with_mask(slot)]
    rows = [_row(number, keeps_values(slot, channel), scenes) for number, (slot, channel) in enumerate(channels)]
    return Normalisation(*(np.array(column, np.float64) for column in zip(*rows, strict=True)))


def keeps_values(slot: Slot, channel: Channel | None) -> bool:
    """Whether a channel goes into the network as it is; None stands for a mask channel."""
    if channel is None or slot.role in ("osm", "prior", "location"):
        return True
    return channel.derivative in ("aspect_sin", "aspect_cos")


def scaled_slots(slots: tuple[Slot, ...], normalisation: Normalisation) -> tuple[Slot, ...]:
    """The slots with the scaling that was measured."""
    return tuple(replace(slot, channels=tuple(_scaled(slot, normalisation))) for slot in slots)


def _scaled(slot: Slot, normalisation: Normalisation) -> Iterable[Channel]:
    columns = (normalisation.offset, normalisation.scale, normalisation.low, normalisation.high)
    for number, channel in enumerate(slot.channels):
        if keeps_values(slot, channel):
            yield channel
        else:
            yield replace(channel, scaling=Scaling(*(float(column[slot.offset + number]) for column in columns)))


def _with_mask(slot: Slot) -> list[tuple[Slot, Channel | None]]:
    mask = [(slot, None)] if slot.width > len(slot.channels) else []
    return [*((slot, channel) for channel in slot.channels), *mask]


def _row(number: int, as_is: bool, scenes: list[Scene]) -> tuple[float, float, float, float]:
    if as_is:
        return 0.0, 1.0, -np.inf, np.inf
    parts = [s.values[number, ::_STEP, ::_STEP][s.valid[number, ::_STEP, ::_STEP]] for s in scenes]
    sample = np.concatenate(parts).astype(float)
    if len(sample) == 0:
        return 0.0, 1.0, -1.0, 1.0
    mean, spread = float(sample.mean()), max(float(sample.std()), 1e-6)
    row = (mean, spread, mean - _FAR * spread, mean + _FAR * spread)
    offset, scale, low, high = (float(f"{value:.6g}") for value in row)
    return offset, scale or 1e-6, low, high
