"""What the benchmarks have in common: one engine run as a process of its own, with its time and its peak memory."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Run:
    """One process from its start to its end."""

    seconds: float
    peak: int
    """Bytes of the largest resident set."""
    result: dict[str, Any] = field(default_factory=dict)
    stages: dict[str, float] = field(default_factory=dict)
    """Seconds of what it told to be at, from one stage to the next; ``start`` before the first, in their order."""


def engine(job: dict[str, Any], keep: Path | None = None) -> Run:
    """Run a job with ``python inference run``, imports, compilation and writing included.

    The products go into `keep`, or away.

    Raises:
        SystemExit: where the engine refuses the job.
    """
    folder = keep or Path(tempfile.mkdtemp(prefix="fusion_mapper_bench_"))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "bench.job.json"
    outputs = {"products": {"classes": None}, **job.get("outputs", {}), "folder": str(folder / "out")}
    path.write_text(json.dumps({"schema": 1, **job, "outputs": outputs}))
    try:
        return process([sys.executable, str(ROOT / "inference"), "run", str(path)])
    finally:
        if keep is None:
            shutil.rmtree(folder)


def process(command: list[str]) -> Run:
    """Run a command that may print JSON lines; the last ``result`` among them is kept, and when each stage began."""
    began = time.monotonic()
    result: dict[str, Any] = {}
    stages = {"start": began}
    with tempfile.TemporaryFile("w+") as wrong:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=wrong, text=True)
        for line in child.stdout:
            told = json.loads(line) if line.startswith("{") else {"event": ""}
            if told.get("event", "result") == "result":
                result = told
            elif told["event"] == "progress":
                stages.setdefault(told["stage"], time.monotonic())
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        ended = time.monotonic()
        child.stdout.close()
        if child.returncode:
            wrong.seek(0)
            raise SystemExit(f"{' '.join(command[:3])} failed:\n{wrong.read()}")
    times = [*stages.values(), ended]
    spans = {name: after - before for name, before, after in zip(stages, times, times[1:], strict=False)}
    return Run(ended - began, usage.ru_maxrss * 1024, result, spans)


def median(rounds: int, measure: Callable[[], Run]) -> Run:
    """The run of middle duration among `rounds`."""
    runs = sorted((measure() for _ in range(rounds)), key=lambda run: run.seconds)
    return runs[statistics.median_low(range(rounds))]
