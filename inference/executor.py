"""The local executor: threads that each read, run, merge and keep one block at a time."""

from __future__ import annotations

import math
import queue
import threading
import time
from dataclasses import dataclass
from functools import partial

from .blocks import compute_block
from .blockstore import BlockStore
from .errors import Cancelled
from .events import Progress
from .lattice import BlockLayout
from .pictures import Pictures, make_pictures
from .prepare import Prepared
from .sessions import Session
from .sources import Context
from .voice import Voice

#: While one worker reads, another runs the model.
DEFAULT_WORKERS = 2
#: Seconds between two progress events.
PROGRESS_EVERY = 0.25
STAGE = "mapping"


@dataclass(frozen=True)
class BlockRun:
    """Everything that a worker needs to compute blocks."""

    prepared: Prepared
    context: Context
    store: BlockStore
    session: Session | None
    batch: int


def run_blocks(run: BlockRun, voice: Voice) -> None:
    """Compute every block that is not yet kept.

    Raises:
        Cancelled: the user stopped the run.
        Exception: the first error of any worker, as it was raised there.
    """
    pending = run.store.missing()
    work: queue.SimpleQueue[int] = queue.SimpleQueue()
    for index in in_order(pending, run.prepared.layout, run.prepared.job.pictures == "preview"):
        work.put(index)
    pictures = make_pictures(run.prepared, run.store, voice)
    state = _State(run.prepared, pending, voice)
    count = min(run.prepared.job.compute.workers or DEFAULT_WORKERS, max(len(pending), 1))
    workers = [
        threading.Thread(target=_work, args=(run, work, state, pictures), name=f"block-worker-{i}", daemon=True)
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


def _work(run: BlockRun, work: queue.SimpleQueue[int], state: _State, pictures: Pictures | None) -> None:
    try:
        _work_off(run, work, state, pictures)
    except queue.Empty:
        return
    except BaseException as problem:  # noqa: BLE001 - handed to the main thread, which raises it
        state.fail(problem)


def _work_off(run: BlockRun, work: queue.SimpleQueue[int], state: _State, pictures: Pictures | None) -> None:
    sources = run.prepared.open_sources(run.context)
    try:
        while not state.stopped():
            index = work.get_nowait()
            checkpoint = partial(state.checkpoint, index)
            result = compute_block(run.prepared, index, sources, run.session, run.batch, checkpoint)
            run.store.write(index, result)
            if pictures is not None:
                pictures.draw(index, result.arrays)
            state.checkpoint(index, 1.0)
    finally:
        for source in sources.values():
            source.close()


class _State:
    """What the workers share: progress, the first error, and whether to stop."""

    def __init__(self, prepared: Prepared, pending: list[int], voice: Voice) -> None:
        self.problem: BaseException | None = None
        self._layout = prepared.layout
        self._voice = voice
        self._lock = threading.Lock()
        self._total = prepared.grid.width * prepared.grid.height
        self._kept = self._total - sum(self._pixels(index) for index in pending)
        self._shares: dict[int, float] = {}
        self._began = time.monotonic()
        self._said = 0.0
        voice.say(Progress(self._kept, self._total, STAGE))

    def stopped(self) -> bool:
        return self.problem is not None or self._voice.cancelled()

    def fail(self, problem: BaseException) -> None:
        with self._lock:
            if self.problem is None:
                self.problem = problem

    def checkpoint(self, index: int, share: float) -> None:
        """Count a block's share as done, and tell it now and then; raises Cancelled when the run has to stop."""
        if share < 1:
            self._voice.checkpoint()
            if self.problem is not None:
                raise Cancelled("Another worker has failed.")
        with self._lock:
            self._shares[index] = share * self._pixels(index)
            fresh = int(sum(self._shares.values()))
            now = time.monotonic()
            if now - self._said < PROGRESS_EVERY and self._kept + fresh < self._total:
                return
            self._said = now
            rate = fresh / max(now - self._began, 1e-9)
            remaining = (self._total - self._kept - fresh) / rate if rate else None
            self._voice.say(Progress(self._kept + fresh, self._total, STAGE, rate, remaining))

    def _pixels(self, index: int) -> int:
        window = self._layout.window(index)
        return window.height * window.width
