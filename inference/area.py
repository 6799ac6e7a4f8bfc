"""The area to map: polygons that mask the run grid."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyogrio.raw
import shapely
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS
from rasterio.features import geometry_mask
from shapely.geometry.base import BaseGeometry

from .errors import RequestError, SourceError
from .grid import Grid, Window, way_between
from .job import Area, VectorLayer
from .sources.vector_files import find_layers, short_problem
from .sources.vector_near import seen_from


class AreaMask:
    """The union of an area layer's polygons, in any CRS. Workers may share it."""

    def __init__(self, area: Area, base: Path, warn: Callable[[str], None]) -> None:
        several: list[str] = []
        layer, *_ = find_layers(VectorLayer(area.path, area.layer), base, frozenset(("polygon",)), several)
        for sentence in several:
            warn(sentence)
        self._name = layer.name
        try:
            _, _, wkb, _ = pyogrio.raw.read(layer.path, layer=layer.layer, where=area.where, columns=[], force_2d=True)
        except (DataSourceError, DataLayerError, RuntimeError, ValueError) as problem:
            raise SourceError(f"The area layer {self._name} cannot be read: {short_problem(problem)}.") from None
        self._crs = CRS.from_user_input(layer.crs)
        polygons = shapely.make_valid(shapely.from_wkb(wkb))
        polygons = polygons[(shapely.get_dimensions(polygons) == 2) & ~shapely.is_empty(polygons)]
        if len(polygons) == 0:
            raise SourceError(f"The area layer {self._name} has no polygon (after its filter).")
        self._geometry = shapely.union_all(polygons)
        self._moved: dict[str, BaseGeometry] = {}
        self._lock = threading.Lock()

    def bounds(self, crs: CRS) -> tuple[float, float, float, float]:
        """xmin, ymin, xmax, ymax in `crs`."""
        xmin, ymin, xmax, ymax = self._in(crs).bounds
        return xmin, ymin, xmax, ymax

    def read(self, grid: Grid, window: Window) -> np.ndarray:
        """H×W bool, True where a pixel's centre lies in the area."""
        geometry = self._in(grid.pyproj_crs)
        box = shapely.box(*grid.window_bounds(window))
        # GEOS fills a prepared geometry's indices while it answers; two workers at once would tear them apart.
        with self._lock:
            touched = shapely.intersects(geometry, box)
            covered = touched and shapely.contains_properly(geometry, box)
        if covered or not touched:
            return np.full((window.height, window.width), covered)
        # A country's border has more vertices than a block has pixels along it.
        (seen,) = seen_from(grid.window_bounds(window.grown(1)), np.array([geometry]))
        if seen is None:
            return np.zeros((window.height, window.width), bool)
        return np.asarray(
            geometry_mask([seen], (window.height, window.width), grid.window_transform(window), invert=True)
        )

    def touched(self, grid: Grid) -> np.ndarray:
        """H×W bool, True for every pixel of the grid of which the area covers a part."""
        geometry = [self._in(grid.pyproj_crs)]
        return np.asarray(
            geometry_mask(geometry, (grid.height, grid.width), grid.transform, all_touched=True, invert=True)
        )

    def fingerprint(self) -> str:
        """The polygons themselves, since opening a GeoPackage changes its bytes."""
        return "sha256:" + hashlib.sha256(shapely.to_wkb(shapely.normalize(self._geometry))).hexdigest()

    def _in(self, crs: CRS) -> BaseGeometry:
        key = crs.to_wkt()
        if key not in self._moved:
            transformer = way_between(self._crs, crs)
            moved = shapely.transform(self._geometry, transformer.transform, interleaved=False)
            if not np.isfinite(shapely.bounds(moved)).all():
                raise RequestError(f"The area layer {self._name} cannot be transformed to '{crs.name}'.")
            shapely.prepare(moved)
            self._moved[key] = moved
        return self._moved[key]
