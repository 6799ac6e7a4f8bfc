"""Where people live: towns, villages and farmsteads, as outlines with a street direction."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import shapely
from scipy import ndimage

from .frame import PAD, Frame
from .noise import stream
from .terrain import Terrain


@dataclass(frozen=True)
class Settlement:
    """A place: centre in scene metres, radius in metres, street direction in radians, outline.

    ``kind`` is `town`, `village` or `farm`.
    """

    x: float
    y: float
    radius: float
    direction: float
    kind: str
    outline: shapely.Polygon | shapely.MultiPolygon


_KINDS = (("town", 0.035, 320, 620), ("village", 0.11, 110, 260), ("farm", 0.55, 28, 48))
"""Kind, number per square kilometre, least and largest radius in metres."""


def make_settlements(frame: Frame, terrain: Terrain, lakes: list[shapely.Polygon], seed: int) -> list[Settlement]:
    """Towns first, then villages and farms on gentle dry ground that is still free; at least one of each."""
    shore = shapely.union_all([lake.buffer(15) for lake in lakes])
    rng = stream(seed, "settlements")
    free = _habitable(frame, terrain)
    places: list[Settlement] = []
    for kind, density, least, largest in _KINDS:
        thinning = 1.0 if frame.gsd < 5 else 0.55
        for _ in range(max(1, round(density * thinning * (frame.extent / 1000) ** 2))):
            radius = min(rng.uniform(least, largest), 0.2 * frame.extent)
            place = _settle(kind, radius, free, frame, rng)
            if place is not None:
                places.append(replace(place, outline=place.outline.difference(shore)))
    return places


def _habitable(frame: Frame, terrain: Terrain) -> np.ndarray:
    """Weight of every inner coarse cell as a building site: flat, near rivers, not in lakes; flat array."""
    inner = slice(PAD, PAD + frame.cells)
    down, right = np.gradient(ndimage.gaussian_filter(terrain.coarse, 2), frame.cell)
    flatness = np.exp(-((np.hypot(down, right) / 0.08) ** 2))
    river = terrain.flow.area.reshape(frame.coarse_shape) > 0.006 * terrain.coarse.size
    nearness = np.exp(-((ndimage.distance_transform_edt(~river) * frame.cell / 900 - 0.25) ** 2))
    dry = ~ndimage.binary_dilation(terrain.lake | river, iterations=2)
    return ((0.02 + flatness * nearness) * dry)[inner, inner].copy()


def _settle(kind: str, radius: float, free: np.ndarray, frame: Frame, rng: np.random.Generator) -> Settlement | None:
    if free.sum() <= 0:
        return None
    weights = free.ravel() ** 2
    cell = rng.choice(free.size, p=weights / weights.sum())
    row, column = divmod(int(cell), frame.cells)
    x, y = ((i + rng.random()) * frame.cell for i in (column, row))
    reach = radius * (1.3 if kind == "farm" else 2.2) + 120
    rows, columns = np.ogrid[: frame.cells, : frame.cells]
    free[np.hypot(rows - row, columns - column) * frame.cell < reach] = 0
    return Settlement(x, y, radius, rng.uniform(0, np.pi / 2), kind, blob(x, y, radius, rng))


def blob(x: float, y: float, radius: float, rng: np.random.Generator, corners: int = 40) -> shapely.Polygon:
    """An irregular round outline about a point, in scene metres."""
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    waves = sum(rng.normal(0, 0.16 / k) * np.cos(k * angles + rng.uniform(0, 6.3)) for k in range(2, 6))
    reach = radius * np.clip(1 + waves, 0.5, 1.6)
    return shapely.Polygon(np.stack([x + reach * np.cos(angles), y + reach * np.sin(angles)], axis=1))
