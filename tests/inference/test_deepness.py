"""Deepness's own sample models on its own test image, each by the card that its file gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import rasterio
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.inference.events import Result
from fusion_mapper.inference.job import job_from_dict
from fusion_mapper.inference.run import run_job
from fusion_mapper.inference.voice import Voice
from fusion_mapper.models.card import Scaling
from fusion_mapper.models.install import install_model
from fusion_mapper.models.load import load_model, require_complete

#: Models whose file tells everything a run needs, and those that somebody has to complete first.
TOLD = [
    "dummy_regression_model.onnx",
    "one_output_sigmoid_bsx1x512x512.onnx",
    "one_output_sigmoid_bsx512x512.onnx",
    "two_outputs_sigmoid_bsx1x512x512.onnx",
    "two_outputs_softmax_bsx2x512x512.onnx",
    "regression/dummy_regression_model.onnx",
    "regression/one_output_sigmoid_bsx1x512x512.onnx",
]
BARE = [
    "dummy_model.onnx",
    "one_output_sigmoid_red_detector.onnx",
    "one_output_softmax_bsx2x512x512.onnx",
    "regression/one_output_sigmoid_bsx512x512.onnx",
]


@pytest.fixture
def samples(shared_data: Path) -> Path:
    return shared_data / "onnx_deepness"


def run(model: Path, samples: Path, folder: Path, product: str) -> Result:
    card = load_model(model).card
    job = {
        "schema": 1,
        "model": str(model),
        "sources": {card.slots[0].name: {"path": str(samples / "dummy_fotomap_small.tif"), "bands": [1, 2, 3]}},
        "grid": {"native": True},
        "outputs": {"folder": str(folder), "products": {product: None}},
        "compute": {"device": "onnxruntime-cpu"},
    }
    return run_job(job_from_dict(job), folder, Voice(lambda _: None, lambda: False))


def product_of(model: Path) -> str:
    return "regression" if load_model(model).card.outputs[0].task == "pixel-regression" else "classes"


@pytest.mark.parametrize("name", TOLD)
def test_a_deepness_model_runs_on_its_test_image(samples: Path, tmp_path: Path, name: str) -> None:
    loaded = load_model(samples / name)
    assert loaded.convention == "deepness"
    product = product_of(samples / name)
    result = run(samples / name, samples, tmp_path, product)
    assert len(result.products) == len(loaded.card.outputs)
    with rasterio.open(samples / "dummy_fotomap_small.tif") as image:
        valid = image.dataset_mask() > 0
    for path in result.products.values():
        with rasterio.open(path) as file:
            assert (file.read_masks(1) > 0)[valid].mean() > 0.99
            if product == "classes":
                values = {info.value for output in loaded.card.outputs for info in output.classes}
                assert set(np.unique(file.read(1)[file.read_masks(1) > 0])) <= values


@pytest.mark.parametrize("name", BARE)
def test_a_bare_model_is_refused_until_it_is_completed_and_then_runs(samples: Path, tmp_path: Path, name: str) -> None:
    loaded = load_model(samples / name)
    with pytest.raises(RequestError, match="import it first"):
        require_complete(loaded.card)
    bytes_to_one = tuple(replace(channel, scaling=Scaling(0, 255)) for channel in loaded.card.slots[0].channels)
    slots = (replace(loaded.card.slots[0], channels=bytes_to_one), *loaded.card.slots[1:])
    installed = install_model(samples / name, tmp_path / "library", replace(loaded.card, slots=slots, unknown=()))
    result = run(installed.path, samples, tmp_path / "out", product_of(installed.path))
    assert result.products


def test_the_claim_of_five_classes_is_repaired_and_told(samples: Path) -> None:
    loaded = [load_model(samples / name) for name in TOLD]
    told = [warning for model in loaded for warning in model.warnings if "5" in warning or "five" in warning]
    assert told, "one sample claims five classes and has one channel"


def test_a_sigmoid_model_gives_the_pixels_of_its_graph(samples: Path, tmp_path: Path) -> None:
    """The whole image through the bare session, cut into the fixed tiles of the graph, against the run's classes."""
    model = samples / "one_output_sigmoid_bsx1x512x512.onnx"
    card = load_model(model).card
    result = run(model, samples, tmp_path, "classes")
    with rasterio.open(samples / "dummy_fotomap_small.tif") as image:
        pixels = image.read([1, 2, 3])[:, :512, :512]
        valid = image.dataset_mask()[:512, :512] > 0
    rules = [channel.scaling for channel in card.slots[0].channels]
    scaled = np.stack(
        [(band - rule.offset) / rule.scale for band, rule in zip(pixels.astype(float), rules, strict=True)]
    )
    scaled[:, ~valid] = card.slots[0].fill
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {session.get_inputs()[0].name: scaled[None].astype(np.float32)})
    threshold = card.outputs[0].threshold or 0.5
    values = [info.value for info in card.outputs[0].classes]
    expected = np.where(answer[0, 0] >= threshold, values[1], values[0])
    with rasterio.open(next(iter(result.products.values()))) as file:
        ours = file.read(1)[:512, :512]
    np.testing.assert_array_equal(ours[valid], expected[valid])
