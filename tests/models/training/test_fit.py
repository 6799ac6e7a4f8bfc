"""The loop: the same seed gives the same model, also after a stop; bad numbers and full disks lose nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is in the training environment (make setup-train) only")

from fusion_mapper.models.card import Channel, ClassInfo, Slot  # noqa: E402  - torch has to be known to be there
from fusion_mapper.models.errors import RequestError  # noqa: E402
from fusion_mapper.models.training.blocks import Split  # noqa: E402
from fusion_mapper.models.training.checkpoint import NAME  # noqa: E402
from fusion_mapper.models.training.course import Course, Learned, divide, judge_elsewhere, learn  # noqa: E402
from fusion_mapper.models.training.fit import Listener  # noqa: E402
from fusion_mapper.models.training.scenes import Scene  # noqa: E402
from fusion_mapper.models.trainplan import Network, Training  # noqa: E402

QUICK = Training(epochs=4, steps=6, batch=4, chip=32, threads=1, patience=0, dropout=0.3)
CLASSES = (ClassInfo(1, "dark"), ClassInfo(2, "bright"), ClassInfo(3, "hilly"))
IMAGERY = Slot("imagery", "imagery", (Channel("red"), Channel("green")), "input")
DEM = Slot("dem", "dem", (Channel("slope", derivative="slope"),), "input", 2, missing="fill")


class Stopped(Exception):
    pass


def scene(seed: int = 0, side: int = 128) -> Scene:
    """Two bands tell dark from bright; only the slope tells what is hilly."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((side // 16, side // 16)) * 3).astype(np.int16).repeat(16, 0).repeat(16, 1)
    red = np.where(truth == 0, 50, 120) + rng.normal(0, 15, truth.shape)
    slope = np.where(truth == 2, 20, 3) + rng.normal(0, 2, truth.shape)
    values = np.stack([red, red + rng.normal(0, 5, truth.shape), slope]).astype(np.float32)
    return Scene("here", values, np.ones(values.shape, bool), truth)


def course(training: Training = QUICK, **other: object) -> Course:
    wanted = {"slots": (IMAGERY, DEM), "task": "semantic-segmentation", "strategy": "stack", "network": Network()}
    return Course(classes=CLASSES, training=training, **{**wanted, **other})


def parts_of(one: Scene, training: Training = QUICK) -> Split:
    return divide([one.truth], training, lambda _sentence: None, [info.name for info in CLASSES])


def weights(learned: Learned) -> list[np.ndarray]:
    return [value.numpy() for value in learned.network.state_dict().values()]


def same(first: Learned, second: Learned) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(weights(first), weights(second), strict=True))


def test_the_layers_are_learned_and_so_is_what_only_the_slope_tells() -> None:
    here = scene()
    learned = learn(course(replace(QUICK, epochs=10, steps=12, dropout=0.0)), [here], parts_of(here))
    assert learned.figures["iou_hilly"] > 0.6
    assert judge_elsewhere(learned, [scene(7)])["miou"] > 0.6


def test_the_same_seed_gives_the_same_model_and_another_seed_another_one() -> None:
    here = scene()
    first, second = (learn(course(), [here], parts_of(here)) for _ in range(2))
    other = replace(QUICK, seed=2)
    assert same(first, second)
    assert not same(first, learn(course(other), [here], parts_of(here)))


@pytest.mark.parametrize("batches", [3, 9, 15])
def test_a_training_stopped_at_any_batch_ends_in_the_model_of_an_undisturbed_one(tmp_path: Path, batches: int) -> None:
    here = scene()
    undisturbed = learn(course(), [here], parts_of(here))
    left = iter(range(batches))

    def check() -> None:
        if next(left, None) is None:
            raise Stopped

    with pytest.raises(Stopped):
        learn(course(), [here], parts_of(here), Listener(check=check), tmp_path, "one")
    epochs = []
    resumed = learn(course(), [here], parts_of(here), Listener(tell=epochs.append), tmp_path, "one")
    assert same(undisturbed, resumed)
    assert [epoch.index for epoch in epochs] == list(range(batches // 6 + 1, 5))


def test_a_checkpoint_of_other_layers_or_a_damaged_one_is_told_and_not_gone_on_from(tmp_path: Path) -> None:
    here = scene()
    told: list[str] = []
    learn(course(), [here], parts_of(here), None, tmp_path, "one")
    learn(course(), [here], parts_of(here), Listener(warn=told.append), tmp_path, "two")
    (tmp_path / NAME).write_bytes(b"nonsense")
    learn(course(), [here], parts_of(here), Listener(warn=told.append), tmp_path, "two")
    assert "differ" in told[0]
    assert "cannot be read" in told[1]


def test_enough_ends_the_training_and_keeps_the_best_epoch() -> None:
    here, asked = scene(), iter(range(8))
    learned = learn(course(), [here], parts_of(here), Listener(enough=lambda: next(asked, None) is None))
    assert len(learned.fitted.history) == 1


def test_patience_ends_a_training_that_gets_no_better() -> None:
    here = scene()
    still = replace(QUICK, epochs=30, steps=1, rate=1e-9, patience=2)
    assert len(learn(course(still), [here], parts_of(here)).fitted.history) < 30


def test_nan_in_a_layer_that_no_mask_covers_is_one_sentence() -> None:
    here = scene()
    here.values[0, ::3, ::3] = np.nan
    with pytest.raises(RequestError, match=r"NaN in epoch 1.*training\.rate"):
        learn(course(), [here], parts_of(here))


def test_a_folder_that_takes_no_checkpoint_is_one_sentence(tmp_path: Path) -> None:
    here = scene()
    gone = tmp_path / "gone"
    with pytest.raises(RequestError, match="Epoch 1 could not be saved"):
        learn(course(), [here], parts_of(here), None, gone, "one")


def test_a_regression_learns_values_in_their_own_units() -> None:
    here = scene()
    height = (here.values[2] * 3 + 100).astype(np.float32)
    here = replace(here, truth=height)
    parts = divide([height], QUICK, lambda _sentence: None, [])
    learned = learn(
        replace(course(replace(QUICK, epochs=8, steps=12, dropout=0.0), task="pixel-regression"), classes=()),
        [here],
        parts,
    )
    assert learned.figures["r2"] > 0.5
    assert 100 < learned.objective.offset < 200


def test_a_lone_aspect_component_cannot_be_turned_and_is_refused() -> None:
    here = scene()
    lone = replace(DEM, channels=(Channel("aspect", derivative="aspect_sin"),))
    with pytest.raises(RequestError, match="aspect_sin and aspect_cos"):
        learn(course(slots=(IMAGERY, lone)), [here], parts_of(here))


def test_a_strategy_and_a_network_that_do_not_go_together_are_refused() -> None:
    here = scene()
    with pytest.raises(RequestError, match="token-fuse goes with vit"):
        learn(course(strategy="token-fuse"), [here], parts_of(here))
