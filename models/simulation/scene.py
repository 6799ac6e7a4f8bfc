"""One simulated scene: everything that lies there, seen from above, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from rasterio import features
from scipy import ndimage

from . import hydrology, imagery, vegetation
from .buildings import Buildings, make_buildings
from .burn import burn, burn_ribbons
from .cover import Cover, lake_outlines, lay_cover
from .frame import PAD, Frame
from .noise import stream
from .osm_extract import Layer, extract
from .parcels import Parcels, make_parcels
from .region import Region, region
from .roads import Road, make_roads
from .settlements import Settlement, make_settlements
from .terrain import Terrain, make_terrain


@dataclass(frozen=True)
class Landscape:
    """A scene before it is photographed; rasters are ``frame.size`` square, vectors in scene metres."""

    frame: Frame
    region: Region
    seed: int
    terrain: Terrain
    roads: list[Road]
    buildings: Buildings
    parcels: Parcels
    cover: Cover
    osm: list[Layer]

    def aerial(self) -> np.ndarray:
        """An 8-bit aerial picture of the early date, uint8 4 x H x W."""
        return imagery.to_bytes(self._reflectance(0), self.region, self.seed)

    def satellite(self, date: int) -> np.ndarray:
        """Satellite numbers of date 0 or 1, uint16 4 x H x W (reflectance times 10000)."""
        return imagery.to_reflectance_numbers(self._reflectance(date), self.seed, date)

    def tree_cover(self) -> np.ndarray:
        """Truth: percent of every pixel under crowns, float32 H x W, 0 to 100."""
        return np.clip(self.cover.tree * 100, 0, 100).astype(np.float32)

    def _reflectance(self, date: int) -> np.ndarray:
        return imagery.photograph(
            self.frame,
            self.region,
            self.cover,
            self.parcels,
            self.buildings,
            self.terrain.height,
            self.seed,
            date,
        )


def simulate(size: int, gsd: float, region_index: int, seed: int) -> Landscape:
    """A square landscape of ``size`` pixels of ``gsd`` metres; equal arguments give equal landscapes."""
    frame, place = Frame(size, gsd), region(region_index)
    seed = seed * 1009 + region_index
    terrain = make_terrain(frame, place, seed)
    rivers = hydrology.trace_rivers(terrain.flow, frame, stream(seed, "rivers"))
    lake = frame.refine(ndimage.gaussian_filter(terrain.lake.astype(np.float32), 0.7)) > 0.5
    water = np.maximum(burn_ribbons(frame, [r.line for r in rivers], [r.width for r in rivers]), lake)
    lakes = lake_outlines(lake, gsd)
    places = make_settlements(frame, terrain, lakes, seed)
    roads = make_roads(frame, terrain, places, lakes, place.paved_lanes, seed)
    wet_ground = [r.line.buffer(r.width / 2 + 4) for r in rivers] + lakes
    buildings = make_buildings(places, roads, place.roof_weights, wet_ground, seed)
    parcels = make_parcels(frame, place, _farming_hindrance(frame, terrain, water, places), seed)
    roads += _tracks_on_farmland(frame, parcels)
    trees = vegetation.make_tree_cover(frame, place, parcels, terrain.slope, rivers, places, seed)
    cover = lay_cover(frame, place, terrain, water, roads, places, buildings, parcels, trees, seed)
    osm = extract(frame, place, roads, buildings, rivers, lakes, _woods(frame, trees), places, seed)
    return Landscape(frame, place, seed, terrain, roads, buildings, parcels, cover, osm)


def _farming_hindrance(frame: Frame, terrain: Terrain, water: np.ndarray, places: list[Settlement]) -> np.ndarray:
    """0 on flat open ground, 1 and more on steep ground, in water and in settlements; float32 H x W."""
    smooth = ndimage.gaussian_filter(terrain.coarse, 1.5)
    down, right = np.gradient(smooth, frame.cell)
    steep = frame.refine(np.hypot(down, right)) / 0.3
    settled = burn(frame, [p.outline for p in places])
    return np.clip(steep, 0, 1.2) + 3 * (water > 0.5) + 3 * settled


def _tracks_on_farmland(frame: Frame, parcels: Parcels) -> list[Road]:
    """The strips' tracks where most of their length runs through fields."""
    farmed = parcels.farmed
    kept = []
    for track in parcels.tracks:
        at = np.linspace(0, track.line.length, 25)
        points = shapely.get_coordinates(shapely.line_interpolate_point(track.line, at))
        if frame.pick(farmed, *points.T).mean() > 0.6:
            kept.append(track)
    return kept


def _woods(frame: Frame, trees: np.ndarray) -> list[shapely.Polygon]:
    """Outlines of closed woods over 0.5 ha, generalised as mappers do, in scene metres."""
    step = max(1, round(8 / frame.gsd))
    closed = ndimage.uniform_filter(trees, 3 * step)[::step, ::step] > 0.5
    side = step * frame.gsd
    found = features.shapes(closed.astype(np.uint8), closed, transform=Affine.scale(side))
    outlines = [shapely.geometry.shape(outline).simplify(side) for outline, _ in found]
    return [outline for outline in outlines if outline.area > 5000]


def sample_dem(landscape: Landscape, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Heights in metres at scene points, up to the coarse frame's margin; NaN beyond it."""
    rows, columns = landscape.frame.to_coarse(y), landscape.frame.to_coarse(x)
    return ndimage.map_coordinates(landscape.terrain.coarse, [rows, columns], order=1, cval=np.nan)


MARGIN_CELLS = PAD - 2
