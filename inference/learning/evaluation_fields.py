"""Mapped fields as polygons, held against the reference's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from pyproj import CRS

from ...models.accuracy.objects import ObjectScores, match_objects
from ..errors import RequestError
from ..grid import Grid, Window
from ..job import VectorLayer
from ..sources import Context
from ..sources.vector import VectorReader
from ..sources.vector_files import find_layers


@dataclass
class FoundFields:
    """Mapped fields in the map's CRS.

    Attributes:
        shapes: valid polygons.
        rows, cols: pixel of the map in which a point inside each field lies.
        judged: whether that pixel is labelled; filled in while the labels are read.
    """

    shapes: np.ndarray
    rows: np.ndarray
    cols: np.ndarray
    judged: np.ndarray

    def mark(self, window: Window, truth: np.ndarray) -> None:
        """Note which fields lie where the labels of a window (class positions, -1 where nothing is known) tell."""
        row, col = self.rows - window.row, self.cols - window.col
        here = np.flatnonzero((row >= 0) & (row < window.height) & (col >= 0) & (col < window.width))
        self.judged[here] = truth[row[here], col[here]] >= 0

    def scores(self, true: np.ndarray) -> ObjectScores:
        """Figures against the true polygons, in the plane of the map's CRS."""
        return match_objects(true, self.shapes, self.judged)


def read_fields(path: str, grid: Grid, extent: Window, context: Context) -> FoundFields:
    """Read the mapped fields that meet the labels' extent.

    Raises:
        SourceError: the layer cannot be read.
        RequestError: it holds no polygons.
    """
    several: list[str] = []
    file = find_layers(VectorLayer(path), context.base, frozenset(("polygon",)), several)[0]
    for sentence in several:
        context.warn(sentence)
    reader = VectorReader(file, (), None, False, CRS.from_user_input(grid.crs), context)
    shapes = reader.read(grid.window_bounds(extent)).shapes
    if len(shapes) and (shapely.get_dimensions(shapes) < 2).any():
        raise RequestError(f"The mapped fields '{file.name}' are no polygons; choose a layer of polygons.")
    shapes = shapely.make_valid(shapes)
    shapes = shapes[shapely.area(shapes) > 0]
    points = shapely.point_on_surface(shapes)
    inverse = ~grid.transform
    x, y = shapely.get_x(points), shapely.get_y(points)
    cols = np.floor(inverse.a * x + inverse.b * y + inverse.c).astype(np.int64)
    rows = np.floor(inverse.d * x + inverse.e * y + inverse.f).astype(np.int64)
    return FoundFields(shapes, rows, cols, np.zeros(len(shapes), bool))
