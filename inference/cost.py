"""What a run will cost: its grid, tiles and blocks, and bytes on disk. `duration` adds the seconds."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..models.card import Output
from .prepare import Prepared, wanted_of
from .sinks.values import class_dtype

#: Bytes of a finished raster, and of its drafts and overviews while it is written, for one byte of its pixels, whether
#: it holds classes: those pack well, floats hardly at all. Measured on aerial imagery, rounded up.
_PACKED, _DRAFTED = {True: 0.3, False: 1.2}, {True: 1.2, False: 4.5}
#: Bytes a pixel of a GeoPackage with the polygons of a map as noisy as those of real imagery.
_VECTOR_BYTES = 4.0
_FLOAT = np.dtype(np.float32).itemsize


@dataclass(frozen=True)
class RasterCost:
    """One raster product."""

    bytes: int
    """Of one pixel, all bands."""
    categorical: bool


@dataclass(frozen=True)
class Written:
    """What a run writes for each pixel."""

    rasters: tuple[RasterCost, ...]
    vectors: int
    """Layers of polygons."""
    asides: float
    """Bytes that block files hold besides the rasters."""


def describe_grid(prepared: Prepared) -> dict[str, Any]:
    """Where the run lies, into how much it falls and what room it takes, as the report's plain values."""
    grid, lattice = prepared.grid, prepared.lattice
    return {
        "grid": {
            "crs": grid.crs,
            "transform": list(grid.transform)[:6],
            "width": grid.width,
            "height": grid.height,
            "bounds": list(grid.bounds),
            "gsd": list(grid.gsd),
        },
        "pixels": grid.width * grid.height,
        "tile": lattice.size,
        "tiles": lattice.count(grid.height) * lattice.count(grid.width),
        "blocks": prepared.layout.count,
        "products": {name: path.name for name, path in prepared.products.items()},
        "disk": disk_bytes(prepared),
        "free": free_bytes(prepared.folder),
    }


def disk_bytes(prepared: Prepared) -> int:
    """Most bytes that the run folder holds at once: all block files, the products, and the drafts of the largest one.

    An estimate on the safe side. It leaves out indexed copies of vector layers.
    """
    written = written_by(prepared)
    blocks = sum(raster.bytes for raster in written.rasters) + written.asides
    packed = sum(raster.bytes * _PACKED[raster.categorical] for raster in written.rasters)
    drafts = max((raster.bytes * _DRAFTED[raster.categorical] for raster in written.rasters), default=0.0)
    pixels = prepared.grid.width * prepared.grid.height
    return round(pixels * (blocks + packed + drafts + written.vectors * _VECTOR_BYTES))


def free_bytes(folder: Path) -> int | None:
    """Free bytes on the volume that `folder` is on, or will be; None where the system does not tell."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def written_by(prepared: Prepared) -> Written:
    """What the run writes."""
    heads = prepared.card.outputs if prepared.runs_model else ()
    wanted = [(output, wanted_of(output, prepared.products)) for output in heads]
    rasters = [raster for output, names in wanted for raster in _rasters(output, names)]
    return Written(
        (*_without_model(prepared), *rasters),
        sum(len(names & {"polygons", "fields"}) for _, names in wanted),
        sum(_aside(names) for _, names in wanted),
    )


def _without_model(prepared: Prepared) -> list[RasterCost]:
    slots = [slot for slot in prepared.card.slots if slot.layout != "vector"]
    known = {
        "stack": RasterCost(_FLOAT * sum(len(slot.channels) for slot in slots), False),
        "missing": RasterCost(sum(slot.missing != "required" for slot in slots), True),
    }
    return [raster for name, raster in known.items() if name in prepared.products]


def _rasters(output: Output, wanted: frozenset[str]) -> list[RasterCost]:
    found = [RasterCost(_FLOAT, False) for _ in wanted & {"confidence", "entropy", "regression"}]
    if "probabilities" in wanted:
        found.append(RasterCost(_FLOAT * len(output.classes), False))
    if "classes" in wanted:
        found.append(RasterCost(np.dtype(class_dtype(output)).itemsize, True))
    return found


def _aside(wanted: frozenset[str]) -> float:
    """Certainties, field interiors, and classes that only polygons or a summary are made from."""
    unasked = bool(wanted & {"polygons", "summary"}) and not wanted & {"classes", "regression"}
    return 2.0 * (("polygons" in wanted) + ("fields" in wanted) + unasked)
