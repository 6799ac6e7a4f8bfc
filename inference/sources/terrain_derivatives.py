"""What is derived from elevation: pure functions on arrays, each pixel from its neighbourhood.

Definitions are those of ``gdaldem -compute_edges`` (Horn 1981 for the gradient; Wilson et al. 2007 for position and
roughness), except that pixel sizes are ground metres. A neighbour without a value counts as the centre's value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

#: The light of a hillshade: from the north-west, half way up (gdaldem's defaults).
AZIMUTH, ALTITUDE = 315.0, 45.0


@dataclass(frozen=True)
class Relief:
    """Elevation of a window with one pixel more at each side, and the ground size of its pixels.

    Attributes:
        elevation: (H+2)×(W+2) float32, metres.
        valid: (H+2)×(W+2) bool.
        width: H float64, ground metres along a pixel of each row.
        height: H float64, ground metres across it.
    """

    elevation: np.ndarray
    valid: np.ndarray
    width: np.ndarray
    height: np.ndarray

    @cached_property
    def centre(self) -> np.ndarray:
        """H×W float64 elevation."""
        return self.elevation[1:-1, 1:-1].astype(np.float64)

    @cached_property
    def neighbours(self) -> Mapping[tuple[int, int], np.ndarray]:
        """H×W float64 elevation of the eight neighbours by (row, column) step; invalid ones take the centre's."""
        rows, cols = self.centre.shape
        found = {}
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                if (down, right) == (0, 0):
                    continue
                part = slice(1 + down, 1 + down + rows), slice(1 + right, 1 + right + cols)
                found[down, right] = np.where(self.valid[part], self.elevation[part], self.centre)
        return found

    @cached_property
    def gradient(self) -> tuple[np.ndarray, np.ndarray]:
        """Rise per metre towards grid east and grid north, H×W float32 each (Horn 1981).

        Differences come first, which are exact for heights within a factor of two, so single precision suffices.
        """
        if self.valid.all():
            across, down = self.elevation[:, 2:] - self.elevation[:, :-2], self.elevation[:-2] - self.elevation[2:]
            east = _weighed(across[:-2], across[1:-1], across[2:])
            north = _weighed(down[:, :-2], down[:, 1:-1], down[:, 2:])
        else:
            # The same sums, so that it does not show which way was taken.
            n = {step: values.astype(np.float32) for step, values in self.neighbours.items()}
            east = _weighed(n[-1, 1] - n[-1, -1], n[0, 1] - n[0, -1], n[1, 1] - n[1, -1])
            north = _weighed(n[-1, -1] - n[1, -1], n[-1, 0] - n[1, 0], n[-1, 1] - n[1, 1])
        east *= (1 / (8 * self.width[:, None])).astype(np.float32)
        north *= (1 / (8 * self.height[:, None])).astype(np.float32)
        return east, north


def _weighed(first: np.ndarray, middle: np.ndarray, last: np.ndarray) -> np.ndarray:
    total = middle + middle
    total += first
    total += last
    return total


def slope(relief: Relief) -> np.ndarray:
    """Slope in degrees, H×W."""
    east, north = relief.gradient
    steepness = np.sqrt(east * east + north * north)
    return np.degrees(np.arctan(steepness, out=steepness), out=steepness)


def aspect_sin(relief: Relief) -> np.ndarray:
    """Sine of the compass direction that the slope faces, H×W: 1 where it falls to the east; 0 where it is flat."""
    return _facing(relief, 0)


def aspect_cos(relief: Relief) -> np.ndarray:
    """Cosine of the compass direction that the slope faces, H×W: 1 where it falls to the north; 0 where it is flat."""
    return _facing(relief, 1)


def _facing(relief: Relief, part: int) -> np.ndarray:
    steepness = np.hypot(*relief.gradient)
    # Resampling plane water leaves steps of float32's last digit, and these face anywhere.
    noise = 4 * np.spacing(np.abs(relief.centre).astype(np.float32)) / np.minimum(relief.width, relief.height)[:, None]
    flat = steepness <= noise
    return np.where(flat, 0.0, -relief.gradient[part] / np.where(flat, 1.0, steepness))


def hillshade(relief: Relief) -> np.ndarray:
    """Illumination, H×W, 1 (in shadow) to 255 (facing the light); not rounded, unlike gdaldem's bytes."""
    east, north = relief.gradient
    azimuth, altitude = np.radians(AZIMUTH), np.radians(ALTITUDE)
    towards = east * np.sin(azimuth) + north * np.cos(azimuth)
    cosine = (np.sin(altitude) - np.cos(altitude) * towards) / np.sqrt(1 + east**2 + north**2)
    return 1 + 254 * np.maximum(cosine, 0.0)


def roughness(relief: Relief) -> np.ndarray:
    """Highest minus lowest of the 3×3 pixels, in metres, H×W."""
    highest, lowest = relief.centre.copy(), relief.centre.copy()
    for values in relief.neighbours.values():
        np.maximum(highest, values, out=highest)
        np.minimum(lowest, values, out=lowest)
    return highest - lowest


def position(relief: Relief) -> np.ndarray:
    """Height above the mean of the eight neighbours, in metres, H×W."""
    return relief.centre - sum(relief.neighbours.values()) / 8


def wide_position(
    elevation: np.ndarray, valid: np.ndarray, halo: int, reach_rows: np.ndarray, reach_cols: np.ndarray
) -> np.ndarray:
    """Height above the mean of the other pixels in a rectangle round each pixel, in metres, H×W.

    Args:
        elevation: (H+2·halo)×(W+2·halo) float32, metres.
        valid: the same shape, bool; pixels without a value do not count.
        halo: pixels by which the arrays reach beyond the window.
        reach_rows: H int, rows above and below the pixel that count, at most `halo`.
        reach_cols: H int, columns left and right of it.
    """
    rows, cols = elevation.shape[0] - 2 * halo, elevation.shape[1] - 2 * halo
    # Heights above one of them keep the sums small, so that nothing is lost in their last digits.
    level = float(elevation[valid].min()) if valid.any() else 0.0
    heights = np.where(valid, elevation.astype(np.float64) - level, 0.0)
    row, col = np.arange(rows) + halo, np.arange(cols) + halo
    top, bottom = (row - reach_rows)[:, None], (row + reach_rows + 1)[:, None]
    left, right = col[None, :] - reach_cols[:, None], col[None, :] + reach_cols[:, None] + 1

    def box(values: np.ndarray) -> np.ndarray:
        sums = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
        np.cumsum(np.cumsum(values, axis=0), axis=1, out=sums[1:, 1:])
        return sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]

    inner = slice(halo, halo + rows), slice(halo, halo + cols)
    centre = heights[inner]
    others = box(valid.astype(np.float64)) - valid[inner]
    return np.where(others > 0, centre - (box(heights) - centre) / np.maximum(others, 1), 0.0)


#: The derivatives that come from a pixel and its eight neighbours.
LOCAL = {
    "elevation": lambda relief: relief.centre,
    "slope": slope,
    "aspect_sin": aspect_sin,
    "aspect_cos": aspect_cos,
    "hillshade": hillshade,
    "tpi": position,
    "roughness": roughness,
}
