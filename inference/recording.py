"""Writes a finished run's record (`record.RunRecord`)."""

from __future__ import annotations

import json
import math
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..models.card import Output, Slot
from ..models.files import write_atomically
from ..models.palette import class_color
from .grid import Grid
from .job import resolve
from .plan import PLAN, library_versions
from .prepare import Prepared
from .record import RECORD, ClassArea, Figures, GridFacts, InputFacts, RunRecord
from .sessions import SessionInfo
from .sinks.provenance import radiometry_text, source_names
from .sources import Facts, Source
from .sources.raster_env import label
from .version import ENGINE_VERSION

_STATISTICS = ("mean", "std", "min", "max", "p5", "p25", "p50", "p75", "p95")


@dataclass(frozen=True)
class Survey:
    """What is known of the layers before the first block."""

    fingerprints: dict[str, str]
    """By slot."""
    attribution: list[str]
    """What the layers' licences ask for."""
    inputs: tuple[InputFacts, ...]


def survey(prepared: Prepared, sources: Mapping[str, Source]) -> Survey:
    """Look the open sources over."""
    slots = {slot.name: slot for slot in prepared.card.slots}
    # A preview leaves nothing to be read later, and its first picture is awaited.
    looked = prepared.job.pictures != "preview"
    return Survey(
        {name: source.fingerprint() for name, source in sources.items()},
        list(dict.fromkeys(line for source in sources.values() for line in source.attribution)),
        tuple(_input(prepared, slots[name], source.facts() if looked else Facts()) for name, source in sources.items()),
    )


def figures_of(output: Output, report: Mapping[str, Any]) -> Figures:
    """A head's summary (`sinks.summary.summarise`) as the record keeps it."""
    return Figures(
        output=report["output"],
        task=output.task,
        pixels=report.get("pixels", sum(row["pixels"] for row in report.get("classes", ()))),
        area_ha=report["area_ha"],
        nodata_pixels=report["nodata"]["pixels"],
        nodata_ha=report["nodata"]["area_ha"],
        classes=tuple(
            ClassArea(color=class_color(info, position), **row)
            for position, (info, row) in enumerate(zip(output.classes, report.get("classes", ()), strict=False))
        ),
        units=output.units,
        statistics={name: report[name] for name in _STATISTICS if name in report},
    )


def write_record(
    prepared: Prepared,
    session: SessionInfo | None,
    found: Survey,
    settings: Mapping[str, Any],
    products: Mapping[str, Path],
    areas: Sequence[Figures],
    warnings: Sequence[str],
    seconds: float,
) -> None:
    """Write ``run.json``: besides the figures, what may not stand in the products themselves: when, where, how long."""
    record = RunRecord(
        schema=1,
        finished=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        seconds=round(seconds, 2),
        engine=ENGINE_VERSION,
        libraries=library_versions(),
        session=asdict(session) if session else None,
        model=prepared.card.label if prepared.model else "",
        model_hash=f"sha256:{prepared.model.sha256.removeprefix('sha256:')}" if prepared.model else "",
        card=prepared.card.to_dict() if prepared.model else None,
        grid=_grid(prepared.grid),
        inputs=found.inputs,
        settings={name: value for name, value in settings.items() if value is not None},
        areas=tuple(areas),
        attribution=tuple(found.attribution),
        warnings=tuple(_placeless(sentence, prepared) for sentence in warnings),
        files={name: _place(path, prepared.folder) for name, path in products.items()},
    )
    more = {
        "machine": platform.platform(),
        "pixels": prepared.grid.width * prepared.grid.height,
        "plan": PLAN,
        "products": {name: path.name for name, path in products.items()},
    }
    text = json.dumps({**asdict(record), **more}, indent=1, allow_nan=False)
    write_atomically(prepared.folder / RECORD, text.encode())


def _input(prepared: Prepared, slot: Slot, facts: Facts) -> InputFacts:
    spec = prepared.job.sources.get(slot.name)
    matched = facts.details.get("matched")
    bands = facts.details.get("bands") or (list(matched) if isinstance(matched, Mapping) else ())
    if len(bands) > len(set(bands)) and len(facts.details.get("files", ())) == len(bands):
        # Files of one unnamed band each.
        bands = facts.details["files"]
    return InputFacts(
        slot=slot.name,
        role=slot.role,
        names=tuple(source_names(spec)) if spec else (),
        crs=facts.crs,
        gsd=facts.gsd,
        coverage=facts.coverage,
        dtype=facts.dtype,
        bands=tuple(str(band) for band in bands),
        minimum=_finite(facts.minimum),
        maximum=_finite(facts.maximum),
        radiometry=radiometry_text(spec) if spec else "",
        features=facts.details.get("features"),
    )


def _placeless(sentence: str, prepared: Prepared) -> str:
    """A warning that may quote GDAL, without the folders that the layers lie in: reports are sent on."""
    specs = prepared.job.sources.values()
    paths = {path for spec in specs for path in (spec.path, *spec.mosaic) if path}
    paths |= {part.path for spec in specs for part in (*spec.stack, *spec.layers)}
    for path in sorted(paths, key=len, reverse=True):
        for spelling in (resolve(path, prepared.base), path):
            sentence = sentence.replace(spelling, label(path))
    return sentence


def _finite(values: Iterable[float]) -> tuple[float, ...]:
    kept = tuple(float(value) for value in values)
    return kept if all(map(math.isfinite, kept)) else ()


def _grid(grid: Grid) -> GridFacts:
    authority = grid.pyproj_crs.to_authority()
    return GridFacts(
        ":".join(authority) if authority else grid.crs, grid.width, grid.height, tuple(grid.gsd), tuple(grid.bounds)
    )


def _place(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()
