"""The engine client: one child process a command, events in, cancel out.

Nothing here touches a layer or a widget, and nothing waits on the GUI thread unless it is called there. A run ends in a
`Result` or in an exception: `EngineFailed` with the engine's own sentence, `EngineCrashed` when it died without one,
`Cancelled` when the user stopped it.
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess  # nosec B404  # the engine is a process of its own
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Optional

from ...inference.errors import Cancelled, FusionMapperError
from ...inference.events import CANCELLED, CONTRACT, Event, Failed, Result, Started, Warn, from_line
from .commands import EngineCommands, IsCancelled, OnEvent
from .environment import PLUGIN_ROOT, clean_environment, find_engine

ENGINE = PLUGIN_ROOT / "inference"
#: The engine promises to stop within 2 s of being asked; then it is killed.
GRACE = 5.0
#: How often a waiting caller looks whether it was cancelled.
TICK = 0.1
_TAIL = 4000
#: Signals by which others end a process: SIGHUP, SIGINT, SIGKILL and SIGTERM.
_FROM_OUTSIDE = (1, 2, 9, 15)
#: The first of the exit codes that Windows gives a process that ended by a fault, as NTSTATUS values of severity error.
_WINDOWS_FAULTS = 0xC0000000


class EngineFailed(FusionMapperError):
    """The engine refused or failed; its text is the engine's sentence."""

    def __init__(self, text: str, code: int = 1, details: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.details = details


class EngineCrashed(EngineFailed):
    """The engine ended without a result and without saying why; `details` holds the end of its error output."""


def engine_command(python: Optional[Path], program: Path) -> list[str]:
    """How the engine is called, without its own arguments; `python` is found as `find_engine` says when not given."""
    return [str(python or find_engine()), "-X", "utf8", str(program)]


class Engine(EngineCommands):
    """One engine process a command; its error output goes to ``engine.log`` in the command's folder.

    Args:
        python: the engine's Python; found as `find_engine` says when not given.
        program: what that Python runs, the engine room of this plugin.
        grace: seconds between the request to stop and the kill.
    """

    def __init__(self, python: Optional[Path] = None, program: Path = ENGINE, grace: float = GRACE) -> None:
        self._command = engine_command(python, program)
        self._grace = grace

    def _ask(
        self, command: str, request: Mapping[str, Any], folder: Path, on_event: OnEvent, is_cancelled: IsCancelled
    ) -> Result:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{command}.request.json"
        path.write_text(json.dumps({**request, "command": command}), encoding="utf-8")
        log = folder / "engine.log"
        with log.open("ab") as errors:
            child = _Child([*self._command, "request", str(path.absolute()), "--control"], folder, errors)
            try:
                return _listen(child, log, on_event, is_cancelled, self._grace)
            finally:
                child.end(self._grace)


def start_child(command: list[str], folder: Path, errors: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start an engine process that works in `folder` and talks over pipes.

    Raises:
        EngineFailed: when it cannot be started.
    """
    # A console window would flash up on Windows.
    flags = subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0
    try:
        return subprocess.Popen(  # nosec B603  # our own program, no shell; the paths are plain arguments
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=folder,
            env=clean_environment(),
            creationflags=flags,
        )
    except OSError as problem:
        raise EngineFailed(f"The engine {command[0]} cannot be started: {problem.strerror}.") from problem


class _Child:
    """The engine's process, with a thread that reads its lines into a queue."""

    def __init__(self, command: list[str], folder: Path, errors: IO[bytes]) -> None:
        self.process = start_child(command, folder, errors)
        self._lines: queue.Queue[Optional[str]] = queue.Queue()
        self._reader = threading.Thread(target=self._read, name="fusion-mapper-engine", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self._lines.put(line.decode("utf-8", "replace").rstrip("\r\n"))
        self._lines.put(None)

    def lines(self) -> Iterator[str]:
        """The next line, or an empty one each `TICK` without a line; ends with the engine's standard output."""
        while True:
            try:
                line = self._lines.get(timeout=TICK)
            except queue.Empty:
                yield ""
                continue
            if line is None:
                return
            yield line

    def stop(self) -> None:
        """Ask the engine to stop: the end of its standard input means cancel, on every system."""
        # An engine that ended in the meantime has broken the pipe; its exit code tells the rest.
        with contextlib.suppress(OSError):
            if not self.process.stdin.closed:
                self.process.stdin.close()

    def kill(self) -> None:
        self.process.kill()

    def wait(self, grace: float) -> int:
        """The exit code; kills what has not ended by itself after `grace` seconds."""
        try:
            return self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.wait()

    def end(self, grace: float) -> None:
        """Leave nothing behind: no process, no thread, no open pipe."""
        self.stop()
        self.wait(grace)
        self._reader.join(GRACE)
        # A process that the engine left behind may still hold the other end; closing would then wait for it.
        if not self._reader.is_alive():
            self.process.stdout.close()


@dataclass
class _Heard:
    """What a child has said so far, and until when it is waited for."""

    last: Optional[Event] = None
    """Its result or failure."""
    strays: list[str] = field(default_factory=list)
    cancelled: bool = False
    deadline: Optional[float] = None
    """On the monotonic clock; set once the child has nothing more to do."""

    @property
    def overdue(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline


def _listen(child: _Child, log: Path, on_event: OnEvent, is_cancelled: IsCancelled, grace: float) -> Result:
    heard = _Heard()
    for line in child.lines():
        if not heard.cancelled and is_cancelled():
            child.stop()
            heard.cancelled, heard.deadline = True, time.monotonic() + grace
        event = _event(line, heard.strays) if line else None
        if isinstance(event, (Result, Failed)):
            # Whatever hangs on its way out (a native library's threads) has nothing more to say.
            heard.last, heard.deadline = event, time.monotonic() + max(grace, GRACE)
        elif event is not None:
            _tell(event, on_event)
        if heard.overdue:
            child.kill()
            break
    code = child.wait(max(grace, GRACE))
    if heard.cancelled and not isinstance(heard.last, Result):
        raise Cancelled("The run was cancelled.")
    _tell_strays(heard.strays, log, on_event)
    if isinstance(heard.last, Result) and heard.overdue:
        return heard.last
    return _conclude(heard.last, code, log)


def _event(line: str, strays: list[str]) -> Optional[Event]:
    """The line's event; a line that is none (a native library that prints) is set aside."""
    if not line.startswith("{"):
        strays.append(line)
        return None
    return from_line(line)


def _tell(event: Event, on_event: OnEvent) -> None:
    if isinstance(event, Started):
        refuse_other_contract(event)
    on_event(event)


def refuse_other_contract(event: Started) -> None:
    """Raise EngineFailed where the engine means other things by what it says."""
    if event.contract != CONTRACT:
        raise EngineFailed(
            f"The engine speaks contract {event.contract} and this plugin {CONTRACT}; update the one that is older."
        )


def _tell_strays(strays: list[str], log: Path, on_event: OnEvent) -> None:
    if not strays:
        return
    with log.open("a", encoding="utf-8") as file:
        file.writelines(f"[standard output] {line}\n" for line in strays)
    on_event(Warn(f"The engine printed {len(strays)} lines that are no events; they are in {log.name}."))


def _conclude(last: Optional[Event], code: int, log: Path) -> Result:
    if isinstance(last, Result) and code == 0:
        return last
    if code == CANCELLED:
        raise Cancelled("The run was cancelled.")
    if isinstance(last, Failed):
        raise EngineFailed(last.text, last.code, last.details)
    raise crash(code, log)


def crash(code: int, log: Path) -> EngineCrashed:
    """What an engine that ended without a last word is told as."""
    try:
        words = log.read_bytes()[-_TAIL:].decode("utf-8", "replace").strip()
    except OSError as problem:
        words = f"{log} cannot be read: {problem.strerror}."
    return EngineCrashed(_crash(code), code, words)


def _crash(code: int) -> str:
    """A negative code is the signal that ended the engine on a POSIX system; Windows has codes for the same faults."""
    if -code in _FROM_OUTSIDE:
        return (
            f"The system ended the engine (signal {-code}), often for want of memory. Run again in the same folder, "
            "where the finished parts are kept, with a smaller tile or fewer programs open."
        )
    if code < 0 or code >= _WINDOWS_FAULTS:
        name = f"signal {-code}" if code < 0 else f"0x{code:08X}"
        return (
            f"The engine crashed ({name}), by a fault of its own or of a library that it uses; where it stopped is in "
            "the details. Run again in the same folder, where the finished parts are kept."
        )
    return f"The engine ended with exit code {code} and without a result; its last words are in the details."
