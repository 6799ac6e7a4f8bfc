"""The way to a Dask scheduler: found, reached within a bounded time, and left."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from ..errors import RequestError
from ..voice import Voice

if TYPE_CHECKING:
    from distributed import Client

#: Seconds for reaching the scheduler, and for taking leave of it.
PATIENCE, LEAVE = 10.0, 0.5
#: Seconds between two looks at whether the run was cancelled.
TICK = 0.2
Answer = TypeVar("Answer")


def require_scheduler(address: str, voice: Voice) -> None:
    """Make sure that a scheduler answers, before anything else is begun.

    Raises:
        RequestError: when Dask is not installed, or no scheduler answers.
        Cancelled: when the user did not want to wait.
    """

    async def reach() -> None:
        async with connected(address, voice):
            pass

    asyncio.run(reach())


@asynccontextmanager
async def connected(address: str, voice: Voice) -> AsyncIterator[Client]:
    """A client of the scheduler; raises as `require_scheduler` does."""
    try:
        from distributed import Client
    except ImportError as problem:
        raise RequestError(
            f"--scheduler needs Dask, which cannot be loaded ({problem}); install dask[distributed] in the engine's "
            "Python environment, in the version that the workers have."
        ) from None
    # What happens to workers is told as warnings of the run.
    logging.getLogger("distributed").setLevel(logging.ERROR)
    client = Client(address, asynchronous=True, timeout=PATIENCE, set_as_default=False, name="fusion-mapper")
    try:
        try:
            await attentive(_started(client), voice)
        except (OSError, ValueError, TypeError) as problem:
            raise RequestError(f"No Dask scheduler answers at {address}: {problem}.") from None
        yield client
    finally:
        with suppress(Exception):
            await asyncio.wait_for(client.close(), LEAVE)


async def attentive(work: Awaitable[Answer], voice: Voice) -> Answer:
    """Wait for `work`; raises Cancelled within `TICK` when the user stops the run."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            voice.checkpoint()
            await asyncio.wait({task}, timeout=TICK)
        return task.result()
    finally:
        task.cancel()


async def _started(client: Client) -> None:
    await client
