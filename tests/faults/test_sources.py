"""A layer that breaks, changes or goes while it is being mapped: never a map of two states without a word."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from engine_runs import WarmEngine, refusal
from fusion_mapper.inference.events import Block, Result
from small_scene import Job, products_in, save_job, thorough, write_imagery, write_model, write_roads


@pytest.fixture
def slow(job: Job) -> Job:
    """Small blocks one after the other, so that most of the imagery is still unread at the first event."""
    job["outputs"]["products"] = {"classes": None}
    job["compute"] |= {"block": 32, "workers": 1}
    return job


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 3)


def overwrite(path: Path) -> None:
    """In place, as many programs save: who has it open reads the new bytes."""
    write_imagery(path.with_name("other.tif"), seed=5)
    path.write_bytes(path.with_name("other.tif").read_bytes())


def exchange(path: Path) -> None:
    write_imagery(path.with_name("other.tif"), seed=5)
    os.replace(path.with_name("other.tif"), path)


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("harm", [truncate, overwrite, thorough(exchange), thorough(remove)])
def test_imagery_that_is_harmed_in_mid_run(
    place: Path, slow: Job, start, warm: WarmEngine, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    """One sentence that names the layer; with the old file back in its place the run goes on to its right end."""
    kept = Path(shutil.copytree(place, tmp_path / "kept"))
    file = save_job(place, slow)
    run = start("run", str(file))
    run.until(lambda event: isinstance(event, Block))
    with run.held():
        harm(place / "ortho.tif")
    sentence = refusal(*run.end())
    assert "ortho.tif" in sentence or "'imagery'" in sentence
    assert not (place / "out" / "classes.tif").exists()
    shutil.copy2(kept / "ortho.tif", place / "ortho.tif")
    os.utime(place / "ortho.tif")
    for folder in (place, kept):
        assert warm.ask(command="run", job=str(save_job(folder, slow)))["event"] == "result"
    assert products_in(place / "out") == products_in(kept / "out")


def test_vectors_that_are_exchanged_in_mid_run_are_noticed(place: Path, slow: Job, start) -> None:
    run = start("run", str(save_job(place, slow)))
    run.until(lambda event: isinstance(event, Block))
    with run.held():
        write_roads(place / "roads.geojson", shift=50)
    assert "'osm' changed" in refusal(*run.end())


@pytest.mark.thorough
def test_a_file_that_is_touched_but_says_the_same_is_no_change(place: Path, slow: Job, start) -> None:
    """Opening a GeoPackage in QGIS does that much."""
    run = start("run", str(save_job(place, slow)))
    run.until(lambda event: isinstance(event, Block))
    with run.held():
        os.utime(place / "roads.geojson")
    assert isinstance(run.end()[1], Result)


def break_a_strip(path: Path) -> None:
    """Spoil the bytes of one compressed strip in the middle of a raster."""
    write_imagery(path, compress="deflate", blockysize=16)
    with rasterio.open(path) as raster:
        offset, size = (int(raster.get_tag_item(f"BLOCK_{what}_0_7", "TIFF", bidx=1)) for what in ("OFFSET", "SIZE"))
    content = bytearray(path.read_bytes())
    content[offset : offset + size] = b"\xff" * size
    path.write_bytes(content)


def test_a_block_that_cannot_be_read_stops_the_run_and_is_named(place: Path, slow: Job, warm: WarmEngine) -> None:
    break_a_strip(place / "ortho.tif")
    answer = warm.ask(command="run", job=str(save_job(place, slow)))
    assert (answer["event"], answer["code"]) == ("failed", 2)
    assert "ortho.tif cannot be read in the block at row" in answer["text"]


def test_a_block_that_cannot_be_read_is_nodata_where_the_user_says_so(place: Path, slow: Job, warm: WarmEngine) -> None:
    break_a_strip(place / "ortho.tif")
    slow["sources"]["imagery"]["unreadable"] = "skip"
    answer = warm.ask(command="run", job=str(save_job(place, slow)))
    assert answer["event"] == "result"
    assert any("ortho.tif" in text and "nodata" in text for text in answer["report"]["warnings"])
    with rasterio.open(place / "out" / "classes.tif") as product:
        valid = product.read_masks(1) > 0
    assert not valid[112:128].any()
    assert valid[:96].all()


@pytest.mark.parametrize("value", [np.inf, thorough(-np.inf), thorough(np.nan)])
def test_a_model_that_answers_no_numbers_makes_nodata_and_says_how_much(
    place: Path, slow: Job, warm: WarmEngine, value: float
) -> None:
    write_model(place / "model.onnx", fill=value)
    answer: dict[str, Any] = warm.ask(command="run", job=str(save_job(place, slow)))
    assert answer["event"] == "result", answer
    with rasterio.open(place / "out" / "classes.tif") as product:
        assert not product.read_masks(1).any()
    assert any("NaN or infinity" in text for text in answer["report"]["warnings"])
