"""An OpenStreetMap extract as it would be: incomplete, and a few metres off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from shapely import affinity

from .buildings import Buildings
from .frame import Frame
from .hydrology import River
from .noise import fractal, stream
from .region import Region
from .roads import Road
from .settlements import Settlement

_ROAD_LOSS = {
    "motorway": 0.0,
    "primary": 0.1,
    "secondary": 0.2,
    "tertiary": 0.4,
    "unclassified": 0.8,
    "residential": 0.8,
    "service": 1.4,
    "track": 1.8,
    "path": 2.0,
}
"""How likely a road is to be missing, as a multiple of the region's incompleteness."""


@dataclass(frozen=True)
class Layer:
    """Features of one OSM layer in scene metres: geometries and, alongside, their tags by key."""

    name: str
    geometry: np.ndarray
    tags: dict[str, np.ndarray]


def extract(
    frame: Frame,
    region: Region,
    roads: list[Road],
    buildings: Buildings,
    rivers: list[River],
    lakes: list[shapely.Polygon],
    woods: list[shapely.Polygon],
    places: list[Settlement],
    seed: int,
) -> list[Layer]:
    """Layers roads, buildings, waterways, water and landuse, each with part of its features missing."""
    rng = stream(seed, "osm")
    loss = 1 - region.osm_completeness
    kept_roads = [r for r in roads if rng.random() >= min(_ROAD_LOSS[r.highway] * loss, 0.8)]
    kept_rivers = [r for r in rivers if rng.random() >= (0.1 if r.kind == "river" else 1.2) * loss]
    kept_lakes = [lake for lake in lakes if rng.random() >= (0.3 if lake.area > 2e4 else 1.5) * loss]
    kept_woods = [wood for wood in woods if rng.random() >= 1.5 * loss]
    mapped = _mapped_quarters(frame, buildings.outlines, loss, rng)
    off = 1.5 if frame.gsd < 5 else 4.0
    return [
        Layer(
            "roads",
            _moved([r.line for r in kept_roads], off, rng),
            {
                "highway": _texts([r.highway for r in kept_roads]),
                "surface": _texts(["asphalt" if r.paved else "gravel" for r in kept_roads]),
            },
        ),
        Layer("buildings", _moved(buildings.outlines[mapped], 1.0, rng), {"building": buildings.kind[mapped]}),
        Layer(
            "waterways",
            _moved([r.line for r in kept_rivers], off, rng),
            {"waterway": _texts([r.kind for r in kept_rivers])},
        ),
        Layer(
            "water",
            _moved(kept_lakes, off, rng),
            {"natural": _texts(["water"] * len(kept_lakes)), "water": _texts(["lake"] * len(kept_lakes))},
        ),
        _landuse(kept_woods, places, loss, rng),
    ]


def _mapped_quarters(frame: Frame, outlines: np.ndarray, loss: float, rng: np.random.Generator) -> np.ndarray:
    """Buildings go missing by whole quarters that nobody has mapped yet, and a few singly."""
    unmapped = fractal(rng, (256, 256), 1200 / frame.extent * 256, 3)
    level = np.quantile(unmapped, loss)
    centres = shapely.get_coordinates(shapely.centroid(outlines))
    column, row = np.clip((centres / frame.extent * 256).astype(int), 0, 255).T
    return (unmapped[row, column] > level) & (rng.random(len(outlines)) > 0.06)


def _moved(shapes: list[shapely.Geometry] | np.ndarray, off: float, rng: np.random.Generator) -> np.ndarray:
    """Every shape shifted by its own error of standard deviation ``off`` metres in either direction."""
    moved = [affinity.translate(shape, *rng.normal(0, off, 2)) for shape in shapes]
    return np.array(moved, dtype=object)


def _texts(values: list[str]) -> np.ndarray:
    return np.array(values, dtype=object)


def _landuse(woods: list[shapely.Polygon], places: list[Settlement], loss: float, rng: np.random.Generator) -> Layer:
    towns = [p.outline for p in places if p.kind != "farm" and rng.random() >= 0.5 * loss]
    natural = [None if rng.random() < 0.5 else "wood" for _ in woods]
    landuse = ["forest" if tag is None else None for tag in natural] + ["residential"] * len(towns)
    tags = {"natural": _texts(natural + [None] * len(towns)), "landuse": _texts(landuse)}
    return Layer("landuse", _moved([*woods, *towns], 3.0, rng), tags)
