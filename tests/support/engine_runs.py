"""Real engine processes for tests that strike at them: their events are read as they come, and tell when to strike."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Optional

from fusion_mapper.inference.events import Event, Failed, Result, from_line

ENGINE = Path(__file__).resolve().parents[2] / "inference"
#: Seconds without a word after which an engine is taken to hang; nothing is asserted about less.
PATIENCE = 120


class EngineRun:
    """One ``python inference ...`` process.

    Args:
        arguments: what the engine is asked.
        env: variables besides those of this process.
        prefix: a command that starts it.
    """

    def __init__(self, *arguments: str, env: Optional[Mapping[str, str]] = None, prefix: Sequence[str] = ()) -> None:
        self.events: list[Event] = []
        self._deaf = False
        self.process = subprocess.Popen(
            [*prefix, sys.executable, str(ENGINE), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **(env or {})},
        )  # fmt: skip
        self._lines: queue.SimpleQueue[Optional[str]] = queue.SimpleQueue()
        self._err: list[str] = []
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read, self._read_errors)]
        for reader in self._readers:
            reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _read_errors(self) -> None:
        self._err += self.process.stderr.readlines()

    def listen(self) -> Iterator[Event]:
        """Events as they come, until the engine ends."""
        while not self._deaf:
            line = self._lines.get(timeout=PATIENCE)
            self._deaf = line is None
            if line is not None:
                self.events.append(from_line(line))
                yield self.events[-1]

    def until(self, wanted: Callable[[Event], bool]) -> Event:
        """The next event of that kind; fails where the engine ends without one."""
        for event in self.listen():
            if wanted(event):
                return event
        raise AssertionError(f"the engine ended before that: {self.events[-1:]} {''.join(self._err)}")

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold it where it is while something is done to what it works on."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as the system does, without a chance to tidy up."""
        self.process.send_signal(signal.SIGKILL)
        self.end()

    def end(self) -> tuple[int, Event]:
        """Wait for its end; the exit code and the last event."""
        for _ in self.listen():
            pass
        code = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.stderr.close()
        return code, self.events[-1] if self.events else Failed("The engine said nothing.")

    @property
    def errors(self) -> str:
        """What it wrote to standard error."""
        return "".join(self._err)


def finish(*arguments: str, env: Optional[Mapping[str, str]] = None) -> tuple[int, Event]:
    """Run the engine to its end; the exit code and the last event."""
    return EngineRun(*arguments, env=env).end()


def result_of(*arguments: str, env: Optional[Mapping[str, str]] = None) -> Result:
    """Run the engine to its end, which must be a result."""
    code, last = finish(*arguments, env=env)
    assert isinstance(last, Result), last
    assert code == 0
    return last


def refusal(code: int, last: Event) -> str:
    """The sentence of a request that was refused: one line, exit code 2, no fault of the engine."""
    assert isinstance(last, Failed), last
    assert (code, last.code) == (2, 2), f"{last.text}\n{last.details}"
    assert "\n" not in last.text
    assert "Traceback" not in last.text
    return last.text


class WarmEngine:
    """One ``serve`` process that is asked many things in turn, under limits of memory and of time for each."""

    def __init__(self, log: Path, memory: Optional[int] = None) -> None:
        """`memory` is the address space, in bytes, that it may take beyond what it has once it is warm."""
        self.log = log
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, str(ENGINE), "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
        self._lines: queue.SimpleQueue[Optional[bytes]] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()
        self._asked = 0
        self._lines.get(timeout=PATIENCE)
        self._memory = memory
        self._limited = memory is None

    def _read(self) -> None:
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def ask(self, seconds: float = PATIENCE, **request: Any) -> dict[str, Any]:
        """The last event of the answer; fails where the engine dies, or works longer than `seconds` of processor."""
        self._asked += 1
        name = str(self._asked)
        self.process.stdin.write(json.dumps({"id": name, **request}).encode() + b"\n")
        self.process.stdin.flush()
        begin, patience = self._worked(), time.monotonic() + 20 * seconds
        while True:
            try:
                line = self._lines.get(timeout=1)
            except queue.Empty:
                used = self._worked() - begin
                assert used <= seconds, f"the engine has worked for {used:.0f} s"
                assert time.monotonic() < patience, "the engine hangs"
                continue
            assert line is not None, f"the engine died with {self.process.wait(PATIENCE)}: {self._last_words()}"
            event = json.loads(line)
            if event["event"] in ("result", "failed"):
                assert event["id"] == name
                return event

    def limit_memory(self) -> None:
        """Hold its address space down; called once everything it needs is loaded."""
        import resource

        status = Path(f"/proc/{self.process.pid}/status").read_text()
        used = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmSize")) * 1024
        resource.prlimit(self.process.pid, resource.RLIMIT_AS, (used + self._memory, used + self._memory))

    def _worked(self) -> float:
        """Seconds of processor time so far."""
        parts = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")

    def _last_words(self) -> str:
        return self.log.read_bytes()[-2000:].decode("utf-8", "replace")

    def close(self) -> None:
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(PATIENCE)
        self.process.stdout.close()
