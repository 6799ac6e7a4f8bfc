"""One warm engine for many jobs: it does what ``inference <command> JOB`` does, without loading torch each time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class Engine:
    """``inference serve`` in this Python; a context manager."""

    def __enter__(self) -> Engine:
        command = [sys.executable, str(ROOT / "inference"), "serve"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.communicate()

    def ask(self, command: str, job: dict[str, Any], path: Path) -> dict[str, Any]:
        """Write a job, have the command done on it, and return its result event.

        Raises:
            SystemExit: the engine failed, with its sentence.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(job, indent=1))
        request = {"id": str(path), "command": command, "job": str(path)}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            event = json.loads(line)
            if event["event"] == "failed":
                raise SystemExit(f"{command} {path}: {event['text']}")
            if event["event"] == "result":
                return event
        raise SystemExit(f"{command} {path}: the engine ended without an answer.")
