"""The worker's side: runs that are open in this process, and their blocks, each a pure function of ticket and index."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

from ...models.quantised.recipe import Recipe
from ..blocks import compute_block
from ..blockstore import BlockStore
from ..channel import forbid_telemetry
from ..errors import Cancelled, RequestError
from ..exhaustion import Batch
from ..kept import Kept, Opened
from ..plan import BLOCKS, make_plan, way_of
from ..prepare import Prepared, prepare
from ..sessions import BackendError, Session
from ..sources import Context, Source
from ..sources.raster_env import configure, mind_the_network, names_network
from .bootstrap import KEPT, UNKNOWN, WRONG, Answer
from .obedience import differences, obedient
from .ticket import Ticket, is_valid, read_ticket

#: Seconds between two looks at a ticket; a run that is over lets go of its model and its layers.
WATCH_EVERY = 1.0
#: GDAL is kept off the network, or not, in the whole process.
_AT_ODDS = "it is at work on another run, and of runs with and without layers on the network it takes one at a time"

Item = TypeVar("Item")

_desks: dict[Path, Desk] = {}
_opening = threading.Lock()


def open_run(ticket: Path, threads: int) -> str:
    """Make ready for a run, `threads` blocks at once; returns why this worker cannot obey its plan, if it cannot."""
    with _opening:
        if ticket in _desks:
            return ""
        forbid_telemetry()
        configure()
        try:
            wanted = read_ticket(ticket)
            if any(desk.is_at_odds(wanted) for desk in list(_desks.values())):
                return _AT_ODDS
            desk, reason = _open(ticket, wanted, threads)
        except RequestError as problem:
            return str(problem).rstrip(".")
        if not reason:
            _desks[ticket] = desk
            threading.Thread(target=desk.watch, name="ticket", daemon=True).start()
        return reason


def compute(ticket: Path, index: int) -> Answer:
    """Compute a block and keep it in the run folder, unless the run is over."""
    desk = _desks.get(ticket)
    if desk is None:
        return UNKNOWN, None
    try:
        desk.compute(index)
    except Cancelled:
        return UNKNOWN, None
    except RequestError as problem:
        return WRONG, str(problem)
    return KEPT, desk.new_warnings()


class Desk:
    """One run in this process: its model's session, and layers opened once for each thread that reads."""

    def __init__(self, ticket: Path, prepared: Prepared, session: Session | None, batch: Batch) -> None:
        self._ticket = ticket
        self._prepared = prepared
        self._session, self._batch = session, batch
        self._store = BlockStore(prepared.folder, prepared.layout)
        self._warnings: SimpleQueue[str] = SimpleQueue()
        self._context = Context(prepared.base, prepared.folder, self._warnings.put)
        self._idle: SimpleQueue[Mapping[str, Source]] = SimpleQueue()
        self._over = threading.Event()

    def compute(self, index: int) -> None:
        """Compute and keep one block.

        Raises:
            Cancelled: when the ticket is gone.
            RequestError: when a layer cannot be read, or the run folder does not take the block.
        """
        with self._sources() as sources:
            result = compute_block(self._prepared, index, sources, self._session, self._batch, self._checkpoint)
            if not is_valid(self._ticket):
                raise Cancelled("The run is over.")
            self._store.write(index, result)

    def is_at_odds(self, other: Ticket) -> bool:
        """Whether this run is still wanted, and only one of the two may touch the network."""
        apart = names_network(self._prepared.job.to_dict()) != names_network(other.job.to_dict())
        return apart and is_valid(self._ticket)

    def fingerprints(self) -> dict[str, str]:
        """What recognises the layers, by slot."""
        with self._sources() as sources:
            return {name: source.fingerprint() for name, source in sources.items()}

    def new_warnings(self) -> list[str]:
        """What was warned of since the last call."""
        return list(iter(partial(_next, self._warnings), None))

    def watch(self) -> None:
        """Wait for the end of the run, then let go of what it holds."""
        while is_valid(self._ticket):
            self._over.wait(WATCH_EVERY)
        _desks.pop(self._ticket, None)
        self.close()

    def close(self) -> None:
        """Let go of the layers, and of a block that is at work before its next batch."""
        self._over.set()
        while (sources := _next(self._idle)) is not None:
            _close(sources)

    def _checkpoint(self, _share: float) -> None:
        if self._over.is_set():
            raise Cancelled("The run is over.")

    @contextmanager
    def _sources(self) -> Iterator[Mapping[str, Source]]:
        sources = _next(self._idle)
        if sources is None:
            sources = self._prepared.open_sources(self._context)
        try:
            yield sources
        except BaseException:
            _close(sources)
            raise
        self._idle.put(sources)
        if self._over.is_set():
            self.close()


def _open(path: Path, ticket: Ticket, threads: int) -> tuple[Desk, str]:
    """A desk for the run, and why it cannot obey the plan."""
    mind_the_network(ticket.job.to_dict())
    prepared = prepare(obedient(ticket.job, ticket.plan, threads), ticket.base, lambda _: None)
    _require_room(prepared.folder)
    opened = None
    if prepared.runs_model and prepared.model is not None:
        opened = _opened(prepared, way_of(ticket.plan).recipe)
    session, batch, recipe = (opened.session, opened.batch, opened.recipe) if opened else (None, 1, None)
    desk = Desk(path, prepared, session, Batch(batch, fixed=not opened.free) if opened else Batch(1))
    own = make_plan(prepared, session.info if session else None, batch, desk.fingerprints(), recipe)
    reason = differences(ticket.plan, own)
    if reason:
        desk.close()
    return desk, reason


def _opened(prepared: Prepared, recipe: Recipe | None) -> Opened:
    try:
        return Kept().opened(prepared.model, prepared.job.compute, prepared.lattice.size, recipe)
    except BackendError as problem:
        raise RequestError(f"it cannot run the model in 8-bit integers: {problem}") from problem


def _require_room(folder: Path) -> None:
    try:
        tempfile.TemporaryFile(dir=folder / BLOCKS).close()
    except OSError as problem:
        raise RequestError(f"it cannot write to the run folder {folder}: {problem.strerror}") from None


def _next(queue: SimpleQueue[Item]) -> Item | None:
    try:
        return queue.get_nowait()
    except Empty:
        return None


def _close(sources: Mapping[str, Source]) -> None:
    for source in sources.values():
        source.close()
