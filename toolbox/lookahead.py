"""What the engine can look at before a run: its layers that are files already, with nothing staged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ..inference.job import GridSpec, Job, Outputs
from .matching import match
from .runs import RunRequest, first_raster


@dataclass(frozen=True)
class Lookahead:
    """A job to be checked, and the slots about which the check will say nothing."""

    job: Job
    left_out: frozenset[str]
    """Slots whose layers have to be staged first: unsaved, joined or served from elsewhere."""


def look_ahead(request: RunRequest, folder: Path) -> Lookahead:
    """The run's job as far as it needs no staging; `folder` takes what the engine converts while it looks.

    Where a layer is left out the model is as well, since it could not do without; the grid is then still the run's.

    Raises:
        RequestError: when the layers, the model and the settings do not go together, or when the layer that gives the
            grid would have to be staged.
    """
    bindings = match(request.card, request.given).bindings
    ready = {
        name: binding
        for name, binding in bindings.items()
        if not any(layer.staging for layer in (*binding.rasters, *binding.vectors))
    }
    left_out = frozenset(bindings) - frozenset(ready)
    spec = _grid(request)
    first = first_raster(request.card, bindings)
    if first is not None and first.staging is not None:
        spec = replace(spec, crs=spec.crs or first.crs.authid() or first.crs.toWkt(), native=False)
        spec = replace(spec, resolution=spec.resolution or request.card.gsd)
    job = Job(
        sources={name: binding.to_source(request.unreadable) for name, binding in ready.items()},
        outputs=replace(request.outputs, folder=str(folder)),
        model=str(request.model),
        grid=spec,
        compute=request.compute,
    )
    return Lookahead(_without_model(job, request) if left_out else job, left_out)


def _grid(request: RunRequest) -> GridSpec:
    """The grid as asked for; of an area that has to be staged first, its extent."""
    area, spec = request.area, request.grid
    if area is None:
        return spec
    if area.staging is None:
        return replace(spec, area=area.as_area())
    if area.extent is None:
        return spec
    extent = area.extent
    corners = extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()
    return replace(spec, extent=corners, extent_crs=area.crs.authid() or area.crs.toWkt())


def _without_model(job: Job, request: RunRequest) -> Job:
    slots = tuple(replace(slot, missing="fill") for slot in request.card.slots)
    return replace(job, model=None, slots=slots, outputs=Outputs(job.outputs.folder, {"stack": None}))
