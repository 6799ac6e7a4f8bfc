"""The warm engine: requests on standard input, one JSON object a line, worked off one after the other.

``{"id": "7", "command": "check", ...}`` asks, ``{"id": "7", "cancel": true}`` stops. Every event carries the id of its
request; `Started` without one is said first. The end of standard input ends the process.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from .answer import answer
from .channel import GRACE, Channel
from .commands import Request, find_command, read_request
from .errors import RequestError
from .events import CANCELLED, FAULT, OK, WRONG, Event, Failed, Result, Started
from .job import MAX_BYTES
from .kept import Kept
from .version import ENGINE_VERSION
from .voice import Voice

_CHUNK = 65536
_LONGEST_ID = 200


def serve(channel: Channel) -> int:
    """Answer requests until standard input ends; returns the exit code within 2 s of that, whatever is at work."""
    channel.say(Started(ENGINE_VERSION))
    desk = Desk(channel)
    worker = threading.Thread(target=desk.work, name="requests", daemon=True)
    worker.start()
    for line in _lines(0):
        desk.hear(line)
    desk.close()
    # Some long native call may not come back. Ending at any moment is safe by design.
    worker.join(GRACE)
    return OK


@dataclass
class _Asked:
    """A request that has no answer yet."""

    name: str
    request: Request
    cancelled: threading.Event = field(default_factory=threading.Event)


class Desk:
    """Takes requests on one thread and works them off on another."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._kept = Kept()
        self._asked: dict[str, _Asked] = {}
        """By id, in the order in which they came; the first is at work."""
        self._busy = False
        self._closed = False
        self._changed = threading.Condition()

    def hear(self, line: bytes) -> None:
        """Take one line; one that is no request gets a sentence, and nothing ends."""
        try:
            request = read_request(line, "A line on standard input")
            name = _name(request)
        except RequestError as problem:
            self._channel.say(Failed(str(problem), WRONG))
            return
        if "cancel" in request:
            self._cancel(name)
        else:
            self._take(_Asked(name, request))

    def work(self) -> None:
        """Answer one request after the other until the desk is closed."""
        while (asked := self._next()) is not None:
            voice = Voice(partial(self._channel.say, request=asked.name), asked.cancelled.is_set)
            if answer(partial(self._do, asked.request, voice), partial(self._end, asked)) == FAULT:
                # What was kept may be what failed, or what took up the memory.
                self._kept.clear()

    def close(self) -> None:
        """Stop what is at work and what waits."""
        with self._changed:
            self._closed = True
            for asked in self._asked.values():
                asked.cancelled.set()
            self._changed.notify_all()

    def _do(self, request: Request, voice: Voice) -> Result:
        return find_command(request.get("command"), self._kept)(request, voice)

    def _take(self, asked: _Asked) -> None:
        with self._changed:
            if asked.name in self._asked:
                self._channel.say(Failed(f"A request with the id {asked.name!r} is still at work.", WRONG))
                return
            self._asked[asked.name] = asked
            self._changed.notify_all()

    def _cancel(self, name: str) -> None:
        """Stop the request of this id; an unknown one has been answered in the meantime."""
        with self._changed:
            asked = self._asked.get(name)
            if asked is None:
                return
            asked.cancelled.set()
            if self._busy and next(iter(self._asked)) == name:
                return
            del self._asked[name]
        self._channel.say(Failed("The request was cancelled before it was begun.", CANCELLED), name)

    def _next(self) -> _Asked | None:
        with self._changed:
            self._changed.wait_for(lambda: self._asked or self._closed)
            if self._closed:
                return None
            self._busy = True
            return next(iter(self._asked.values()))

    def _end(self, asked: _Asked, event: Event) -> None:
        with self._changed:
            self._busy = False
            self._asked.pop(asked.name, None)
        self._channel.say(event, asked.name)


def _name(request: Request) -> str:
    name = request.get("id")
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_ID:
        raise RequestError("A request needs an 'id', a short text that comes back with every event.")
    return name


def _lines(descriptor: int) -> Iterator[bytes]:
    """Lines until the end of the stream, blank ones left out; of an endless one, just enough to refuse it."""
    # Read from the descriptor itself: a thread that waits in sys.stdin holds its lock, on which a process forked by
    # some library would wait for ever.
    parts: list[bytes] = []
    size = 0
    while chunk := os.read(descriptor, _CHUNK):
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            line = b"".join((*parts, end))
            parts, size = [], 0
            if line.strip():
                yield line
        if size <= MAX_BYTES:
            parts.append(rest)
            size += len(rest)
