"""A run folder that was harmed is mended, two runs never share one, and a map that lacks something says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from fusion_mapper.inference.alone import alone_in
from fusion_mapper.inference.errors import Cancelled, RequestError
from fusion_mapper.inference.events import Event, Progress, Result
from fusion_mapper.inference.job import job_from_dict
from fusion_mapper.inference.run import run_job
from fusion_mapper.inference.voice import Voice
from fusion_mapper.models.card import Channel, Slot
from rasterio.transform import from_origin
from tiny_models import imagery_slot, save_pooled

DEM = Slot("dem", "dem", (Channel("elevation", derivative="elevation"),), "x", 3, missing="fill")


def write(path: Path, values: np.ndarray, left: float = 500000, nodata: float | None = None) -> str:
    bands, height, width = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=bands, dtype=values.dtype, nodata=nodata,
        crs="EPSG:32634", transform=from_origin(left, 6200000, 1, 1),
    ) as file:  # fmt: skip
        file.write(values)
    return str(path)


@pytest.fixture
def job(tmp_path: Path) -> dict[str, Any]:
    pixels = np.random.default_rng(1).integers(0, 255, (3, 192, 192), np.uint8)
    save_pooled(tmp_path / "model.onnx", (imagery_slot(), DEM))
    return {
        "schema": 1,
        "model": "model.onnx",
        "sources": {"imagery": {"path": write(tmp_path / "ortho.tif", pixels)}},
        "outputs": {"folder": "out", "products": {"classes": None}},
        "compute": {"tile": 64, "block": 64, "workers": 1},
    }


def run(job: dict[str, Any], folder: Path, cancelled: Callable[[], bool] = lambda: False) -> tuple[Result, list[Event]]:
    said: list[Event] = []
    return run_job(job_from_dict(job), folder, Voice(said.append, cancelled)), said


def stop_half_way(job: dict[str, Any], folder: Path) -> list[Path]:
    """Cancel when two blocks are kept; returns them."""
    kept = folder / "out" / "blocks"
    with pytest.raises(Cancelled):
        run(job, folder, lambda: len(list(kept.glob("*.npz"))) >= 2)
    return sorted(kept.glob("*.npz"))


def harm_by_cutting(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:200])


def harm_by_a_flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[200] ^= 0xFF
    file.write_bytes(content)


@pytest.mark.parametrize("harm", [lambda file: file.write_bytes(b""), harm_by_cutting, harm_by_a_flip])
def test_a_damaged_block_is_computed_again(job: dict[str, Any], tmp_path: Path, harm: Callable[[Path], None]) -> None:
    whole = {**job, "outputs": {**job["outputs"], "folder": "whole"}}
    run(whole, tmp_path)
    first, *others = stop_half_way(job, tmp_path)
    harm(first)
    _, said = run(job, tmp_path)
    begin = next(event for event in said if isinstance(event, Progress))
    assert begin.done > 0
    assert others
    assert (tmp_path / "out/classes.tif").read_bytes() == (tmp_path / "whole/classes.tif").read_bytes()


def test_a_damaged_plan_starts_clean_and_says_so(job: dict[str, Any], tmp_path: Path) -> None:
    stop_half_way(job, tmp_path)
    (tmp_path / "out" / "plan.json").write_bytes(b"\xff\xfe{")
    result, _ = run(job, tmp_path)
    assert any("plan file was damaged" in text for text in result.report["warnings"])


def test_another_radiometry_starts_clean_and_says_so(job: dict[str, Any], tmp_path: Path) -> None:
    stop_half_way(job, tmp_path)
    job["sources"]["imagery"]["dn_scale"] = 0.5
    result, said = run(job, tmp_path)
    assert next(event for event in said if isinstance(event, Progress)).done == 0
    assert any(text.startswith("Sources changed since the last run") for text in result.report["warnings"])
    with rasterio.open(tmp_path / "out" / "classes.tif") as product:
        assert product.tags()["FUSION_MAPPER_RADIOMETRY_imagery"] == "values × 0.5"


def test_a_second_run_in_the_same_folder_is_refused(job: dict[str, Any], tmp_path: Path) -> None:
    with alone_in(tmp_path / "out", pytest.fail), pytest.raises(RequestError, match="Another run is at work"):
        run(job, tmp_path)
    run(job, tmp_path)


def test_a_map_outside_its_imagery_says_that_it_is_empty(job: dict[str, Any], tmp_path: Path) -> None:
    result, _ = run({**job, "grid": {"extent": [400000, 6199900, 400100, 6200000]}}, tmp_path)
    assert any("The map is empty" in text and "'imagery'" in text for text in result.report["warnings"])


@pytest.mark.parametrize(
    ("left", "value", "share"), [(500000, 5, None), (500096, 5, "50%"), (500000, -9, "100%"), (400000, 5, "100%")]
)
def test_where_an_optional_layer_is_missing_is_told(
    job: dict[str, Any], tmp_path: Path, left: float, value: float, share: str | None
) -> None:
    heights = np.full((1, 192, 192), value, np.float32)
    job["sources"]["dem"] = {"path": write(tmp_path / "dem.tif", heights, left, nodata=-9)}
    told = [text for text in run(job, tmp_path)[0].report["warnings"] if "'dem' has no values" in text]
    assert [share in text for text in told] == ([True] if share else [])
