"""The event channel: the process's own standard output, kept apart from whatever native libraries print.

This module is loaded before any of them, so that nothing but events ever reaches standard output.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from typing import Any, NoReturn, TextIO

from .events import CANCELLED, Event, to_line

#: Seconds that the work has to stop by itself after a cancel; then the process ends, which loses no finished block.
GRACE = 1.5


class Channel:
    """Writes events, one line each, from any thread."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def say(self, event: Event, request: str | None = None) -> None:
        """Write the event; `request` is the id of the request that it answers."""
        line = to_line(event, request) + "\n"
        with self._lock:
            try:
                self._stream.write(line)
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


def forbid_telemetry() -> None:
    """Keep ONNX Runtime and OpenVINO from reporting their use: the network is touched only for a source the user named.

    Has to be called before either is imported.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    # OpenVINO goes without this package where it is not installed; an entry of None makes Python say so.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]


def leave(code: int) -> NoReturn:
    """End the process at once.

    The interpreter's own way out waits for native threads (OpenVINO's, and the one that listens on standard input),
    and was seen to wait for ever after a cancel. Everything that matters is written and closed by then.
    """
    # The log has no room where the disk is full; the exit code must not tell of that instead.
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    os._exit(code)


class Control:
    """Listens on standard input: ``{"cancel": ...}``, or its end, asks the work to stop."""

    def __init__(self) -> None:
        self._cancel = threading.Event()

    def listen(self) -> None:
        threading.Thread(target=self._listen, name="control", daemon=True).start()

    def cancelled(self) -> bool:
        return self._cancel.is_set()

    def _listen(self) -> None:
        # Read from the descriptor itself: a thread that waits in sys.stdin holds its lock, on which a process forked
        # by some library would wait for ever.
        pending = b""
        while (chunk := os.read(0, 4096)) and not self._cancel.is_set():
            *lines, pending = (pending + chunk).split(b"\n")
            if any(_asks_to_cancel(line) for line in lines):
                break
        self._cancel.set()
        threading.Event().wait(GRACE)
        # Still here: some long native call does not come back. Killing at any moment is safe by design.
        leave(CANCELLED)


def _asks_to_cancel(line: bytes) -> bool:
    try:
        message: Any = json.loads(line)
    except ValueError:
        return False
    return isinstance(message, dict) and "cancel" in message
