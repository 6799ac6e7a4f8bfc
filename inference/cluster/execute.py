"""The executor for a cluster: the counterpart of `executor.run_blocks`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ..executor import BlockRun, in_order
from ..pictures import Pictures, make_pictures
from ..progress import BlockProgress
from ..voice import Voice
from .connection import connected
from .crew import Crew
from .package import Package
from .ticket import Ticket, issued


def run_blocks_on(scheduler: str, run: BlockRun, voice: Voice) -> None:
    """Have every block that is not yet kept computed by the workers of the Dask scheduler at this address.

    Raises:
        RequestError: when the scheduler does not answer, no worker is left that can obey the plan, or one meets a layer
            that cannot be read.
        Cancelled: the user stopped the run.
        Exception: the first error of any worker, as it was raised there.
    """
    prepared = run.prepared
    pending = run.store.missing()
    progress = BlockProgress(prepared.layout, pending, voice)
    pictures = make_pictures(prepared, run.store, voice)
    if pictures is not None:
        for index in sorted(set(range(prepared.layout.count)) - set(pending)):
            voice.checkpoint()
            pictures.show_kept(index)
    wanted = in_order(pending, prepared.layout, prepared.job.pictures == "preview")
    if wanted:
        asyncio.run(_compute(scheduler, run, wanted, progress, pictures, voice))


async def _compute(
    scheduler: str,
    run: BlockRun,
    wanted: Sequence[int],
    progress: BlockProgress,
    pictures: Pictures | None,
    voice: Voice,
) -> None:
    def kept(index: int) -> None:
        if pictures is not None:
            pictures.show_kept(index)
        progress.count(index)

    ticket = Ticket(run.plan, run.prepared.job, run.prepared.base)
    async with connected(scheduler, voice) as client:
        # The ticket goes first: workers stop when they no longer see it.
        with issued(run.prepared.folder, ticket) as path:
            await Crew(client, Package(), path, wanted, kept, run.context.warn).work(voice)
