"""Roads from motorway to footpath: least-cost links between places, town streets, tracks and paths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from scipy import ndimage, sparse
from scipy.sparse.csgraph import dijkstra, minimum_spanning_tree

from .frame import PAD, Frame
from .noise import stream
from .settlements import Settlement
from .terrain import Terrain

WIDTHS = {
    "motorway": 22.0,
    "primary": 10.0,
    "secondary": 8.0,
    "tertiary": 7.0,
    "unclassified": 5.5,
    "residential": 6.0,
    "service": 4.0,
    "track": 3.0,
    "path": 1.5,
}
"""Carriageway width in metres for every OSM `highway` value the simulator makes."""


@dataclass(frozen=True)
class Road:
    """A road line in scene metres with its OSM `highway` value; ``paved`` is false for earth and gravel."""

    line: shapely.LineString
    highway: str
    paved: bool

    @property
    def width(self) -> float:
        return WIDTHS[self.highway]


class LinkMap:
    """Least-cost routes over the coarse terrain; roads once built attract later ones."""

    def __init__(self, frame: Frame, terrain: Terrain) -> None:
        self.frame = frame
        self.step = max(1, frame.cells // 128)
        inner = slice(PAD, PAD + frame.cells)
        smooth = ndimage.gaussian_filter(terrain.coarse, self.step)[inner, inner]
        self.height = smooth[:: self.step, :: self.step]
        self.spacing = self.step * frame.cell
        lake = ndimage.maximum_filter(terrain.lake[inner, inner], self.step + 3)
        self.toll = 1 + 60.0 * lake[:: self.step, :: self.step]

    def routes(self, start: tuple[float, float], ends: list[tuple[float, float]]) -> list[np.ndarray]:
        """Points (N x 2, scene metres) of the cheapest route from ``start`` to each of ``ends``."""
        source = self._node(*start)
        _, before = dijkstra(self._graph(), indices=source, return_predecessors=True)
        found = []
        for end in ends:
            nodes = [self._node(*end)]
            while nodes[-1] != source:
                nodes.append(int(before[nodes[-1]]))
            found.append(self._points(nodes[::-1], start, end))
        return found

    def attract(self, points: np.ndarray) -> None:
        """Make the cells along a built road cheap."""
        rows, columns = np.divmod([self._node(x, y) for x, y in points], self.height.shape[1])
        self.toll[rows, columns] = 0.35

    def _graph(self) -> sparse.csr_matrix:
        rows, columns = self.height.shape
        index = np.arange(rows * columns).reshape(rows, columns)
        pieces = []
        for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
            here = (slice(0, rows - down), slice(max(0, -right), columns - max(0, right)))
            there = (slice(down, rows), slice(max(0, right), columns + min(0, right)))
            run = self.spacing * np.hypot(down, right)
            slope = np.abs(self.height[there] - self.height[here]) / run
            cost = run * (1 + (slope / 0.05) ** 2) * (self.toll[here] + self.toll[there]) / 2
            pieces.append((cost.ravel(), index[here].ravel(), index[there].ravel()))
        cost, a, b = (np.concatenate(part) for part in zip(*pieces, strict=True))
        graph = sparse.coo_matrix((cost, (a, b)), shape=(index.size, index.size))
        return (graph + graph.T).tocsr()

    def _node(self, x: float, y: float) -> int:
        rows, columns = self.height.shape
        row, column = (int(np.clip(v / self.spacing, 0, n - 1)) for v, n in ((y, rows), (x, columns)))
        return row * columns + column

    def _points(self, nodes: list[int], start: tuple[float, float], end: tuple[float, float]) -> np.ndarray:
        rows, columns = np.divmod(np.array(nodes), self.height.shape[1])
        points = (np.stack([columns, rows], axis=1) + 0.5) * self.spacing
        return np.concatenate([[start], points[1:-1], [end]])


def smooth_line(points: np.ndarray, spacing: float, sigma: float) -> shapely.LineString:
    """A route resampled every ``spacing`` metres and smoothed over ``sigma`` metres, its ends kept."""
    line = shapely.LineString(points)
    at = np.linspace(0, line.length, max(3, int(line.length / spacing) + 1))
    dense = shapely.get_coordinates(shapely.line_interpolate_point(line, at))
    ends = dense[[0, -1]]
    dense = ndimage.gaussian_filter1d(dense, sigma / spacing, axis=0, mode="nearest")
    dense[[0, -1]] = ends
    return shapely.LineString(dense)


def make_roads(
    frame: Frame,
    terrain: Terrain,
    places: list[Settlement],
    lakes: list[shapely.Polygon],
    paved_lanes: float,
    seed: int,
) -> list[Road]:
    """The road network of a scene: motorway, links between places, streets, farm lanes, footpaths."""
    rng = stream(seed, "roads")
    links = LinkMap(frame, terrain)
    roads = [_motorway(frame, links, places, rng)]
    roads += _links(frame, links, places, paved_lanes, rng)
    for place in places:
        if place.kind != "farm":
            roads += _streets(place, rng)
    lanes = _farm_lanes(places, roads, paved_lanes, rng) + _paths(frame, places, rng)
    water = shapely.union_all(lakes)
    return roads + [lane for lane in lanes if not lane.line.intersects(water)]


def _motorway(frame: Frame, links: LinkMap, places: list[Settlement], rng: np.random.Generator) -> Road:
    side = frame.extent
    ends = [(0.0, rng.uniform(0.15, 0.85) * side), (side, rng.uniform(0.15, 0.85) * side)]
    if rng.random() < 0.5:
        ends = [(y, x) for x, y in ends]
    usual = links.toll.copy()
    rows, columns = np.indices(usual.shape)
    for place in places:
        if place.kind != "farm":
            distance = np.hypot(columns * links.spacing - place.x, rows * links.spacing - place.y)
            links.toll[distance < place.radius * 1.5] += 8
    points = links.routes(ends[0], [ends[1]])[0]
    links.toll = usual
    return Road(smooth_line(points, side / 400, side / 35), "motorway", True)


def _links(
    frame: Frame, links: LinkMap, places: list[Settlement], paved_lanes: float, rng: np.random.Generator
) -> list[Road]:
    """Roads between towns and villages along a spanning tree, with some shortcuts, and out of the scene."""
    hubs = [p for p in places if p.kind != "farm"]
    spots = np.array([(p.x, p.y) for p in hubs])
    distance = np.hypot(*(spots[:, None] - spots[None]).transpose(2, 0, 1))
    tree = minimum_spanning_tree(distance * rng.uniform(0.9, 1.1, distance.shape)).toarray() > 0
    for i, near in enumerate(np.argsort(distance, axis=1)[:, 1:3]):
        tree[i, near] |= rng.random(len(near)) < 0.35
    roads = []
    for i in range(len(hubs)):
        ends = [hubs[j] for j in np.flatnonzero(tree[i])]
        exits = [_way_out(frame, hubs[i], rng)] if i < 6 or rng.random() < 0.1 else []
        kinds = [_link_kind(hubs[i], end) for end in ends] + ["primary" if i < 2 else "secondary"] * len(exits)
        targets = [(end.x, end.y) for end in ends] + exits
        for kind, points in zip(kinds, links.routes((hubs[i].x, hubs[i].y), targets), strict=True):
            links.attract(points)
            line = smooth_line(points, links.spacing / 2, links.spacing * 1.2)
            roads.append(Road(line, kind, kind != "unclassified" or rng.random() < paved_lanes))
    return roads


def _link_kind(a: Settlement, b: Settlement) -> str:
    towns = (a.kind == "town") + (b.kind == "town")
    if towns == 2:
        return "primary"
    if towns == 1:
        return "secondary"
    return "tertiary" if a.radius + b.radius > 380 else "unclassified"


def _way_out(frame: Frame, place: Settlement, rng: np.random.Generator) -> tuple[float, float]:
    side, along = frame.extent, rng.uniform(0.05, 0.95) * frame.extent
    options = [(0.0, along), (side, along), (along, 0.0), (along, side)]
    return min(options, key=lambda spot: np.hypot(spot[0] - place.x, spot[1] - place.y))


def _streets(place: Settlement, rng: np.random.Generator) -> list[Road]:
    """Two families of streets at right angles, bent a little, cut to the outline, some left out."""
    spacing = (rng.uniform(62, 80), rng.uniform(95, 140))
    axes = np.array(
        [
            [np.cos(place.direction), np.sin(place.direction)],
            [-np.sin(place.direction), np.cos(place.direction)],
        ]
    )
    reach = place.radius * 1.6
    roads = []
    for family, gap in enumerate(spacing):
        for offset in np.arange(-reach, reach, gap) + rng.uniform(0, gap):
            at = np.arange(-reach, reach, 12.0)
            bend = rng.uniform(2, 9) * np.sin(at / rng.uniform(60, 150) + rng.uniform(0, 6.3))
            points = np.stack([at, offset + bend], axis=1) @ np.stack([axes[family], axes[1 - family]])
            line = shapely.LineString(points + (place.x, place.y))
            kept = [p for p in _pieces(line, place.outline) if p.length > 40 and rng.random() < 0.88]
            roads += [Road(piece, "residential", True) for piece in kept]
    return roads


def _pieces(line: shapely.LineString, outline: shapely.Polygon) -> list[shapely.LineString]:
    inside = shapely.get_parts(shapely.intersection(line, outline))
    return [part for part in inside if part.geom_type == "LineString"]


def _farm_lanes(
    places: list[Settlement], roads: list[Road], paved_lanes: float, rng: np.random.Generator
) -> list[Road]:
    """A lane from every farmstead to the nearest ordinary road."""
    network = np.array([road.line for road in roads if road.highway != "motorway"])
    tree = shapely.STRtree(network)
    lanes = []
    for place in places:
        if place.kind == "farm":
            spot = shapely.Point(place.x, place.y)
            way = shapely.shortest_line(spot, network[tree.nearest(spot)])
            if 5 < way.length < 2500:
                bent = _bent(shapely.get_coordinates(way), 0.06, rng)
                paved = rng.random() < paved_lanes * 0.5
                lanes.append(Road(bent, "service" if paved else "track", paved))
    return lanes


def _bent(ends: np.ndarray, bend: float, rng: np.random.Generator) -> shapely.LineString:
    length = float(np.hypot(*(ends[1] - ends[0])))
    count = max(3, int(length / 15))
    t = np.linspace(0, 1, count)[:, None]
    across = np.array([ends[0, 1] - ends[1, 1], ends[1, 0] - ends[0, 0]])
    sway = sum(rng.normal(0, bend / k) * np.sin(np.pi * k * t) for k in (1, 2, 3))
    return shapely.LineString(ends[0] + t * (ends[1] - ends[0]) + sway * across)


def _paths(frame: Frame, places: list[Settlement], rng: np.random.Generator) -> list[Road]:
    """Footpaths that leave towns and villages into the open country."""
    paths = []
    for place in places:
        for _ in range(0 if place.kind == "farm" else rng.integers(1, 4)):
            angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 1.3) * min(1200, 0.4 * frame.extent)
            start = np.array([place.x, place.y]) + 0.8 * place.radius * np.array([np.cos(angle), np.sin(angle)])
            end = start + length * np.array([np.cos(angle), np.sin(angle)])
            paths.append(Road(_bent(np.stack([start, end]), 0.18, rng), "path", False))
    return paths
