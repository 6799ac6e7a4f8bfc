"""The job: which layers go through which model, on which grid, into which products.

A contract module: standard library only, Python 3.9. Relative paths resolve against the job file's folder.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Optional

from ..models.card import Slot
from ..models.fields import decode, encode
from .errors import RequestError

SCHEMA = 1
MAX_BYTES = 16 * 2**20
#: Every product the engine can make, with its default file name in the output folder.
PRODUCTS = {
    "classes": "classes.tif",
    "probabilities": "probabilities.tif",
    "confidence": "confidence.tif",
    "entropy": "entropy.tif",
    "regression": "regression.tif",
    "polygons": "polygons.gpkg",
    "fields": "fields.gpkg",
    "summary": "summary.csv",
    "stack": "stack.tif",
    "missing": "missing.tif",
}
#: What no machine computes at once; more is a mistyped number.
CEILINGS = {"tile": 16384, "batch": 1024, "workers": 256}
URL_PREFIXES = ("/vsi", "http://", "https://", "s3://", "gs://", "az://")


@dataclass(frozen=True)
class VectorLayer:
    """One vector layer of an OSM source."""

    path: str
    layer: Optional[str] = None
    """Layer name inside the file; None takes its only (or first) layer."""
    where: Optional[str] = None
    """Attribute filter in OGR SQL (a QGIS subset string)."""
    tags: dict[str, str] = field(default_factory=dict)
    """Tags that all features of the layer have besides their own, for layers without OSM attributes."""


@dataclass(frozen=True)
class RasterFile:
    """One raster file and the bands taken from it (1-based; empty takes all)."""

    path: str
    bands: tuple[int, ...] = ()


@dataclass(frozen=True)
class Source:
    """The layers bound to one slot. Exactly one of `path`, `mosaic`, `stack`, `layers` says where the values come from;
    a prior has a raster and `layers`, a location has none.
    """

    path: Optional[str] = None
    bands: tuple[int, ...] = ()
    """1-based bands for `path` and `mosaic`, in the order of the slot's channels; empty takes them in file order."""
    mosaic: tuple[str, ...] = ()
    """Overlapping or neighbouring raster files that are one layer; the first listed lies on top."""
    stack: tuple[RasterFile, ...] = ()
    """Files whose bands follow one another, each of its own resolution (Sentinel-2 band files)."""
    layers: tuple[VectorLayer, ...] = ()
    nodata: Optional[float] = None
    """Nodata value in place of the file's own."""
    ignore_mask: bool = False
    """True where the file's own nodata, mask or alpha is known to lie."""
    dn_offset: float = 0.0
    """Added to every value as stored, before anything else (-1000 for Sentinel-2 L2A since baseline N0400)."""
    dn_scale: float = 1.0
    """Multiplies every value last, after `dn_offset` and the file's own scale and offset tags: 10000 makes numbers of
    reflectance, 0.0001 reflectance of numbers."""
    unreadable: Literal["stop", "skip"] = "stop"
    """What becomes of blocks and features that cannot be read: an error, or nodata and a warning that counts them."""
    name: Optional[str] = None
    """The layer's name as the user knows it, for messages and metadata."""
    attribution: tuple[str, ...] = ()
    """What the layer's licence asks to be said."""


@dataclass(frozen=True)
class Area:
    """Polygons that limit the map."""

    path: str
    layer: Optional[str] = None
    where: Optional[str] = None


@dataclass(frozen=True)
class GridSpec:
    """Where the run grid lies. What is null is taken from the reference source and the model's GSD."""

    reference: Optional[str] = None
    """Slot whose layer gives CRS, origin and extent; None takes the first imagery slot, else the first raster."""
    resolution: Optional[float] = None
    """Pixel size in ground metres; None takes the model's GSD, or the reference's own pixels where the card names no
    GSD or one within 10 % of theirs."""
    native: bool = False
    """True keeps the reference's own pixels whatever the model's GSD."""
    crs: Optional[str] = None
    """CRS as an authority code or WKT."""
    extent: Optional[tuple[float, float, float, float]] = None
    """xmin, ymin, xmax, ymax in `extent_crs` (the grid's CRS when that is null)."""
    extent_crs: Optional[str] = None
    area: Optional[Area] = None


@dataclass(frozen=True)
class Outputs:
    """Where the products go and how they are shaped."""

    folder: str
    products: dict[str, Optional[str]] = field(default_factory=dict)
    """Product name to path; null is the default name in the folder; a product that is not named is not made."""
    minimum_area: float = 0.0
    """Polygons smaller than this, in m², are merged into a neighbour (classes) or dropped (fields)."""
    simplify: Optional[float] = None
    """Simplification tolerance in ground metres; None takes one pixel, 0 none."""
    threshold: Optional[float] = None
    """Confidence below which a pixel is nodata in the class map."""
    field_threshold: float = 0.5
    boundary_threshold: float = 0.5


@dataclass(frozen=True)
class Compute:
    """How to run. Null or ``auto`` lets the engine choose."""

    device: Literal["auto", "cpu", "cuda", "tensorrt", "directml", "onnxruntime-cpu", "openvino"] = "auto"
    precision: Literal["auto", "f32", "f16", "bf16"] = "auto"
    tile: Optional[int] = None
    overlap: Optional[int] = None
    batch: Optional[int] = None
    workers: Optional[int] = None
    memory: Optional[int] = None
    """Ceiling in MiB."""
    block: Optional[int] = None
    """Side of a block in pixels."""


@dataclass(frozen=True)
class Job:
    """One run. Without a model, `slots` say how the sources are read, and only a stack can be made."""

    sources: dict[str, Source]
    outputs: Outputs
    schema: int = field(default=SCHEMA, metadata={"always": True})
    model: Optional[str] = None
    slots: tuple[Slot, ...] = ()
    grid: GridSpec = GridSpec()
    compute: Compute = Compute()
    pictures: Optional[Literal["watch", "preview"]] = None
    """Whether a small picture of each finished block is drawn beside it and told of. ``watch``: they go when the blocks
    go. ``preview``: the blocks are computed from the centre outwards, and their pictures stay. No product changes."""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return dict(encode(self))


def job_from_dict(data: object, where: str = "job") -> Job:
    """Check parsed JSON and build the job.

    Raises:
        RequestError: names the field.
    """
    version = data.get("schema") if isinstance(data, dict) else None
    if version != SCHEMA:
        raise RequestError(f"{where}.schema is {version!r}, but this engine reads version {SCHEMA}.")
    job = decode(Job, data, where)
    for name in job.outputs.products:
        if name not in PRODUCTS:
            raise RequestError(f"{where}.outputs.products names '{name}'; the products are {', '.join(PRODUCTS)}.")
    if job.model is None and not job.slots:
        raise RequestError(f"{where} needs a 'model', or 'slots' that say how the sources are stacked.")
    _check_compute(job.compute, f"{where}.compute")
    _check_outputs(job.outputs, f"{where}.outputs")
    for name, source in job.sources.items():
        check_source(source, f"{where}.sources.{name}")
    return job


def read_job(path: Path) -> tuple[Job, Path]:
    """Read a job file; returns the job and the folder against which its relative paths resolve.

    Raises:
        RequestError: when the file is missing, too large, not JSON or not a job.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise RequestError(f"{path} is larger than {MAX_BYTES // 2**20} MiB, which no job file is.")
        # Editors on Windows put a byte order mark first.
        data = json.loads(content.decode("utf-8-sig"))
    except OSError as problem:
        raise RequestError(f"The job file {path} cannot be read: {problem.strerror}.") from problem
    except (ValueError, RecursionError) as problem:
        raise RequestError(f"The job file {path} is not valid JSON: {problem}.") from problem
    return job_from_dict(data), path.resolve().parent


def resolve(path: str, base: Path) -> str:
    """`path` as GDAL is to open it: URLs and /vsi paths as they are, files relative to `base`."""
    return path if path.startswith(URL_PREFIXES) else str((base / path).absolute())


def _check_compute(compute: Compute, where: str) -> None:
    for name in ("tile", "batch", "workers", "memory", "block"):
        value = getattr(compute, name)
        if value is not None and not 1 <= value <= CEILINGS.get(name, value):
            most = f" and at most {CEILINGS[name]:,}" if name in CEILINGS else ""
            raise RequestError(f"{where}.{name} must be at least 1{most}, not {value:,}.")
    if compute.overlap is not None and compute.overlap < 0:
        raise RequestError(f"{where}.overlap must not be negative.")


def _check_outputs(outputs: Outputs, where: str) -> None:
    for name in ("threshold", "field_threshold", "boundary_threshold"):
        value = getattr(outputs, name)
        if value is not None and not 0 <= value <= 1:
            raise RequestError(f"{where}.{name} is a probability from 0 to 1, not {value:g}.")
    for name in ("minimum_area", "simplify"):
        value = getattr(outputs, name)
        if value is not None and value < 0:
            raise RequestError(f"{where}.{name} must not be negative.")


def check_source(source: Source, where: str) -> None:
    """Refuse a source that contradicts itself; raises RequestError that names the field."""
    given = [name for name in ("path", "mosaic", "stack") if getattr(source, name)]
    if len(given) > 1:
        raise RequestError(f"{where} names {' and '.join(given)}; give one of them.")
    if any(band < 1 for band in source.bands):
        raise RequestError(f"{where}.bands are counted from 1.")
    if source.dn_scale == 0:
        raise RequestError(f"{where}.dn_scale must not be 0, which would make all values the same.")
