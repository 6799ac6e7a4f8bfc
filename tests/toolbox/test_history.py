"""Runs are remembered one file each; what is broken hides nothing, and a run that lost its QGIS was interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.inference.events import Started
from fusion_mapper.models.card import card_from_dict, read_sidecar
from fusion_mapper.models.library import STARTERS
from fusion_mapper.toolbox.runs.history import KEPT, History, Record, new_key

CARD = read_sidecar(STARTERS / "landcover-rgb-1m.json")


@pytest.fixture
def history(tmp_path) -> History:
    return History(tmp_path / "history")


def record(title: str = "Land cover, 3420B", state: str = "finished", **others) -> Record:
    return Record(
        title=title,
        model="/models/landcover.onnx",
        folder="/data/runs/one",
        state=state,
        created="2026-11-21T08:00:00Z",
        card=CARD.to_dict(),
        **others,
    )


def test_what_is_written_is_read_again(history):
    told = record(
        parameters={"MODEL": "landcover", "IMAGERY": ["aerial_1"], "EXTENT": {"qgis": "x", "bounds": [0, 1, 2, 3]}},
        layers={"aerial_1": "3420B"},
        session=Started("0.2", backend="openvino", device="CPU", precision="f32"),
        results={"CLASSES": "/data/runs/one/classes.tif"},
        messages=("one", "two"),
        percent=61.5,
    )
    history.write("20261121-080000-1", told)
    assert history.read().records == {"20261121-080000-1": told}
    assert card_from_dict(history.read().records["20261121-080000-1"].card) == CARD


def test_keys_sort_by_time():
    keys = [new_key() for _ in range(20)]
    # Two of one microsecond are told apart by chance, and have no order.
    times = [key.rpartition("-")[0] for key in keys]
    assert times == sorted(times)
    assert len(set(keys)) == 20


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[" * 100_000,
        '{"schema": 2}',
        '{"schema": 1, "title": 5}',
        json.dumps({"schema": 1, "title": "a", "model": "m", "folder": "f", "state": "exploded", "created": ""}),
        json.dumps({"schema": 1, "title": "a", "model": "m", "folder": "f", "state": "failed", "created": "", "x": 1}),
    ],
)
def test_a_broken_record_is_one_sentence_and_stays(history, tmp_path, content):
    history.write("a", record("before"))
    history.write("c", record("after"))
    broken = tmp_path / "history" / "b.json"
    broken.write_text(content)
    found = history.read()
    assert [one.title for one in found.records.values()] == ["before", "after"]
    (sentence,) = found.problems
    assert "b.json" in sentence
    assert broken.read_text() == content


def test_an_endless_record_is_not_read(history, tmp_path):
    history.write("a", record())
    with (tmp_path / "history" / "b.json").open("wb") as stream:
        stream.truncate(1 << 34)
    found = history.read()
    assert list(found.records) == ["a"]
    assert "larger than" in found.problems[0]


def test_a_record_that_cannot_be_written_is_told_with_its_place(tmp_path):
    (tmp_path / "history").write_text("a file is in the way")
    with pytest.raises(RequestError, match="history"):
        History(tmp_path / "history").write("a", record())


def test_only_so_many_runs_are_remembered(history):
    for number in range(KEPT + 3):
        history.write(f"{number:04d}", record(str(number)))
    assert [one.title for one in history.read().records.values()] == [str(n) for n in range(3, KEPT + 3)]
    assert len(history.read().records) == KEPT


def test_a_forgotten_run_is_gone(history):
    history.write("a", record())
    history.forget("a")
    history.forget("a")
    assert history.read().records == {}


def test_a_run_that_another_qgis_runs_is_not_shown_and_not_taken(history, tmp_path):
    other = History(tmp_path / "history")
    assert other.claim("a")
    other.write("a", record(state="running"))
    assert history.read().records == {}
    assert not history.claim("a")
    other.release("a")
    assert history.read().records["a"].state == "interrupted"
    assert history.claim("a")


def test_a_run_whose_process_was_killed_was_interrupted(history, tmp_path, repository_root):
    script = tmp_path / "hold.py"
    script.write_text(HOLD)
    with subprocess.Popen(
        [sys.executable, script, repository_root, tmp_path / "history"], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "held\n"
        history.write("a", record(state="running", percent=40.0))
        assert history.read().records == {}
        os.kill(child.pid, signal.SIGKILL)
    told = history.read().records["a"]
    assert (told.state, told.percent) == ("interrupted", 40.0)
    assert history.claim("a")


HOLD = """
import importlib.util, sys
from pathlib import Path
root = Path(sys.argv[1])
spec = importlib.util.spec_from_file_location(
    "fusion_mapper", root / "__init__.py", submodule_search_locations=[str(root)])
sys.modules["fusion_mapper"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
from fusion_mapper.toolbox.runs.history import History
history = History(Path(sys.argv[2]))
assert history.claim("a")
print("held", flush=True)
sys.stdin.read()
import time
time.sleep(60)
"""


def test_nothing_is_left_beside_the_records(history, tmp_path):
    history.claim("a")
    history.write("a", record())
    history.release("a")
    assert [path.name for path in Path(tmp_path / "history").iterdir()] == ["a.json"]
