"""Houses along streets, farm buildings and large halls, as upright rectangles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from .noise import stream
from .roads import Road
from .settlements import Settlement


@dataclass(frozen=True)
class Buildings:
    """All buildings of a scene; the arrays run alongside one another.

    Attributes:
        outlines: shapely polygons in scene metres.
        kind: OSM `building` value: `house`, `farm_auxiliary` or `industrial`.
        height: metres.
        roof: index of the roof material, 0 red tiles, 1 grey, 2 bright metal.
    """

    outlines: np.ndarray
    kind: np.ndarray
    height: np.ndarray
    roof: np.ndarray

    def __len__(self) -> int:
        return len(self.outlines)


def make_buildings(
    places: list[Settlement],
    roads: list[Road],
    roof_weights: tuple[float, float, float],
    keep_off: list[shapely.Geometry],
    seed: int,
) -> Buildings:
    """Buildings of all places that touch neither a road, nor water (``keep_off``), nor one another."""
    rng = stream(seed, "buildings")
    boxes = [_houses(roads, rng), _farms(places, rng), _halls(places, rng)]
    kinds = np.repeat(["house", "farm_auxiliary", "industrial"], [len(b) for b in boxes])
    outlines = rectangles(np.concatenate(boxes))
    paved = [road.line.buffer(road.width / 2 + 2) for road in roads if road.highway != "path"]
    free = _clear_of(outlines, paved + keep_off) & _first_comers(outlines)
    outlines, kinds = outlines[free], kinds[free]
    weights = np.array(roof_weights)
    roof = rng.choice(3, len(outlines), p=weights / weights.sum())
    roof = np.where((kinds != "house") & (rng.random(len(roof)) < 0.7), 2, roof)
    height = np.where(kinds == "house", rng.uniform(4, 9, len(roof)), rng.uniform(6, 12, len(roof)))
    return Buildings(outlines, kinds, height, roof)


def rectangles(boxes: np.ndarray) -> np.ndarray:
    """Polygons from rows of (x, y, length, width, direction), in metres and radians."""
    x, y, length, width, angle = (column[:, None] for column in boxes.T)
    along = np.array([-0.5, 0.5, 0.5, -0.5, -0.5]) * length
    across = np.array([-0.5, -0.5, 0.5, 0.5, -0.5]) * width
    corners = np.stack(
        [
            x + along * np.cos(angle) - across * np.sin(angle),
            y + along * np.sin(angle) + across * np.cos(angle),
        ],
        axis=2,
    )
    return shapely.polygons(corners)


def _houses(roads: list[Road], rng: np.random.Generator) -> np.ndarray:
    """One house every 16 to 26 m on both sides of every residential street, some plots empty."""
    rows = [np.empty((0, 5))]
    for road in roads:
        if road.highway != "residential":
            continue
        at = np.arange(8, road.line.length - 6, rng.uniform(16, 26))
        points = shapely.get_coordinates(shapely.line_interpolate_point(road.line, at))
        ahead = shapely.get_coordinates(shapely.line_interpolate_point(road.line, at + 1.0))
        angle = np.arctan2(*(ahead - points).T[::-1])
        for side in (-1, 1):
            length, width = rng.uniform(9, 15, len(at)), rng.uniform(7, 11, len(at))
            off = side * (road.width / 2 + rng.uniform(3, 8) + width / 2)
            x, y = points[:, 0] - off * np.sin(angle), points[:, 1] + off * np.cos(angle)
            box = np.stack([x, y, length, width, angle + rng.normal(0, 0.03, len(at))], axis=1)
            rows.append(box[rng.random(len(at)) < 0.85])
    return np.concatenate(rows)


def _farms(places: list[Settlement], rng: np.random.Generator) -> np.ndarray:
    rows = [np.empty((0, 5))]
    for place in places:
        if place.kind == "farm":
            count = rng.integers(3, 7)
            spot = rng.uniform(-0.75, 0.75, (count, 2)) * place.radius + (place.x, place.y)
            sizes = np.stack([rng.uniform(12, 34, count), rng.uniform(8, 15, count)], axis=1)
            turns = place.direction + rng.integers(0, 2, (count, 1)) * np.pi / 2
            rows.append(np.concatenate([spot, sizes, turns], axis=1))
    return np.concatenate(rows)


def _halls(places: list[Settlement], rng: np.random.Generator) -> np.ndarray:
    """Large halls in a quarter at the edge of every town."""
    rows = [np.empty((0, 5))]
    for place in places:
        if place.kind == "town":
            angle = rng.uniform(0, 2 * np.pi) + rng.normal(0, 0.25, 18)
            reach = place.radius * rng.uniform(0.75, 1.2, 18)
            spot = np.stack([place.x + reach * np.cos(angle), place.y + reach * np.sin(angle)], axis=1)
            sizes = np.stack([rng.uniform(35, 80, 18), rng.uniform(22, 45, 18)], axis=1)
            turns = np.full((18, 1), place.direction)
            rows.append(np.concatenate([spot, sizes, turns], axis=1))
    return np.concatenate(rows)


def _clear_of(outlines: np.ndarray, obstacles: list[shapely.Geometry]) -> np.ndarray:
    tree = shapely.STRtree(outlines)
    hit, _ = tree.query(np.array(obstacles), predicate="intersects")[::-1]
    clear = np.ones(len(outlines), bool)
    clear[hit] = False
    return clear


def _first_comers(outlines: np.ndarray) -> np.ndarray:
    """True for every building that overlaps none before it."""
    first, second = shapely.STRtree(outlines).query(outlines, predicate="intersects")
    clear = np.ones(len(outlines), bool)
    clear[second[second > first]] = False
    return clear
