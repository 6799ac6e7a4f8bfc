"""Products carry no clock: another time zone, language or date, even between a kill and the next try, changes no byte.

The system's own clock cannot be set by a test; what depends on it (dates of files, the local time) can.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from engine_runs import result_of
from fusion_mapper.inference.events import Block
from small_scene import Job, products_in, save_job, thorough

#: Half a day and more to either side of Greenwich, and what else a system may be told.
PLACES = [
    {"TZ": "Pacific/Kiritimati", "LC_ALL": "C"},
    {"TZ": "Etc/GMT+12", "LC_ALL": "C.UTF-8", "SOURCE_DATE_EPOCH": "1", "OGR_CURRENT_DATE": "1999-01-01T00:00:00Z"},
]
FAR = 4_102_444_800
"""1 January 2100, in seconds since 1970."""


def test_a_run_that_goes_on_elsewhere_in_time_ends_in_the_same_bytes(
    place: Path, job: Job, start, undisturbed: dict[str, bytes]
) -> None:
    job["outputs"]["products"] = dict.fromkeys(("classes", "polygons", "summary"))
    file = save_job(place, job)
    run = start("run", str(file), env=PLACES[0])
    run.until(lambda event: isinstance(event, Block))
    run.kill()
    result = result_of("run", str(file), env=PLACES[1])
    assert not any("starts from the beginning" in text for text in result.report["warnings"])
    found = products_in(place / "out")
    assert found == {name: undisturbed[name] for name in found}
    assert "polygons.gpkg" in found


@pytest.mark.parametrize("time", [thorough(0), FAR])
def test_files_from_the_far_past_or_the_future_make_the_same_bytes(
    place: Path, job: Job, warm, undisturbed: dict[str, bytes], time: int
) -> None:
    for file in place.iterdir():
        os.utime(file, (time, time))
    assert warm.ask(command="run", job=str(save_job(place, job)))["event"] == "result"
    assert products_in(place / "out") == undisturbed


@pytest.mark.thorough
def test_a_layer_that_was_changed_by_a_clock_set_back_is_noticed(place: Path, job: Job, start, warm) -> None:
    """The new file is older than the one that the first try read."""
    job["outputs"]["products"] = {"classes": None}
    file = save_job(place, job)
    run = start("run", str(file))
    run.until(lambda event: isinstance(event, Block))
    run.kill()
    os.utime(place / "ortho.tif", (1, 1))
    answer = warm.ask(command="run", job=str(file))
    assert any("Inputs changed" in text for text in answer["report"]["warnings"])
