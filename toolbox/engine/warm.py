"""The warm engine client: one process for many questions, so that an answer does not wait for Python to start."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from ...inference.errors import Cancelled
from ...inference.events import CANCELLED, Failed, Result, Started, from_line
from .commands import EngineCommands, IsCancelled, OnEvent
from .once import ENGINE, GRACE, EngineCrashed, EngineFailed, engine_command
from .serve_process import Asked, Lost, ServeProcess

#: Seconds without a question after which the process is ended; it holds the last models in memory.
IDLE = 600.0
_CANCELLED, _CLOSED = "The run was cancelled.", "The engine was closed."
#: Name of the threads that end a process.
_ENDING = "fusion-mapper-engine-end"


class WarmEngine(EngineCommands):
    """Asks one engine process that serves, from as many threads as like; questions wait for one another.

    The process is started at the first question, and again at the next one after it has died or was ended. A question
    that merely waited when it died is asked again.

    Args:
        python: the engine's Python; found as `find_engine` says, anew for each question, when not given.
        program: what that Python runs, the engine room of this plugin.
        grace: seconds between the request to stop and the kill.
        idle: seconds without a question after which the process is ended.
    """

    def __init__(
        self, python: Optional[Path] = None, program: Path = ENGINE, grace: float = GRACE, idle: float = IDLE
    ) -> None:
        self.session: Optional[Started] = None
        """What the last session that ran told of itself."""
        self._python, self._program = python, program
        self._grace, self._idle = grace, idle
        self._process: Optional[ServeProcess] = None
        self._started: list[ServeProcess] = []
        self._timer: Optional[threading.Timer] = None
        self._closed = False
        self._turn = threading.Lock()

    def close_down(self) -> None:
        """End the process; whoever waits for an answer is told `Cancelled`. Returns at once and may be called twice."""
        self._closed = True
        # Whoever starts a process at this moment holds the lock, which is not to be waited for on the GUI thread.
        threading.Thread(target=self._retire, name=_ENDING, daemon=True).start()

    def let_go(self) -> None:
        """End the process, whose environment is about to go; the next question starts another. Returns at once."""
        threading.Thread(target=self._retire, name=_ENDING, daemon=True).start()

    def working(self) -> bool:
        """True while a process, or what it leaves behind, has not gone; after `close_down` that takes up to 5 s."""
        return any(not process.over for process in self._started)

    def _ask(
        self, command: str, request: Mapping[str, Any], folder: Path, on_event: OnEvent, is_cancelled: IsCancelled
    ) -> Result:
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                return self._ask_once({**request, "command": command}, on_event, is_cancelled)
            except Lost:
                # Its end is put down to the request that was at work, so this ends with the requests that there are.
                continue

    def _ask_once(self, request: Mapping[str, Any], on_event: OnEvent, is_cancelled: IsCancelled) -> Result:
        with self._turn:
            process = self._ready()
        asked = process.send(request)
        try:
            return self._listen(process, asked, on_event, is_cancelled)
        finally:
            process.drop(asked)
            self._rest()

    def _listen(self, process: ServeProcess, asked: Asked, on_event: OnEvent, is_cancelled: IsCancelled) -> Result:
        deadline: Optional[float] = None
        lines = asked.lines()
        while True:
            if deadline is None and is_cancelled():
                process.cancel(asked)
                deadline = time.monotonic() + self._grace
            if deadline is not None and time.monotonic() > deadline:
                process.give_up(asked)
                raise Cancelled(_CANCELLED)
            try:
                line = next(lines)
            except (EngineCrashed, Lost):
                if deadline is None:
                    raise
                raise Cancelled(_CANCELLED) from None
            event = from_line(line) if line else None
            if isinstance(event, Result):
                return event
            if isinstance(event, Failed):
                raise _failure(event, deadline is not None)
            if isinstance(event, Started) and event.backend:
                self.session = event
            if event is not None:
                on_event(event)

    def _ready(self) -> ServeProcess:
        """The process to ask; a new one where there is none, or where another Python was chosen meanwhile."""
        if self._closed:
            raise Cancelled(_CLOSED)
        if self._timer is not None:
            self._timer.cancel()
        command = [*engine_command(self._python, self._program), "serve"]
        old = self._process
        if old is not None and not old.gone and (old.command == command or old.busy):
            return old
        self._process = ServeProcess(command)
        self._started = [process for process in self._started if not process.over] + [self._process]
        if old is not None:
            threading.Thread(target=old.stop, args=(Lost(_CLOSED),), name=_ENDING, daemon=True).start()
        return self._process

    def _rest(self) -> None:
        """Begin to count the idle time."""
        with self._turn:
            if self._timer is not None:
                self._timer.cancel()
            if self._closed or self._process is None:
                return
            self._timer = threading.Timer(self._idle, self._retire_idle)
            self._timer.daemon = True
            self._timer.start()

    def _retire_idle(self) -> None:
        with self._turn:
            process = self._process
            if process is None or process.busy:
                return
            self._process = None
        # Who asks at this very moment is sent on to the next process.
        process.stop(Lost(_CLOSED))

    def _retire(self) -> None:
        with self._turn:
            process, self._process = self._process, None
            if self._timer is not None:
                self._timer.cancel()
        if process is not None:
            process.stop(Cancelled(_CLOSED))


def _failure(event: Failed, cancelled: bool) -> Exception:
    if cancelled or event.code == CANCELLED:
        return Cancelled(_CANCELLED)
    return EngineFailed(event.text, event.code, event.details)
