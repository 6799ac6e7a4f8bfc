"""Cancel, handed on to what QGIS does in C++: it looks at its feedback's own flag and never asks Python."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from qgis.core import QgsFeedback

#: Seconds between two looks whether the user stopped.
_TICK = 0.1


@contextlib.contextmanager
def cancelled_with(is_cancelled: Callable[[], bool], feedback: QgsFeedback) -> Iterator[None]:
    """Cancel `feedback` once the user stops, also while QGIS waits for a server."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_TICK):
            if is_cancelled():
                feedback.cancel()
                return

    watcher = threading.Thread(target=watch, name="fusion-mapper-cancel", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
