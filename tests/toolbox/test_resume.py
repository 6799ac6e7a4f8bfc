"""A run that was killed goes on in its folder, and its products are byte for byte those of an undisturbed one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from fusion_mapper.inference.errors import Cancelled, RequestError
from fusion_mapper.inference.events import Event, Progress
from fusion_mapper.inference.job import Compute, GridSpec, Job, Outputs, Source, VectorLayer
from fusion_mapper.toolbox.engine.commands import RUN_JOB
from fusion_mapper.toolbox.engine.once import Engine, EngineCrashed
from fusion_mapper.toolbox.runs.resume import can_resume, repeat, resume

PRODUCTS = {"classes": None, "polygons": None, "confidence": None}
#: West, south, east, north: 1.5 km × 1.5 km of the town.
TOWN = (20.515, -34.05, 20.531, -34.036)


class Watcher:
    """Listens to a run, and may do something at its first finished blocks."""

    def __init__(self, deed=None) -> None:
        self.events: list[Event] = []
        self.done_at_first: int | None = None
        self._deed = deed
        self._cancelled = False

    def say(self, text: str) -> None: ...

    def warn(self, text: str) -> None: ...

    def progress(self, percent: float, stage: str) -> None: ...

    def heard(self, event: Event) -> None:
        self.events.append(event)
        if not isinstance(event, Progress) or event.stage != "mapping":
            return
        if self.done_at_first is None:
            self.done_at_first = event.done
        if self._deed is not None and event.done > 0:
            deed, self._deed = self._deed, None
            self._cancelled = deed() == "cancel"

    def is_cancelled(self) -> bool:
        return self._cancelled


@pytest.fixture(scope="module")
def job(models, shared_data) -> Job:
    """A land-cover map in about thirty blocks."""
    folder = shared_data / "swellendam"
    roads = VectorLayer(str(folder / "training_data.gpkg"), "roads")
    return Job(
        sources={
            "imagery": Source(str(folder / "3420B_2010_328_RGB_LATLNG.tif"), bands=(1, 2, 3)),
            "osm": Source(layers=(roads,)),
            "dem": Source(str(folder / "srtm_41_19.tif")),
        },
        outputs=Outputs("", PRODUCTS),
        model=str(models / "tiny-landcover.onnx"),
        grid=GridSpec(extent=TOWN, extent_crs="EPSG:4326"),
        compute=Compute(device="onnxruntime-cpu", tile=64, block=64, workers=1),
    )


@pytest.fixture(scope="module")
def run_in(engine_python):
    """Runs a job in a folder."""

    def run(job: Job, folder: Path, watcher: Watcher) -> None:
        outputs = replace(job.outputs, folder=str(folder))
        Engine(engine_python).run(replace(job, outputs=outputs), folder, watcher.heard, watcher.is_cancelled)

    return run


@pytest.fixture(scope="module")
def ended(run_in, job, tmp_path_factory) -> Path:
    """The folder of the run that nothing happened to."""
    folder = tmp_path_factory.mktemp("runs") / "undisturbed"
    run_in(job, folder, Watcher())
    return folder


@pytest.fixture(scope="module")
def undisturbed(ended) -> dict[str, bytes]:
    """Its products."""
    return products(ended)


def products(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in ("classes.tif", "polygons.gpkg", "confidence.tif")}


def kill_engine() -> None:
    found = subprocess.run(
        ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True, check=True
    )
    for line in found.stdout.splitlines():
        if "inference" in line:
            os.kill(int(line.split()[0]), signal.SIGKILL)


def test_a_killed_engine_s_run_goes_on_where_it_was(run_in, job, undisturbed, engine_python, tmp_path):
    folder = tmp_path / "killed"
    with pytest.raises(EngineCrashed, match="signal 9"):
        run_in(job, folder, Watcher(kill_engine))
    assert not (folder / "classes.tif").exists()
    assert can_resume(folder)
    watcher = Watcher()
    done = resume(folder, Engine(engine_python), watcher)
    assert watcher.done_at_first > 0, "finished blocks were computed again"
    assert products(folder) == undisturbed
    assert done.products == {name: str(folder / Path(path).name) for name, path in done.products.items()}
    assert set(done.products) == set(PRODUCTS)


def test_a_cancelled_run_goes_on_where_it_was(run_in, job, undisturbed, engine_python, tmp_path):
    folder = tmp_path / "cancelled"
    with pytest.raises(Cancelled):
        run_in(job, folder, Watcher(lambda: "cancel"))
    resume(folder, Engine(engine_python), Watcher())
    assert products(folder) == undisturbed


def test_a_run_is_repeated_into_another_folder(ended, undisturbed, engine_python, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in ended.iterdir()}
    done = repeat(ended, tmp_path / "again", Engine(engine_python), Watcher())
    assert done.folder == tmp_path / "again"
    assert products(tmp_path / "again") == undisturbed
    assert {path: path.stat().st_mtime_ns for path in ended.iterdir()} == before


def test_relative_paths_of_a_job_keep_their_meaning_elsewhere(ended, undisturbed, engine_python, tmp_path):
    folder = shutil.copytree(ended, tmp_path / "moved")
    told = json.loads((folder / RUN_JOB).read_text())
    told["outputs"]["folder"] = "."
    told["sources"]["imagery"]["path"] = os.path.relpath(told["sources"]["imagery"]["path"], folder)
    (folder / RUN_JOB).write_text(json.dumps(told))
    repeat(folder, tmp_path / "again", Engine(engine_python), Watcher())
    assert products(tmp_path / "again") == undisturbed


def test_a_folder_without_a_job_cannot_be_resumed(engine_python, tmp_path):
    assert not can_resume(tmp_path)
    with pytest.raises(RequestError, match=RUN_JOB):
        resume(tmp_path, Engine(engine_python), Watcher())


def test_a_job_that_writes_elsewhere_is_not_the_folder_s(job, engine_python, tmp_path):
    elsewhere = replace(job, outputs=replace(job.outputs, folder=str(tmp_path / "elsewhere")))
    (tmp_path / RUN_JOB).write_text(json.dumps(elsewhere.to_dict()))
    with pytest.raises(RequestError, match="belongs to another folder"):
        resume(tmp_path, Engine(engine_python), Watcher())
    assert not (tmp_path / "elsewhere").exists()
