"""The ceiling of a run's memory: what it is, how many blocks at once keep below it, and an end when it is passed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from .errors import RequestError
from .job import Compute
from .lattice import ACTIVATIONS
from .prepare import Prepared, block_bytes

#: Share of the memory that is free at a run's start that it may take where the job sets no ceiling.
SHARE = 0.6
#: Seconds between two looks at what is taken; asking the system takes as long as a small tile.
_LOOK_EVERY = 0.05
#: Where Linux tells the limits of the group that a process is in (a container, a batch system).
_GROUP = Path("/sys/fs/cgroup")


class Ceiling:
    """What a run may take, in bytes of this process's memory, from now on.

    Args:
        compute: its ``memory`` (MiB) is the ceiling; without one, `SHARE` of what is free.
        taken: answers the bytes that this process holds.
    """

    def __init__(self, compute: Compute, taken: Callable[[], int] | None = None) -> None:
        self._taken = taken or resident
        self._before = self._taken()
        self._looked = -_LOOK_EVERY
        self._asked = compute.memory
        own = compute.memory * 2**20 if compute.memory else 0
        self.bytes = own or self._before + int(SHARE * available())

    def require(self) -> None:
        """Go on, or raise RequestError when more is taken than allowed."""
        now = time.monotonic()
        if now - self._looked < _LOOK_EVERY:
            return
        self._looked = now
        taken = self._taken()
        if taken > self.bytes:
            ceiling = "compute.memory" if self._asked else f"{SHARE:.0%} of what was free at its start"
            raise RequestError(
                f"The run takes {taken / 2**20:,.0f} MiB of memory, more than its ceiling of {self.bytes / 2**20:,.0f} "
                f"MiB ({ceiling}); its finished blocks are kept. Set compute.memory higher, or compute.tile and "
                "compute.workers lower."
            )

    @property
    def passed(self) -> bool:
        """Whether more is taken than allowed."""
        return self._taken() > self.bytes

    def is_tight(self, prepared: Prepared, workers: int) -> bool:
        """Whether so many workers might come close to the ceiling, by a generous guess of what each takes."""
        each = block_bytes(prepared.job) + ACTIVATIONS * prepared.lattice.size**2
        return self._before + workers * each > self.bytes

    def has_room(self, workers: int) -> bool:
        """Whether one more worker fits beside `workers` that are at work, if it takes as much as each of them."""
        taken = self._taken()
        return taken + max(taken - self._before, 0) / max(workers, 1) <= self.bytes


class Admission:
    """Lets workers begin: all at once where memory is plentiful, else one after another, each once what the others take
    is known and leaves room for it.
    """

    def __init__(self, ceiling: Ceiling, prepared: Prepared, workers: int, tell: Callable[[str], None]) -> None:
        self._ceiling, self._tell, self._workers = ceiling, tell, workers
        self._measured = [threading.Event() for _ in range(workers)]
        if not ceiling.is_tight(prepared, workers):
            for event in self._measured:
                event.set()
        self._free = all(event.is_set() for event in self._measured)

    def measured(self, worker: int) -> None:
        """A worker has done its first share of work, or has ended: what it takes can be seen."""
        self._measured[worker].set()

    def admits(self, worker: int) -> bool:
        """Wait for the workers before this one; False where there is no room for it."""
        if worker == 0 or self._free:
            return True
        self._measured[worker - 1].wait()
        if self._ceiling.has_room(worker):
            return True
        self.measured(worker)
        self._tell(
            f"{worker} of {self._workers} blocks at once {'is' if worker == 1 else 'are'} computed, to keep below "
            f"{self._ceiling.bytes / 2**20:,.0f} MiB of memory."
        )
        return False


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(psutil.Process().memory_info().rss)


def available() -> int:
    """Bytes of memory that this process may still take: what the system has, within the limit of its group."""
    free = int(psutil.virtual_memory().available)
    group = _group_room(_GROUP)
    return free if group is None else max(min(free, group), 0)


def _group_room(folder: Path) -> int | None:
    """What a Linux control group leaves, of version 2 or 1; None where it sets no limit."""
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            text = (folder / limit).read_text(encoding="ascii").strip()
            # Version 1 has no word for no limit, only a number beyond any machine.
            if text.isdigit() and int(text) < 2**60:
                return int(text) - int((folder / used).read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
    return None
