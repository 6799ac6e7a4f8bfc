"""Reflectances of materials in red, green, blue and near infrared, by region.

The values are chosen so that no band tells some pairs apart: clear water and deep shadow, turbid water and
wet soil, dry straw, gravel and concrete, asphalt and bare rock. The added layers are there to settle these.
"""

from __future__ import annotations

import numpy as np

from . import cover
from .region import Region

BANDS = ("red", "green", "blue", "nir")
WAVELENGTHS = (0.665, 0.56, 0.49, 0.842)
"""Centre wavelengths in micrometres."""

LEAF = np.array([0.045, 0.085, 0.04, 0.44], np.float32)
CROWN = np.array([0.032, 0.055, 0.032, 0.31], np.float32)
NEEDLE = np.array([0.025, 0.04, 0.028, 0.2], np.float32)
STRAW = np.array([0.2, 0.17, 0.11, 0.3], np.float32)
SCRUB = np.array([0.078, 0.086, 0.062, 0.19], np.float32)
CLEAR_WATER = np.array([0.018, 0.03, 0.036, 0.012], np.float32)
MUDDY_WATER = np.array([0.135, 0.115, 0.085, 0.06], np.float32)


def materials(region: Region) -> np.ndarray:
    """Reflectance of every laid material, 8 x 4 float32, in the order of `cover`'s constants."""
    grey = region.asphalt_grey
    soil, rock = np.array(region.soil), np.array(region.rock)
    table = np.zeros((8, 4), np.float32)
    table[cover.ASPHALT] = grey * np.array([1.0, 0.98, 0.95, 1.1])
    table[cover.CONCRETE] = 0.5 * rock + 0.5 * np.array([0.27, 0.26, 0.24, 0.31])
    table[cover.GRAVEL] = 0.55 * soil + 0.55 * rock
    table[cover.ROOF_RED] = (0.27, 0.145, 0.105, 0.33)
    table[cover.ROOF_GREY] = (0.15, 0.15, 0.155, 0.19)
    table[cover.ROOF_BRIGHT] = (0.46, 0.46, 0.47, 0.48)
    table[cover.RIVER] = water(region.turbidity)
    return table


def water(turbidity: float) -> np.ndarray:
    """Reflectance of water between clear (0) and muddy (1)."""
    return CLEAR_WATER + turbidity * (MUDDY_WATER - CLEAR_WATER)


def leaf(region: Region) -> np.ndarray:
    """Green herbs and crops of the region, greener or yellower."""
    return LEAF * np.array([2 - region.leaf, 1.0, 2 - region.leaf, region.leaf], np.float32)
