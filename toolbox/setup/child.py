"""One command of an installation: its lines as they come, its end, and its end before its time."""

from __future__ import annotations

import contextlib
import queue
import subprocess  # nosec B404  # pip and venv are programs of their own
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from ...inference.errors import Cancelled

LEASH = Path(__file__).with_name("leash.py")
#: How often a waiting caller looks around.
TICK = 0.2
#: Seconds that a command has to go once its leash is let go.
_FAREWELL = 10.0
#: Lines of a command that are kept for telling why it failed.
_TAIL = 400
#: pip counts up in lines of its own; nobody wants them in a log.
_COUNTING = ("Progress ",)

OnLine = Callable[[str], None]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    said: str
    """Its last lines."""


def run_child(
    command: Sequence[str],
    python: Path,
    environment: Mapping[str, str],
    folder: Path,
    on_line: OnLine,
    on_tick: Callable[[], None],
    is_cancelled: Callable[[], bool],
) -> Ended:
    """Run `command` in `folder` with `python` holding the leash; its lines, and every `TICK`, are told on this thread.

    Raises:
        Cancelled: when `is_cancelled` said so; the command and its children have then gone.
        OSError: when it cannot be started.
    """
    process = _start([str(python), "-I", str(LEASH), *command], environment, folder)
    lines: queue.SimpleQueue[Optional[str]] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(process, lines), name="fusion-mapper-setup", daemon=True)
    reader.start()
    tail: deque[str] = deque(maxlen=_TAIL)
    try:
        while True:
            if is_cancelled():
                raise Cancelled("The installation was cancelled.")
            try:
                line = lines.get(timeout=TICK)
            except queue.Empty:
                on_tick()
                continue
            if line is None:
                return Ended(process.wait(), "\n".join(tail))
            if not line.startswith(_COUNTING):
                tail.append(line)
            on_line(line)
    finally:
        _end(process, reader)


def _start(command: list[str], environment: Mapping[str, str], folder: Path) -> subprocess.Popen[bytes]:
    # A console window would flash up on Windows; elsewhere the leash ends the whole group.
    flags = subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0
    return subprocess.Popen(  # nosec B603  # our own command, no shell; the paths are plain arguments
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=dict(environment),
        creationflags=flags,
        start_new_session=sys.platform != "win32",
    )


def _read(process: subprocess.Popen[bytes], lines: queue.SimpleQueue[Optional[str]]) -> None:
    for line in process.stdout:
        # A bar that draws itself anew has no ends of lines.
        for part in line.decode("utf-8", "replace").rstrip("\r\n").split("\r"):
            lines.put(part)
    lines.put(None)


def _end(process: subprocess.Popen[bytes], reader: threading.Thread) -> None:
    """Leave nothing behind: no process, no thread, no open pipe."""
    # One that has ended has broken the pipe.
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        process.wait(_FAREWELL)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    reader.join(_FAREWELL)
    if not reader.is_alive():
        process.stdout.close()
