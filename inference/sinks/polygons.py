"""The class map as polygons that share their borders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely

from ...models.card import Output
from ..grid import Grid, Window
from ..job import Outputs
from .areas import EllipsoidAreas
from .encode import CERTAINTY_STEPS
from .geopackage import layer_writer
from .mosaic import Mosaic
from .regions import Batch, RegionTracer
from .sieve import sieved
from .values import class_nodata

LAYER = "polygons"
COLUMNS: dict[str, type] = {"class": np.int32, "name": object, "area_ha": np.float64, "confidence": np.float64}


@dataclass(frozen=True)
class PolygonCounts:
    """What was written, and what memory grew with."""

    written: int
    dropped: int
    """Fields below the minimum area (class polygons are merged instead)."""
    crossing: int
    """Pieces of polygons that crossed a cell's border."""
    cuts: int = 0
    """Cuts through polygons too large to be held (`regions.MOST_HELD`)."""


def write_polygons(
    path: Path,
    output: Output,
    mosaic: Mosaic,
    outputs: Outputs,
    tags: Mapping[str, str],
    checkpoint: Callable[[], None] = lambda: None,
) -> PolygonCounts:
    """Write a head's class map as one GeoPackage layer of polygons.

    A polygon is a 4-connected region of one class. Neighbours share every vertex of their border, before and after
    simplification, and none is cut at a tile, block or cell border, but for one of some million vertices
    (`regions.MOST_HELD`); nodata has no polygon. Patches below
    ``outputs.minimum_area`` are given, pixel by pixel, to the nearest larger neighbour before (`sieve.sieved`).
    Attributes: class value and name, hectares on the ellipsoid, mean confidence over the polygon's pixels.

    Args:
        path: the GeoPackage to make.
        output: the head's card.
        mosaic: the run's blocks with ``classes`` and ``certainty``.
        outputs: minimum area (m²) and simplification (ground metres; None is one pixel).
        tags: metadata of the file.
        checkpoint: called between cells; what it raises ends the work and leaves no file.

    Raises:
        RequestError: where the file cannot be written.
    """
    grid, nodata = mosaic.grid, class_nodata(output)
    names = {info.value: info.name for info in output.classes}
    areas = EllipsoidAreas(grid)
    written = 0
    with ExitStack() as stack:
        writer = stack.enter_context(layer_writer(path, LAYER, grid, COLUMNS, tags))
        pixels = minimum_pixels(outputs, grid)
        classes = _reader(mosaic, "classes")
        if pixels > 1:
            classes = stack.enter_context(sieved(writer.scratch, grid, classes, nodata, pixels, checkpoint))
        tracer = RegionTracer(grid, classes, _reader(mosaic, "certainty"), lambda values: values != nodata)
        for batch in tracer.batches(tolerance(outputs, grid)):
            checkpoint()
            polygons = on_map(batch.polygons, grid)
            fields = {
                "class": batch.value,
                "name": np.array([names.get(value, "") for value in batch.value.tolist()], object),
                "area_ha": areas.polygons(polygons) / 10_000,
                "confidence": mean_certainty(batch),
            }
            writer.add(polygons, fields)
            written += len(polygons)
    return PolygonCounts(written, 0, tracer.crossing, tracer.cuts)


def minimum_pixels(outputs: Outputs, grid: Grid) -> int:
    """Pixels of the smallest patch that stays, by the pixel's size at the grid's centre."""
    return int(np.ceil(outputs.minimum_area / (grid.gsd[0] * grid.gsd[1])))


def tolerance(outputs: Outputs, grid: Grid) -> float:
    """Simplification in ground metres; one pixel where the job leaves it open."""
    return grid.mean_gsd if outputs.simplify is None else outputs.simplify


def on_map(polygons: np.ndarray, grid: Grid) -> np.ndarray:
    """Polygons from pixel coordinates to the grid's CRS, shells counterclockwise."""
    t = grid.transform

    def place(points: np.ndarray) -> np.ndarray:
        col, row = points.T
        return np.column_stack([t.a * col + t.b * row + t.c, t.d * col + t.e * row + t.f])

    return shapely.orient_polygons(shapely.transform(polygons, place), exterior_cw=False)


def mean_certainty(batch: Batch) -> np.ndarray:
    """Mean confidence (0 to 1) by region, in the steps in which it was counted."""
    return np.round(batch.certainty / batch.pixels / CERTAINTY_STEPS, 4)


def _reader(mosaic: Mosaic, name: str) -> Callable[[Window], np.ndarray]:
    return lambda window: mosaic.read(name, window)
