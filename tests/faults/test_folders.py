"""The run's folder goes away, takes nothing any more, or is somebody else's: one sentence, and the next try works."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from engine_runs import WarmEngine, refusal
from fusion_mapper.inference.events import Block, Event, Progress
from small_scene import Job, products_in, save_job, thorough


@pytest.fixture
def few(job: Job) -> Job:
    """Small blocks, so that most of the run is still to come at the first event."""
    job["outputs"]["products"] = dict.fromkeys(("classes", "polygons", "summary"))
    job["compute"]["block"] = 32
    return job


@pytest.fixture
def bound() -> list[str]:
    """A command that makes permissions count, which the system's administrator is otherwise free of."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("permissions do not hold for root, and there is no setpriv to give that up")
    return [setpriv, "--bounding-set=-dac_override,-dac_read_search,-fowner"]


def mapping(event: Event) -> bool:
    return isinstance(event, Block)


def writing(event: Event) -> bool:
    return isinstance(event, Progress) and event.stage == "writing"


@pytest.mark.parametrize("moment", [mapping, thorough(writing)])
def test_a_folder_that_is_removed_in_mid_run(
    place: Path, few: Job, start, warm: WarmEngine, undisturbed: dict[str, bytes], moment: Callable[[Event], bool]
) -> None:
    file = save_job(place, few)
    run = start("run", str(file))
    run.until(moment)
    with run.held():
        shutil.rmtree(place / "out")
    sentence = refusal(*run.end())
    assert str(place / "out") in sentence
    # The copies of vectors that the engine keeps lie there too.
    assert [path.name for path in (place / "out").rglob("*.tif")] == []
    assert warm.ask(command="run", job=str(file))["event"] == "result"
    assert products_in(place / "out").keys() >= {"classes.tif", "polygons.gpkg", "summary.csv"}


@pytest.mark.parametrize("moment", [thorough(mapping), writing])
def test_a_folder_that_takes_nothing_any_more(
    place: Path, few: Job, start, warm: WarmEngine, bound: list[str], moment: Callable[[Event], bool]
) -> None:
    file, out = save_job(place, few), place / "out"
    run = start("run", str(file), prefix=bound)
    run.until(moment)
    with run.held():
        folders = [out, *(path for path in out.rglob("*") if path.is_dir())]
        for folder in folders:
            folder.chmod(0o555)
    try:
        sentence = refusal(*run.end())
    finally:
        for folder in folders:
            if folder.exists():
                folder.chmod(0o755)
    assert "ermission denied" in sentence
    assert str(out) in sentence
    assert warm.ask(command="run", job=str(file))["event"] == "result"


@pytest.mark.thorough
def test_a_folder_that_took_nothing_from_the_beginning(place: Path, few: Job, start, bound: list[str]) -> None:
    (place / "out").mkdir(mode=0o555)
    sentence = refusal(*start("run", str(save_job(place, few)), prefix=bound).end())
    assert "ermission denied" in sentence


def test_the_second_of_two_runs_in_one_folder_is_refused_and_the_first_ends_well(
    place: Path, job: Job, start, warm: WarmEngine, undisturbed: dict[str, bytes]
) -> None:
    job["outputs"]["products"] = {"classes": None, "confidence": None}
    file = save_job(place, job)
    run = start("run", str(file))
    run.until(mapping)
    with run.held():
        answer = warm.ask(command="run", job=str(file))
    assert (answer["event"], answer["code"]) == ("failed", 2)
    assert "Another run is at work" in answer["text"]
    assert run.end()[0] == 0
    found = products_in(place / "out")
    assert found == {name: undisturbed[name] for name in found}
    assert "classes.tif" in found
