"""One run: the plan, the blocks, the products, and what is said meanwhile."""

from __future__ import annotations

import json
import platform
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..models.files import write_atomically
from . import events
from .alone import alone_in
from .assemble import Assembler
from .blockstore import BlockStore
from .executor import BlockRun, run_blocks
from .job import Job
from .plan import PLAN, adopt_plan, library_versions, make_plan
from .prepare import Prepared, prepare
from .sessions import Session, SessionInfo, open_session
from .sinks.provenance import output_settings, product_tags
from .sources import Context
from .tally import doubts, seams
from .version import ENGINE_VERSION
from .voice import Voice, Warnings

#: Tiles a batch where the graph leaves it free: one on a CPU, which gains nothing from more, several on a GPU.
CPU_BATCH, GPU_BATCH = 1, 8


def run_job(job: Job, base: Path, voice: Voice) -> events.Result:
    """Run a job from its layers to its products.

    Raises:
        RequestError: when the job cannot be done as it is asked for.
        Cancelled: when the user stopped it; finished blocks stay in the run folder.
    """
    began = time.monotonic()
    warnings = Warnings(voice.say)
    prepared = prepare(job, base, warnings.tell)
    with alone_in(prepared.folder, warnings.tell):
        return _run(prepared, voice, warnings, began)


def _run(prepared: Prepared, voice: Voice, warnings: Warnings, began: float) -> events.Result:
    for sentence in prepared.warnings:
        warnings.tell(sentence)
    context = Context(prepared.base, prepared.folder, warnings.tell)
    fingerprints, attribution = _survey(prepared, context)
    session, batch = _session(prepared)
    if session and session.info.reason and prepared.job.compute.device != "auto":
        warnings.tell(session.info.reason)
    voice.say(_started(session.info if session else None))
    plan = make_plan(prepared, session.info if session else None, batch, fingerprints)
    told = adopt_plan(prepared.folder, plan)
    if told:
        warnings.tell(told)
    store = BlockStore(prepared.folder, prepared.layout)
    run_blocks(BlockRun(prepared, context, store, session, batch), voice)
    for sentence in [*doubts(prepared, store.total("counts")), *(seams(prepared, store.total) if session else ())]:
        warnings.tell(sentence)
    not_finite = int(store.total("not_finite"))
    if not_finite:
        warnings.tell(f"The model answered NaN or infinity for {not_finite:,} pixels; they are nodata.")
    products = Assembler(prepared, store, _tags(prepared, session, attribution), voice).write_all()
    _write_record(prepared, session, plan, products, warnings.told, time.monotonic() - began)
    store.clear()
    report = {"warnings": warnings.told, "attribution": attribution}
    return events.Result({name: str(path) for name, path in products.items()}, report)


def _session(prepared: Prepared) -> tuple[Session | None, int]:
    if not prepared.runs_model or prepared.model is None:
        return None, 1
    compute, tiling = prepared.job.compute, prepared.card.tiling
    batch = tiling.batch or compute.batch or CPU_BATCH
    session = open_session(prepared.model.path, prepared.card, compute, batch, prepared.lattice.size)
    if session.info.device in ("CUDA", "TENSORRT", "DIRECTML") and not (tiling.batch or compute.batch):
        batch = GPU_BATCH
    return session, batch


def _started(info: SessionInfo | None) -> events.Started:
    if info is None:
        return events.Started(ENGINE_VERSION)
    return events.Started(
        ENGINE_VERSION, backend=info.backend, device=info.device, precision=info.precision, reason=info.reason
    )


def _survey(prepared: Prepared, context: Context) -> tuple[dict[str, str], list[str]]:
    """Fingerprints of the sources by slot, and what their licences ask for."""
    sources = prepared.open_sources(context)
    try:
        credited = {line for source in sources.values() for line in source.attribution}
        return {name: source.fingerprint() for name, source in sources.items()}, sorted(credited)
    finally:
        for source in sources.values():
            source.close()


def _tags(prepared: Prepared, session: Session | None, attribution: list[str]) -> dict[str, str]:
    return product_tags(
        prepared.card if prepared.model else None,
        prepared.model.sha256 if prepared.model else None,
        prepared.job.sources,
        prepared.grid,
        _settings(prepared, session),
        {"fusion_mapper": ENGINE_VERSION, **library_versions()},
        attribution,
    )


def _settings(prepared: Prepared, session: Session | None) -> dict[str, Any]:
    """What shaped the products besides the layers and the model."""
    lattice = prepared.lattice
    ran = {"backend": session.info.backend, "precision": session.info.precision} if session else {}
    return {**ran, "tile": lattice.size, "step": lattice.step, **output_settings(prepared.job.outputs)}


def _write_record(
    prepared: Prepared,
    session: Session | None,
    plan: dict[str, Any],
    products: dict[str, Path],
    warnings: list[str],
    seconds: float,
) -> None:
    """`run.json`: what may not stand in the products themselves: when, where, how long."""
    record = {
        "schema": 1,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(seconds, 2),
        "machine": platform.platform(),
        "libraries": library_versions(),
        "session": asdict(session.info) if session else None,
        "pixels": prepared.grid.width * prepared.grid.height,
        "plan": PLAN if plan else None,
        "products": {name: path.name for name, path in products.items()},
        "warnings": warnings,
    }
    write_atomically(prepared.folder / "run.json", json.dumps(record, indent=1).encode())
