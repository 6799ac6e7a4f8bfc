"""A run on a Dask cluster of real processes: the same bytes, whoever dies; who cannot obey the plan is refused."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from distributed import Client
from fusion_mapper.inference.cluster.execute import run_blocks_on
from fusion_mapper.inference.cluster.ticket import Ticket, issued
from fusion_mapper.inference.cluster.worker import compute, open_run
from fusion_mapper.inference.commands import find_command
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.inference.events import Event, Failed, Progress, Result, from_line
from fusion_mapper.inference.job import job_from_dict
from fusion_mapper.inference.run import run_job
from fusion_mapper.inference.voice import Voice
from rasterio.transform import from_origin
from tiny_models import imagery_slot, save_pooled

PRODUCTS = {"classes": None, "probabilities": None, "polygons": None, "summary": None}


@contextmanager
def dask(folder: Path, *arguments: str, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process of Dask's own command line, which knows nothing of the package."""
    command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard"]
    with (folder / f"{arguments[0]}.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@contextmanager
def scheduler(folder: Path) -> Iterator[str]:
    """A scheduler's address."""
    file = folder / "scheduler.json"
    with dask(folder, "scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file)):
        with Client(scheduler_file=str(file), set_as_default=False) as client:
            address = client.scheduler.address
        yield address


@contextmanager
def workers(address: str, folder: Path, *options: str, count: int = 1) -> Iterator[list[str]]:
    """Addresses of `count` more workers."""
    with Client(address, set_as_default=False) as client:
        before = set(client.nthreads())
        with dask(folder, "worker", address, "--nworkers", str(count), "--nthreads", "1", *options):
            client.wait_for_workers(len(before) + count)
            yield sorted(set(client.nthreads()) - before)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler with two workers, whose nannies replace them when they die."""
    folder = tmp_path_factory.mktemp("dask")
    with scheduler(folder) as address, workers(address, folder, count=2):
        yield address


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, 300×280 pixels of noise with nodata, and the local run's products in ``whole``."""
    folder = tmp_path_factory.mktemp("place")
    pixels = np.random.default_rng(1).integers(1, 255, (3, 280, 300), np.uint8)
    pixels[:, 100:130, 40:200] = 0
    with rasterio.open(
        folder / "ortho.tif", "w", driver="GTiff", width=300, height=280, count=3, dtype="uint8", nodata=0,
        crs="EPSG:32634", transform=from_origin(500000, 6200000, 1, 1),
    ) as file:  # fmt: skip
        file.write(pixels)
    save_pooled(folder / "model.onnx", (imagery_slot(),))
    run(folder, "whole")
    return folder


def job(folder: str, **changes: Any) -> dict[str, Any]:
    return {
        "schema": 1,
        "model": "model.onnx",
        "sources": {"imagery": {"path": "ortho.tif"}},
        "outputs": {"folder": folder, "products": PRODUCTS},
        "compute": {"tile": 64, "block": 40},
        **changes,
    }


def run(place: Path, folder: str, cluster: str | None = None, hear: Callable[[Event], None] | None = None) -> Result:
    """Run here, or on the cluster."""
    execute = {"execute": partial(run_blocks_on, cluster)} if cluster else {}
    voice = Voice(hear or (lambda event: None), lambda: False)
    return run_job(job_from_dict(job(folder)), place, voice, **execute)


def products(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".tif", ".gpkg", ".csv")}


def assert_same(place: Path, folder: str) -> None:
    made, expected = products(place / folder), products(place / "whole")
    assert made.keys() == expected.keys() and len(expected) == len(PRODUCTS)
    assert [name for name in expected if made[name] != expected[name]] == []


def test_workers_make_the_bytes_of_a_local_run_and_progress_is_told(cluster: str, place: Path) -> None:
    said: list[Event] = []
    result = run(place, "out", cluster, said.append)
    assert_same(place, "out")
    assert result.report["warnings"] == []
    shares = [event.done / event.total for event in said if isinstance(event, Progress) and event.stage == "mapping"]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    assert list((place / "out" / "blocks").glob("ticket*")) == []


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is a POSIX signal")
def test_a_killed_worker_s_blocks_are_computed_by_others(cluster: str, place: Path) -> None:
    with Client(cluster, set_as_default=False) as client:
        (victim, first), (_, second) = client.run(os.getpid).items()
    # The second sleeps until the first has begun, so that it is certain who loses blocks to whom.
    os.kill(second, signal.SIGSTOP)

    def kill_the_first(event: Event) -> None:
        nonlocal first
        if first and isinstance(event, Progress) and event.done:
            os.kill(first, signal.SIGKILL)
            os.kill(second, signal.SIGCONT)
            first = 0

    try:
        result = run(place, "killed", cluster, kill_the_first)
    finally:
        os.kill(second, signal.SIGCONT)
        with Client(cluster, set_as_default=False) as client:
            client.wait_for_workers(2)
    assert_same(place, "killed")
    assert result.report["warnings"] == [f"The worker {victim} was lost; its blocks are computed by others."]


def engine(root: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(root / "inference"), *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def write_job(place: Path, folder: str) -> str:
    file = place / f"{folder}.json"
    file.write_text(json.dumps(job(folder)))
    return str(file)


def test_cancel_leaves_finished_blocks_and_a_local_run_goes_on(
    cluster: str, place: Path, repository_root: Path
) -> None:
    process = engine(repository_root, "run", write_job(place, "stopped"), "--scheduler", cluster, "--control")
    assert process.stdin is not None and process.stdout is not None
    for line in process.stdout:
        event = from_line(line)
        if isinstance(event, Progress) and event.done:
            break
    out, _ = process.communicate('{"cancel": true}\n')
    assert process.returncode == 3
    assert isinstance(from_line(out.splitlines()[-1]), Failed)
    said: list[Event] = []
    run(place, "stopped", hear=said.append)
    assert next(event for event in said if isinstance(event, Progress)).done > 0
    assert_same(place, "stopped")


@pytest.fixture(scope="module")
def older(repository_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that loads an older engine into a worker before anything else."""
    root = tmp_path_factory.mktemp("older")
    for room in ("models", "inference"):
        shutil.copytree(repository_root / room, root / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(repository_root / "__init__.py", root)
    (root / "metadata.txt").write_text("[general]\nversion=0.0.9\n")
    preload = root / "preload.py"
    preload.write_text(
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('fusion_mapper', {str(root / '__init__.py')!r},\n"
        f"                                              submodule_search_locations=[{str(root)!r}])\n"
        "sys.modules['fusion_mapper'] = importlib.util.module_from_spec(spec)\n"
    )
    return preload


def test_a_worker_of_another_engine_is_refused_and_the_others_go_on(
    cluster: str, place: Path, older: Path, tmp_path: Path
) -> None:
    with workers(cluster, tmp_path, "--preload", str(older)) as (address,):
        result = run(place, "mixed", cluster)
    assert_same(place, "mixed")
    (warning,) = result.report["warnings"]
    assert warning.startswith(f"The worker {address} is refused: it has engine 0.0.9, not ")


def test_a_run_that_every_worker_is_refused_for_fails_with_their_reasons(
    place: Path, older: Path, tmp_path: Path
) -> None:
    with (
        scheduler(tmp_path) as lonely,
        workers(lonely, tmp_path, "--preload", str(older)) as (address,),
        pytest.raises(RequestError, match=f"no worker that can .*{address} is refused: it has engine 0.0.9"),
    ):
        run(place, "refused", lonely)


@contextmanager
def ticket(place: Path, **changes: Any) -> Iterator[Path]:
    """A ticket for the local run's folder, with its plan, or one that differs; or with another job."""
    plan = json.loads((place / "whole" / "plan.json").read_text())
    wanted = job_from_dict({**job("whole"), **changes.pop("job", {})})
    for name, value in changes.items():
        plan[name] = {**plan[name], **value} if isinstance(value, dict) else value
    with issued(place / "whole", Ticket(plan, wanted, place)) as path:
        yield path


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"engine": "0.0.9"}, "it has engine .*, not 0.0.9"),
        ({"libraries": {"gdal": "2.4.0"}}, "its gdal is .*, not 2.4.0"),
        ({"libraries": {"openvino": "2019.1"}}, "its openvino is .*, not 2019.1"),
        ({"session": {"backend": "onnxruntime", "device": "CUDA"}}, "its device is CPU.*, not CUDA"),
        ({"inputs": {"imagery": "sha256:0"}}, "the layer for 'imagery' is not the same file there, or was changed"),
        ({"model": "sha256:0"}, "the model is not the same file there"),
        ({"block": 41}, "it comes to another block"),
        ({"job": {"sources": {"imagery": {"path": "gone.tif"}}}}, "gone.tif"),
        ({"job": {"outputs": {"folder": "elsewhere"}}}, "cannot write to the run folder .*elsewhere"),
    ],
)
def test_a_worker_says_what_keeps_it_from_obeying(place: Path, changes: dict[str, Any], sentence: str) -> None:
    with ticket(place, **changes) as path:
        assert re.search(sentence, open_run(path, 1))


def test_a_worker_keeps_a_run_off_the_network_whatever_else_it_is_asked(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CPL_VSIL_CURL_ALLOWED_FILENAME", "none")
    (place / "networked" / "blocks").mkdir(parents=True)
    wanted = job_from_dict({**job("networked"), "sources": {"imagery": {"path": "http://127.0.0.1:9/ortho.tif"}}})
    plan = json.loads((place / "whole" / "plan.json").read_text())
    with issued(place / "networked", Ticket(plan, wanted, place)) as networked:
        with ticket(place) as path:
            assert open_run(path, 1) == ""
            assert "of runs with and without layers on the network it takes one at a time" in open_run(networked, 1)
            assert os.environ["CPL_VSIL_CURL_ALLOWED_FILENAME"] == "none"
        assert "127.0.0.1:9/ortho.tif" in open_run(networked, 1)


def test_a_worker_that_does_not_see_the_run_folder_says_so(tmp_path: Path) -> None:
    assert "cannot read the run folder" in open_run(tmp_path / "out" / "blocks" / "ticket-1.json", 1)


def test_a_worker_that_would_choose_another_backend_takes_the_plan_s(place: Path) -> None:
    other = job("other", compute={"tile": 64, "block": 40, "device": "onnxruntime-cpu"})
    run_job(job_from_dict(other), place, Voice(lambda event: None, lambda: False))
    plan = json.loads((place / "other" / "plan.json").read_text())
    with issued(place / "other", Ticket(plan, job_from_dict(job("other")), place)) as path:
        assert open_run(path, 1) == ""


def test_a_block_is_not_kept_once_the_run_is_over(place: Path) -> None:
    with ticket(place) as path:
        assert open_run(path, 1) == ""
        assert compute(path, 0) == ("kept", [])
        (place / "whole" / "blocks" / "00000000.npz").unlink()
    assert compute(path, 0) == ("unknown", None)
    assert list((place / "whole" / "blocks").glob("*.npz")) == []


def test_no_dask_is_one_sentence(place: Path, repository_root: Path, tmp_path: Path) -> None:
    (tmp_path / "distributed.py").write_text("raise ModuleNotFoundError(\"No module named 'distributed'\")")
    process = engine(
        repository_root, "run", write_job(place, "absent"), "--scheduler", "tcp://127.0.0.1:1",
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    _, err = process.communicate()
    assert (process.returncode, len(err.splitlines())) == (2, 1)
    assert "install dask[distributed]" in err


def test_a_scheduler_that_does_not_answer_is_one_sentence(place: Path, repository_root: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    process = engine(repository_root, "run", write_job(place, "silent"), "--scheduler", address)
    _, err = process.communicate()
    assert (process.returncode, len(err.splitlines())) == (2, 1)
    assert f"No Dask scheduler answers at {address}" in err
    assert not (place / "silent").exists()


@pytest.mark.parametrize("where", ["job", "compute"])
def test_a_scheduler_is_no_field_of_a_job(where: str) -> None:
    wrong = job("out")
    (wrong if where == "job" else wrong["compute"])["scheduler"] = "tcp://127.0.0.1:8786"
    with pytest.raises(RequestError, match="scheduler"):
        job_from_dict(wrong)


def test_a_scheduler_in_a_request_is_not_asked(place: Path) -> None:
    """It would answer with a sentence: nobody listens there."""
    request = {"job": write_job(place, "asked"), "scheduler": "tcp://127.0.0.1:1"}
    find_command("run")(request, Voice(lambda event: None, lambda: False))
    assert_same(place, "asked")
