"""What the engine can look at before a run: its layers that are files already, with nothing staged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

from qgis.core import QgsCoordinateReferenceSystem, QgsRectangle

from ...inference.job import GridSpec, Job
from ..layers.crs import crs_text
from ..layers.matching import match
from ..layers.sources import RasterInput
from .execute import RunRequest, first_raster


@dataclass(frozen=True)
class Lookahead:
    """A job to be checked, and the slots about which the check will say nothing."""

    job: Job
    left_out: frozenset[str]
    """Slots whose layers have to be staged first: unsaved, joined or served from elsewhere."""


def look_ahead(request: RunRequest, folder: Path) -> Lookahead:
    """The run's job as far as it needs no staging; `folder` takes what the engine converts while it looks.

    The grid is the run's, also where the layer that gives it is left out.

    Raises:
        RequestError: when the layers, the model and the settings do not go together.
    """
    bindings = match(request.card, request.given).bindings
    ready = {
        name: binding
        for name, binding in bindings.items()
        if not any(layer.staging for layer in (*binding.rasters, *binding.vectors))
    }
    job = Job(
        sources={name: binding.to_source(request.unreadable) for name, binding in ready.items()},
        outputs=replace(request.outputs, folder=str(folder)),
        model=str(request.model),
        grid=_grid(request, first_raster(request.card, bindings)),
        compute=request.compute,
    )
    return Lookahead(job, frozenset(bindings) - frozenset(ready))


def _grid(request: RunRequest, first: Optional[RasterInput]) -> GridSpec:
    """The grid as asked for; made explicit where what it is taken from, an area or the raster `first`, is left out."""
    area, spec = request.area, request.grid
    if area is not None and area.staging is None:
        spec = replace(spec, area=area.as_area())
    elif area is not None and area.extent is not None:
        spec = _within(spec, area.extent, area.crs)
    if first is None or first.staging is None:
        return spec
    if spec.extent is None and spec.area is None and all(first.size):
        spec = _within(spec, first.extent, first.crs)
    resolution = spec.resolution or request.card.gsd
    return replace(spec, crs=spec.crs or crs_text(first.crs), resolution=resolution, native=False)


def _within(spec: GridSpec, extent: QgsRectangle, crs: QgsCoordinateReferenceSystem) -> GridSpec:
    corners = extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()
    return replace(spec, extent=corners, extent_crs=crs_text(crs))
