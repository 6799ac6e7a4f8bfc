"""``compare``: a row for each training and place, which is written at once and not computed twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fusion_mapper.inference.learning.compare import settings_hash, shuffled
from fusion_mapper.inference.learning.comparison_table import Table
from fusion_mapper.inference.learnjob import CompareJob, learnjob_from_dict
from fusion_mapper.inference.voice import Voice


@dataclass(frozen=True)
class Read:
    """What `shuffled` takes of a scene."""

    values: np.ndarray
    valid: np.ndarray
    truth: np.ndarray


@pytest.fixture
def job(shared_data: Path, tmp_path: Path) -> dict[str, Any]:
    """A comparison on the Amazon scene that takes seconds; the unseen place is the same ground without its DEM."""
    home = shared_data / "amazon_s2"
    imagery = {"path": str(home / "sen2.tif"), "bands": [2, 3, 4, 8]}
    labels = {"path": str(home / "trainingPolygons_sen2.gpkg"), "field": "class"}
    here = {"imagery": imagery, "dem": {"path": str(home / "srtm_sen2.tif")}}
    return {
        "schema": 1,
        "train": [{"name": "here", "sources": here, "labels": labels}],
        "test": [{"name": "there", "sources": {"imagery": imagery}, "labels": labels}],
        "folder": str(tmp_path / "out"),
        "strategies": ["imagery", "stack"],
        "fractions": [1.0, 0.5],
        "seeds": [1],
        "training": {"epochs": 1, "steps": 3, "batch": 4, "chip": 32, "threads": 1},
        "facts": {"data": "real"},
    }


def compare(job: dict[str, Any], stop: Callable[[], bool] = lambda: False) -> Any:
    from fusion_mapper.inference.learning.compare import compare_strategies

    voice = Voice(lambda _event: None, stop)
    return compare_strategies(learnjob_from_dict(CompareJob, job), Path(job["folder"]).parent, voice)


def test_a_row_for_each_strategy_fraction_and_place_and_nothing_is_done_twice(job: dict[str, Any]) -> None:
    pytest.importorskip("torch", reason="torch is in the training environment (make setup-train) only")
    result = compare(job)
    table = Table(Path(result.products["table"]))
    rows = table.rows()
    assert len(rows) == 2 * 2 * 2
    assert {(row["where"], row["place"]) for row in rows} == {("in place", "here"), ("unseen", "there")}
    assert {row["data"] for row in rows} == {"real"}
    full, half = (sum(int(r["labels"]) for r in rows if r["fraction"] == text) for text in ("1", "0.5"))
    assert half < full
    assert Path(result.products["plot"]).read_bytes().startswith(b"\x89PNG")
    before = table.path.read_bytes()
    assert compare(job).report == {"trainings": 0, "found": 4}
    assert table.path.read_bytes() == before
    assert compare({**job, "seeds": [1, 2]}).report == {"trainings": 4, "found": 4}


def test_a_comparison_that_was_stopped_goes_on(job: dict[str, Any]) -> None:
    pytest.importorskip("torch", reason="torch is in the training environment (make setup-train) only")
    from fusion_mapper.inference.errors import Cancelled

    table = Table(Path(job["folder"]) / "comparison.csv")
    with pytest.raises(Cancelled):
        compare(job, lambda: len(table.rows()) >= 2)
    assert len(table.rows()) == 2
    assert compare(job).report == {"trainings": 3, "found": 1}


def test_the_null_control_moves_what_is_no_imagery_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    scene = Read(rng.random((3, 10, 12)), rng.random((3, 10, 12)) < 0.5, np.zeros((10, 12)))
    moved = shuffled(scene, [1, 2])
    assert np.array_equal(moved.values[0], scene.values[0])
    assert np.array_equal(moved.values[1:], np.roll(scene.values[1:], (5, 6), (1, 2)))
    assert np.array_equal(moved.valid[1:], np.roll(scene.valid[1:], (5, 6), (1, 2)))


def test_other_settings_are_another_comparison_and_another_folder_is_not(job: dict[str, Any]) -> None:
    plain = learnjob_from_dict(CompareJob, job)
    assert settings_hash(plain) == settings_hash(replace(plain, folder="elsewhere", seeds=(7,)))
    assert settings_hash(plain) != settings_hash(replace(plain, shuffled=True))
    moved = {**job, "train": [{**job["train"][0], "labels": {"path": "/elsewhere/trainingPolygons_sen2.gpkg"}}]}
    renamed = {**moved, "train": [{**moved["train"][0], "labels": {"path": "/elsewhere/others.gpkg"}}]}
    one, other = (settings_hash(learnjob_from_dict(CompareJob, each)) for each in (moved, renamed))
    assert one != other
