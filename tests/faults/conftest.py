"""What the fault suite shares: how many rounds it takes, a job that makes every product, and its undisturbed bytes.

The suite holds what must survive: kills, full and vanishing disks, sources that change or stall, hostile files. Each
test strikes at a real engine process, at the event that says when. ``FUSION_MAPPER_FAULTS=full`` (``make faults``)
takes 50 kills and thousands of mutations; without it a few rounds of each run along with all other tests.

What other tests hold already, and is not repeated here:

- one kill, cancel, its 2 s, exit codes: ``tests/inference/test_cli.py``, ``test_serve.py``
- damaged blocks and plans, other settings: ``tests/inference/test_run_folder.py``
- the engine killed by the system, also for want of memory, and what QGIS then says: ``tests/toolbox/test_engine.py``,
  ``test_warm.py``, ``test_resume.py``, ``tests/ui/test_run_queue.py``; want of memory inside the engine:
  ``tests/inference/test_serve.py``
- NaN from the model: ``tests/inference/test_layouts.py``
- broken rasters and vectors, read in part where the user allows it: ``tests/inference/sources/test_raster_reading.py``,
  ``test_vector_damage.py``
- ONNX data files outside the model's folder, operators of other makers, files cut short, graphs that swell or never
  end: ``tests/models/test_graph.py``, ``test_wire.py``, ``test_survey.py``
- Python in a VRT, VRTs that point to the network or to nothing: ``tests/inference/sources/test_raster_refusals.py``
- hostile values in a job's fields and in a card's: ``tests/inference/test_job.py``, ``tests/models/test_readers.py``,
  ``test_mlm.py``
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_runs import EngineRun, WarmEngine
from small_scene import Job, products_in, save_job, write_scene

#: Bytes of address space that hostile files may make an engine take.
MEMORY = 6 * 2**30
FULL = os.environ.get("FUSION_MAPPER_FAULTS") == "full"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "thorough: taken by a full run of the fault suite only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what only a full run takes; no test of another folder is marked so."""
    left_out = [item for item in items if not FULL and item.get_closest_marker("thorough")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def rounds() -> Callable[[int, int], int]:
    """How often to try: a few times, or many in a full run."""
    return lambda quick, full: full if FULL else quick


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Job]:
    folder = tmp_path_factory.mktemp("scene")
    return folder, write_scene(folder)


@pytest.fixture
def place(tmp_path: Path, _template: tuple[Path, Job]) -> Path:
    """A folder with layers and model of its own, which a test may harm."""
    # Times of change are kept: by them the engine recognises a layer.
    return Path(shutil.copytree(_template[0], tmp_path / "place"))


@pytest.fixture
def job(_template: tuple[Path, Job]) -> Job:
    """The job that makes every product; it belongs into `place`."""
    return json.loads(json.dumps(_template[1]))


@pytest.fixture
def start() -> Iterator[Callable[..., EngineRun]]:
    """Starts engines; none outlives the test."""
    runs: list[EngineRun] = []

    def begin(*arguments: str, **options: Any) -> EngineRun:
        runs.append(EngineRun(*arguments, **options))
        return runs[-1]

    yield begin
    for run in runs:
        if run.process.poll() is None:
            run.kill()


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmEngine]:
    """One engine for all requests that only look at what the others left; none of them may end it."""
    engine = WarmEngine(tmp_path_factory.mktemp("warm") / "log")
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def limited(_template: tuple[Path, Job], tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmEngine]:
    """One engine for hostile files, held to its memory once everything that it loads is loaded."""
    place = Path(shutil.copytree(_template[0], tmp_path_factory.mktemp("limited") / "place"))
    engine = WarmEngine(place / "log", MEMORY)
    for command in ("run", "inspect"):
        request = {"job": str(save_job(place, _template[1])), "model": str(place / "model.onnx")}
        assert engine.ask(command=command, **request)["event"] == "result"
    engine.limit_memory()
    yield engine
    assert engine.ask(command="inspect", model=str(place / "model.onnx"))["event"] == "result"
    engine.close()


@pytest.fixture(scope="session")
def undisturbed(
    _template: tuple[Path, Job], warm: WarmEngine, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """The products of a run that nothing happened to, by file name."""
    place = Path(shutil.copytree(_template[0], tmp_path_factory.mktemp("undisturbed") / "place"))
    assert warm.ask(command="run", job=str(save_job(place, _template[1])))["event"] == "result"
    return products_in(place / "out")


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mounts small volumes of their own, which takes Linux and root."""
    folders: list[Path] = []

    def mount(pages: int, name: str = "disk") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        size = f"size={pages * os.sysconf('SC_PAGE_SIZE')}"
        command = [shutil.which("mount") or "mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("a small volume cannot be mounted here")
        folders.append(folder)
        return folder

    yield mount
    for folder in folders:
        subprocess.run([shutil.which("umount"), "--lazy", str(folder)], check=True)
