"""The local executor: threads that each read, run, merge and keep one block at a time."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from .blocks import compute_block
from .blockstore import BlockStore
from .ceiling import Admission, Ceiling
from .errors import Cancelled
from .exhaustion import Batch
from .lattice import BlockLayout
from .pictures import Pictures, make_pictures
from .prepare import Prepared
from .progress import BlockProgress
from .sessions import Session
from .sharing import SharedWork
from .sources import Context
from .voice import Voice
from .workers import worker_count


@dataclass(frozen=True)
class BlockRun:
    """Everything that is needed to compute blocks."""

    prepared: Prepared
    context: Context
    store: BlockStore
    session: Session | None
    batch: Batch
    plan: Mapping[str, Any]
    """The plan as it stands in the run folder, which workers elsewhere have to obey."""
    ceiling: Ceiling


#: Computes every block of a run that is not yet kept: here (`run_blocks`), or on a cluster.
Executor = Callable[[BlockRun, Voice], None]


def run_blocks(run: BlockRun, voice: Voice) -> None:
    """Compute every block that is not yet kept.

    Raises:
        Cancelled: the user stopped the run.
        Exception: the first error of any worker, as it was raised there.
    """
    pending = run.store.missing()
    from_centre = run.prepared.job.pictures == "preview"
    count = min(worker_count(run.prepared.job.compute), max(len(pending), 1))
    work = SharedWork(in_order(pending, run.prepared.layout, from_centre), count, strictly=from_centre)
    pictures = make_pictures(run.prepared, run.store, voice)
    admission = Admission(run.ceiling, run.prepared, count, run.context.warn)
    state = _State(BlockProgress(run.prepared.layout, pending, voice), voice, admission)
    workers = [
        threading.Thread(target=_work, args=(run, i, work, state, pictures), name=f"block-worker-{i}", daemon=True)
        for i in range(count)
    ]
    for worker in workers:
        worker.start()
    if pictures is not None:
        _show_kept(pictures, sorted(set(range(run.prepared.layout.count)) - set(pending)), state)
    for worker in workers:
        worker.join()
    voice.checkpoint()
    if state.problem is not None:
        raise state.problem


def in_order(blocks: list[int], layout: BlockLayout, from_centre: bool) -> list[int]:
    """The blocks as they are to be computed: row by row, or those nearest to the grid's centre first."""
    if not from_centre:
        return blocks

    def distance(index: int) -> float:
        window = layout.window(index)
        row, col = window.row + window.height / 2, window.col + window.width / 2
        return math.hypot(row - layout.height / 2, col - layout.width / 2)

    return sorted(blocks, key=distance)


def _show_kept(pictures: Pictures, kept: list[int], state: _State) -> None:
    """Tell of the blocks of an earlier try while the workers compute the others."""
    try:
        for index in kept:
            if state.stopped():
                return
            pictures.show_kept(index)
    except BaseException as problem:  # noqa: BLE001 - raised once the workers have stopped
        state.fail(problem)


def _work(run: BlockRun, worker: int, work: SharedWork, state: _State, pictures: Pictures | None) -> None:
    try:
        if state.admission.admits(worker):
            _work_off(run, worker, work, state, pictures)
    except BaseException as problem:  # noqa: BLE001 - handed to the main thread, which raises it
        state.fail(problem)
    finally:
        state.admission.measured(worker)


def _work_off(run: BlockRun, worker: int, work: SharedWork, state: _State, pictures: Pictures | None) -> None:
    sources = run.prepared.open_sources(run.context)
    try:
        while not state.stopped() and (index := work.take(worker)) is not None:
            checkpoint = partial(state.checkpoint, worker, index)
            result = compute_block(run.prepared, index, sources, run.session, run.batch, checkpoint)
            run.store.write(index, result)
            if pictures is not None:
                pictures.draw(index, result.arrays)
            checkpoint(1.0)
    finally:
        for source in sources.values():
            source.close()


class _State:
    """What the workers share: progress, the first error, whether to begin and whether to stop."""

    def __init__(self, progress: BlockProgress, voice: Voice, admission: Admission) -> None:
        self.problem: BaseException | None = None
        self.admission = admission
        self._running: set[int] = set()
        self._progress = progress
        self._voice = voice
        self._lock = threading.Lock()

    def stopped(self) -> bool:
        return self.problem is not None or self._voice.cancelled()

    def fail(self, problem: BaseException) -> None:
        with self._lock:
            if self.problem is None:
                self.problem = problem

    def checkpoint(self, worker: int, index: int, share: float) -> None:
        """Count a block's share as done; raises Cancelled when the run has to stop."""
        # A block outside the area runs no tile, and says nothing of what one takes.
        if share == 0:
            self._running.add(worker)
        elif worker in self._running:
            self.admission.measured(worker)
        if share < 1:
            self._voice.checkpoint()
            if self.problem is not None:
                raise Cancelled("Another worker has failed.")
        self._progress.count(index, share)
