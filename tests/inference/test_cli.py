"""The command line as QGIS uses it: a real process, events on standard output and nothing else, exit codes, cancel."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from fusion_mapper.inference.events import Event, Failed, Progress, Result, Started, from_line
from rasterio.transform import from_origin
from tiny_models import imagery_slot, save_pooled


def engine(root: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(root / "inference"), *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> tuple[int, list[Event], str]:
    """Exit code, events and standard error; fails when standard output holds anything but events."""
    out, err = process.communicate(timeout=120)
    return process.returncode, [from_line(line) for line in out.splitlines()], err


@pytest.fixture
def job_file(tmp_path: Path) -> Path:
    """A run over 600×500 pixels of noise, with relative paths."""
    rng = np.random.default_rng(1)
    with rasterio.open(
        tmp_path / "ortho.tif", "w", driver="GTiff", width=600, height=500, count=3, dtype="uint8",
        crs="EPSG:32634", transform=from_origin(500000, 6200000, 1, 1),
    ) as file:  # fmt: skip
        file.write(rng.integers(0, 255, (3, 500, 600), np.uint8))
    save_pooled(tmp_path / "model.onnx", (imagery_slot(),))
    return write_job(tmp_path)


def write_job(folder: Path, **changes: Any) -> Path:
    job = {
        "schema": 1,
        "model": "model.onnx",
        "sources": {"imagery": {"path": "ortho.tif"}},
        "outputs": {"folder": "out", "products": {"classes": None}},
        **changes,
    }
    file = folder / "job.json"
    file.write_text(json.dumps(job))
    return file


def test_a_run_says_what_it_runs_on_how_far_it_is_and_what_it_made(repository_root: Path, job_file: Path) -> None:
    code, events, err = finish(engine(repository_root, "run", str(job_file)))
    assert (code, err) == (0, "")
    started = [event for event in events if isinstance(event, Started)]
    assert len(started) == 1
    assert started[0].precision == "f32"
    shares = [event.done / event.total for event in events if isinstance(event, Progress) and event.stage == "mapping"]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert isinstance(events[-1], Result)
    assert Path(events[-1].products["classes"]) == job_file.parent / "out" / "classes.tif"


def test_the_checkout_may_have_any_name(repository_root: Path, job_file: Path, tmp_path: Path) -> None:
    for room in ("models", "inference"):
        shutil.copytree(
            repository_root / room, tmp_path / "Änderer Name" / room, ignore=shutil.ignore_patterns("__pycache__")
        )
    for file in ("__init__.py", "metadata.txt"):
        shutil.copy(repository_root / file, tmp_path / "Änderer Name" / file)
    code, events, err = finish(engine(tmp_path / "Änderer Name", "run", str(job_file), cwd="/"))
    assert (code, err) == (0, "")
    assert isinstance(events[-1], Result)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"model": "absent.onnx"}, "absent.onnx"),
        ({"sources": {}}, "sources.imagery"),
        ({"sources": {"imagery": {"path": "absent.tif"}}}, "absent.tif"),
        ({"sources": {"imagery": {"path": "ortho.tif"}, "dem": {"path": "x.tif"}}}, "sources.dem"),
        ({"outputs": {"folder": "out", "products": {"regression": None}}}, "outputs.products.regression"),
        ({"compute": {"tile": 8}}, "compute.tile"),
        ({"compute": {"tile": 16384, "batch": 1024}}, "compute.batch"),
        ({"outputs": {"folder": "out", "products": {"classes": "ortho.tif"}}}, "which the run reads"),
        ({"schema": 7}, "schema"),
    ],
)
def test_a_wrong_request_is_one_sentence_and_exit_2(
    repository_root: Path, job_file: Path, changes: dict[str, Any], word: str
) -> None:
    code, events, err = finish(engine(repository_root, "run", str(write_job(job_file.parent, **changes))))
    assert code == 2
    assert word in err
    assert len(err.strip().splitlines()) == 1
    assert isinstance(events[-1], Failed)
    assert events[-1].text == err.strip()
    assert not (job_file.parent / "out" / "classes.tif").exists()


@pytest.mark.parametrize("way", ["line", "end"])
def test_cancel_ends_the_run_with_exit_3_and_it_goes_on_later(repository_root: Path, job_file: Path, way: str) -> None:
    """Cancelled while blocks are still to come; the next run computes only the rest and gives the same bytes."""
    compute = {"tile": 64, "block": 64, "workers": 1}
    whole = write_job(job_file.parent, compute=compute, outputs={"folder": "whole", "products": {"classes": None}})
    assert finish(engine(repository_root, "run", str(whole)))[0] == 0
    job = write_job(job_file.parent, compute=compute)
    process = engine(repository_root, "run", str(job), "--control")
    assert process.stdin is not None
    assert process.stdout is not None
    for line in process.stdout:
        event = from_line(line)
        if isinstance(event, Progress) and event.done > 0:
            break
    if way == "line":
        process.stdin.write('{"cancel": true}\n')
        process.stdin.flush()
    else:
        process.stdin.close()
    rest = [from_line(line) for line in process.stdout]
    assert process.wait(timeout=30) == 3
    assert isinstance(rest[-1], Failed)
    assert rest[-1].code == 3
    assert not (job_file.parent / "out" / "classes.tif").exists()
    code, events, _ = finish(engine(repository_root, "run", str(job)))
    first = next(event for event in events if isinstance(event, Progress))
    assert code == 0
    assert first.done > 0, "the finished blocks are used"
    assert (job_file.parent / "out/classes.tif").read_bytes() == (job_file.parent / "whole/classes.tif").read_bytes()


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is a POSIX signal")
@pytest.mark.parametrize(("end", "word"), [("SIGKILL", ""), ("SIGSEGV", "in main")])
def test_a_killed_run_resumes_to_the_same_bytes(repository_root: Path, job_file: Path, end: str, word: str) -> None:
    """A crash of a native library says besides where it was."""
    compute = {"tile": 64, "block": 64}
    whole = write_job(job_file.parent, compute=compute, outputs={"folder": "whole", "products": {"classes": None}})
    assert finish(engine(repository_root, "run", str(whole)))[0] == 0
    job = write_job(job_file.parent, compute=compute)
    process = engine(repository_root, "run", str(job))
    assert process.stdout is not None
    for line in process.stdout:
        event = from_line(line)
        if isinstance(event, Progress) and event.done > 0:
            break
    process.send_signal(signal.Signals[end])
    _, told = process.communicate(timeout=30)
    assert word in told
    assert finish(engine(repository_root, "run", str(job)))[0] == 0
    assert (job_file.parent / "out/classes.tif").read_bytes() == (job_file.parent / "whole/classes.tif").read_bytes()


def test_changed_settings_start_clean_and_say_so(repository_root: Path, job_file: Path) -> None:
    first = finish(engine(repository_root, "run", str(write_job(job_file.parent, compute={"tile": 64}))))
    second = finish(engine(repository_root, "run", str(write_job(job_file.parent, compute={"tile": 128}))))
    assert (first[0], second[0]) == (0, 0)
    assert isinstance(second[1][-1], Result)
    assert any("starts from the beginning" in text for text in second[1][-1].report["warnings"])


def test_check_answers_the_grid_and_a_verdict_for_each_slot(repository_root: Path, job_file: Path) -> None:
    code, events, _ = finish(engine(repository_root, "check", str(job_file)))
    assert code == 0
    assert isinstance(events[-1], Result)
    report = events[-1].report
    assert (report["grid"]["width"], report["grid"]["height"]) == (600, 500)
    assert report["slots"]["imagery"]["verdict"] == "fits"
    assert report["slots"]["imagery"]["facts"]["coverage"] == 1
    assert not (job_file.parent / "out" / "classes.tif").exists()


def test_check_notices_values_that_the_scaling_was_not_made_for(repository_root: Path, job_file: Path) -> None:
    """Sentinel-2's digital numbers in a model for bytes."""
    rng = np.random.default_rng(1)
    with rasterio.open(
        job_file.parent / "ortho.tif", "w", driver="GTiff", width=60, height=50, count=3, dtype="uint16",
        crs="EPSG:32634", transform=from_origin(500000, 6200000, 1, 1),
    ) as file:  # fmt: skip
        file.write(rng.integers(0, 10000, (3, 50, 60), np.uint16))
    _, events, _ = finish(engine(repository_root, "check", str(job_file)))
    assert isinstance(events[-1], Result)
    slot = events[-1].report["slots"]["imagery"]
    assert slot["verdict"] == "works"
    assert "check the layer's units" in slot["sentences"][0]


def test_check_notices_vectors_of_which_nothing_becomes_a_channel(
    repository_root: Path, job_file: Path, shared_data: Path
) -> None:
    """Buildings where the recipe wants waterways."""
    place = shared_data / "swellendam"
    buildings = {"path": str(place / "training_data.gpkg"), "layer": "buildings", "tags": {"building": "yes"}}
    recipe = {"rules": [{"key": "waterway"}]}
    job = write_job(
        job_file.parent,
        model=None,
        slots=[
            {"name": "imagery", "role": "imagery", "input": "x", "channels": [{"name": "red"}]},
            {"name": "osm", "role": "osm", "input": "x", "channels": [{"name": "rivers", "osm": recipe}]},
        ],
        sources={
            "imagery": {"path": str(place / "3420B_2010_328_RGB_LATLNG.tif"), "bands": [1]},
            "osm": {"layers": [buildings]},
        },
        outputs={"folder": "out", "products": {"stack": None}},
    )
    _, events, _ = finish(engine(repository_root, "check", str(job)))
    assert isinstance(events[-1], Result)
    slot = events[-1].report["slots"]["osm"]
    assert slot["verdict"] == "works"
    assert slot["sentences"] == ["No feature of the layers for 'osm' fits its channels (rivers) in this area."]


def test_inspect_tells_the_card_and_the_graph(repository_root: Path, job_file: Path) -> None:
    code, events, _ = finish(engine(repository_root, "inspect", str(job_file.parent / "model.onnx")))
    assert code == 0
    assert isinstance(events[-1], Result)
    report = events[-1].report
    assert report["convention"] == "fusion-mapper"
    assert report["card"]["slots"][0]["name"] == "imagery"
    assert report["graph"]["inputs"][0]["name"] == "x"


def test_the_doctor_tells_what_really_ran(repository_root: Path) -> None:
    code, events, _ = finish(engine(repository_root, "doctor"))
    assert code == 0
    assert isinstance(events[-1], Result)
    devices = events[-1].report["devices"]
    assert devices["onnxruntime-cpu"]["works"]
    assert devices["openvino"] == {**devices["openvino"], "works": True, "precision": "f32"}
    for name in ("cuda", "tensorrt", "directml"):
        assert devices[name]["works"] or devices[name]["reason"]


def test_a_device_that_is_not_there_is_replaced_with_a_word(repository_root: Path, job_file: Path) -> None:
    job = write_job(job_file.parent, compute={"device": "tensorrt"})
    code, events, _ = finish(engine(repository_root, "run", str(job)))
    assert code == 0
    started = next(event for event in events if isinstance(event, Started))
    if not started.device.startswith("TENSORRT"):
        assert "TensorrtExecutionProvider" in started.reason


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_disk_under_the_log_keeps_no_sentence_back(repository_root, tmp_path):
    command = [sys.executable, str(repository_root / "inference"), "run", str(tmp_path / "none.json")]
    with open("/dev/full", "w") as log:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, timeout=120)
    assert done.returncode == 2
    (last,) = [from_line(line) for line in done.stdout.decode().splitlines()]
    assert isinstance(last, Failed) and "none.json" in last.text
