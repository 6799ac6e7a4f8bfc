"""Chips varied as the world varies them: turned and mirrored with their directions, exposed otherwise, coarser."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage


@dataclass(frozen=True)
class Variation:
    """How much a picture may differ from those trained on; standard deviations in units of the z-scored bands.

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


SATELLITE = Variation()
#: Aerial pictures have no calibration: exposure, tone and pixel size are each flight's own.
AERIAL = Variation(gain=0.12, shift=0.22, tint=0.07, coarse=0.4)


def variation_of(bands: list[np.ndarray]) -> Variation:
    """How much such imagery (arrays of any shape) varies: whole numbers up to 255 are pictures, others measurements."""
    picture = all(b.min(initial=0) >= 0 and b.max(initial=0) <= 255 and (b == np.floor(b)).all() for b in bands)
    return AERIAL if picture else SATELLITE


@dataclass(frozen=True)
class Directions:
    """Channels that hold a direction on the ground, as its east (sine) and north (cosine) component, unscaled."""

    east: int
    north: int

    def turn(self, chip: np.ndarray, turns: int, mirrored: bool) -> None:
        """Turn the directions of a C×H×W chip that `numpy.rot90` turned so often, and then mirrored left to right."""
        for _ in range(turns % 4):
            east, north = chip[self.east].copy(), chip[self.north].copy()
            chip[self.east], chip[self.north] = -north, east
        if mirrored:
            chip[self.east] *= -1


def turned(
    chip: np.ndarray, truth: np.ndarray, turns: int, mirrored: bool, directions: tuple[Directions, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """C×S×S chip and S×S truth, turned by quarters (counter-clockwise) and mirrored, directions with them."""
    chip, truth = np.rot90(chip, turns, (1, 2)), np.rot90(truth, turns)
    if mirrored:
        chip, truth = chip[:, :, ::-1], truth[:, ::-1]
    chip, truth = chip.copy(), truth.copy()
    for pair in directions:
        pair.turn(chip, turns, mirrored)
    return chip, truth


def _coarsened(bands: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """C×S×S bands sampled at larger pixels, with the grain of those, and resampled bilinearly to the old ones."""
    side = bands.shape[1]
    count = round(side / rng.uniform(1.4, 3.0))
    smooth = ndimage.gaussian_filter(bands, (0, *(0.4 * side / count,) * 2))
    coarse = ndimage.zoom(smooth, (1, count / side, count / side), order=1)
    coarse += rng.normal(0, rng.uniform(0.02, 0.2), coarse.shape[1:])
    return ndimage.zoom(coarse, (1, side / count, side / count), order=1)[:, :side, :side]
