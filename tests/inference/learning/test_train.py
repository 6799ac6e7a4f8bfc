"""``train``: from layers and labels to a model that runs at once, and what becomes of stops and of wrong input."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in the training environment (make setup-train) only")

import rasterio  # noqa: E402  - torch has to be known to be there
from fusion_mapper.inference.errors import Cancelled, RequestError  # noqa: E402
from fusion_mapper.inference.events import Epoch, Event  # noqa: E402
from fusion_mapper.inference.job import job_from_dict  # noqa: E402
from fusion_mapper.inference.learning.train import train_model  # noqa: E402
from fusion_mapper.inference.learnjob import LearnJob, learnjob_from_dict  # noqa: E402
from fusion_mapper.inference.run import run_job  # noqa: E402
from fusion_mapper.inference.voice import Voice  # noqa: E402
from fusion_mapper.models.card import read_sidecar  # noqa: E402
from fusion_mapper.models.load import load_model  # noqa: E402

QUICK = {"epochs": 3, "steps": 4, "batch": 4, "chip": 32, "threads": 1, "patience": 0}


@pytest.fixture
def amazon(shared_data: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """A job over the Amazon scene, with fields changed."""
    home = shared_data / "amazon_s2"

    def job(**changes: Any) -> dict[str, Any]:
        place = {
            "name": "Trombetas",
            "sources": {"imagery": {"path": str(home / "sen2.tif")}, "dem": {"path": str(home / "srtm_sen2.tif")}},
            "labels": {"path": str(home / "trainingPolygons_sen2.gpkg"), "field": "class"},
        }
        plain = {"schema": 1, "name": "amazon", "places": [place], "folder": str(tmp_path / "out"), "training": QUICK}
        return {**plain, **changes}

    return job


def train(job: dict[str, Any], say: Callable[[Event], None] = lambda _event: None, stop: Any = None) -> Any:
    voice = Voice(say, stop or (lambda: False))
    return train_model(learnjob_from_dict(LearnJob, job), Path(job["folder"]).parent, voice)


def test_the_model_tells_what_it_is_and_maps_the_whole_scene(amazon, tmp_path: Path) -> None:
    events: list[Event] = []
    result = train(amazon(title="Trombetas", license="CC0-1.0"), events.append)
    card = read_sidecar(Path(result.products["card"]))
    assert [info.name for info in card.outputs[0].classes] == ["dryout", "forest", "village", "water"]
    assert [slot.name for slot in card.slots] == ["imagery", "dem"]
    assert card.slots[0].channels[0].scaling.scale != 1
    assert card.receptive_radius == 44
    assert card.training["onnx_against_torch"] <= 1e-4
    assert card.training["labels"]["training"]["water"] > 0
    assert card.training["area"][0]["bounds"] == pytest.approx([-56.372, -1.480, -56.351, -1.459], abs=0.01)
    assert card.license == "CC0-1.0"
    assert [event.index for event in events if isinstance(event, Epoch)] == [1, 2, 3]
    rows = list(csv.DictReader(Path(result.products["history"]).read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert json.loads(Path(result.products["figures"]).read_text())["figures"]["miou"] == result.report["score"]
    sources = amazon()["places"][0]["sources"]
    job = {"schema": 1, "model": result.products["model"], "sources": sources, "outputs": {"folder": "map"}}
    products = run_job(job_from_dict(job), tmp_path, Voice(lambda _event: None, lambda: False)).products
    with rasterio.open(products["classes"]) as raster:
        classes = raster.read(1)
    assert classes.shape == (237, 247)
    assert set(np.unique(classes)) <= {1, 2, 3, 4, 255}
    assert not (tmp_path / "out" / "checkpoint.pt").exists()


def test_a_cancelled_training_goes_on_and_ends_in_the_same_bytes(amazon, tmp_path: Path) -> None:
    whole = train(amazon(folder=str(tmp_path / "whole")))
    heard: list[Event] = []

    def after_first() -> bool:
        return any(isinstance(event, Epoch) for event in heard)

    with pytest.raises(Cancelled):
        train(amazon(), heard.append, after_first)
    assert (tmp_path / "out" / "checkpoint.pt").exists()
    again: list[Event] = []
    resumed = train(amazon(), again.append)
    assert [event.index for event in again if isinstance(event, Epoch)] == [2, 3]
    first, second = (Path(one.products["model"]).read_bytes() for one in (whole, resumed))
    assert first == second


def test_stop_keeps_the_best_epoch_so_far(amazon, tmp_path: Path) -> None:
    events: list[Event] = []

    def say(event: Event) -> None:
        events.append(event)
        if isinstance(event, Epoch):
            (tmp_path / "out" / "stop").touch()

    result = train(amazon(), say)
    assert sum(isinstance(event, Epoch) for event in events) == 1
    assert Path(result.products["model"]).exists()
    assert not (tmp_path / "out" / "stop").exists()


def test_variants_of_lower_precision_say_what_they_lose(amazon) -> None:
    result = train(amazon(variants=["fp16", "int8"]))
    for kind in ("fp16", "int8"):
        loaded = load_model(Path(result.products[kind]))
        facts = loaded.card.training["variant"]
        assert facts["precision"] == kind
        assert 0 < facts["classes_as_in_f32"] <= 1
        assert loaded.card.name == f"amazon-{kind}"


@pytest.mark.parametrize(
    ("strategy", "architecture"),
    [("imagery", "fcn"), ("compress", "unet-small"), ("vit", "vit"), ("token-fuse", "vit"), ("token-control", "vit")],
)
def test_every_strategy_becomes_a_model_that_agrees_with_its_card(amazon, strategy: str, architecture: str) -> None:
    network = {"architecture": architecture, "patch": 8}
    result = train(amazon(strategy=strategy, network=network, training={**QUICK, "epochs": 1, "steps": 2}))
    loaded = load_model(Path(result.products["model"]))
    roles = [slot.role for slot in loaded.card.slots]
    assert roles == {"compress": ["imagery", "dem"], "token-fuse": ["imagery", "location"]}.get(strategy, ["imagery"])


def test_a_hand_made_prior_carries_the_matrix_of_its_training_labels(amazon, tmp_path: Path) -> None:
    job = amazon(strategy="proc-stack", training={**QUICK, "epochs": 1, "steps": 2})
    sources = job["places"][0]["sources"]
    with rasterio.open(sources["imagery"]["path"]) as raster:
        profile, red = raster.profile, raster.read(8)
    coarse = tmp_path / "coarse.tif"
    profile.update(count=1, dtype="uint8", nodata=0)
    with rasterio.open(coarse, "w", **profile) as raster:
        raster.write((1 + (red > np.nanmedian(red))).astype(np.uint8), 1)
    sources["prior"] = {"path": str(coarse)}
    card = read_sidecar(Path(train(job).products["card"]))
    prior = card.slot("prior").prior
    assert prior.coarse == (1, 2)
    assert all(sum(row) == pytest.approx(1) for row in prior.cooccurrence)
    assert prior.cooccurrence[0] != prior.cooccurrence[1]


def test_a_regression_per_chip_answers_a_value_a_tile(shared_data: Path, tmp_path: Path) -> None:
    home = shared_data / "loon_lake"
    labels = {"path": str(home / "vri2023.gpkg"), "layer": "main", "field": "CROWN_CLOSURE"}
    place = {"name": "Loon", "sources": {"imagery": {"path": str(home / "landsat.tif")}}, "labels": labels}
    job = {
        "schema": 1,
        "name": "crowns",
        "places": [place],
        "folder": str(tmp_path / "out"),
        "task": "chip-regression",
        "range": [0, 100],
        "units": "%",
        "training": {**QUICK, "chip": 16},
    }
    result = train(job)
    output = read_sidecar(Path(result.products["card"])).outputs[0]
    assert (output.grid, output.units, output.range) == ("tile", "%", (0.0, 100.0))
    assert load_model(Path(result.products["model"])).card.outputs[0].task == "pixel-regression"


def test_fields_may_learn_the_distance_to_their_boundary_and_map_three_classes(shared_data: Path, tmp_path) -> None:
    home = shared_data / "nebraska"
    labels = {"path": str(home / "nebraska_fields_5070like.gpkg")}
    imagery = {"path": str(home / "sample_geotiff_custom_proj.tif")}
    job = {
        "schema": 1,
        "name": "pivots",
        "places": [{"name": "Nebraska", "sources": {"imagery": imagery}, "labels": labels}],
        "folder": str(tmp_path / "out"),
        "task": "field-boundaries",
        "training": {**QUICK, "objective": "distance"},
    }
    loaded = load_model(Path(train(job).products["model"]))
    assert [info.name for info in loaded.card.outputs[0].classes] == ["background", "field", "boundary"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"strategy": "proc-stack"}, r"coarse class raster.*'Trombetas' lacks sources\.prior"),
        ({"strategy": "token-fuse"}, "goes with vit"),
        ({"classes": [{"value": 1, "name": "forest"}, {"value": 2, "name": "glacier"}]}, "'glacier' has no label"),
        ({"network": {"architecture": "unet", "encoder": "resnet999"}}, "resnet999"),
        ({"network": {"architecture": "unet", "weights": "none.pt"}}, r"none\.pt"),
        ({"network": {"architecture": "deeplabv3plus"}, "training": {**QUICK, "batch": 1}}, r"training\.batch"),
        ({"slots": [{"name": "radar", "role": "raster", "channels": [{"name": "vv"}], "input": "input"}]}, "radar"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(amazon, change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        train(amazon(**change))


def test_one_class_alone_is_refused(amazon) -> None:
    job = amazon()
    job["places"][0]["labels"]["where"] = "class = 'water'"
    with pytest.raises(RequestError, match="only the class 'water'"):
        train(job)


def test_a_second_training_in_one_folder_is_refused(amazon, tmp_path: Path) -> None:
    from fusion_mapper.inference.alone import alone_in

    (tmp_path / "out").mkdir()
    with alone_in(tmp_path / "out", lambda _sentence: None), pytest.raises(RequestError, match="Another run"):
        train(amazon())
