"""Heights: fractal relief into which flowing water has cut valleys."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from . import hydrology
from .frame import Frame
from .noise import fractal, stream
from .region import Region


@dataclass(frozen=True)
class Terrain:
    """Relief of a scene.

    Attributes:
        coarse: heights in metres on the coarse frame, margin included.
        height: heights in metres at full resolution, H x W float32.
        slope: rise over run at full resolution, H x W float32.
        lake: lake mask on the coarse frame.
        flow: the drainage of the coarse frame.
    """

    coarse: np.ndarray
    height: np.ndarray
    slope: np.ndarray
    lake: np.ndarray
    flow: hydrology.Drainage


def make_terrain(frame: Frame, region: Region, seed: int) -> Terrain:
    """Fractal relief, three rounds of valley cutting, lakes made level."""
    rng = stream(seed, "terrain")
    spread = 13 * region.relief * (frame.extent / 1000) ** 0.7
    coarse = fractal(rng, frame.coarse_shape, 0.55 * frame.cells, 6, 0.42)
    for strength in (1.0, 0.8, 0.6):
        coarse = _cut_valleys(coarse, strength)
    coarse = (coarse - coarse.min()) * spread + rng.uniform(20, 300)
    lake, coarse = hydrology.lakes(coarse, hydrology.drain(coarse), 0.025)
    flow = hydrology.drain(coarse)
    height = frame.refine(coarse)
    rough = fractal(rng, frame.shape, 40 / min(frame.gsd, 4), 3) * 0.012 * spread
    height += rough * (1 - frame.refine(ndimage.gaussian_filter(lake.astype(np.float32), 1.5)))
    return Terrain(coarse, height, _slope(height, frame.gsd), lake, flow)


def _cut_valleys(height: np.ndarray, strength: float) -> np.ndarray:
    """Lower the ground along the flow: narrow and deep on the line itself, wide and shallow beside it."""
    area = np.log1p(hydrology.drain(height).area.reshape(height.shape).astype(float))
    area /= area.max()
    depth = np.zeros_like(area)
    for weight, sigma in ((0.35, 1.0), (0.4, 3.5), (0.5, 9.0)):
        valley = ndimage.gaussian_filter(area, sigma)
        depth += weight * valley / valley.max()
    cut = height - strength * depth
    return (cut - cut.mean()) / cut.std()


def _slope(height: np.ndarray, gsd: float) -> np.ndarray:
    """Slope of the ground smoothed to about 3 pixels."""
    smooth = ndimage.uniform_filter(height, 3)
    down, right = np.gradient(smooth, np.float32(gsd))
    return np.hypot(down, right, dtype=np.float32)
