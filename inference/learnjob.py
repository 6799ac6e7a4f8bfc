"""The jobs of learning: what is trained, compared, evaluated or cut into chips, from which layers and labels.

A contract module: standard library only, Python 3.9. Relative paths resolve against the job file's folder, as in `job`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional, TypeVar

from ..models.card import ClassInfo, Slot, check_classes, check_slots
from ..models.fields import decode, encode
from ..models.trainplan import Architecture, LearnTask, Network, Precision, Strategy, Training
from .errors import RequestError
from .job import MAX_BYTES, Compute, GridSpec, Source, check_source

SCHEMA = 1
#: A file of this name in the folder of a training ends it, and keeps the best epoch.
STOP = "stop"
__all__ = [
    "STOP",
    "Architecture",
    "ChipsJob",
    "CompareJob",
    "EvaluateJob",
    "Labels",
    "LearnJob",
    "LearnTask",
    "Network",
    "Place",
    "Precision",
    "Strategy",
    "Training",
    "learnjob_from_dict",
    "read_learnjob",
    "to_dict",
]


@dataclass(frozen=True)
class Labels:
    """What is known on the ground: polygons, points or a class raster, in any CRS, resolution and extent.

    Pixels without a label are ignored, never background.
    """

    path: str
    layer: Optional[str] = None
    """Vector layer inside the file; None takes its only (or first) layer."""
    where: Optional[str] = None
    """Attribute filter in OGR SQL."""
    field: Optional[str] = None
    """Attribute that holds the class (or the value of a regression). Vectors only; field boundaries need none."""
    band: int = 1
    """Band of a label raster, counted from 1."""
    unlabelled: tuple[str, ...] = ()
    """Values (as text) that mean "not known" besides NULL and nodata."""
    crs: Optional[str] = None
    """CRS in place of the layer's own, where that is missing or known to be wrong."""
    width: Optional[float] = None
    """Points: radius in ground metres of the disc that a point labels; None labels the pixel it lies in.
    Field boundaries: full width in ground metres of the boundary class; None takes two pixels."""
    name: Optional[str] = None
    """The layer's name as the user knows it."""


@dataclass(frozen=True)
class Place:
    """One area with layers and labels: a scene of a training, or the unseen place of a comparison."""

    name: str
    sources: dict[str, Source]
    """Slot name → layers."""
    labels: Labels
    grid: GridSpec = GridSpec()


@dataclass(frozen=True)
class LearnJob:
    """One training.

    Without `slots`, they are made from the first place's layers: bands of the imagery by name, OpenStreetMap and
    terrain channels as the starter models have them.
    """

    name: str
    """File name of the model, without ending."""
    places: tuple[Place, ...]
    folder: str
    """Where the model, its figures and the checkpoint go; a stopped training goes on in it."""
    schema: int = field(default=SCHEMA, metadata={"always": True})
    title: str = ""
    task: LearnTask = "semantic-segmentation"
    slots: tuple[Slot, ...] = ()
    classes: tuple[ClassInfo, ...] = ()
    """Empty takes the classes that the labels have. Names are matched to the labels' field first, then values."""
    strategy: Strategy = "stack"
    network: Network = Network()
    training: Training = Training()
    gsd: Optional[float] = None
    """Ground sampling distance of the model in metres; None takes the run grid's of the first place."""
    units: str = ""
    range: Optional[tuple[float, float]] = None
    license: str = ""
    notice: str = ""
    """Shown wherever the model appears; trainings on simulated scenes must say so here."""
    variants: tuple[Precision, ...] = ()
    """Further ONNX files of lower precision, each with its measured loss."""
    prior: str = "prior"
    """Name of the source that holds the coarse class raster of ``proc-stack``."""


@dataclass(frozen=True)
class EvaluateJob:
    """A map, or a model run on layers, against reference labels."""

    labels: Labels
    folder: str
    schema: int = field(default=SCHEMA, metadata={"always": True})
    title: str = ""
    task: LearnTask = "semantic-segmentation"
    map: Optional[str] = None
    """A class or regression raster to judge; None runs `model` on `sources` first."""
    band: int = 1
    model: Optional[str] = None
    sources: dict[str, Source] = field(default_factory=dict)
    grid: GridSpec = GridSpec()
    compute: Compute = Compute()
    classes: tuple[ClassInfo, ...] = ()
    """Names of the map's values; None are taken from the model's card, the map's own category names, or the values."""
    fields: Optional[str] = None
    """Polygons (GeoPackage) of mapped fields for object figures; None takes those the model's run makes."""
    units: str = ""
    tolerance: int = 1
    """Pixels within which a boundary counts as met."""
    simple_random: bool = True
    """Reference pixels stand for their stratum (mapped class) as a random sample; False says in the report that they
    were not drawn at random, and that the intervals are then optimistic."""


@dataclass(frozen=True)
class CompareJob:
    """The paper's protocol: strategies × label fractions × seeds, judged in place and in places never seen."""

    train: tuple[Place, ...]
    folder: str
    schema: int = field(default=SCHEMA, metadata={"always": True})
    test: tuple[Place, ...] = ()
    """Places that no training sees."""
    task: LearnTask = "semantic-segmentation"
    slots: tuple[Slot, ...] = ()
    classes: tuple[ClassInfo, ...] = ()
    strategies: tuple[Strategy, ...] = ("imagery", "stack")
    fractions: tuple[float, ...] = (1.0, 0.35, 0.1, 0.05, 0.02)
    seeds: tuple[int, ...] = (1, 2, 3, 4, 5)
    network: Network = Network()
    training: Training = Training()
    gsd: Optional[float] = None
    units: str = ""
    range: Optional[tuple[float, float]] = None
    shuffled: bool = False
    """The null control: every extra layer is taken from another place of the scene, so that it tells nothing."""
    prior: str = "prior"
    facts: dict[str, str] = field(default_factory=dict)
    """Columns that are written into every row, for example the simulator's version and hash."""


@dataclass(frozen=True)
class ChipsJob:
    """Chips for training elsewhere: the stack, and the labels where there are any, in georeferenced tiles."""

    places: tuple[Place, ...]
    folder: str
    schema: int = field(default=SCHEMA, metadata={"always": True})
    task: LearnTask = "semantic-segmentation"
    slots: tuple[Slot, ...] = ()
    classes: tuple[ClassInfo, ...] = ()
    size: int = 256
    stride: Optional[int] = None
    """Pixels from one chip to the next; None sets chips side by side."""
    validation: float = 0.25
    labelled: bool = True
    """Only chips with at least one labelled pixel."""
    seed: int = 1
    gsd: Optional[float] = None


Kind = TypeVar("Kind", LearnJob, EvaluateJob, CompareJob, ChipsJob)


def learnjob_from_dict(kind: type[Kind], data: object, where: str = "job") -> Kind:
    """Check parsed JSON and build the job of that kind.

    Raises:
        RequestError: names the field.
    """
    version = data.get("schema") if isinstance(data, dict) else None
    if version != SCHEMA:
        raise RequestError(f"{where}.schema is {version!r}, but this engine reads version {SCHEMA}.")
    job = decode(kind, data, where)
    for name in ("places", "train"):
        if getattr(job, name, None) == ():
            raise RequestError(f"{where}.{name} must name at least one place with layers and labels.")
    _check_layers(job, where)
    training = getattr(job, "training", None)
    if training is not None:
        _check_training(training, f"{where}.training")
    if isinstance(job, CompareJob):
        _check_compare(job, where)
    if isinstance(job, EvaluateJob) and (job.map is None) == (job.model is None):
        raise RequestError(f"{where} needs either 'map', a raster to judge, or 'model' with 'sources' to run first.")
    if isinstance(job, ChipsJob):
        _check_chips(job, where)
    return job


def read_learnjob(kind: type[Kind], path: Path) -> tuple[Kind, Path]:
    """Read a job file of that kind; returns the job and the folder against which its relative paths resolve.

    Raises:
        RequestError: when the file is missing, too large, not JSON or not such a job.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise RequestError(f"{path} is larger than {MAX_BYTES // 2**20} MiB, which no job file is.")
        data = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as problem:
        raise RequestError(f"The job file {path} cannot be read: {problem.strerror}.") from problem
    except (ValueError, RecursionError) as problem:
        raise RequestError(f"The job file {path} is not valid JSON: {problem}.") from problem
    return learnjob_from_dict(kind, data), path.resolve().parent


def to_dict(job: object) -> dict[str, Any]:
    """Plain JSON values of a job."""
    return dict(encode(job))


_LIMITS = {"epochs": (1, 10_000), "steps": (1, 10_000), "batch": (1, 512), "chip": (16, 2048), "patience": (0, 10_000)}


def _check_training(training: Training, where: str) -> None:
    for name, (least, most) in _LIMITS.items():
        if not least <= getattr(training, name) <= most:
            raise RequestError(f"{where}.{name} must lie between {least} and {most}, not {getattr(training, name)}.")
    if not 0 < training.fraction <= 1:
        raise RequestError(f"{where}.fraction is a share above 0 and at most 1, not {training.fraction:g}.")
    if not 0.05 <= training.validation <= 0.9:
        raise RequestError(f"{where}.validation is a share from 0.05 to 0.9, not {training.validation:g}.")
    if not 0 <= training.dropout < 1:
        raise RequestError(f"{where}.dropout is a probability from 0 to below 1, not {training.dropout:g}.")
    if not 0 < training.rate <= 1 or training.decay < 0:
        raise RequestError(f"{where}.rate must lie above 0 and at most at 1, and decay must not be negative.")


def _check_layers(job: Any, where: str) -> None:
    """Sources, labels, slots and classes of a job of any kind."""
    bound = {
        f"{where}.{group}[{i}]": place
        for group in ("places", "train", "test")
        for i, place in enumerate(getattr(job, group, ()))
    }
    for spot, place in ({where: job} if isinstance(job, EvaluateJob) else bound).items():
        for name, source in place.sources.items():
            check_source(source, f"{spot}.sources.{name}")
        _check_labels(place.labels, f"{spot}.labels")
    # The recipes of priors and locations are made for each training.
    check_slots(tuple(s for s in getattr(job, "slots", ()) if s.role not in ("prior", "location")), f"{where}.slots")
    check_classes(job.classes, f"{where}.classes")


def _check_labels(labels: Labels, where: str) -> None:
    if not labels.path:
        raise RequestError(f"{where}.path names no file.")
    if labels.band < 1:
        raise RequestError(f"{where}.band is counted from 1, and is {labels.band}.")
    if labels.width is not None and labels.width <= 0:
        raise RequestError(f"{where}.width must be more than 0 metres, not {labels.width:g}.")


def _check_chips(job: ChipsJob, where: str) -> None:
    if not 16 <= job.size <= 4096:
        raise RequestError(f"{where}.size must lie between 16 and 4096 pixels, not {job.size}.")
    if job.stride is not None and job.stride < 1:
        raise RequestError(f"{where}.stride must be at least 1 pixel, not {job.stride}.")
    if not 0 <= job.validation <= 0.9:
        raise RequestError(f"{where}.validation is a share from 0 to 0.9, not {job.validation:g}.")


def _check_compare(job: CompareJob, where: str) -> None:
    for name in ("strategies", "fractions", "seeds"):
        if not getattr(job, name):
            raise RequestError(f"{where}.{name} must not be empty.")
    if any(not 0 < fraction <= 1 for fraction in job.fractions):
        raise RequestError(f"{where}.fractions are shares above 0 and at most 1.")
    names = [place.name for place in (*job.train, *job.test)]
    for name in names:
        if names.count(name) > 1:
            raise RequestError(f"{where} uses the name '{name}' for two places.")
