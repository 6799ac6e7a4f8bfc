"""Farmland: districts of parallel strips cut into parcels of a few hectares, what grows on them, and when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from .burn import burn
from .frame import Frame
from .noise import fractal, stream
from .region import Region
from .roads import Road

WILD, WINTER_CROP, SUMMER_CROP, MEADOW, FALLOW, PLANTATION = range(6)
FARMED = (WINTER_CROP, SUMMER_CROP, MEADOW, FALLOW)


@dataclass(frozen=True)
class Parcels:
    """Parcels of a scene. The arrays ``use``, ``shade`` and ``vigour`` are indexed by parcel number.

    Attributes:
        number: parcel of every pixel, from 1, int32 H x W.
        use: WILD to PLANTATION.
        shade: brightness of the parcel's soil and crop about 1.
        vigour: share of the ground that green leaves cover on either date, parcels x 2.
        direction: direction of the plough lines, radians.
        tracks: farm tracks along the strips.
    """

    number: np.ndarray
    use: np.ndarray
    shade: np.ndarray
    vigour: np.ndarray
    direction: np.ndarray
    tracks: list[Road]

    @property
    def farmed(self) -> np.ndarray:
        """True where the parcel is a field, H x W."""
        return np.isin(self.use, FARMED)[self.number]


@dataclass(frozen=True)
class _District:
    outline: shapely.Polygon
    x: float
    y: float
    angle: float
    shear: float
    edges: np.ndarray
    lengths: np.ndarray
    offsets: np.ndarray


def make_parcels(frame: Frame, region: Region, hindrance: np.ndarray, seed: int) -> Parcels:
    """Lay out all ground as parcels and choose those that are farmed.

    ``hindrance`` says how little a pixel suits farming, 0 to about 1 (slope, water, houses), H x W.
    """
    rng = stream(seed, "parcels")
    districts = _districts(frame, region, rng)
    number, angles = _number(frame, districts)
    use = _uses(frame, number, hindrance, region, rng)
    shade = np.clip(rng.normal(1, 0.1, len(use)), 0.75, 1.3)
    return Parcels(number, use, shade, _vigour(use, rng), angles, _tracks(districts, rng))


def _districts(frame: Frame, region: Region, rng: np.random.Generator) -> list[_District]:
    scale = 620 if frame.gsd < 5 else 1150
    side = max(2, round(frame.extent / scale))
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)
    seeds = (grid + rng.uniform(0.05, 0.95, grid.shape)) * frame.extent / side
    scene = shapely.box(0, 0, frame.extent, frame.extent)
    cells = shapely.voronoi_polygons(shapely.MultiPoint(seeds), extend_to=scene)
    outlines = shapely.intersection(shapely.get_parts(cells), scene)
    return [_district(outline, region, rng) for outline in outlines if not outline.is_empty]


def _district(outline: shapely.Polygon, region: Region, rng: np.random.Generator) -> _District:
    left, top, right, bottom = outline.bounds
    reach = np.hypot(right - left, bottom - top)
    count = int(reach / (0.6 * region.field_width)) + 2
    widths = region.field_width * rng.uniform(0.65, 1.5, count)
    edges = np.cumsum(widths) - widths.sum() / 2
    lengths = np.maximum(region.field_length * rng.uniform(0.55, 1.3, count + 1), 90)
    return _District(
        outline,
        (left + right) / 2,
        (top + bottom) / 2,
        rng.uniform(0, np.pi),
        rng.normal(0, 0.12),
        edges,
        lengths,
        rng.uniform(0, 1000, count + 1),
    )


def _number(frame: Frame, districts: list[_District]) -> tuple[np.ndarray, np.ndarray]:
    """Parcel numbers from 1 without gaps, and the direction of every parcel's strips."""
    where = burn(frame, [d.outline for d in districts], np.arange(1, len(districts) + 1), all_touched=True)
    raw = np.zeros(frame.shape, np.int32)
    base, angles = 1, [0.0]
    for place, district in enumerate(districts, start=1):
        rows, columns = _window(frame, district.outline)
        inside = where[rows, columns] == place
        local = _strips(frame, district, rows, columns)[inside]
        found, packed = np.unique(local, return_inverse=True)
        raw[rows, columns][inside] = base + packed
        base += len(found)
        angles += [district.angle] * len(found)
    return raw, np.array(angles)


def _window(frame: Frame, outline: shapely.Polygon) -> tuple[slice, slice]:
    left, top, right, bottom = (int(v / frame.gsd) for v in outline.bounds)
    return slice(max(0, top - 1), bottom + 2), slice(max(0, left - 1), right + 2)


def _strips(frame: Frame, district: _District, rows: slice, columns: slice) -> np.ndarray:
    """A number for every pixel's strip and place along the strip."""
    y = (np.arange(rows.start, min(rows.stop, frame.size))[:, None] + 0.5) * frame.gsd - district.y
    x = (np.arange(columns.start, min(columns.stop, frame.size)) + 0.5) * frame.gsd - district.x
    along = x * np.cos(district.angle) + y * np.sin(district.angle)
    across = y * np.cos(district.angle) - x * np.sin(district.angle)
    strip = np.searchsorted(district.edges, across.ravel()).reshape(across.shape)
    cut = (along + district.shear * across + district.offsets[strip]) / district.lengths[strip]
    return (strip * 1024 + np.floor(cut).astype(np.int32) + 512).astype(np.int32)


def _tracks(districts: list[_District], rng: np.random.Generator) -> list[Road]:
    tracks = []
    for district in districts:
        ahead = np.array([np.cos(district.angle), np.sin(district.angle)])
        aside = np.array([-ahead[1], ahead[0]])
        for edge in district.edges[rng.random(len(district.edges)) < 0.16]:
            middle = np.array([district.x, district.y]) + edge * aside
            line = shapely.LineString([middle - 3000 * ahead, middle + 3000 * ahead])
            inside = shapely.intersection(line, district.outline)
            if inside.geom_type == "LineString" and inside.length > 100:
                tracks.append(Road(inside, "track", False))
    return tracks


def _uses(
    frame: Frame, number: np.ndarray, hindrance: np.ndarray, region: Region, rng: np.random.Generator
) -> np.ndarray:
    """Farm the least hindered parcels up to the region's share; some of the rest become plantations."""
    taste = 0.35 * fractal(rng, frame.shape, 1400 / frame.gsd, 2)
    pixels = np.bincount(number.ravel())
    with_taste = np.bincount(number.ravel(), (hindrance + taste * 0.5).ravel())
    score = with_taste / np.maximum(pixels, 1)
    order = np.argsort(score)
    rank = np.empty(len(score))
    rank[order] = np.cumsum(pixels[order]) / pixels.sum()
    crops = rng.choice(FARMED, len(score), p=[0.34, 0.26, 0.28, 0.12])
    wild = np.where(rng.random(len(score)) < 0.18, PLANTATION, WILD)
    steep = np.bincount(number.ravel(), hindrance.ravel()) / np.maximum(pixels, 1) > 0.75
    return np.where((rank < region.farmland) & ~steep, crops, np.where(steep, WILD, wild)).astype(np.uint8)


def _vigour(use: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Green cover on an early and a late date of the season; every parcel has its own calendar."""
    means = np.zeros((6, 2))
    means[WINTER_CROP], means[SUMMER_CROP] = (0.82, 0.12), (0.1, 0.85)
    means[MEADOW], means[FALLOW] = (0.7, 0.62), (0.16, 0.22)
    means[WILD] = means[PLANTATION] = (0.5, 0.45)
    return np.clip(means[use] + rng.normal(0, 0.11, (len(use), 2)), 0.02, 0.97)
