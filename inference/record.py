"""What a finished run says of itself in ``run.json``: when, with which model, of which layers, and what came out.

A contract module: standard library only, Python 3.9. The record is no product: it may tell the time, and the paths of
products that lie outside the run's folder; it never tells where the layers came from.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from ..models.fields import decode
from .errors import RequestError

RECORD = "run.json"
#: Records hold a card and some figures; more is no record.
MAX_BYTES = 16 * 2**20


@dataclass(frozen=True)
class ClassArea:
    """How much of the map one class takes."""

    value: int
    name: str
    color: str
    """``#rrggbb``, as the map shows it."""
    pixels: int
    area_ha: float
    """Hectares on the ellipsoid."""
    share: float
    """Of the area that is not nodata, 0 to 1."""


@dataclass(frozen=True)
class Figures:
    """What the map of one model output amounts to."""

    output: str
    """The output's title."""
    task: str
    pixels: int
    area_ha: float
    """Hectares that are not nodata."""
    nodata_pixels: int
    nodata_ha: float
    classes: tuple[ClassArea, ...] = ()
    """In the card's order; empty in regression."""
    units: str = ""
    statistics: dict[str, Optional[float]] = field(default_factory=dict)
    """Regression: mean, std, min, max, p5 to p95 over pixels; None where all is nodata."""


@dataclass(frozen=True)
class InputFacts:
    """The layers of one slot as the run found them."""

    slot: str
    role: str
    names: tuple[str, ...] = ()
    """What the layers are called; never where they lie."""
    crs: str = ""
    gsd: Optional[float] = None
    """Ground sampling distance in metres; None for vectors."""
    coverage: Optional[float] = None
    """Share of the grid's extent that the layers' extent covers."""
    dtype: str = ""
    bands: tuple[str, ...] = ()
    """Names of the bands that were read, or of the channels that features became."""
    minimum: tuple[float, ...] = ()
    maximum: tuple[float, ...] = ()
    radiometry: str = ""
    """What was done to the numbers as stored; empty where nothing was."""
    features: Optional[int] = None
    """Features within reach of the grid; None for rasters."""


@dataclass(frozen=True)
class GridFacts:
    """The run grid."""

    crs: str
    """Its code where it has one, else WKT."""
    width: int
    height: int
    gsd: tuple[float, float]
    """Metres of ground along a row and a column."""
    bounds: tuple[float, float, float, float]


@dataclass(frozen=True)
class RunRecord:
    """One finished run. Fields that a newer engine adds are passed over; those an older one lacks are empty."""

    schema: int
    finished: str = ""
    """UTC, ISO 8601."""
    seconds: float = 0.0
    engine: str = ""
    libraries: dict[str, str] = field(default_factory=dict)
    session: Optional[dict[str, object]] = None
    """Backend, device, precision and reason; None where no model ran."""
    model: str = ""
    """What the model is called."""
    model_hash: str = ""
    """``sha256:`` and the model file's hash."""
    card: Optional[dict[str, object]] = None
    """The model's card as it was used; None for a stack without a model."""
    grid: Optional[GridFacts] = None
    inputs: tuple[InputFacts, ...] = ()
    settings: dict[str, object] = field(default_factory=dict)
    areas: tuple[Figures, ...] = ()
    attribution: tuple[str, ...] = ()
    """What the licences of the layers ask to be said."""
    warnings: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    """Product → file, relative to the run's folder where it lies in it."""


def read_record(folder: Path) -> RunRecord:
    """The record of the run in `folder`.

    Raises:
        RequestError: where there is none, or it cannot be read.
    """
    return record_from_dict(_parsed(folder), str(folder / RECORD))


def record_from_dict(data: dict[str, Any], where: str) -> RunRecord:
    """A record from its JSON values; raises RequestError with the field that is wrong."""
    if data.get("schema") != 1:
        raise RequestError(f"{where} has version {data.get('schema')!r}, but this Fusion Mapper reads 1.")
    known = {one.name for one in dataclasses.fields(RunRecord)}
    return decode(RunRecord, {name: value for name, value in data.items() if name in known}, where)


def figures_alone(record: RunRecord) -> RunRecord:
    """What a summary shows of the record: small enough to be kept with a project."""
    inputs = tuple(InputFacts(facts.slot, facts.role, facts.names) for facts in record.inputs)
    return RunRecord(
        schema=record.schema,
        finished=record.finished,
        model=record.model,
        grid=record.grid,
        inputs=inputs,
        areas=record.areas,
        attribution=record.attribution,
    )


def _parsed(folder: Path) -> dict[str, Any]:
    path = folder / RECORD
    try:
        if path.stat().st_size > MAX_BYTES:
            raise RequestError(f"{path} is larger than {MAX_BYTES // 2**20} MiB, which no run's record is.")
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as problem:
        raise RequestError(
            f"There is no finished run in {folder}; it was moved or deleted, or the run has not ended."
        ) from problem
    except OSError as problem:
        raise RequestError(f"{path} cannot be read: {problem.strerror}.") from problem
    except (ValueError, RecursionError) as problem:
        raise RequestError(f"{path} is not valid JSON.") from problem
    if not isinstance(data, dict):
        raise RequestError(f"{path} is not a run's record.")
    return data
