"""Sun and shadow: hill shading, shadows cast by houses and trees."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .frame import Frame
from .region import Region

SHADOW = 0.38
"""Light that still reaches a pixel in cast shadow, as a share."""


def hill_light(frame: Frame, region: Region, height: np.ndarray) -> np.ndarray:
    """Sunlight on the slope over sunlight on flat ground, 0.25 to 1.6, H x W float32."""
    down, right = np.gradient(ndimage.uniform_filter(height, 3), np.float32(frame.gsd))
    azimuth, elevation = np.radians([region.sun_azimuth, region.sun_elevation])
    east, south = np.sin(azimuth) / np.tan(elevation), -np.cos(azimuth) / np.tan(elevation)
    light = (1 - east * right - south * down) / np.sqrt(1 + right**2 + down**2)
    return np.clip(light, 0.25, 1.6).astype(np.float32)


def cast_shadow(frame: Frame, region: Region, top: np.ndarray) -> np.ndarray:
    """Pixels that objects of height ``top`` (metres above ground, H x W) keep from the sun; bool H x W."""
    azimuth, elevation = np.radians([region.sun_azimuth, region.sun_elevation])
    east, south = np.sin(azimuth), -np.cos(azimuth)
    drop = frame.gsd * np.tan(elevation)
    shadow = np.zeros(frame.shape, bool)
    for step in range(1, int(top.max() / drop) + 1):
        right, down = round(east * step), round(south * step)
        shadow |= _shifted(top, down, right) - step * drop > top
    return shadow


def _shifted(array: np.ndarray, down: int, right: int) -> np.ndarray:
    """``result[r, c] = array[r + down, c + right]``, 0 beyond the edge."""
    result = np.zeros_like(array)
    rows, columns = array.shape
    source = array[max(0, down) : rows + min(0, down), max(0, right) : columns + min(0, right)]
    result[max(0, -down) : rows - max(0, down), max(0, -right) : columns - max(0, right)] = source
    return result
