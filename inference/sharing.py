"""Who computes which block: each worker a run of neighbours, so that what it read for one serves the next."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from itertools import pairwise


class SharedWork:
    """Blocks shared out to workers, in order; whoever has none left takes the last of whoever has most.

    Args:
        blocks: in the order in which they are wanted.
        workers: how many share them.
        strictly: True keeps one common queue, for blocks whose order is what its user waits for.
    """

    def __init__(self, blocks: Sequence[int], workers: int, strictly: bool = False) -> None:
        cuts = [len(blocks) * number // workers for number in range(workers + 1)]
        parts = [blocks] if strictly else [blocks[a:b] for a, b in pairwise(cuts)]
        self._parts = [deque(part) for part in parts]
        self._lock = threading.Lock()

    def take(self, worker: int) -> int | None:
        """The next block for this worker; None where none is left."""
        with self._lock:
            own = self._parts[worker % len(self._parts)]
            if own:
                return own.popleft()
            fullest = max(self._parts, key=len)
            return fullest.pop() if fullest else None
