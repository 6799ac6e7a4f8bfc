"""The ceiling of a run's memory: what it is, how many blocks at once keep below it, and an end when it is passed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
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
#: Where Linux tells the limits of control groups (a container, a batch system), and in which a process is.
_GROUP, _OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
#: Files of a group with its limit and with what it takes, and the line of ``memory.stat`` with what can be let go of.
_VERSION_2 = ("memory.max", "memory.current", "inactive_file")
_VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


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
        self._admitted, self._refuses = 1, False

    def measured(self, worker: int) -> None:
        """A worker has done its first share of work, or has ended: what it takes can be seen."""
        self._measured[worker].set()

    def admits(self, worker: int) -> bool:
        """Wait for the workers before this one; False where there is no room for it."""
        if worker == 0 or self._free:
            return True
        self._measured[worker - 1].wait()
        if not self._refuses and self._ceiling.has_room(self._admitted):
            self._admitted += 1
            return True
        if not self._refuses:
            self._refuses = True
            verb = "is" if self._admitted == 1 else "are"
            self._tell(
                f"{self._admitted} of {self._workers} blocks at once {verb} computed, to keep below "
                f"{self._ceiling.bytes / 2**20:,.0f} MiB of memory."
            )
        self.measured(worker)
        return False


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(psutil.Process().memory_info().rss)


def available() -> int:
    """Bytes of memory that this process may still take: what the system has, within the limits of its groups."""
    free = int(psutil.virtual_memory().available)
    rooms = [_group_room(folder, names) for folder, names in _groups(_GROUP, _OWN_GROUPS)]
    return max(min([free, *(room for room in rooms if room is not None)]), 0)


def _groups(root: Path, own: Path) -> Iterator[tuple[Path, tuple[str, str, str]]]:
    """The control groups that this process is in, of version 2 and 1, each with those that it lies in."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    places = {
        controllers: path for _, controllers, path in (line.split(":", 2) for line in lines if line.count(":") > 1)
    }
    for folder, place, names in ((root, places.get("", "/"), _VERSION_2), (root / "memory", "/", _VERSION_1)):
        if names is _VERSION_1:
            place = next((path for kinds, path in places.items() if "memory" in kinds.split(",")), "/")
        inner = folder / place.lstrip("/")
        yield from ((group, names) for group in (inner, *inner.parents) if group == folder or folder in group.parents)


def _group_room(folder: Path, names: tuple[str, str, str]) -> int | None:
    """What a control group leaves; None where it sets no limit. Files in memory can be let go of, and do not count."""
    limit, used, files = names
    try:
        text = (folder / limit).read_text(encoding="ascii").strip()
        # Version 1 has no word for no limit, only a number beyond any machine.
        if not text.isdigit() or int(text) >= 2**60:
            return None
        taken = int((folder / used).read_text(encoding="ascii"))
        facts = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
        return int(text) - max(taken - int(facts.get(files, 0)), 0)
    except (OSError, ValueError):
        return None
