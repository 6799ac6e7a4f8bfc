"""Fields as instances: one polygon a field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from ..job import Outputs
from .areas import EllipsoidAreas
from .geopackage import layer_writer
from .mosaic import Mosaic
from .polygons import PolygonCounts, mean_certainty, on_map, tolerance
from .regions import RegionTracer

LAYER = "fields"
COLUMNS: dict[str, type] = {
    "field_id": np.int64, "area_ha": np.float64, "perimeter_m": np.float64, "confidence": np.float64,
}  # fmt: skip


def write_fields(
    path: Path,
    mosaic: Mosaic,
    outputs: Outputs,
    tags: Mapping[str, str],
    checkpoint: Callable[[], None] = lambda: None,
) -> PolygonCounts:
    """Write the fields of a field-boundary head as one GeoPackage layer.

    A field is a 4-connected component of the pixels that are likely field and unlikely boundary
    (``outputs.field_threshold``, ``outputs.boundary_threshold``), whole across every tile, block and cell border. Its
    outline is simplified together with all others, so that fields never overlap; the pixels of the boundary between
    fields belong to none of them. Fields below ``outputs.minimum_area`` are dropped. Attributes: a field's id (1 + the
    row-major index of its first pixel in the grid, so it depends on the map alone), hectares and perimeter on the
    ellipsoid, mean probability of being field.

    Args:
        path: the GeoPackage to make.
        mosaic: the run's blocks with ``interior``.
        outputs: minimum area (m²) and simplification (ground metres; None is one pixel).
        tags: metadata of the file.
        checkpoint: called between cells; what it raises ends the work and leaves no file.

    Raises:
        RequestError: where the file cannot be written.
    """
    grid = mosaic.grid
    areas = EllipsoidAreas(grid)
    written = dropped = 0
    tracer = RegionTracer(
        grid,
        values=lambda window: mosaic.read("interior", window) > 0,
        # Inside fields the code is 1 above the probability; outside, what it is does not matter.
        certainty=lambda window: mosaic.read("interior", window).astype(np.int32) - 1,
        wanted=lambda inside: inside.astype(bool),
    )
    with layer_writer(path, LAYER, grid, COLUMNS, tags) as writer:
        for batch in tracer.batches(tolerance(outputs, grid)):
            checkpoint()
            polygons = on_map(batch.polygons, grid)
            area = areas.polygons(polygons)
            large = area >= outputs.minimum_area
            fields = {
                "field_id": batch.first[large] + 1,
                "area_ha": area[large] / 10_000,
                "perimeter_m": areas.perimeters(polygons[large]),
                "confidence": mean_certainty(batch)[large],
            }
            writer.add(polygons[large], fields)
            written += int(large.sum())
            dropped += int((~large).sum())
    return PolygonCounts(written, dropped, tracer.crossing, tracer.cuts)
