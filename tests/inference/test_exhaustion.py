"""A device without room for a batch: batches are halved and the map is the same; without room for a tile it is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import rasterio
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.inference.events import Event, Warn
from fusion_mapper.inference.exhaustion import Batch, is_exhaustion
from fusion_mapper.inference.job import Compute, job_from_dict
from fusion_mapper.inference.kept import Kept, Opened
from fusion_mapper.inference.run import run_job
from fusion_mapper.inference.sessions import SessionInfo
from fusion_mapper.inference.sessions.onnx_runtime import OnnxRuntimeSession
from fusion_mapper.inference.voice import Voice
from fusion_mapper.models.load import LoadedModel

MODEL = Path(__file__).resolve().parents[2] / "resources" / "models" / "landcover-rgb-1m.onnx"
#: Room for some tiles of 160 pixels through the model, and for far fewer than eight.
ROOM = 48 * 2**20


@pytest.fixture(scope="module")
def small_arena() -> onnxruntime.SessionOptions:
    """Options for sessions that share an arena of `ROOM`: a device of that memory, with the runtime's own errors."""
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    limits = {"max_mem": ROOM, "arena_extend_strategy": 1}
    limits |= {"initial_chunk_size_bytes": -1, "max_dead_bytes_per_chunk": -1}
    onnxruntime.create_and_register_allocator(memory, onnxruntime.OrtArenaCfg(limits))
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.log_severity_level = 4
    return options


class SmallDevice(Kept):
    """Opens every model on a device with the memory that its options give."""

    def __init__(self, options: onnxruntime.SessionOptions) -> None:
        super().__init__()
        self._options = options

    def opened(self, model: LoadedModel, compute: Compute, tile: int) -> Opened:
        live = onnxruntime.InferenceSession(str(model.path), self._options, ["CPUExecutionProvider"])
        info = SessionInfo("onnxruntime", "CPU", "f32")
        return Opened(OnnxRuntimeSession(live, info, 1), compute.batch or 1, free=True)


@pytest.fixture
def run(shared_data: Path, tmp_path: Path) -> Callable[..., tuple[np.ndarray, list[str]]]:
    job: dict[str, Any] = {
        "schema": 1,
        "model": str(MODEL),
        "sources": {"imagery": {"path": str(shared_data / "swellendam" / "3420B_2010_328_RGB_LATLNG.tif")}},
        "grid": {"crs": "EPSG:32734", "extent": [454_000, 6_233_500, 454_400, 6_233_900], "resolution": 1.0},
        "compute": {"batch": 8, "workers": 1, "device": "onnxruntime-cpu"},
    }

    def made(kept: Kept | None, tile: int, name: str) -> tuple[np.ndarray, list[str]]:
        job["compute"]["tile"] = tile
        told: list[Event] = []
        outputs = {"folder": str(tmp_path / name), "products": {"classes": None}}
        result = run_job(job_from_dict({**job, "outputs": outputs}), tmp_path, Voice(told.append, lambda: False), kept)
        with rasterio.open(result.products["classes"]) as file:
            return file.read(1), [event.text for event in told if isinstance(event, Warn)]

    return made


def test_batches_are_halved_and_the_map_is_the_same(run, small_arena):
    expected, _ = run(None, 160, "roomy")
    classes, warnings = run(SmallDevice(small_arena), 160, "small")
    np.testing.assert_array_equal(classes, expected)
    assert "The memory of the device does not take 8 tiles at once; 4 are tried." in warnings


def test_without_room_for_one_tile_it_is_told_what_to_do(run, small_arena):
    with pytest.raises(RequestError, match=r"does not take one tile; set compute\.tile lower"):
        run(SmallDevice(small_arena), 1024, "small")


@pytest.mark.parametrize(
    "text",
    [
        "CUDA failure 2: out of memory ; GPU=0",
        "Failed to allocate memory for requested buffer of size 536870912",
        "Available memory of 1310464 is smaller than requested bytes of 16777216",
        "cuDNN failure 4002: CUDNN_STATUS_ALLOC_FAILED",
        "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0",
        "CUDA error cuMemCreate: CUDA_ERROR_OUT_OF_MEMORY",
        "Exception during execution: 8007000E Not enough memory resources are available",
        "Exception from src/inference: std::bad_alloc",
    ],
)
def test_runtimes_say_it_each_in_their_words(text):
    assert is_exhaustion(RuntimeError(text))


def test_another_fault_is_raised_as_it_is():
    batch = Batch(8)
    with pytest.raises(RuntimeError, match="no kernel"):
        batch.shrink(RuntimeError("no kernel image is available"), 8)
    assert batch.size == 8


def test_a_batch_that_another_worker_halved_is_not_halved_twice():
    told: list[str] = []
    batch = Batch(8, tell=told.append)
    for _ in range(2):
        batch.shrink(MemoryError("out of memory"), 8)
    assert (batch.size, len(told)) == (4, 1)


def test_a_batch_that_the_graph_fixes_cannot_shrink():
    with pytest.raises(RequestError, match="the 4 tiles that this model takes at once"):
        Batch(4, fixed=True).shrink(MemoryError(), 4)
