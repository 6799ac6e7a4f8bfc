"""How far the blocks of a run are, whoever computes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from .events import Progress
from .lattice import BlockLayout
from .voice import Voice

#: Seconds between two progress events.
PROGRESS_EVERY = 0.25
STAGE = "mapping"


class BlockProgress:
    """Counts the pixels that are mapped, and tells of them now and then; for any thread."""

    def __init__(self, layout: BlockLayout, pending: Sequence[int], voice: Voice) -> None:
        """`pending`: the blocks that are still to be computed; the others count as mapped."""
        self._layout = layout
        self._voice = voice
        self._lock = threading.Lock()
        self._total = layout.width * layout.height
        self._kept = self._total - sum(self._pixels(index) for index in pending)
        self._shares: dict[int, int] = {}
        self._fresh = 0
        self._began = time.monotonic()
        self._said = 0.0
        voice.say(Progress(self._kept, self._total, STAGE))

    def count(self, index: int, share: float = 1.0) -> None:
        """Count a block's share (0 to 1) as mapped."""
        with self._lock:
            pixels = int(share * self._pixels(index))
            self._fresh += pixels - self._shares.get(index, 0)
            self._shares[index] = pixels
            done, now = self._kept + self._fresh, time.monotonic()
            if now - self._said < PROGRESS_EVERY and done < self._total:
                return
            self._said = now
            rate = self._fresh / max(now - self._began, 1e-9)
            self._voice.say(Progress(done, self._total, STAGE, rate, (self._total - done) / rate if rate else None))

    def _pixels(self, index: int) -> int:
        window = self._layout.window(index)
        return window.height * window.width
