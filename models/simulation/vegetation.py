"""Tree cover: woods, plantations, hedges, river banks, gardens and single trees."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .burn import burn, burn_ribbons
from .frame import Frame
from .hydrology import River
from .noise import fractal, stream, uniform
from .parcels import PLANTATION, Parcels
from .region import Region
from .settlements import Settlement


def make_tree_cover(
    frame: Frame,
    region: Region,
    parcels: Parcels,
    slope: np.ndarray,
    rivers: list[River],
    places: list[Settlement],
    seed: int,
) -> np.ndarray:
    """The share of ground that crowns cover, 0 to 1, before water, roads and buildings; float32 H x W."""
    rng = stream(seed, "vegetation")
    farmed = parcels.farmed
    cover = _woods(frame, region, slope, farmed, rng)
    planted = (parcels.use == PLANTATION)[parcels.number]
    stand = np.clip(1.9 - parcels.shade, 0.55, 0.96).astype(np.float32)[parcels.number]
    cover = np.where(planted, np.maximum(cover, stand), cover)
    cover[farmed] = 0.002
    cover = np.maximum(cover, _hedges(frame, region, parcels, rng))
    banks = burn_ribbons(frame, [r.line for r in rivers], [r.width + 3 * (12 + frame.gsd) for r in rivers])
    patchy = np.clip(0.45 + 0.4 * fractal(rng, frame.shape, 160 / frame.gsd, 3), 0, 0.95)
    cover = np.maximum(cover, banks * patchy)
    towns = burn(frame, [p.outline.buffer(15) for p in places]) > 0
    gardens = np.clip(0.16 + 0.1 * fractal(rng, frame.shape, 120 / frame.gsd, 2), 0.02, 0.5)
    return np.where(towns, gardens, cover).astype(np.float32)


def _woods(frame: Frame, region: Region, slope: np.ndarray, farmed: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Natural woods with ragged edges on steeper ground, and scattered trees outside them."""
    wish = fractal(rng, frame.shape, (650 if frame.gsd < 5 else 2600) / frame.gsd, 6, 0.55)
    wish += 1.2 * np.clip(ndimage.uniform_filter(slope, 9) / 0.25, 0, 1.5)
    edge = np.quantile(wish[~farmed][::17], 1 - region.woodland * 1.3) if not farmed.all() else wish.max()
    inside = uniform((wish - edge) * 5)
    density = np.clip(0.86 + 0.08 * fractal(rng, frame.shape, 90 / frame.gsd, 3), 0.4, 0.99)
    scatter = np.clip(0.1 + 0.12 * fractal(rng, frame.shape, 300 / frame.gsd, 3), 0, 0.5)
    return inside * density + (1 - inside) * scatter * (1 - 0.6 * region.dryness)


def parcel_edges(number: np.ndarray, reach: int) -> np.ndarray:
    """True for pixels within ``reach`` pixels of another parcel (on either side), H x W."""
    edge = np.zeros(number.shape, bool)
    for axis in (0, 1):
        here, there = np.moveaxis(edge, axis, 0), np.moveaxis(number, axis, 0)
        differs = there[1:] != there[:-1]
        here[1:] |= differs
        here[:-1] |= differs
    return ndimage.binary_dilation(edge, np.ones((3, 3), bool), reach - 1) if reach > 1 else edge


def _hedges(frame: Frame, region: Region, parcels: Parcels, rng: np.random.Generator) -> np.ndarray:
    hedged = rng.random(len(parcels.use)) < region.hedges
    gaps = np.clip(0.7 + 0.5 * fractal(rng, frame.shape, 60 / frame.gsd, 2), 0, 0.95)
    share = 1.0 if frame.gsd < 3 else 3.5 / frame.gsd
    edge = parcel_edges(parcels.number, max(1, round(3 / frame.gsd)))
    return np.where(edge & hedged[parcels.number], gaps * share, 0).astype(np.float32)


def grow_crowns(frame: Frame, cover: np.ndarray, seed: int) -> np.ndarray:
    """Single crowns that cover the wished share of ground; bool H x W (for pixels smaller than a crown)."""
    rng = stream(seed, "crowns")
    crowns = fractal(rng, frame.shape, max(11 / frame.gsd, 2), 2, 0.4)
    return uniform(crowns) < cover
