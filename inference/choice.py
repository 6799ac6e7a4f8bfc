"""Which session a run gets: what it was begun with, what a trial says, or what the job names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from .errors import RequestError
from .kept import Kept, Opened
from .plan import PLAN, about_map, map_named, way_of
from .prepare import Prepared
from .sessions import BackendError, SessionInfo
from .sources import Context
from .trial import choose, is_open, remembered
from .verdict import Verdict
from .voice import Voice


def open_chosen(
    prepared: Prepared, kept: Kept, context: Context, voice: Voice, fingerprints: Mapping[str, str]
) -> tuple[Opened | None, SessionInfo | None, str]:
    """The session for a job, what is told of it, and a sentence where it is not what the job asked for; None and None
    where no model is to run.

    Raises:
        RequestError: when no backend can load the model.
    """
    if not prepared.runs_model or prepared.model is None:
        return None, None, ""
    verdict = _verdict(prepared, context, voice, map_named(about_map(prepared, fingerprints)))
    try:
        opened = _opened(prepared, kept, verdict)
    except BackendError as problem:
        # A recipe out of a damaged plan, or of a machine that could do more than this one.
        opened, verdict = _opened(prepared, kept, None), None
        return opened, opened.session.info, f"The model does not run in 8-bit integers here: {problem}"
    info = opened.session.info
    if verdict is None:
        return opened, info, info.reason
    # The session itself is kept for others, of which no trial says anything.
    told = replace(info, reason=info.reason or verdict.reason)
    return opened, told, " ".join(filter(None, (info.reason, verdict.warning)))


def open_as_known(prepared: Prepared, kept: Kept) -> Opened:
    """The session that a run would get if no trial were made: as an earlier trial found, else as the job says.

    Raises:
        RequestError: when no backend can load the model.
    """
    try:
        return _opened(prepared, kept, remembered(prepared) if is_open(prepared) else None)
    except BackendError:
        return _opened(prepared, kept, None)


def _opened(prepared: Prepared, kept: Kept, verdict: Verdict | None) -> Opened:
    compute, tile = prepared.job.compute, prepared.lattice.size
    if verdict is None:
        return kept.opened(prepared.model, compute, tile)
    compute = replace(compute, device=verdict.device, precision=verdict.as_stored, batch=compute.batch or verdict.batch)
    return kept.opened(prepared.model, compute, tile, verdict.recipe)


def _verdict(prepared: Prepared, context: Context, voice: Voice, place: str) -> Verdict | None:
    """A run that was begun goes on as it was begun; a preview waits for no trial."""
    if not is_open(prepared):
        return None
    begun = _begun(prepared, place)
    if begun is not None or prepared.job.pictures == "preview":
        return begun
    return choose(prepared, context, voice, place)


def _begun(prepared: Prepared, place: str) -> Verdict | None:
    """What the plan in the run's folder names, where it is of this model and map and libraries may still obey it."""
    try:
        plan = json.loads((prepared.folder / PLAN).read_text(encoding="utf-8"))
        if (plan["model"], map_named(plan)) != (prepared.model.sha256, place):
            return None
        way = way_of(plan)
        return Verdict(way.device, way.precision, way.batch, way.recipe)
    except (OSError, ValueError, LookupError, TypeError, RecursionError, RequestError):
        # No plan, or none that can be read: the run starts from the beginning, and says so (`adopt_plan`).
        return None
