"""The ceiling of memory: it is kept by whole runs, workers begin where there is room, and passing it is told."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from fusion_mapper.inference.ceiling import (
    _VERSION_1,
    _VERSION_2,
    SHARE,
    Admission,
    Ceiling,
    _group_room,
    _groups,
    available,
    resident,
)
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.inference.job import Compute, job_from_dict
from fusion_mapper.inference.kept import Kept
from fusion_mapper.inference.prepare import Prepared, prepare
from fusion_mapper.inference.run import run_job
from fusion_mapper.inference.voice import Voice

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "resources" / "models" / "landcover-rgb-1m.onnx"
MIB = 2**20
#: Runs a command, passes on what it says, and ends with its peak in MiB. A process that is forked from this one counts
#: what this one holds as its own.
LAUNCHER = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:])
_, status, usage = os.wait4(child.pid, 0)
print(usage.ru_maxrss // 1024)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.fixture
def job(shared_data: Path, tmp_path: Path) -> dict[str, Any]:
    return {
        "schema": 1,
        "model": str(MODEL),
        "sources": {"imagery": {"path": str(shared_data / "swellendam" / "3420B_2010_328_RGB_LATLNG.tif")}},
        "grid": {"crs": "EPSG:32734", "extent": [453_500, 6_233_000, 455_500, 6_235_000], "resolution": 1.0},
        "outputs": {"folder": str(tmp_path / "out"), "products": {"classes": None, "polygons": None}},
    }


def run(job: dict[str, Any], folder: Path) -> tuple[int, int, list[dict[str, Any]]]:
    """A run as a process of its own: exit status, peak of its memory in MiB, and what it said."""
    path = folder / "a.job.json"
    path.write_text(json.dumps(job))
    command = [sys.executable, "-c", LAUNCHER, sys.executable, str(ROOT / "inference"), "run", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    *lines, peak = done.stdout.splitlines()
    return done.returncode, int(peak), [json.loads(line) for line in lines]


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux alone")
@pytest.mark.parametrize("device", ["onnxruntime-cpu", "openvino"])
@pytest.mark.parametrize("memory", [640, 900])
def test_a_run_keeps_its_ceiling(job, tmp_path, memory, device):
    job["compute"] = {"memory": memory, "device": device}
    status, peak, said = run(job, tmp_path)
    assert status == 0, said[-1]
    assert peak <= memory


def test_a_ceiling_that_cannot_be_kept_ends_the_run_with_one_sentence_and_keeps_its_blocks(job, tmp_path):
    job["compute"] = {"memory": 128}
    status, _, said = run(job, tmp_path)
    assert status != 0
    assert said[-1]["event"] == "failed"
    assert "more than its ceiling of 128 MiB (compute.memory)" in said[-1]["text"]
    del job["compute"]
    assert run(job, tmp_path)[0] == 0


def test_without_a_ceiling_it_is_a_share_of_what_is_free():
    before = resident()
    ceiling = Ceiling(Compute())
    assert ceiling.bytes == pytest.approx(before + SHARE * available(), rel=0.2)
    ceiling.require()


class Memory:
    """A process whose memory a test decides, in MiB."""

    def __init__(self, taken: int) -> None:
        self.taken = taken

    def __call__(self) -> int:
        return self.taken * MIB


@pytest.fixture
def prepared(job, tmp_path) -> Prepared:
    return prepare(job_from_dict(job), tmp_path, print)


def test_workers_begin_at_once_where_memory_is_plentiful(prepared):
    told: list[str] = []
    admission = Admission(Ceiling(Compute(memory=10**6), Memory(300)), prepared, 4, told.append)
    assert all(admission.admits(worker) for worker in range(4))
    assert not told


def test_a_worker_waits_for_what_the_one_before_takes_and_begins_where_there_is_room(prepared):
    told: list[str] = []
    memory = Memory(300)
    admission = Admission(Ceiling(Compute(memory=1000), memory), prepared, 4, told.append)
    assert admission.admits(0)
    answers: list[bool] = []
    second = threading.Thread(target=lambda: answers.append(admission.admits(1)))
    second.start()
    second.join(0.2)
    assert second.is_alive(), "nothing is known yet of what a worker takes"
    memory.taken = 600
    admission.measured(0)
    second.join(60)
    assert answers == [True]
    memory.taken = 900
    admission.measured(1)
    assert not admission.admits(2)
    memory.taken = 300
    assert not admission.admits(3), "what was told holds for the rest of the run"
    assert told == ["2 of 4 blocks at once are computed, to keep below 1,000 MiB of memory."]


def test_what_is_passed_is_named():
    memory = Memory(300)
    Ceiling(Compute(memory=500), memory).require()
    ceiling = Ceiling(Compute(memory=500), memory)
    memory.taken = 501
    with pytest.raises(RequestError, match=r"takes 501 MiB of memory, more than its ceiling of 500 MiB"):
        ceiling.require()


def test_a_warm_engine_lets_go_of_what_it_kept_before_it_refuses(job, tmp_path):
    class Noticed(Kept):
        cleared = 0

        def clear(self) -> None:
            self.cleared += 1
            super().clear()

    kept = Noticed()
    voice = Voice(lambda _: None, lambda: False)
    run_job(job_from_dict(job), tmp_path, voice, kept)
    assert kept.cleared == 0
    job["compute"] = {"memory": 1}
    with pytest.raises(RequestError, match="more than its ceiling of 1 MiB"):
        run_job(job_from_dict(job), tmp_path, voice, kept)
    assert kept.cleared == 1


def test_the_limit_of_a_container_counts_without_files_that_can_be_let_go_of(tmp_path):
    (tmp_path / "memory.max").write_text("max\n")
    assert _group_room(tmp_path, _VERSION_2) is None
    (tmp_path / "memory.max").write_text(f"{900 * MIB}\n")
    (tmp_path / "memory.current").write_text(f"{800 * MIB}\n")
    (tmp_path / "memory.stat").write_text(f"anon {200 * MIB}\ninactive_file {600 * MIB}\n")
    assert _group_room(tmp_path, _VERSION_2) == 700 * MIB


def test_the_older_layout_of_groups_counts_too(tmp_path):
    limit = tmp_path / "memory.limit_in_bytes"
    limit.write_text(f"{2**63 - 4096}\n")
    assert _group_room(tmp_path, _VERSION_1) is None
    limit.write_text(f"{900 * MIB}\n")
    (tmp_path / "memory.usage_in_bytes").write_text(f"{100 * MIB}\n")
    (tmp_path / "memory.stat").write_text("total_inactive_file 0\n")
    assert _group_room(tmp_path, _VERSION_1) == 800 * MIB


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("0::/\n", [".", "memory"]),
        ("0::/jobs/7\n", ["jobs/7", "jobs", ".", "memory"]),
        ("5:cpu,cpuacct:/a\n4:memory:/job/3\n0::/\n", [".", "memory/job/3", "memory/job", "memory"]),
        ("", [".", "memory"]),
    ],
)
def test_the_groups_of_a_process_are_its_own_and_those_around_it(tmp_path, lines, expected):
    own = tmp_path / "cgroup"
    own.write_text(lines)
    root = tmp_path / "fs"
    assert [group.relative_to(root).as_posix() for group, _ in _groups(root, own)] == expected
