"""The blocks of a run, handed out to the workers of a cluster.

Every worker is asked first whether it can obey the plan, and draws blocks of its own afterwards. Dask would schedule by
itself, but which workers may compute is a matter of each run, and a task bound to a worker that died waits for ever.
"""

from __future__ import annotations

import asyncio
import platform
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import RequestError
from ..voice import Voice
from . import bootstrap
from .connection import TICK
from .package import Package
from .sending import LostError, ask

if TYPE_CHECKING:
    from distributed import Client

#: Seconds between two looks at which workers there are, and for the scheduler's answer.
LOOK_EVERY = 0.5
#: Seconds that the run waits for a worker when it has none: a cluster may start some, or replace those it lost.
ALONE = 30.0
#: Blocks that a worker has waiting beside those it computes, so that it never waits for the scheduler.
AHEAD = 1
#: A block that was lost with so many workers is what kills them.
MOST_LOSSES = 5
#: Refusals that one sentence tells.
TOLD = 3


class Crew:
    """The workers of one run, and who computes what. Lives in one event loop.

    Args:
        client: a connected client.
        package: what workers need of this package.
        ticket: the run's ticket in its folder.
        blocks: indices of the blocks, in the order in which they are wanted.
        kept: hears of each finished block.
        warn: tells the user one sentence.
    """

    def __init__(
        self,
        client: Client,
        package: Package,
        ticket: Path,
        blocks: Sequence[int],
        kept: Callable[[int], None],
        warn: Callable[[str], None],
    ) -> None:
        self._client, self._package, self._ticket = client, package, str(ticket)
        self._kept, self._warn = kept, warn
        #: Place in the order and index; a block that was lost comes first again.
        self._waiting: asyncio.PriorityQueue[tuple[int, int]] = asyncio.PriorityQueue()
        for place in enumerate(blocks):
            self._waiting.put_nowait(place)
        self._left = len(blocks)
        self._losses: Counter[int] = Counter()
        #: By address; one that has ended is a worker that was refused.
        self._hands: dict[str, asyncio.Task[None]] = {}
        self._refusals: dict[str, str] = {}
        self._alone_since: float | None = None
        self._lost_any = False
        self._news = asyncio.Event()

    async def work(self, voice: Voice) -> None:
        """Have every block computed.

        Raises:
            RequestError: when no worker is left that can obey the plan, or one cannot read a layer or write a block.
            Cancelled: when the user stopped the run.
            Exception: what a worker raised.
        """
        looked = -LOOK_EVERY
        try:
            while self._left:
                voice.checkpoint()
                self._take_stock()
                if time.monotonic() - looked >= LOOK_EVERY:
                    await self._look()
                    looked = time.monotonic()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), TICK)
                self._news.clear()
        finally:
            for hand in self._hands.values():
                hand.cancel()
            await asyncio.gather(*self._hands.values(), return_exceptions=True)

    async def _look(self) -> None:
        """Notice the workers that came and went."""
        if self._client.status in ("closing", "closed"):
            raise RequestError("The connection to the Dask scheduler was lost; run again to go on with what is kept.")
        try:
            present = await asyncio.wait_for(self._client.nthreads(), LOOK_EVERY)
        except (OSError, TimeoutError):
            return
        for address in self._hands.keys() - present.keys():
            self._dismiss(address)
        for address in present.keys() - self._hands.keys():
            hand = asyncio.create_task(self._employ(address, present[address]))
            hand.add_done_callback(lambda _: self._news.set())
            self._hands[address] = hand
        self._require_hands()

    def _take_stock(self) -> None:
        """Raise what went wrong; let go of workers that were lost."""
        for address, hand in list(self._hands.items()):
            problem = hand.exception() if hand.done() and not hand.cancelled() else None
            if problem is None:
                continue
            for cause in problem.exceptions if isinstance(problem, BaseExceptionGroup) else (problem,):
                if not isinstance(cause, LostError):
                    raise cause
            self._dismiss(address)
        index, losses = next(iter(self._losses.most_common(1)), (0, 0))
        if losses >= MOST_LOSSES:
            raise RequestError(
                f"Block {index} was lost {losses} times together with the worker that computed it; the workers' logs "
                "tell why, most often that their memory is too small: set compute.block or compute.memory lower."
            )

    def _dismiss(self, address: str) -> None:
        hand = self._hands.pop(address)
        if self._refusals.pop(address, None) is None:
            self._lost_any = True
            self._warn(f"The worker {address} was lost; its blocks are computed by others.")
        hand.cancel()

    def _require_hands(self) -> None:
        """Raise when nobody works and nobody is to be expected."""
        if not all(hand.done() for hand in self._hands.values()):
            self._alone_since = None
            return
        now = time.monotonic()
        self._alone_since = self._alone_since or now
        if now - self._alone_since > ALONE or (self._refusals and not self._lost_any):
            raise RequestError(f"The Dask scheduler has no worker that can compute this run: {self._all_refusals()}.")

    def _all_refusals(self) -> str:
        if not self._refusals:
            return "none has come"
        told = list(self._refusals.values())
        more = f"; and {len(told) - TOLD} more" if len(told) > TOLD else ""
        return "; ".join(told[:TOLD]) + more

    async def _employ(self, address: str, threads: int) -> None:
        """Ask a worker whether it can obey, and have it draw blocks until there are none."""
        reason = await self._reason_against(address, threads)
        if reason:
            self._refusals[address] = f"worker {address} is refused: {reason}"
            self._warn(f"The {self._refusals[address]}.")
            return
        async with asyncio.TaskGroup() as slots:
            for _ in range(threads + AHEAD):
                slots.create_task(self._draw(address))

    async def _reason_against(self, address: str, threads: int) -> str:
        """Why a worker cannot obey the plan; nothing when it can."""
        try:
            python = await ask(self._client, address, platform.python_version)
            if python.split(".")[:2] != platform.python_version().split(".")[:2]:
                return f"it runs Python {python}, not {platform.python_version()}"
            sent = self._package.content, self._package.digest, self._package.version
            said, reason = await ask(self._client, address, bootstrap.enlist, *sent, self._ticket, threads)
        except LostError:
            raise
        except Exception as problem:  # noqa: BLE001 - whatever it is, it is this worker's; the others go on
            return f"the engine does not start there ({type(problem).__name__}: {problem})"
        return str(reason) if said == bootstrap.REFUSED else ""

    async def _draw(self, address: str) -> None:
        while True:
            place, index = await self._waiting.get()
            try:
                await self._compute(address, index)
            except BaseException:
                self._waiting.put_nowait((place, index))
                self._losses[index] += 1
                raise

    async def _compute(self, address: str, index: int) -> None:
        said, what = await ask(self._client, address, bootstrap.compute, self._package.digest, self._ticket, index)
        if said == bootstrap.UNKNOWN:
            # Another process answers under the address of the one that was asked, or it no longer sees the ticket.
            raise LostError(address)
        if said == bootstrap.WRONG:
            raise RequestError(what)
        for sentence in what:
            self._warn(sentence)
        self._kept(index)
        self._left -= 1
        self._news.set()
