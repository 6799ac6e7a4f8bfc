"""What lies on the ground: materials pixel by pixel, land-cover and field truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from rasterio import features
from scipy import ndimage

from . import vegetation
from .buildings import Buildings
from .burn import burn, burn_ribbons
from .frame import Frame
from .noise import fractal, stream
from .parcels import Parcels
from .region import Region
from .roads import Road
from .settlements import Settlement
from .terrain import Terrain

WATER, IMPERVIOUS, BARREN, TREE, GRASS = range(1, 6)
BACKGROUND, FIELD, BOUNDARY = range(3)
NONE, ASPHALT, CONCRETE, GRAVEL, ROOF_RED, ROOF_GREY, ROOF_BRIGHT, RIVER = range(8)
SEALED = (ASPHALT, CONCRETE, ROOF_RED, ROOF_GREY, ROOF_BRIGHT)


@dataclass(frozen=True)
class Cover:
    """Ground cover of a scene; every array is H x W.

    Attributes:
        material: NONE to RIVER, what was laid over the natural ground; uint8.
        share: the part of the pixel that the material covers, 0 to 1.
        rock: share of bare rock and open soil in the natural ground, 0 to 1.
        dry: share of dry straw-coloured grass in the natural ground, 0 to 1.
        tree: share of the pixel under crowns, 0 to 1; 0 or 1 where pixels are smaller than crowns.
        tone: brightness of single objects about 1.
        building: number of the building from 1, or 0; int32.
        classes: WATER to GRASS; uint8.
        fields: BACKGROUND, FIELD or BOUNDARY; uint8.
    """

    material: np.ndarray
    share: np.ndarray
    rock: np.ndarray
    dry: np.ndarray
    tree: np.ndarray
    tone: np.ndarray
    building: np.ndarray
    classes: np.ndarray
    fields: np.ndarray


def lay_cover(
    frame: Frame,
    region: Region,
    terrain: Terrain,
    water: np.ndarray,
    roads: list[Road],
    places: list[Settlement],
    buildings: Buildings,
    parcels: Parcels,
    trees: np.ndarray,
    seed: int,
) -> Cover:
    """Put water, roads, yards and buildings onto the ground and read the truth off them.

    ``water`` is the share of every pixel under rivers and lakes (float32 H x W), ``trees`` the wished tree
    cover from `vegetation.make_tree_cover`.
    """
    rng = stream(seed, "cover")
    material = np.where(water > 0, RIVER, NONE).astype(np.uint8)
    share = water.copy()
    _lay_yards(frame, places, material, share, rng)
    _lay_roads(frame, roads, material, share)
    number = burn(frame, buildings.outlines, np.arange(1, len(buildings) + 1), all_touched=frame.gsd > 5)
    roofed = number > 0
    material[roofed] = (ROOF_RED + np.concatenate([[0], buildings.roof]))[number][roofed]
    share[roofed] = 1.0 if frame.gsd < 5 else 0.6
    tone = np.clip(rng.normal(1, 0.12, len(buildings) + 1), 0.7, 1.35)[number].astype(np.float32)
    rock = _bare(frame, region, terrain, water, rng)
    dry = np.clip(region.dryness + 0.28 * fractal(rng, frame.shape, 260 / frame.gsd, 5), 0, 0.95)
    tree = _standing_trees(frame, trees, material, share, seed)
    classes = _classes(parcels, material, share, rock, tree)
    fields = _fields(parcels, material, share, tree)
    return Cover(material, share, rock, dry, tree, tone, number, classes, fields)


def _lay_yards(
    frame: Frame, places: list[Settlement], material: np.ndarray, share: np.ndarray, rng: np.random.Generator
) -> None:
    """Drives, yards and car parks: paved in towns, gravel on farms."""
    patches = fractal(rng, frame.shape, max(28 / frame.gsd, 2), 2)
    for kinds, kind, level in ((("town", "village"), CONCRETE, 0.95), (("farm",), GRAVEL, 0.35)):
        inside = burn(frame, [p.outline for p in places if p.kind in kinds]) > 0
        yard = inside & (patches > level) & (material == NONE)
        material[yard], share[yard] = kind, 1.0


def _lay_roads(frame: Frame, roads: list[Road], material: np.ndarray, share: np.ndarray) -> None:
    for paved in (False, True):
        chosen = [road for road in roads if road.paved == paved]
        ribbon = burn_ribbons(frame, [road.line for road in chosen], [road.width for road in chosen])
        over = ribbon > 0
        material[over], share[over] = ASPHALT if paved else GRAVEL, ribbon[over]


def _bare(frame: Frame, region: Region, terrain: Terrain, water: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rock on steep ground, blown-out patches on dry ground, gravel bars beside water."""
    patches = fractal(rng, frame.shape, 220 / frame.gsd, 6, 0.6)
    steep = np.clip((terrain.slope - 0.22) / 0.12, -1.5, 1.5)
    level = 1.35 - 0.5 * region.dryness
    rock = np.clip((patches * 0.8 + 0.6 * steep - level) * 3.5, 0, 1)
    beside = ndimage.uniform_filter(water, 2 * max(1, round(6 / frame.gsd)) + 1) > 0.02
    return np.where(beside & (patches > 0.5), 1.0, rock).astype(np.float32)


def _standing_trees(frame: Frame, trees: np.ndarray, material: np.ndarray, share: np.ndarray, seed: int) -> np.ndarray:
    """Trees where nothing else stands; as whole crowns where pixels are smaller than these."""
    if frame.gsd >= 3:
        return trees * (1 - share)
    crowns = vegetation.grow_crowns(frame, trees, seed)
    closed = np.isin(material, SEALED) | (material == RIVER) | (material == GRAVEL)
    return (crowns & ~closed).astype(np.float32)


def _classes(
    parcels: Parcels, material: np.ndarray, share: np.ndarray, rock: np.ndarray, tree: np.ndarray
) -> np.ndarray:
    green = parcels.vigour[:, 0][parcels.number] > 0.25
    open_soil = np.where(parcels.farmed, ~green, rock > 0.5)
    classes = np.where(open_soil, BARREN, GRASS).astype(np.uint8)
    classes[tree > 0.5] = TREE
    most = share >= 0.5
    classes[most & (material == RIVER)] = WATER
    classes[most & (material == GRAVEL)] = BARREN
    classes[most & np.isin(material, SEALED)] = IMPERVIOUS
    return classes


def _fields(parcels: Parcels, material: np.ndarray, share: np.ndarray, tree: np.ndarray) -> np.ndarray:
    """Field interiors, and their boundary: the field's own outermost pixels (two wide between neighbours)."""
    field = parcels.farmed & (share < 0.5) & ((material == NONE) | (share < 0.35)) & (tree < 0.5)
    field = ndimage.binary_opening(field, np.ones((3, 3), bool))
    number = np.where(field, parcels.number, 0)
    boundary = vegetation.parcel_edges(number, 1) & field
    return np.where(boundary, BOUNDARY, np.where(field, FIELD, BACKGROUND)).astype(np.uint8)


def lake_outlines(mask: np.ndarray, gsd: float) -> list[shapely.Polygon]:
    """Outlines of lakes from their full-resolution mask, in scene metres, simplified by half a pixel."""
    found = features.shapes(mask.astype(np.uint8), mask, transform=Affine.scale(gsd))
    return [shapely.geometry.shape(outline).simplify(gsd / 2) for outline, _ in found]
