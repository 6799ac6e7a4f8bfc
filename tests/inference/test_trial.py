"""The trial of backends and precisions: what it chooses, what it remembers, and that a run goes on as it was begun."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import rasterio
from fusion_mapper.inference import trial
from fusion_mapper.inference.cluster.ticket import Ticket, issued
from fusion_mapper.inference.cluster.worker import compute, open_run
from fusion_mapper.inference.errors import Cancelled
from fusion_mapper.inference.events import Event, Progress, Started, Warn
from fusion_mapper.inference.job import job_from_dict
from fusion_mapper.inference.kept import Kept
from fusion_mapper.inference.run import run_job
from fusion_mapper.inference.sessions import quantising
from fusion_mapper.inference.sessions.open_vino import abilities
from fusion_mapper.inference.user_cache import VARIABLE
from fusion_mapper.inference.voice import Voice
from fusion_mapper.models.card import ClassInfo

pytest.importorskip("openvino", reason="OpenVINO is not installed")

MODEL = Path(__file__).resolve().parents[2] / "resources" / "models" / "landcover-rgb-1m.onnx"
CLASSES = tuple(ClassInfo(value, f"c{value}") for value in range(3))


@pytest.fixture
def job(shared_data: Path, tmp_path: Path) -> dict[str, Any]:
    return {
        "schema": 1,
        "model": str(MODEL),
        "sources": {"imagery": {"path": str(shared_data / "swellendam" / "3420B_2010_328_RGB_LATLNG.tif")}},
        "grid": {"crs": "EPSG:32734", "extent": [454_000, 6_233_500, 454_300, 6_233_800], "resolution": 1.0},
        "compute": {"tile": 160},
        "outputs": {"folder": str(tmp_path / "out"), "products": {"classes": None}},
    }


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty memory of trials, and no map that is too small for one."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(trial, "WORTH", 1)
    return tmp_path / "cache" / "fusion_mapper" / "trials.json"


def started(job: dict[str, Any], tmp_path: Path) -> Started:
    """Run the job; what it said of its session."""
    told: list[Event] = []
    run_job(job_from_dict(job), tmp_path, Voice(told.append, lambda: False))
    return next(event for event in told if isinstance(event, Started))


@pytest.mark.parametrize("worth", [1, 1e12])
def test_a_card_that_is_installed_and_does_not_load_is_told(job, cache, tmp_path, monkeypatch, worth):
    """As with a build for CUDA on a machine without its libraries: the provider is listed, and its session fails."""
    monkeypatch.setattr(trial, "WORTH", worth)
    listed = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: listed)
    told: list[Event] = []
    run_job(job_from_dict(job), tmp_path, Voice(told.append, lambda: False))
    (warning,) = [event.text for event in told if isinstance(event, Warn) and "cuda" in event.text]
    assert "CUDA" in warning


def test_a_trial_is_told_before_it_is_made_and_only_then(job, cache, tmp_path):
    for stages in (["trying devices", "mapping"], ["mapping"]):
        told: list[Event] = []
        run_job(job_from_dict(job), tmp_path, Voice(told.append, lambda: False))
        first = [event.stage for event in told if isinstance(event, Progress)][: len(stages)]
        assert first == stages
        job["outputs"]["folder"] += "2"


def test_a_trial_tells_what_it_measured_and_is_remembered(job, cache, tmp_path):
    first = started(job, tmp_path)
    assert first.reason.startswith("Chosen by a trial: ")
    assert "openvino" in first.reason and "onnxruntime-cpu" in first.reason
    made = cache.stat().st_mtime_ns
    job["outputs"]["folder"] += "2"
    assert started(job, tmp_path) == first
    assert cache.stat().st_mtime_ns == made


def test_a_warm_engine_tells_of_a_trial_and_does_not_warn_of_it(job, cache, tmp_path):
    kept = Kept()
    for number in range(2):
        told: list[Event] = []
        job["outputs"]["folder"] = str(tmp_path / str(number))
        run_job(job_from_dict(job), tmp_path, Voice(told.append, lambda: False), kept)
        (said,) = [event.reason for event in told if isinstance(event, Started)]
        assert said.startswith("Chosen by a trial: ")
        assert not [event for event in told if isinstance(event, Warn)]


def test_another_model_or_tile_is_another_trial(job, cache, tmp_path):
    started(job, tmp_path)
    job["compute"]["tile"], job["outputs"]["folder"] = 192, str(tmp_path / "other")
    started(job, tmp_path)
    assert len(json.loads(cache.read_text())) == 2


def test_what_the_job_names_is_not_tried(job, cache, tmp_path):
    job["compute"]["device"] = "onnxruntime-cpu"
    assert started(job, tmp_path).backend == "onnxruntime"
    assert not cache.exists()


def test_a_run_goes_on_as_it_was_begun_whatever_a_trial_would_say(job, cache, tmp_path):
    told = started(job, tmp_path)
    other = {"openvino": "onnxruntime-cpu", "onnxruntime": "openvino"}[told.backend]
    kept = json.loads(cache.read_text())
    cache.write_text(json.dumps({key: {**verdict, "device": other} for key, verdict in kept.items()}))
    assert started(job, tmp_path).backend == told.backend
    job["outputs"]["folder"] += "2"
    assert started(job, tmp_path).backend != told.backend


@pytest.mark.skipif(os.name == "nt", reason="folders have no such permissions there")
@pytest.mark.parametrize("content", ["", "[]", "{", '{"sha256:0": 3}'])
def test_a_damaged_memory_is_no_fault(job, cache, tmp_path, content):
    cache.parent.mkdir(parents=True)
    cache.write_text(content)
    assert started(job, tmp_path).reason.startswith("Chosen by a trial")


def test_the_memory_forgets_the_oldest_verdicts_where_they_take_too_much_room(job, cache, tmp_path):
    cache.parent.mkdir(parents=True)
    cache.write_text(json.dumps({str(number): "x" * 1_000_000 for number in range(9)}))
    first = started(job, tmp_path)
    kept = json.loads(cache.read_text())
    assert cache.stat().st_size < 5_100_000
    assert list(kept)[:-1] == ["5", "6", "7", "8"]
    job["outputs"]["folder"] += "2"
    assert started(job, tmp_path) == first, "the last verdict is remembered"


@pytest.fixture
def int8(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it takes here, and however many classes it keeps, the quantised model is good enough."""
    if "INT8" not in abilities():
        pytest.skip("OpenVINO computes in 32 bits alone on this processor")
    monkeypatch.setattr(trial, "WORTH_REDUCING", 0)
    monkeypatch.setattr(trial, "WORTH_SECONDS", 0)
    monkeypatch.setattr(trial, "SAME_CLASSES", 0)


def plan_of(job: dict[str, Any]) -> dict[str, Any]:
    return json.loads((Path(job["outputs"]["folder"]) / "plan.json").read_text())


def classes_of(job: dict[str, Any]) -> np.ndarray:
    with rasterio.open(Path(job["outputs"]["folder"]) / "classes.tif") as file:
        assert f"precision={plan_of(job)['session']['precision']}," in file.tags()["FUSION_MAPPER_SETTINGS"]
        return file.read(1)


def test_a_quantised_model_is_said_remembered_and_maps_nearly_the_same(job, int8, cache, tmp_path):
    first = started(job, tmp_path)
    assert (first.backend, first.precision) == ("openvino", "int8")
    assert "openvino in int8 took" in first.reason and "of the answers" in first.reason
    quantised, plan = classes_of(job), plan_of(job)
    assert plan["quantised"]["layers"]
    job["outputs"]["folder"] += "2"
    assert started(job, tmp_path) == first
    np.testing.assert_array_equal(classes_of(job), quantised)
    assert plan_of(job) == plan
    job["compute"]["precision"], job["outputs"]["folder"] = "f32", str(tmp_path / "whole")
    assert started(job, tmp_path).precision == "f32"
    assert 0.98 < (classes_of(job) == quantised).mean() < 1


def test_a_quantised_model_that_keeps_too_few_classes_is_not_taken_and_is_told(job, int8, tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "SAME_CLASSES", 1.1)
    told = started(job, tmp_path)
    assert told.precision == "f32" and "in int8 took" in told.reason and "which is too few" in told.reason


def test_a_map_that_takes_longer_is_worth_the_rest_of_the_trial(job, int8, tmp_path, monkeypatch):
    """What a trial for a smaller map left out is tried then, once."""
    monkeypatch.setattr(trial, "WORTH_SECONDS", 1e9)
    assert started(job, tmp_path).precision == "f32"
    monkeypatch.setattr(trial, "WORTH_SECONDS", 1e-9)
    for number, precision in ((2, "int8"), (3, "int8")):
        job["outputs"]["folder"] = str(tmp_path / str(number))
        assert started(job, tmp_path).precision == precision
    monkeypatch.setattr(trial, "WORTH_SECONDS", 1e9)
    job["outputs"]["folder"] = str(tmp_path / "short")
    assert started(job, tmp_path).precision == "int8", "what is known is known for a small map, too"


def test_a_run_goes_on_with_the_recipe_that_it_was_begun_with(job, int8, cache, tmp_path):
    started(job, tmp_path)
    plan = plan_of(job)
    cache.unlink()
    told: list[Event] = []
    run_job(job_from_dict(job), tmp_path, Voice(told.append, lambda: False))
    assert not [event for event in told if isinstance(event, Warn)]
    assert plan_of(job) == plan and not cache.exists()


def test_what_was_good_enough_on_one_map_has_to_be_so_on_another(job, int8, cache, tmp_path, monkeypatch):
    """Ranges seen on a dark scene would cut off a bright one's values."""
    first = started(job, tmp_path)
    job["grid"]["extent"] = [455_000, 6_233_500, 455_300, 6_233_800]
    # In the same folder, whose plan is of the other map.
    second = started(job, tmp_path)
    assert second.precision == "int8" and "on another map" in second.reason
    job["outputs"]["folder"] = str(tmp_path / "again")
    assert started(job, tmp_path) == second, "remembered of both"
    job["grid"]["extent"] = [454_000, 6_233_500, 454_300, 6_233_800]
    assert started(job, tmp_path).precision == first.precision
    monkeypatch.setattr(trial, "SAME_CLASSES", 1.1)
    job["grid"]["extent"] = [455_000, 6_232_500, 455_300, 6_232_800]
    assert started(job, tmp_path).precision == "f32"
    # That is known from now on, and nothing is lost of what is known of the others.
    monkeypatch.setattr(trial, "show", None)
    for number, (extent, precision) in enumerate(
        [
            ([455_000, 6_232_500, 455_300, 6_232_800], "f32"),
            ([455_000, 6_233_500, 455_300, 6_233_800], "int8"),
        ]
    ):
        job["grid"]["extent"], job["outputs"]["folder"] = extent, str(tmp_path / f"known{number}")
        told = started(job, tmp_path)
        assert told.precision == precision
        assert ("not proved itself on this map" in told.reason) == (precision == "f32")


def test_the_same_file_read_in_another_way_is_another_map(job, int8, cache, tmp_path):
    started(job, tmp_path)
    job["sources"]["imagery"]["dn_scale"] = 0.5
    # In the same folder and in one of its own.
    for folder in (job["outputs"]["folder"], str(tmp_path / "own")):
        cache.write_text(
            json.dumps({k: {**v, "judged": v["judged"][:1]} for k, v in json.loads(cache.read_text()).items()})
        )
        job["outputs"]["folder"] = folder
        told = started(job, tmp_path)
        assert "on another map" in told.reason


def test_empty_corners_prove_nothing(job, int8, tmp_path, monkeypatch):
    """Most of this map lies beside the image."""
    seen: list[float] = []
    judge = trial.share_kept
    monkeypatch.setattr(trial, "share_kept", lambda *given: seen.append(np.mean(given[1])) or judge(*given))
    job["grid"]["extent"] = [440_000, 6_233_500, 440_300, 6_233_800]
    assert started(job, tmp_path).precision == "int8"
    assert seen[0] == 0


def test_a_short_run_on_another_map_is_made_in_full_precision(job, int8, tmp_path, monkeypatch):
    started(job, tmp_path)
    monkeypatch.setattr(trial, "WORTH_SECONDS", 1e9)
    job["grid"]["extent"], job["outputs"]["folder"] = [455_000, 6_233_500, 455_300, 6_233_800], str(tmp_path / "other")
    assert started(job, tmp_path).precision == "f32"


@pytest.mark.parametrize(
    "changes",
    [
        {"quantised": None},
        {"session": {"backend": "openvino", "device": "CPU", "precision": "x"}},
        {"session": {"backend": "openvino", "device": "CPU", "precision": ["int8"]}},
        {"session": {"backend": "onnxruntime", "device": "foo", "precision": "f32"}, "quantised": None},
        {"session": 3},
        {"batch": 10**9},
        {"batch": float("inf")},
    ],
)
def test_a_plan_that_somebody_changed_is_no_plan(job, int8, cache, tmp_path, changes):
    started(job, tmp_path)
    plan = plan_of(job)
    (Path(job["outputs"]["folder"]) / "plan.json").write_text(json.dumps({**plan, **changes}))
    told: list[Event] = []
    run_job(job_from_dict(job), tmp_path, Voice(told.append, lambda: False))
    assert any("starts from the beginning" in event.text for event in told if isinstance(event, Warn))
    assert plan_of(job) == plan
    folder = Path(job["outputs"]["folder"])
    with issued(folder, Ticket({**plan, **changes}, job_from_dict(job), tmp_path)) as ticket:
        assert open_run(ticket, 1)


@pytest.mark.parametrize("changes", [{"recipe": None}, {"precision": "x"}, {"device": "foo"}, {"batch": -1}])
def test_a_memory_that_somebody_changed_is_no_memory(job, int8, cache, tmp_path, changes):
    started(job, tmp_path)
    kept = json.loads(cache.read_text())
    cache.write_text(json.dumps({key: {**verdict, **changes} for key, verdict in kept.items()}))
    job["outputs"]["folder"] += "2"
    told = started(job, tmp_path)
    assert told.reason.startswith("Chosen by a trial: ") and told.precision == "int8"
    (made,) = json.loads(cache.read_text()).values()
    assert {name: made[name] for name in changes} != changes


def test_a_trial_can_be_cancelled_at_every_tile(job, int8, tmp_path):
    for number in range(3, 30, 8):
        asked = iter(range(number))
        with pytest.raises(Cancelled):
            run_job(job_from_dict(job), tmp_path, Voice(lambda _: None, lambda asked=asked: next(asked, None) is None))


def test_a_model_too_large_to_be_quantised_runs_as_it_is(job, int8, tmp_path, monkeypatch):
    monkeypatch.setattr(quantising, "_LARGEST", 1000)
    assert started(job, tmp_path).precision in ("bf16", "f16", "f32")


def test_a_recipe_of_another_model_is_told_and_nothing_is_mapped_by_it(job, int8, tmp_path):
    started(job, tmp_path)
    plan = plan_of(job)
    plan["quantised"]["layers"][0] = "nowhere"
    (Path(job["outputs"]["folder"]) / "plan.json").write_text(json.dumps(plan))
    told: list[Event] = []
    run_job(job_from_dict(job), tmp_path, Voice(told.append, lambda: False))
    said = [event.text for event in told if isinstance(event, Warn)]
    assert any("no layer 'nowhere'" in text for text in said)
    assert any("starts from the beginning" in text for text in said)
    assert plan_of(job)["session"]["precision"] == "f32"


def test_a_worker_elsewhere_makes_the_same_quantised_model_out_of_the_plan(job, int8, cache, tmp_path):
    started(job, tmp_path)
    cache.unlink()
    folder = Path(job["outputs"]["folder"])
    with issued(folder, Ticket(plan_of(job), job_from_dict(job), tmp_path)) as ticket:
        assert open_run(ticket, 1) == ""
        assert compute(ticket, 0) == ("kept", [])
    damaged = plan_of(job)
    damaged["quantised"]["layers"][0] = "nowhere"
    with issued(folder, Ticket(damaged, job_from_dict(job), tmp_path)) as ticket:
        assert "no layer 'nowhere'" in open_run(ticket, 1)
