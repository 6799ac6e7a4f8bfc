"""The process behind a warm engine: what is written to it, and who gets which of its lines."""

from __future__ import annotations

import contextlib
import itertools
import json
import queue
import subprocess  # nosec B404  # only the exceptions of a process that `start_child` has started
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Union

from ...inference.errors import FusionMapperError, RequestError
from ...inference.events import Started, from_line
from ...inference.job import MAX_BYTES
from .once import TICK, EngineFailed, crash, refuse_other_contract, start_child
from .scratch import ScratchFolder

#: Seconds that the process has to end once its standard input has ended; it promises 2.
FAREWELL = 3.5
#: Events after which a request has its answer.
_LAST = ("result", "failed")
#: Bytes that a request's id takes.
_HEAD = 100


class Lost(FusionMapperError):
    """The process ended through no fault of this request, which may be asked again."""


class Asked:
    """A request that has been sent, and what was answered so far."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._heard: queue.SimpleQueue[Union[str, FusionMapperError]] = queue.SimpleQueue()

    def hear(self, said: Union[str, FusionMapperError]) -> None:
        """Take a line, or why no more will come."""
        self._heard.put(said)

    def lines(self) -> Iterator[str]:
        """The next line, or an empty one each `TICK` without a line; raises what ended the process."""
        while True:
            try:
                said = self._heard.get(timeout=TICK)
            except queue.Empty:
                said = ""
            if isinstance(said, FusionMapperError):
                raise said
            yield said


class ServeProcess:
    """One engine process that serves; it is of no more use once it is `gone`, and nothing of it is left once `over`.

    Requests are worked off in the order in which they were sent, so the oldest that has no answer is the one at work,
    and the one that an unexpected end is put down to.

    Raises:
        EngineFailed: when it cannot be started.
    """

    def __init__(self, command: list[str]) -> None:
        self.command = command
        self.gone, self.over = False, False
        self._folder = ScratchFolder()
        self._log = self._folder.path / "engine.log"
        self._numbers = itertools.count(1)
        self._asked: dict[str, Asked] = {}
        self._end: Union[FusionMapperError, None] = None
        """What everybody who waits is told at the end; None where it comes unexpected."""
        self._waiting = threading.Lock()
        self._writing = threading.Lock()
        try:
            with self._log.open("wb") as errors:
                self._process = start_child(command, self._folder.path, errors)
        except EngineFailed:
            self._folder.delete()
            raise
        threading.Thread(target=self._keep, name="fusion-mapper-warm-engine", daemon=True).start()

    @property
    def busy(self) -> bool:
        """True while somebody waits for an answer."""
        return bool(self._asked)

    def send(self, request: Mapping[str, Any]) -> Asked:
        """Ask.

        Raises:
            Lost: when the process has ended.
            EngineFailed: when the engine would not read so much.
        """
        if len(json.dumps(request)) > MAX_BYTES - _HEAD:
            raise EngineFailed(f"The request is larger than {MAX_BYTES // 2**20} MiB; ask for less at once.", 2)
        with self._writing:
            asked = Asked(str(next(self._numbers)))
            with self._waiting:
                if self.gone:
                    raise Lost("The engine has ended.")
                self._asked[asked.name] = asked
            self._write({**request, "id": asked.name})
        return asked

    def cancel(self, asked: Asked) -> None:
        """Have the engine stop this request; it answers that too.

        A process that no longer reads may hold up whoever writes to it; it is not told then, and can be given up.
        """
        if self._writing.acquire(timeout=FAREWELL):
            try:
                self._write({"id": asked.name, "cancel": True})
            finally:
                self._writing.release()

    def drop(self, asked: Asked) -> None:
        """Hear no more of this request, and stop it where it has no answer yet."""
        with self._waiting:
            unanswered = self._asked.pop(asked.name, None) is not None
        if unanswered and not self.gone:
            self.cancel(asked)

    def give_up(self, asked: Asked) -> None:
        """Kill a process that does not stop this request; one that merely waits for its turn may wait on."""
        with self._waiting:
            at_work = next(iter(self._asked), None) == asked.name
            if at_work:
                self._end = self._end or Lost("The engine was ended because it did not stop.")
        if at_work:
            self._process.kill()

    def stop(self, reason: FusionMapperError) -> None:
        """End the process, and tell everybody who waits why it is over; takes up to `FAREWELL` seconds.

        They are told once it has gone: until then it may write into the folders that they delete.
        """
        with self._waiting:
            self._end = self._end or reason
        # A process that no longer reads may hold up whoever writes to it; it is then killed below.
        if self._writing.acquire(timeout=TICK):
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            self._writing.release()
        try:
            self._process.wait(FAREWELL)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _write(self, message: Mapping[str, Any]) -> None:
        # A process that has ended has broken the pipe, or `stop` has closed it; `_keep` tells everybody.
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()

    def _note(self, text: str) -> None:
        """Keep what is no event among the engine's last words; a full disk must keep no answer back."""
        with contextlib.suppress(OSError), self._log.open("a", encoding="utf-8") as log:
            log.write(f"[standard output] {text}\n")

    def _keep(self) -> None:
        """Hand every line to whom it belongs; at the end, tell everybody and leave nothing behind."""
        for line in self._process.stdout:
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            # Once its end is decided, nothing that it still says counts.
            if self._end is None and not self._hand_on(text):
                self._note(text)
        code = self._ended()
        with self._waiting:
            self.gone = True
            for number, asked in enumerate(self._asked.values()):
                asked.hear(self._end or (crash(code, self._log) if number == 0 else Lost("The engine has ended.")))
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._folder.delete()
        self.over = True

    def _ended(self) -> int:
        """The exit code of a process that says no more; one that stays all the same is killed."""
        try:
            return self._process.wait(FAREWELL)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _hand_on(self, line: str) -> bool:
        """False for a line that belongs to nobody."""
        try:
            data = json.loads(line)
        except (ValueError, RecursionError):
            return False
        name = data.get("id") if isinstance(data, dict) else None
        if name is None:
            return self._hear_start(line)
        with self._waiting:
            asked = self._asked.get(str(name))
            if data.get("event") in _LAST:
                self._asked.pop(str(name), None)
        if asked is not None:
            asked.hear(line)
        # What nobody waits for any more was cancelled.
        return True

    def _hear_start(self, line: str) -> bool:
        """The first line says which contract the engine keeps."""
        try:
            event = from_line(line)
            if isinstance(event, Started):
                refuse_other_contract(event)
        except RequestError:
            return False
        except EngineFailed as problem:
            self._end = problem
            self._process.kill()
        return isinstance(event, Started)
