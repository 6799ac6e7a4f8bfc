"""Which session a run gets: what it was begun with, what a trial says, or what the job names."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from .kept import Kept, Opened
from .plan import PLAN, device_named
from .prepare import Prepared
from .sessions import SessionInfo
from .sources import Context
from .trial import Verdict, choose, is_open


def open_chosen(
    prepared: Prepared, kept: Kept, context: Context, checkpoint: Callable[[], None]
) -> tuple[Opened | None, SessionInfo | None, str]:
    """The session for a job, what is told of it, and a sentence where it is not what the job asked for; None and None
    where no model is to run.

    Raises:
        RequestError: when no backend can load the model.
    """
    if not prepared.runs_model or prepared.model is None:
        return None, None, ""
    compute = prepared.job.compute
    verdict = _verdict(prepared, context, checkpoint)
    if verdict is not None:
        batch = compute.batch or verdict.batch
        compute = replace(compute, device=verdict.device, precision=verdict.precision, batch=batch)
    opened = kept.opened(prepared.model, compute, prepared.lattice.size)
    info = opened.session.info
    if verdict is None:
        return opened, info, info.reason
    # The session itself is kept for others, of which no trial says anything.
    told = replace(info, reason=info.reason or verdict.reason)
    return opened, told, " ".join(filter(None, (info.reason, verdict.warning)))


def _verdict(prepared: Prepared, context: Context, checkpoint: Callable[[], None]) -> Verdict | None:
    """A run that was begun goes on as it was begun; a preview waits for no trial."""
    if not is_open(prepared):
        return None
    begun = _begun(prepared)
    if begun is not None or prepared.job.pictures == "preview":
        return begun
    return choose(prepared, context, checkpoint)


def _begun(prepared: Prepared) -> Verdict | None:
    """What the plan in the run's folder names, where it is of the same model and libraries may still obey it."""
    try:
        plan = json.loads((prepared.folder / PLAN).read_text(encoding="utf-8"))
        session = plan["session"] if plan["model"] == prepared.model.sha256 else None
        return Verdict(device_named(session), session["precision"], batch=int(plan["batch"]))
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        # No plan, or none that can be read: the run starts from the beginning, and says so (`adopt_plan`).
        return None
