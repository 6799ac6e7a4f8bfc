"""Thousands of spoiled models, cards and jobs: each gets an answer or one sentence, in bounded time and memory.

The engine is one real process that answers all of them; should it die, the seed of the file that killed it is told.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_runs import WarmEngine
from fusion_mapper.models.card import BLOCK
from fusion_mapper.models.mlm import card_to_item
from mutations import mutated_bytes, mutated_json, mutated_model
from onnx_graphs import deepness, rich_card, save_classifier
from small_scene import Job, write_model, write_scene
from tiny_models import imagery_slot, save_pooled

#: Seconds of processor time for one file; the engine is held to its memory besides.
SECONDS = 10


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Job]:
    """A folder with the valid files that are spoiled: models by each convention, layers, a job."""
    folder = tmp_path_factory.mktemp("bench")
    job = write_scene(folder)
    save_pooled(folder / "pooled.onnx", (imagery_slot(),))
    save_classifier(folder / "bare.onnx", size=64)
    keys = deepness(model_type="Segmentor", resolution=50, tile_size=64, class_names={"0": "a", "1": "b"})
    save_classifier(folder / "deepness.onnx", size=64, metadata=keys)
    save_classifier(folder / "rich.onnx", channels=9, classes=3, ending=None)
    write_model(folder / "heads.onnx")
    return folder, job


def answered(engine: WarmEngine, seed: int, **request: Any) -> str:
    """Ask; returns what kind of answer came, and fails where it is a fault of the engine."""
    try:
        answer = engine.ask(SECONDS, **request)
    except AssertionError as problem:
        raise AssertionError(f"seed {seed}: {problem}") from problem
    if answer["event"] == "failed":
        assert answer["code"] == 2, f"seed {seed}: {answer['text']}\n{answer['details']}"
        assert "\n" not in answer["text"], f"seed {seed}: {answer['text']}"
        assert len(answer["text"]) <= 1000, f"seed {seed}"
    return str(answer["event"])


MODELS = ["pooled.onnx", "bare.onnx", "deepness.onnx", "heads.onnx"]


@pytest.mark.parametrize("spoil", [mutated_bytes, mutated_model])
def test_spoiled_models(
    limited: WarmEngine, bench: tuple[Path, Job], rounds: Callable[[int, int], int], spoil: Callable
) -> None:
    folder = bench[0] / spoil.__name__
    folder.mkdir()
    answers = set()
    for seed in range(rounds(120, 2500)):
        rng = random.Random(seed)
        path = folder / f"{seed}.onnx"
        path.write_bytes(spoil((bench[0] / rng.choice(MODELS)).read_bytes(), rng))
        answers.add(answered(limited, seed, command="inspect", model=str(path)))
        path.unlink()
    assert answers == {"result", "failed"}


def foreign_item() -> dict[str, Any]:
    """An item of somebody else's, without our block."""
    item = card_to_item(rich_card())
    del item["properties"][BLOCK]
    return item


GEOAI = {
    "model_name": "somebody/segformer", "task": "semantic-segmentation", "input_height": 64, "input_width": 64,
    "input_channels": 9, "opset_version": 17, "output_names": ["y"], "id2label": {"0": "a", "1": "b", "2": "c"},
    "num_labels": 3,
}  # fmt: skip
CARDS = {
    "item": lambda: card_to_item(rich_card()),
    "block": lambda: rich_card().to_dict(),
    "foreign item": foreign_item,
    "geoai": lambda: GEOAI,
}


@pytest.mark.parametrize("kind", CARDS)
def test_spoiled_cards_beside_a_model(
    limited: WarmEngine, bench: tuple[Path, Job], rounds: Callable[[int, int], int], kind: str
) -> None:
    """By each convention: read as a sidecar, and reviewed as a card that somebody is completing."""
    model, card, answers = bench[0] / "rich.onnx", CARDS[kind](), set()
    for seed in range(rounds(40, 1000)):
        rng = random.Random(seed)
        spoiled = mutated_json(card, rng)
        text = json.dumps(spoiled).encode()
        model.with_suffix(".json").write_bytes(mutated_bytes(text, rng) if seed % 4 == 0 else text)
        answers.add(answered(limited, seed, command="inspect", model=str(model)))
        answers.add(answered(limited, seed, command="inspect", model=str(model), card=spoiled))
    model.with_suffix(".json").unlink()
    assert "result" in answers


def test_spoiled_jobs(limited: WarmEngine, bench: tuple[Path, Job], rounds: Callable[[int, int], int]) -> None:
    """Given as a file and in the request, to the pre-flight and to the run."""
    folder, job = bench
    job = {**job, "grid": {"extent": [500000, 6199936, 500064, 6200000]}, "pictures": None}
    job["outputs"] = {"folder": "spoiled", "products": {"classes": None, "summary": "s.csv"}}
    file = folder / "job.json"
    answers = set()
    for seed in range(rounds(60, 1000)):
        rng = random.Random(seed)
        spoiled = mutated_json(job, rng)
        text = json.dumps(spoiled).encode()
        file.write_bytes(mutated_bytes(text, rng) if seed % 4 == 0 else text)
        command = rng.choice(("check", "check", "run"))
        answers.add(answered(limited, seed, command=command, job=str(file)))
        answers.add(answered(limited, seed, command="check", job=spoiled, base=str(folder)))
    assert answers == {"result", "failed"}
