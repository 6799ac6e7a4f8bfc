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
    """Run a command that may print JSON lines; the last ``result`` among them is kept."""
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as told, tempfile.TemporaryFile("w+") as wrong:
        child = subprocess.Popen(command, stdout=told, stderr=wrong)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        told.seek(0)
        wrong.seek(0)
        if child.returncode:
            raise SystemExit(f"{' '.join(command[:3])} failed:\n{wrong.read()}")
        lines = [json.loads(line) for line in told if line.startswith("{")]
    results = [line for line in lines if line.get("event", "result") == "result"]
    return Run(seconds, usage.ru_maxrss * 1024, results[-1] if results else {})


def median(rounds: int, measure: Callable[[], Run]) -> Run:
    """The run of middle duration among `rounds`."""
    runs = sorted((measure() for _ in range(rounds)), key=lambda run: run.seconds)
    return runs[statistics.median_low(range(rounds))]
