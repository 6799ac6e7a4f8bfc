"""How many blocks are computed at once on this machine, and how many threads each may use."""

from __future__ import annotations

import os

from .job import Compute

#: Blocks at once where the job does not say: each holds its layers and a tile's activations.
MOST_WORKERS = 4


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worker_count(compute: Compute) -> int:
    """Blocks at once: what the job says, else one a core, up to `MOST_WORKERS`, and two at least, so that one reads
    while another runs the model.
    """
    return compute.workers or max(min(cores(), MOST_WORKERS), 2)


def threads_per_worker(compute: Compute) -> int:
    """Threads for one run of the model: the cores, shared by the workers.

    Workers that each run a tile on cores of their own need not wait for one another at every layer, and prepare and
    encode on the same cores; measured, that is a tenth faster than one tile at a time on all cores.
    """
    return max(cores() // worker_count(compute), 1)
