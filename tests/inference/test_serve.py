"""The warm engine as QGIS uses it: a real process, requests as lines, every event with the id of its request."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from fusion_mapper.inference.events import CONTRACT, SCHEMA
from rasterio.transform import from_origin
from tiny_models import imagery_slot, save_pooled

PATIENCE = 120
#: What the engine promises, and what a machine with more to do may take on top.
SOON = 2 + 8


class Serving:
    """A `serve` process, whose events are read on a thread."""

    def __init__(self, root: Path, log: Path) -> None:
        self.log = log
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, str(root / "inference"), "serve"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            )  # fmt: skip
        self._heard: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()
        self.started = self.next()

    def _read(self) -> None:
        for line in self.process.stdout:
            self._heard.put(json.loads(line))
        self._heard.put(None)

    def send(self, **fields: Any) -> None:
        self.line(json.dumps(fields).encode())

    def line(self, line: bytes) -> None:
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def next(self) -> dict[str, Any]:
        event = self._heard.get(timeout=PATIENCE)
        assert event is not None, "the engine has ended"
        return event

    def until(self, *kinds: str, name: str | None = None) -> dict[str, Any]:
        """The next event of one of these kinds (of the request `name`)."""
        while True:
            event = self.next()
            if event["event"] in kinds and name in (None, event.get("id")):
                return event

    def ask(self, command: str, name: str = "1", **fields: Any) -> dict[str, Any]:
        self.send(id=name, command=command, **fields)
        return self.until("result", "failed", name=name)

    def end(self) -> int:
        self.process.stdin.close()
        return self.process.wait(SOON)


@pytest.fixture
def serving(repository_root: Path, tmp_path: Path) -> Iterator[Serving]:
    serving = Serving(repository_root, tmp_path / "log")
    yield serving
    serving.process.kill()
    serving.process.wait()


@pytest.fixture(scope="module")
def patient(repository_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One process for many odd requests, which must not harm it."""
    serving = Serving(repository_root, tmp_path_factory.mktemp("serve") / "log")
    yield serving
    assert serving.end() == 0


@pytest.fixture
def job(tmp_path: Path) -> dict[str, Any]:
    """A run over 600×500 pixels of noise in small blocks, which takes a while."""
    rng = np.random.default_rng(1)
    with rasterio.open(
        tmp_path / "ortho.tif", "w", driver="GTiff", width=600, height=500, count=3, dtype="uint8",
        crs="EPSG:32634", transform=from_origin(500000, 6200000, 1, 1),
    ) as file:  # fmt: skip
        file.write(rng.integers(0, 255, (3, 500, 600), np.uint8))
    save_pooled(tmp_path / "model.onnx", (imagery_slot(),))
    return {
        "schema": 1,
        "model": "model.onnx",
        "sources": {"imagery": {"path": "ortho.tif"}},
        "outputs": {"folder": "out", "products": {"classes": None}},
        "compute": {"tile": 64, "block": 64, "workers": 1},
    }


def test_the_first_line_says_which_engine_this_is(serving: Serving) -> None:
    assert {name: serving.started[name] for name in ("schema", "event", "contract")} == {
        "schema": SCHEMA, "event": "started", "contract": CONTRACT,
    }  # fmt: skip
    assert "id" not in serving.started
    assert serving.end() == 0


def test_every_event_of_a_request_carries_its_id(serving: Serving, job: dict[str, Any], tmp_path: Path) -> None:
    serving.send(id="a run", command="run", job=job, base=str(tmp_path))
    kinds = []
    while not kinds or kinds[-1] not in ("result", "failed"):
        event = serving.next()
        assert event["id"] == "a run"
        kinds.append(event["event"])
    assert (kinds[0], kinds[-1]) == ("started", "result")
    assert "progress" in kinds


def test_requests_are_answered_in_turn_with_the_bytes_of_a_single_run(
    serving: Serving, job: dict[str, Any], tmp_path: Path, repository_root: Path
) -> None:
    """The kept session leaves no trace of the run before."""
    names = [f"out{number}" for number in range(3)]
    for name in names:
        asked = {**job, "outputs": {"folder": name, "products": {"classes": None}}}
        serving.send(id=name, command="run", job=asked, base=str(tmp_path))
    assert [serving.until("result", "failed")["id"] for _ in names] == names
    alone = {**job, "outputs": {"folder": "alone", "products": {"classes": None}}}
    (tmp_path / "job.json").write_text(json.dumps(alone))
    command = [sys.executable, str(repository_root / "inference"), "run", str(tmp_path / "job.json")]
    assert subprocess.run(command, capture_output=True, timeout=PATIENCE).returncode == 0
    single = (tmp_path / "alone" / "classes.tif").read_bytes()
    assert [(tmp_path / name / "classes.tif").read_bytes() == single for name in names] == [True] * 3


def test_a_cancelled_run_stops_and_one_that_waits_is_answered_at_once(
    serving: Serving, job: dict[str, Any], tmp_path: Path
) -> None:
    serving.send(id="1", command="run", job=job, base=str(tmp_path))
    serving.until("progress", name="1")
    serving.send(id="2", command="run", job=job, base=str(tmp_path))
    serving.send(id="2", cancel=True)
    waiting = serving.until("result", "failed")
    assert (waiting["id"], waiting["code"]) == ("2", 3)
    serving.send(id="1", cancel=True)
    running = serving.until("result", "failed")
    assert (running["id"], running["event"], running["code"]) == ("1", "failed", 3)
    assert serving.ask("doctor", "3")["event"] == "result"


def test_the_end_of_standard_input_ends_the_process_in_mid_run(
    serving: Serving, job: dict[str, Any], tmp_path: Path
) -> None:
    serving.send(id="1", command="run", job=job, base=str(tmp_path))
    serving.until("progress", name="1")
    assert serving.end() == 0
    assert not (tmp_path / "out" / "classes.tif").exists()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"not json", "not valid JSON"),
        (b"\xff\xfe\x00", "not valid JSON"),
        (b"[1, 2]", "no JSON object"),
        (b'{"command": "doctor"}', "needs an 'id'"),
        (b'{"id": 7, "command": "doctor"}', "needs an 'id'"),
        (b'{"id": "' + b"x" * 300 + b'", "command": "doctor"}', "needs an 'id'"),
        (b'{"cancel": true}', "needs an 'id'"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"id": "1", "fill": "' + b"x" * (17 * 2**20) + b'"}', "larger than 16 MiB"),
    ],
    ids=["text", "bytes", "list", "no id", "number as id", "long id", "cancel of nothing", "nested", "huge"],
)
def test_an_odd_line_gets_a_sentence_and_ends_nothing(patient: Serving, line: bytes, words: str) -> None:
    patient.line(line)
    answer = patient.next()
    assert (answer["event"], answer["code"], "id" in answer) == ("failed", 2, False)
    assert words in answer["text"]
    assert patient.ask("doctor")["event"] == "result"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"command": "fly"}, "knows no command 'fly'"),
        ({"command": ["run"]}, "knows no command"),
        ({}, "knows no command"),
        ({"command": "run"}, "job"),
        ({"command": "check", "job": {"schema": 1}}, "job"),
        ({"command": "run", "job": "/none/job.json"}, "/none/job.json"),
        ({"command": "inspect", "model": 3}, "'model'"),
    ],
)
def test_a_wrong_request_is_one_sentence_with_its_id(patient: Serving, fields: dict[str, Any], words: str) -> None:
    patient.send(id="x", **fields)
    answer = patient.next()
    assert (answer["event"], answer["code"], answer["id"]) == ("failed", 2, "x")
    assert words in answer["text"]
    assert patient.ask("doctor")["event"] == "result"


def test_blank_lines_and_cancels_of_the_unknown_are_passed_over(patient: Serving) -> None:
    patient.line(b"")
    patient.line(b"  ")
    patient.send(id="9", cancel=True)
    patient.send(id="1", command="doctor")
    assert patient.next()["id"] == "1"


def test_want_of_memory_is_told_and_the_next_request_works(
    serving: Serving, job: dict[str, Any], tmp_path: Path
) -> None:
    """The address space of the live process is held down for one request."""
    resource = pytest.importorskip("resource")
    assert serving.ask("run", "1", job=job, base=str(tmp_path))["event"] == "result"
    if not hasattr(resource, "prlimit"):
        pytest.skip("this system cannot change the limits of another process")
    status = Path(f"/proc/{serving.process.pid}/status").read_text()
    used = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmSize")) * 1024
    before = resource.prlimit(serving.process.pid, resource.RLIMIT_AS, (used + 2**20, resource.RLIM_INFINITY))
    large = {**job, "compute": {"tile": 4096}, "outputs": {"folder": "large", "products": {"classes": None}}}
    answer = serving.ask("run", "2", job=large, base=str(tmp_path))
    resource.prlimit(serving.process.pid, resource.RLIMIT_AS, before)
    assert (answer["event"], answer["id"]) == ("failed", "2")
    assert serving.ask("run", "3", job={**job, "outputs": {"folder": "next"}}, base=str(tmp_path))["event"] == "result"


def test_a_model_that_has_changed_is_read_again(serving: Serving, job: dict[str, Any], tmp_path: Path) -> None:
    """Same path, another number of bands."""
    assert serving.ask("check", "1", job=job, base=str(tmp_path))["event"] == "result"
    save_pooled(tmp_path / "model.onnx", (imagery_slot(("red", "green", "blue", "nir")),))
    answer = serving.ask("check", "2", job=job, base=str(tmp_path))
    assert answer["event"] == "failed" or answer["report"]["slots"]["imagery"]["verdict"] == "cannot"


def test_memory_does_not_grow_with_the_requests(serving: Serving, job: dict[str, Any], tmp_path: Path) -> None:
    """Six kinds of session, of which two are kept, asked for again and again."""
    statm = Path(f"/proc/{serving.process.pid}/statm")
    if not statm.exists():
        pytest.skip("this system does not tell a process's memory")

    def resident() -> float:
        return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    used = []
    for number in range(18):
        asked = {**job, "compute": {"tile": 128 + 64 * (number % 6)}, "outputs": {"folder": f"out{number % 2}"}}
        assert serving.ask("run", str(number), job=asked, base=str(tmp_path))["event"] == "result"
        used.append(resident())
    assert max(used[12:]) - max(used[:6]) < 60
