"""From layers and labels to a place of a learning job: staged where they are no files."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from qgis.core import QgsCoordinateTransformContext

from ...inference.job import GridSpec, Outputs
from ...inference.learnjob import Place
from ...models.card import Card, Slot
from ..engine.commands import EngineCommands
from ..layers.labels import LabelsInput, stage_labels
from ..layers.matching import Given
from ..layers.staging import MAX_PIXELS, Stage
from ..settings import data_folder, output_folder
from .execute import Course, Listener, RunRequest, prepare

#: The source that holds a coarse class raster, and that of the vectors which are added to it.
PRIOR, OSM = "prior", "osm"
TRAINING = Course({"reading": (0.0, 10.0)}, (95.0, 100.0), epochs=(10.0, 95.0))
#: Many trainings, told by the engine as they are done.
COMPARING = Course({"reading": (0.0, 2.0)}, (2.0, 100.0))
CUTTING = Course({"reading": (0.0, 20.0)}, (20.0, 100.0))


@dataclass(frozen=True)
class PlaceRequest:
    """The layers and labels of one area; plain values that a background thread may have."""

    name: str
    given: Given
    slots: tuple[Slot, ...]
    """How the layers are matched to the engine's sources, which have the slots' names."""
    labels: LabelsInput
    grid: GridSpec = GridSpec()
    unreadable: str = "stop"
    max_pixels: int = MAX_PIXELS
    transform: QgsCoordinateTransformContext = field(default_factory=QgsCoordinateTransformContext)


def make_place(request: PlaceRequest, folder: Path, engine: EngineCommands, listener: Listener) -> Place:
    """The place as a job has it; what is no file is copied into `folder`.

    Raises:
        RequestError: when the layers do not go together.
        SourceError: when a layer cannot be read.
        Cancelled: when the user stopped.
    """
    run = RunRequest(
        given=request.given,
        outputs=Outputs(str(folder)),
        card=Card(request.name, request.slots, (), title=request.name),
        grid=request.grid,
        unreadable=request.unreadable,
        max_pixels=request.max_pixels,
        transform=request.transform,
    )
    job = prepare(run, engine, listener)
    stage = Stage(folder / "staged", request.transform, listener.is_cancelled, listener.say, listener.warn)
    labels = stage_labels(request.labels, stage).to_labels()
    sources = dict(job.sources)
    if PRIOR in sources and OSM in sources:
        # Roads, water and buildings are added to their classes of the prior.
        sources[PRIOR] = replace(sources[PRIOR], layers=sources[OSM].layers)
    return Place(request.name, sources, labels, job.grid)


def new_training_folder(name: str) -> Path:
    """A folder for a training, a comparison or chips whose user named none."""
    parent = output_folder() or data_folder() / "trainings"
    return parent / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
