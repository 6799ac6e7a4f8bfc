"""The event channel: the process's own standard output, kept apart from whatever native libraries print.

This module is loaded before any of them, so that nothing but events ever reaches standard output.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any, TextIO

from .events import Event, to_line

#: Seconds that the work has to stop by itself after a cancel; then the process ends, which loses no finished block.
GRACE = 1.5
CANCELLED = 3


class Channel:
    """Writes events, one line each, from any thread."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def say(self, event: Event) -> None:
        with self._lock:
            try:
                self._stream.write(to_line(event) + "\n")
                self._stream.flush()
            except BrokenPipeError:
                # Nobody listens any more: QGIS is gone. `Control` notices the end of standard input and stops the work.
                self._stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def take_standard_output() -> Channel:
    """Keep file descriptor 1 for events, and send everything else that is printed to standard error."""
    private = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return Channel(os.fdopen(private, "w", encoding="utf-8", newline="\n"))


class Control:
    """Listens on standard input: ``{"cancel": ...}``, or its end, asks the work to stop."""

    def __init__(self) -> None:
        self._cancel = threading.Event()

    def listen(self) -> None:
        threading.Thread(target=self._listen, name="control", daemon=True).start()

    def cancelled(self) -> bool:
        return self._cancel.is_set()

    def _listen(self) -> None:
        for line in sys.stdin:
            if _asks_to_cancel(line):
                break
        self._cancel.set()
        threading.Event().wait(GRACE)
        # Still here: some long native call does not come back. Killing at any moment is safe by design.
        os._exit(CANCELLED)


def _asks_to_cancel(line: str) -> bool:
    try:
        message: Any = json.loads(line)
    except ValueError:
        return False
    return isinstance(message, dict) and "cancel" in message
