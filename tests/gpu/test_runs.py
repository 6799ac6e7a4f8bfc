"""Whole runs on the card: the map is the processor's, and a batch that the card has no memory for is no failure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from engine_runs import EngineRun
from fusion_mapper.inference.events import Result, Started
from fusion_mapper.inference.sample import write_sample
from fusion_mapper.inference.sessions import BackendError
from fusion_mapper.inference.voice import Voice
from gpu_check import MODELS, REFERENCE, Asked, devices_to_check, difference, opened, starter, tiles

MODEL = "landcover-rgb-1m"
#: Of the pixels that have a class; on other hardware sums are rounded otherwise.
SAME_CLASSES = 0.999
#: MiB of the card that a session may take, and tiles in a batch whose inputs alone are as much.
LIMIT, TOO_MANY = 512, 64


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> dict[str, Any]:
    """The sample scene as a job's sources."""
    made = write_sample(tmp_path_factory.mktemp("scene"), Voice(lambda _event: None, lambda: False)).products
    layers = [{"path": made["osm"], "layer": name} for name in ("roads", "buildings", "waterways", "water")]
    return {"imagery": {"path": made["imagery"]}, "osm": {"layers": layers}, "dem": {"path": made["dem"]}}


def mapped(scene: dict[str, Any], folder: Path, **compute: Any) -> tuple[Started, np.ndarray]:
    """Map the scene in an engine process; what it said of its session, and the classes."""
    job = {
        "schema": 1,
        "model": str(MODELS / f"{MODEL}.onnx"),
        "sources": scene,
        "outputs": {"folder": str(folder), "products": {"classes": None}},
        "compute": compute,
    }
    asked = folder.with_suffix(".json")
    asked.write_text(json.dumps(job))
    run = EngineRun("run", str(asked))
    code, last = run.end()
    assert isinstance(last, Result) and code == 0, f"{last} {run.errors}"
    with rasterio.open(last.products["classes"]) as classes:
        return next(event for event in run.events if isinstance(event, Started)), classes.read(1)


@pytest.fixture(scope="module")
def reference(scene, tmp_path_factory) -> np.ndarray:
    return mapped(scene, tmp_path_factory.mktemp("reference") / "out", device=REFERENCE)[1]


def skip_unless_it_loads(device: str) -> None:
    try:
        opened(starter(MODEL), Asked(device))
    except BackendError as problem:
        pytest.skip(f"{device} does not load: {problem}")


@pytest.mark.parametrize("device", devices_to_check())
def test_the_map_is_the_processors(device, scene, reference, tmp_path, tell):
    skip_unless_it_loads(device)
    told, classes = mapped(scene, tmp_path / "out", device=device, precision="f32")
    assert device in (told.backend, told.device.lower(), f"{told.backend}-{told.device.lower()}")
    same = float((classes == reference).mean())
    tell(f"the sample scene on {device}: {same:.4%} of the classes are those of {REFERENCE}")
    assert same >= SAME_CLASSES


@pytest.mark.parametrize("device", [device for device in devices_to_check() if device in ("cuda", "tensorrt")])
def test_a_batch_that_the_cards_memory_does_not_take_is_halved_until_it_fits(device, tell):
    exhaustion = pytest.importorskip("fusion_mapper.inference.exhaustion", reason="batches are not halved yet")
    skip_unless_it_loads(device)
    model, told = starter(MODEL), []
    session = opened(model, Asked(device), TOO_MANY, memory=LIMIT)
    batch = exhaustion.Batch(TOO_MANY, tell=told.append)
    answer = None
    while answer is None:
        size = batch.size
        try:
            answer = session.run(tiles(model, size))
        except Exception as problem:  # noqa: BLE001 - as the engine does: what is no exhaustion is raised again
            batch.shrink(problem, size)
    assert 1 <= batch.size < TOO_MANY
    tell(f"{device} with {LIMIT} MiB: {' '.join(told)}")
    alone = opened(model, Asked(REFERENCE)).run({name: fed[:1] for name, fed in tiles(model, size).items()})
    assert difference(model, alone, answer)[0] <= 1e-4
