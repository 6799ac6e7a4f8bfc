"""The tiling is invisible: every tile, batch, block and worker count gives what one pass over the whole grid gives."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import rasterio
from fusion_mapper.inference.job import job_from_dict
from fusion_mapper.inference.prepare import prepare
from fusion_mapper.inference.run import run_job
from fusion_mapper.inference.sources import Context
from fusion_mapper.inference.voice import Voice
from fusion_mapper.models.card import Card

WAYS = {
    "one block": {},
    "small tiles": {"tile": 128},
    "odd tile": {"tile": 203, "block": 200},
    "many blocks": {"tile": 160, "block": 70, "workers": 3},
    "batch of three": {"tile": 144, "batch": 3, "block": 260},
    "blended": {"tile": 192, "overlap": 120, "block": 180},
    "one worker": {"tile": 176, "block": 300, "workers": 1},
}


@pytest.fixture(scope="module")
def job(shared_data: Path, repository_root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """A corner of Swellendam with a hole, through the trained land-cover U-Net, with every source.

    The U-Net pools three times. OSM may be missing by a mask channel's rule or by fill; the DEM ends inside the area.
    """
    folder = tmp_path_factory.mktemp("tiling")
    place = shared_data / "swellendam"
    with rasterio.open(place / "3420B_2010_328_RGB_LATLNG.tif") as source:
        window = rasterio.windows.Window(400, 900, 333, 287)
        pixels, transform = source.read([1, 2, 3], window=window), source.window_transform(window)
        pixels[:, 80:180, 40:120] = 0
        pixels[:, 150:, 300:] = 0
        with rasterio.open(
            folder / "ortho.tif", "w", driver="GTiff", width=333, height=287, count=3, dtype="uint8",
            crs=source.crs, transform=transform, nodata=0,
        ) as target:  # fmt: skip
            target.write(pixels)
    with rasterio.open(place / "srtm_41_19_4326.tif") as source:
        bounds = rasterio.transform.array_bounds(180, 333, transform)
        window = source.window(*bounds).round_offsets().round_lengths()
        with rasterio.open(
            folder / "dem.tif", "w", driver="GTiff", width=window.width, height=window.height, count=1,
            dtype="float32", crs=source.crs, transform=source.window_transform(window),
        ) as target:  # fmt: skip
            target.write(source.read(1, window=window), 1)
    vectors = str(place / "training_data.gpkg")
    return {
        "schema": 1,
        "model": str(repository_root / "resources/models/landcover-rgb-1m.onnx"),
        "sources": {
            "imagery": {"path": str(folder / "ortho.tif")},
            "osm": {"layers": [{"path": vectors, "layer": "roads"}, {"path": vectors, "layer": "buildings"}]},
            "dem": {"path": str(folder / "dem.tif")},
        },
        "grid": {"native": True},
        "outputs": {"folder": str(folder / "out"), "products": {"classes": None, "probabilities": None}},
        "compute": {"device": "onnxruntime-cpu"},
    }


def one_pass(job: dict[str, object], card: Card, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and validity by the plainest code there is: read all, pad all, run once."""
    prepared = prepare(job_from_dict(job), folder, lambda _: None)
    sources = prepared.open_sources(Context(folder, folder, lambda _: None))
    height, width = prepared.grid.height, prepared.grid.width
    channels, valid = [], np.ones((height, width), bool)
    for slot in card.slots:
        patch = sources[slot.name].read(prepared.grid.whole)
        for channel, band in zip(slot.channels, patch.data, strict=True):
            scaled = (band - channel.scaling.offset) / channel.scaling.scale
            channels.append(np.where(patch.valid, scaled, slot.fill))
        if slot.missing == "mask_channel":
            channels.append(patch.valid.astype(float))
        if slot.missing == "required":
            valid &= patch.valid
    pad = 48
    after = [pad + -size % card.stride for size in (height, width)]
    stacked = np.pad(np.array(channels, np.float32), ((0, 0), (pad, after[0]), (pad, after[1])), mode="reflect")
    session = onnxruntime.InferenceSession(str(job["model"]), providers=["CPUExecutionProvider"])
    (scores,) = session.run([card.outputs[0].name], {card.slots[0].input: stacked[None]})
    shares = np.exp(scores[0] - scores[0].max(axis=0))
    shares /= shares.sum(axis=0)
    return shares[:, pad : pad + height, pad : pad + width], valid


@pytest.fixture(scope="module")
def reference(job: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, np.ndarray]:
    folder = tmp_path_factory.mktemp("reference")
    card = prepare(job_from_dict(job), folder, lambda _: None).card
    shares, valid = one_pass(job, card, folder)
    assert 0.05 < (~valid).mean() < 0.6, "the corner has to hold nodata and imagery"
    assert sum((shares.argmax(axis=0) == k)[valid].mean() > 0.05 for k in range(len(shares))) > 1, "a map of one class"
    return shares, valid


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_cut_the_run_gives_the_one_pass(
    way: str, job: dict[str, object], reference: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    cut = json.loads(json.dumps(job))
    cut["outputs"]["folder"] = str(tmp_path)
    cut["compute"].update(WAYS[way])
    result = run_job(job_from_dict(cut), tmp_path, Voice(lambda _: None, lambda: False))
    shares, valid = reference
    with rasterio.open(result.products["probabilities"]) as file:
        ours = file.read()
        np.testing.assert_array_equal(file.read_masks(1) > 0, valid)
    np.testing.assert_allclose(ours[:, valid], shares[:, valid], atol=1e-4)
    with rasterio.open(result.products["classes"]) as file:
        classes = file.read(1)
    ordered = np.sort(shares, axis=0)
    sure = valid & (ordered[-1] - ordered[-2] > 2e-4)
    values = np.arange(1, 6)
    np.testing.assert_array_equal(classes[sure], values[shares.argmax(axis=0)][sure])
    assert (classes[~valid] == 255).all()


def test_a_radius_that_is_told_too_small_is_seen(
    job: dict[str, object], reference: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    """The comparison above can fail: with a radius of 4 the tiles show."""
    from fusion_mapper.models.embed import embed_card, read_embedded_card

    card = read_embedded_card(Path(str(job["model"])))
    assert card is not None
    embed_card(Path(str(job["model"])), replace(card, receptive_radius=4), tmp_path / "wrong.onnx")
    cut = json.loads(json.dumps(job))
    cut["model"], cut["outputs"]["folder"] = str(tmp_path / "wrong.onnx"), str(tmp_path / "out")
    cut["compute"]["tile"] = 64
    result = run_job(job_from_dict(cut), tmp_path, Voice(lambda _: None, lambda: False))
    shares, valid = reference
    with rasterio.open(result.products["probabilities"]) as file:
        assert np.abs(file.read()[:, valid] - shares[:, valid]).max() > 1e-2
