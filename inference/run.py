"""One run: the plan, the blocks, the products, and what is said meanwhile."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import events
from .assemble import assemble
from .blockstore import BlockStore
from .errors import Cancelled
from .events import Event
from .executor import BlockRun, run_blocks
from .job import Job
from .plan import PLAN, adopt_plan, library_versions, make_plan, write_atomically
from .prepare import Prepared, prepare
from .sessions import Session, SessionInfo, open_session
from .sources import Context
from .version import ENGINE_VERSION

#: Tiles a batch where the graph leaves it free: one on a CPU, which gains nothing from more, several on a GPU.
CPU_BATCH, GPU_BATCH = 1, 8


@dataclass(frozen=True)
class Voice:
    """How the engine speaks and is stopped: `say` sends an event, `cancelled` tells whether to stop."""

    say: Callable[[Event], None]
    cancelled: Callable[[], bool]


def run_job(job: Job, base: Path, voice: Voice) -> events.Result:
    """Run a job from its layers to its products.

    Raises:
        RequestError: when the job cannot be done as it is asked for.
        Cancelled: when the user stopped it; finished blocks stay in the run folder.
    """
    began = time.monotonic()
    warnings = Warnings(voice.say)
    prepared = prepare(job, base, warnings.tell)
    for sentence in prepared.warnings:
        warnings.tell(sentence)
    context = Context(base, prepared.folder, warnings.tell)
    sources = prepared.open_sources(context)
    attribution = sorted({line for source in sources.values() for line in source.attribution})
    fingerprints = {name: source.fingerprint() for name, source in sources.items()}
    for source in sources.values():
        source.close()
    session, batch = _session(prepared)
    if session and session.info.reason and job.compute.device != "auto":
        warnings.tell(session.info.reason)
    voice.say(_started(session.info if session else None))
    plan = make_plan(prepared, session.info if session else None, batch, fingerprints)
    told = adopt_plan(prepared.folder, plan)
    if told:
        warnings.tell(told)
    store = BlockStore(prepared.folder, prepared.layout)
    run_blocks(BlockRun(prepared, context, store, session, batch), voice)
    if store.not_finite:
        warnings.tell(f"The model answered NaN or infinity for {store.not_finite:,} pixels; they are nodata.")
    products = assemble(prepared, store, plan, attribution, voice)
    _write_record(prepared, session, plan, products, warnings.told, time.monotonic() - began)
    store.clear()
    return events.Result({name: str(path) for name, path in products.items()}, {"warnings": warnings.told})


class Warnings:
    """Tells each sentence once, and remembers it."""

    def __init__(self, say: Callable[[Event], None]) -> None:
        self._say = say
        self.told: list[str] = []

    def tell(self, sentence: str) -> None:
        if sentence not in self.told:
            self.told.append(sentence)
            self._say(events.Warn(sentence))


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


__all__ = ["Cancelled", "Voice", "run_job"]
