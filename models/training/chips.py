"""Stacks with their truth, cut into chips: a spatial split, statistics, augmentation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage


@dataclass(frozen=True)
class Stack:
    """A fused stack of one scene with its truth.

    Attributes:
        values: C×H×W float32 in the sources' own units; undefined where not valid.
        valid: C×H×W bool.
        truth: H×W; class indices from 0, or values of a regression; negative where unknown.
    """

    values: np.ndarray
    valid: np.ndarray
    truth: np.ndarray


@dataclass(frozen=True)
class Normalisation:
    """What the card's scaling says of every channel: ``(clip(x, low, high) - offset) / scale``, float arrays of C."""

    offset: np.ndarray
    scale: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def apply(self, stack: Stack, fill: float = 0.0) -> np.ndarray:
        """Model input, C×H×W float32, with ``fill`` where a channel is not valid."""
        shape = (-1, 1, 1)
        clipped = np.clip(stack.values, self.low.reshape(shape), self.high.reshape(shape))
        scaled = (clipped - self.offset.reshape(shape)) / self.scale.reshape(shape)
        return np.where(stack.valid, scaled, fill).astype(np.float32)


def measure(stacks: list[Stack], as_is: list[bool], step: int = 7) -> Normalisation:
    """Z-score statistics of every channel over a regular sample of all stacks.

    Channels marked ``as_is`` (shares between 0 and 1, whose zero says "nothing there") keep their values.
    Clipping lies well outside what was seen, so that a stray value cannot drown a tile.
    """
    rows = []
    for channel, keep in enumerate(as_is):
        if keep:
            rows.append((0.0, 1.0, 0.0, 1.0))
            continue
        sample = np.concatenate([s.values[channel, ::step, ::step][s.valid[channel, ::step, ::step]] for s in stacks])
        mean, spread = float(sample.mean(dtype=float)), max(float(sample.std(dtype=float)), 1e-6)
        rows.append((mean, spread, mean - 6 * spread, mean + 6 * spread))
    offset, scale, low, high = (np.array(column, np.float64).round(4) for column in zip(*rows, strict=True))
    return Normalisation(offset, scale, low, high)


@dataclass(frozen=True)
class Chip:
    """A square of a stack: which stack, and its upper left pixel."""

    stack: int
    row: int
    col: int


def split(stacks: list[Stack], size: int, share: float, rng: np.random.Generator) -> tuple[list[Chip], list[Chip]]:
    """Training and validation chips on a regular lattice, split by area.

    A rectangle along one side of every scene, ``share`` of its area, is kept for validation. A strip
    between the two is left out, into which training chips shift by up to half their side.
    """
    train: list[Chip] = []
    validation: list[Chip] = []
    for number, stack in enumerate(stacks):
        height, width = stack.truth.shape
        axis, far = int(rng.integers(2)), bool(rng.integers(2))
        length = (height, width)[axis]
        for row in range(0, height - size + 1, size):
            for col in range(0, width - size + 1, size):
                place = (row, col)[axis]
                distance = length - size - place if far else place
                if distance < share * length - size:
                    validation.append(Chip(number, row, col))
                elif distance >= share * length + size:
                    train.append(Chip(number, row, col))
    return train, validation


@dataclass(frozen=True)
class Variation:
    """How much a picture may differ from those simulated; standard deviations in units of the z-scored bands.

    Attributes:
        gain: of the contrast about 1.
        shift: of the brightness of all bands together.
        tint: of the brightness of single bands.
        coarse: probability that a chip looks resampled from pixels up to three times as large, grain and all.
    """

    gain: float = 0.1
    shift: float = 0.15
    tint: float = 0.05
    coarse: float = 0.0

    def apply(self, bands: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Varied copy of C×H×W bands."""
        gain, shift = np.exp(rng.normal(0, self.gain)), rng.normal(0, self.shift)
        varied = bands * gain + (shift + rng.normal(0, self.tint, (len(bands), 1, 1)))
        return _coarsened(varied, rng) if rng.random() < self.coarse else varied


def _coarsened(bands: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """C×S×S bands sampled at larger pixels, with the grain of those, and resampled bilinearly to the old ones."""
    side = bands.shape[1]
    count = round(side / rng.uniform(1.4, 3.0))
    smooth = ndimage.gaussian_filter(bands, (0, *(0.4 * side / count,) * 2))
    coarse = ndimage.zoom(smooth, (1, count / side, count / side), order=1)
    coarse += rng.normal(0, rng.uniform(0.02, 0.2), coarse.shape[1:])
    return ndimage.zoom(coarse, (1, side / count, side / count), order=1)[:, :side, :side]


class Batches:
    """Training batches for ever: random chips of the training area, turned, brightened, with layers left out.

    Args:
        inputs: model inputs, one C×H×W float32 a scene.
        truths: H×W truths, one a scene.
        chips: the lattice chips of the training area; batches shift them by up to half a chip.
        size: side of a chip in pixels.
        groups: channel slices by slot name.
        leave_out: probability by slot name that a chip goes without that slot.
        imagery: channel slices that are varied.
        variation: how much.
    """

    def __init__(
        self,
        inputs: list[np.ndarray],
        truths: list[np.ndarray],
        chips: list[Chip],
        size: int,
        groups: dict[str, slice],
        leave_out: dict[str, float],
        imagery: list[slice],
        variation: Variation,
    ) -> None:
        self.inputs, self.truths, self.chips, self.size = inputs, truths, chips, size
        self.groups, self.leave_out = groups, leave_out
        self.imagery, self.variation = imagery, variation

    def draw(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """``count`` chips: inputs N×C×S×S float32 and truths N×S×S."""
        pairs = [self._one(self.chips[i], rng) for i in rng.integers(0, len(self.chips), count)]
        x, y = zip(*pairs, strict=True)
        return np.stack(x), np.stack(y)

    def _one(self, chip: Chip, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        rows, cols = self._square(chip, rng)
        x, y = self.inputs[chip.stack][:, rows, cols].copy(), self.truths[chip.stack][rows, cols]
        for name, probability in self.leave_out.items():
            if rng.random() < probability:
                x[self.groups[name]] = 0.0
        for bands in self.imagery:
            x[bands] = self.variation.apply(x[bands], rng)
        turns, mirrored = int(rng.integers(4)), rng.random() < 0.5
        x, y = np.rot90(x, turns, (1, 2)), np.rot90(y, turns)
        return (x[:, :, ::-1].copy(), y[:, ::-1].copy()) if mirrored else (x.copy(), y.copy())

    def _square(self, chip: Chip, rng: np.random.Generator) -> tuple[slice, slice]:
        """The chip shifted at random, but neither out of the scene nor far into the strip beside the training area."""
        height, width = self.truths[chip.stack].shape
        half = self.size // 2
        row, col = np.array([chip.row, chip.col]) + rng.integers(-half, half + 1, 2)
        row, col = int(np.clip(row, 0, height - self.size)), int(np.clip(col, 0, width - self.size))
        return slice(row, row + self.size), slice(col, col + self.size)


def whole_chips(
    inputs: list[np.ndarray], truths: list[np.ndarray], chips: list[Chip], size: int, count: int
) -> Iterator:
    """Chips in order, ``count`` at a time, as they are: inputs and truths as in `Batches.draw`."""
    for start in range(0, len(chips), count):
        some = chips[start : start + count]
        squares = [(c.stack, slice(c.row, c.row + size), slice(c.col, c.col + size)) for c in some]
        x = np.stack([inputs[stack][:, rows, cols] for stack, rows, cols in squares])
        yield x, np.stack([truths[stack][rows, cols] for stack, rows, cols in squares])
