"""One run: the plan, the blocks, the products, and what is said meanwhile."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import events
from .alone import alone_in
from .assemble import Assembler
from .blockstore import BlockStore
from .ceiling import Ceiling
from .changes import refuse_changes, stamp
from .choice import open_chosen
from .executor import BlockRun, Executor, run_blocks
from .exhaustion import Batch
from .job import Job
from .kept import Kept
from .plan import adopt_plan, library_versions, make_plan
from .prepare import Prepared, prepare
from .recording import Survey, survey, write_record
from .sessions import SessionInfo
from .sinks.provenance import output_settings, product_tags
from .sinks.staging import sweep
from .sources import Context
from .tally import doubts, seams
from .version import ENGINE_VERSION
from .voice import Voice, Warnings


def run_job(
    job: Job, base: Path, voice: Voice, kept: Kept | None = None, execute: Executor = run_blocks
) -> events.Result:
    """Run a job from its layers to its products, with the models and sessions that `kept` holds from earlier ones.

    `execute` computes the blocks; everything before and after them happens here.

    Raises:
        RequestError: when the job cannot be done as it is asked for.
        Cancelled: when the user stopped it; finished blocks stay in the run folder.
    """
    began = time.monotonic()
    warnings = Warnings(voice.say)
    kept = kept or Kept()
    ceiling = Ceiling(job.compute)
    if ceiling.passed:
        # What earlier runs left in a warm engine is no reason to refuse this one.
        kept.clear()
    prepared = prepare(job, base, warnings.tell, kept)
    voice = replace(voice, require=ceiling.require)
    with alone_in(prepared.folder, warnings.tell):
        return _run(prepared, kept, voice, warnings, began, execute, ceiling)


def _run(
    prepared: Prepared,
    kept: Kept,
    voice: Voice,
    warnings: Warnings,
    began: float,
    execute: Executor,
    ceiling: Ceiling,
) -> events.Result:
    for sentence in prepared.warnings:
        warnings.tell(sentence)
    context = Context(prepared.base, prepared.folder, warnings.tell)
    before = stamp(prepared)
    found = _survey(prepared, context)
    opened, info, unlike = open_chosen(prepared, kept, context, voice, found.fingerprints)
    session, batch, recipe = (opened.session, opened.batch, opened.recipe) if opened else (None, 1, None)
    if unlike:
        warnings.tell(unlike)
    voice.say(_started(info))
    plan = make_plan(prepared, info, batch, found.fingerprints, recipe)
    told = adopt_plan(prepared.folder, plan)
    if told:
        warnings.tell(told)
    store = BlockStore(prepared.folder, prepared.layout)
    shrinking = Batch(batch, fixed=not (opened and opened.free), tell=warnings.tell)
    execute(BlockRun(prepared, context, store, session, shrinking, plan, ceiling), voice)
    refuse_changes(prepared, context, before, found.fingerprints)
    for sentence in [*doubts(prepared, store.total("counts")), *(seams(prepared, store.total) if session else ())]:
        warnings.tell(sentence)
    not_finite = int(store.total("not_finite"))
    if not_finite:
        warnings.tell(f"The model answered NaN or infinity for {not_finite:,} pixels; they are nodata.")
    settings = _settings(prepared, info)
    assembler = Assembler(prepared, store, _tags(prepared, settings, found.attribution), voice, warnings.tell)
    products, areas = assembler.write_all(), assembler.figures()
    seconds = time.monotonic() - began
    write_record(prepared, info, found, settings, products, areas, warnings.told, seconds)
    store.clear(pictures=prepared.job.pictures != "preview")
    sweep(prepared.folder)
    report = {"warnings": warnings.told, "attribution": found.attribution}
    return events.Result({name: str(path) for name, path in products.items()}, report)


def _started(info: SessionInfo | None) -> events.Started:
    if info is None:
        return events.Started(ENGINE_VERSION)
    return events.Started(
        ENGINE_VERSION, backend=info.backend, device=info.device, precision=info.precision, reason=info.reason
    )


def _survey(prepared: Prepared, context: Context) -> Survey:
    sources = prepared.open_sources(context)
    try:
        return survey(prepared, sources)
    finally:
        for source in sources.values():
            source.close()


def _tags(prepared: Prepared, settings: dict[str, Any], attribution: list[str]) -> dict[str, str]:
    return product_tags(
        prepared.card if prepared.model else None,
        prepared.model.sha256 if prepared.model else None,
        prepared.job.sources,
        prepared.grid,
        settings,
        {"fusion_mapper": ENGINE_VERSION, **library_versions()},
        attribution,
    )


def _settings(prepared: Prepared, info: SessionInfo | None) -> dict[str, Any]:
    """What shaped the products besides the layers and the model."""
    lattice = prepared.lattice
    ran = {"backend": info.backend, "precision": info.precision} if info else {}
    return {**ran, "tile": lattice.size, "step": lattice.step, **output_settings(prepared.job.outputs)}
