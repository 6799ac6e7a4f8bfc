"""Killed at any moment and started again, a run ends in the bytes of one that nothing happened to."""

from __future__ import annotations

import random
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from engine_runs import EngineRun, WarmEngine
from fusion_mapper.inference.events import Block, Event, Progress
from small_scene import Job, leftovers, products_in, save_job, thorough, write_imagery, write_model, write_roads

#: Events of the undisturbed run, more or less: thirty blocks with their pictures, twenty products, progress.
EVENTS = 60
#: The longest wait after an event, in seconds, so that the kill falls between it and the next one.
LATER = 0.05


def kill_at(run: EngineRun, rng: random.Random) -> str:
    """Kill a run after a random event and a little; says when, or nothing where it had ended before."""
    count, delay = rng.randrange(EVENTS), rng.uniform(0, LATER)
    for number, event in enumerate(run.listen()):
        if number == count:
            threading.Event().wait(delay)
            run.kill()
            return f"{delay * 1000:.0f} ms after event {count}, {event}"
    return ""


def test_a_run_that_was_killed_anywhere_ends_in_the_same_bytes(
    place: Path, job: Job, undisturbed: dict[str, bytes], start, warm: WarmEngine, rounds: Callable[[int, int], int]
) -> None:
    """The seeds say how often each run is killed before it may end, and when."""
    file, kills, seed = save_job(place, job), [], 0
    while len(kills) < rounds(2, 50):
        rng = random.Random(seed)
        told = [kill_at(start("run", str(file)), rng) for _ in range(rng.randint(1, 3))]
        answer = warm.ask(command="run", job=str(file))
        assert answer["event"] == "result", f"seed {seed}: {told} {answer}"
        assert products_in(place / "out") == undisturbed, f"seed {seed}: {told}"
        assert leftovers(place / "out") == []
        assert list((place / "out" / "blocks").glob("*.npz")) == []
        kills += filter(None, told)
        seed += 1
        shutil.rmtree(place / "out")


def in_writing(event: Event) -> bool:
    return isinstance(event, Progress) and event.stage == "writing" and event.done > 2


def test_a_run_killed_while_it_writes_goes_on_without_mapping_again(
    place: Path, job: Job, undisturbed: dict[str, bytes], start
) -> None:
    job["outputs"]["products"] = {"classes": None, "confidence": None, "polygons": None}
    file = save_job(place, job)
    run = start("run", str(file))
    run.until(in_writing)
    run.kill()
    again = start("run", str(file))
    first = again.until(lambda event: isinstance(event, Progress))
    assert first.done == first.total
    assert again.end()[0] == 0
    found = products_in(place / "out")
    assert found == {name: undisturbed[name] for name in found}
    assert "polygons.gpkg" in found


def change_imagery(place: Path, job: Job) -> None:
    write_imagery(place / "ortho.tif", seed=9)


def change_roads(place: Path, job: Job) -> None:
    write_roads(place / "roads.geojson", shift=40)


def change_model(place: Path, job: Job) -> None:
    write_model(place / "model.onnx", seed=9)


def change_tile(place: Path, job: Job) -> None:
    job["compute"]["tile"] = 128


def change_outputs(place: Path, job: Job) -> None:
    job["outputs"]["minimum_area"] = 50.0


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (change_imagery, "Inputs"),
        thorough(change_roads, "Inputs"),
        (change_model, "Model"),
        thorough(change_tile, "Lattice"),
        thorough(change_outputs, "Outputs"),
    ],
)
def test_what_changes_after_a_kill_is_noticed_and_starts_clean(
    place: Path, job: Job, start, warm: WarmEngine, tmp_path: Path, change: Callable[[Path, Job], None], word: str
) -> None:
    """The product is that of a run that never knew the old state."""
    job["outputs"]["products"] = {"classes": None}
    # Many blocks one by one, so that there are others to come when the first is heard of.
    job["compute"] |= {"block": 32, "workers": 1}
    run = start("run", str(save_job(place, job)))
    run.until(lambda event: isinstance(event, Block))
    run.kill()
    change(place, job)
    fresh = Path(shutil.copytree(place, tmp_path / "fresh", ignore=shutil.ignore_patterns("out")))
    answers = [warm.ask(command="run", job=str(save_job(folder, job))) for folder in (place, fresh)]
    told, untold = (answer["report"]["warnings"] for answer in answers)
    assert any(text.startswith(word) and "starts from the beginning" in text for text in told), told
    assert not any("starts from the beginning" in text for text in untold)
    assert products_in(place / "out") == products_in(fresh / "out")
