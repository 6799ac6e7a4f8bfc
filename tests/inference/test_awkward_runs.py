"""The awkward files through a whole run: a stack that equals what the source reads, or one sentence and no file.

That the source itself reads what ``gdalwarp -et 0`` makes of them is held in ``sources/test_awkward.py``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.inference.events import Result
from fusion_mapper.inference.grid import Grid
from fusion_mapper.inference.job import Source, job_from_dict
from fusion_mapper.inference.run import run_job
from fusion_mapper.inference.sources import Context
from fusion_mapper.inference.sources.raster import open_raster
from fusion_mapper.inference.voice import Voice
from fusion_mapper.models.card import Channel, Slot
from fusion_mapper.models.fields import encode
from rasterio.enums import ColorInterp

REFUSED = {"389225main_sw_1965_1024.jpg", "RGB.byte.gcp.vrt", "cog_cmap.tif", "float_nan.tif", "rotated.tif"}


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix not in (".msk", ".xml"))


def colour_slot(path: Path) -> Slot:
    with rasterio.open(path) as file:
        count = sum(kind != ColorInterp.alpha for kind in file.colorinterp)
    return Slot("imagery", "imagery", tuple(Channel(f"b{i}") for i in range(count)), "x")


def job(path: Path, slot: Slot, folder: Path) -> dict[str, object]:
    return {
        "schema": 1,
        "slots": encode((slot,)),
        "sources": {"imagery": {"path": str(path)}},
        "grid": {"native": True},
        "outputs": {"folder": str(folder), "products": {"stack": None}},
        "compute": {"block": 256},
    }


def run(description: dict[str, object], folder: Path) -> Result:
    return run_job(job_from_dict(description), folder, Voice(lambda _: None, lambda: False))


def test_every_awkward_file_is_stacked_or_refused(shared_data: Path, tmp_path: Path) -> None:
    refused = set()
    for path in files(shared_data / "awkward"):
        slot, folder = colour_slot(path), tmp_path / path.name
        try:
            result = run(job(path, slot, folder), tmp_path)
        except RequestError as problem:
            refused.add(path.name)
            assert path.name in str(problem)
            assert "\n" not in str(problem)
            assert not (folder / "stack.tif").exists()
            continue
        with rasterio.open(result.products["stack"]) as file:
            values, valid = file.read(), file.read_masks(1) > 0
            grid = Grid(file.crs.to_wkt(), file.transform, file.width, file.height)
            assert file.descriptions[0] == "imagery: b0"
        source = open_raster(slot, Source(path=str(path)), grid, Context(tmp_path, tmp_path, lambda _: None))
        patch = source.read(grid.whole)
        np.testing.assert_array_equal(valid, patch.valid, err_msg=path.name)
        np.testing.assert_array_equal(values[:, valid], patch.data[:, valid], err_msg=path.name)
    assert refused == REFUSED


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_refusal_on_the_command_line_is_exit_2_and_one_sentence(
    repository_root: Path, shared_data: Path, tmp_path: Path, name: str
) -> None:
    path = shared_data / "awkward" / name
    file = tmp_path / "job.json"
    file.write_text(json.dumps(job(path, colour_slot(path), tmp_path / "out")))
    command = [sys.executable, str(repository_root / "inference"), "run", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert name in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
