"""The plan: everything that decides a run's result, written once, obeyed by a resumed run and by every worker."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import rasterio
import scipy
import shapely

from ..models.fields import decode, encode
from ..models.files import write_atomically
from ..models.quantised.recipe import Recipe
from .errors import RequestError
from .job import CEILINGS, Compute
from .prepare import Prepared
from .sessions import SessionInfo
from .version import ENGINE_VERSION

SCHEMA = 2
PLAN = "plan.json"
BLOCKS = "blocks"
#: A file among the blocks that tells other runs that one is at work.
LOCK = "lock"
_WORDS = get_type_hints(Compute)
_DEVICES = tuple(word for word in get_args(_WORDS["device"]) if word not in ("auto", "cpu"))
_PRECISIONS = tuple(word for word in get_args(_WORDS["precision"]) if word != "auto")


def make_plan(
    prepared: Prepared,
    session: SessionInfo | None,
    batch: int,
    fingerprints: Mapping[str, str],
    recipe: Recipe | None = None,
) -> dict[str, Any]:
    """The plan as JSON values: no clock, no host, no absolute path."""
    job = prepared.job
    return {
        "schema": SCHEMA,
        "engine": ENGINE_VERSION,
        "libraries": {**library_versions(), **_runtime(session)},
        "model": prepared.model.sha256 if prepared.model else None,
        "slots": encode(prepared.card.slots) if prepared.model is None else None,
        "session": {"backend": session.backend, "precision": session.precision, "device": session.device}
        if session
        else None,
        "quantised": encode(recipe),
        **about_map(prepared, fingerprints),
        "lattice": asdict(prepared.lattice),
        "block": prepared.layout.side,
        "batch": batch,
        "products": sorted(prepared.products),
        "outputs": {name: value for name, value in encode(job.outputs).items() if name not in ("folder", "products")},
    }


def about_map(prepared: Prepared, fingerprints: Mapping[str, str]) -> dict[str, Any]:
    """The part of a plan that says what is mapped: which layers, how they are read, and where."""
    card = json.dumps(prepared.card.to_dict(), sort_keys=True, default=str)
    return {
        "inputs": dict(fingerprints),
        "sources": {name: _portable(encode(source)) for name, source in prepared.job.sources.items()},
        "card": f"sha256:{hashlib.sha256(card.encode()).hexdigest()}",
        "grid": {
            "crs": prepared.grid.crs,
            "transform": list(prepared.grid.transform)[:6],
            "size": [prepared.grid.width, prepared.grid.height],
            "area": prepared.area.fingerprint() if prepared.area else None,
        },
    }


def map_named(plan: Mapping[str, Any]) -> str:
    """A name for what the plan, or `about_map`, maps: equal for equal layers, read alike, in an equal
    place.
    """
    text = json.dumps({name: plan[name] for name in ("inputs", "sources", "card", "grid")}, sort_keys=True)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def library_versions() -> dict[str, str]:
    """Versions of the libraries whose arithmetic shapes the products."""
    return {
        "gdal": rasterio.__gdal_version__,
        "geos": shapely.geos_version_string,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }


@dataclass(frozen=True)
class Way:
    """One way to run a model."""

    device: str
    """A word of `Compute.device`, but for ``auto`` and ``cpu``."""
    precision: str
    """A word of `Compute.precision`, but for ``auto``; or ``int8``, with a recipe."""
    batch: int | None = None
    """Tiles at once; None leaves it open."""
    recipe: Recipe | None = None
    """What the model is quantised by."""

    @property
    def as_stored(self) -> str:
        """The precision of the session: a quantised model is one of full precision in which layers are replaced."""
        return self.precision if self.recipe is None else "f32"

    def require_sound(self) -> None:
        """Raise RequestError where this is no way to run a model, as out of a file that somebody has changed."""
        known = self.device in _DEVICES and self.precision in (_PRECISIONS if self.recipe is None else ("int8",))
        whole = self.batch is None or (type(self.batch) is int and 1 <= self.batch <= CEILINGS["batch"])
        if not (known and whole):
            said = (str(value)[:40] for value in (self.device, self.precision, self.batch))
            raise RequestError("No model runs on {} in {}, {} tiles at once.".format(*said))


def device_named(session: Mapping[str, Any]) -> str:
    """The word of `Compute.device` for what a plan's ``session`` ran on."""
    if session["backend"] == "openvino":
        return "openvino"
    device = str(session["device"]).split()[0].lower()
    return "onnxruntime-cpu" if device == "cpu" else device


def way_of(plan: Mapping[str, Any]) -> Way:
    """How the plan has its model run.

    Raises:
        RequestError: where it names nothing that a model can run on, or in.
    """
    session, recipe = plan["session"], plan.get("quantised")
    try:
        way = Way(
            device_named(session),
            session["precision"],
            plan["batch"],
            None if recipe is None else decode(Recipe, recipe, "plan.quantised"),
        )
    except (LookupError, TypeError, AttributeError) as problem:
        raise RequestError("The plan does not say what its model runs on.") from problem
    way.require_sound()
    return way


def _runtime(session: SessionInfo | None) -> dict[str, str]:
    """The version of the library that runs the model."""
    return {session.backend: str(import_module(session.backend).__version__)} if session else {}


def adopt_plan(folder: Path, plan: Mapping[str, Any]) -> str:
    """Make `plan` the one of the run folder; returns a sentence when an older, different plan was given up.

    Finished blocks of an equal plan stay and are used; those of another one are deleted.

    Raises:
        RequestError: when the folder cannot be written.
    """
    path = folder / PLAN
    text = json.dumps(plan, indent=1, sort_keys=True).encode()
    try:
        (folder / BLOCKS).mkdir(parents=True, exist_ok=True)
        old = path.read_bytes() if path.exists() else None
        if old == text:
            return ""
        for block in (folder / BLOCKS).iterdir():
            if block.name != LOCK:
                block.unlink()
        write_atomically(path, text)
    except OSError as problem:
        raise RequestError(f"The run folder {folder} cannot be written: {problem.strerror}.") from problem
    return (
        ""
        if old is None
        else f"{_changes(old, plan)} since the last run in this folder, so it starts from the beginning."
    )


def _changes(old: bytes, plan: Mapping[str, Any]) -> str:
    try:
        before = json.loads(old)
        changed = [key for key in plan if before.get(key) != json.loads(json.dumps(plan[key]))]
    except (ValueError, AttributeError, RecursionError):
        return "The plan file was damaged"
    named = ["the engine's format" if key == "schema" else key for key in changed]
    return f"{' and '.join(named).capitalize()} changed"


def _portable(source: dict[str, Any]) -> dict[str, Any]:
    """The source without its paths, which may differ where the same inputs are mounted elsewhere."""
    digest = hashlib.sha256(json.dumps(source.get("layers", []), sort_keys=True).encode()).hexdigest()
    kept = {key: value for key, value in source.items() if key not in ("path", "mosaic", "stack", "layers", "name")}
    return {**kept, "layers": f"sha256:{digest}"} if source.get("layers") else kept
