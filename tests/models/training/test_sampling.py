"""Chips around labels, turned with the directions in them."""

from __future__ import annotations

import numpy as np
import pytest
from fusion_mapper.models.training.augment import (
    AERIAL,
    SATELLITE,
    Directions,
    Variation,
    turned,
    variation_of,
)
from fusion_mapper.models.training.sampling import Handling, Sampler
from fusion_mapper.models.training.scenes import Scene


def _scene(truth: np.ndarray, values: np.ndarray | None = None) -> Scene:
    stack = np.zeros((1, *truth.shape), np.float32) if values is None else values
    return Scene("here", stack, np.ones(stack.shape, bool), truth)


def test_every_chip_holds_a_label_and_rare_classes_are_drawn_more_often_than_they_are() -> None:
    truth = np.full((200, 200), -1, np.int16)
    truth[20:180, 20:120], truth[100:104, 150:154] = 0, 1
    scene = _scene(truth)
    batch = Sampler([scene.values], [truth], [scene], 32, Handling()).draw(200, np.random.default_rng(0))
    labelled = batch.truth >= 0
    assert labelled.any(axis=(1, 2)).all()
    with_rare = (batch.truth == 1).any(axis=(1, 2)).mean()
    assert 0.02 < with_rare < 0.5, "16 pixels of 16,016 would come once in a thousand chips"


def test_truth_and_optional_layers_follow_the_chip() -> None:
    truth = np.arange(64 * 64).reshape(64, 64).astype(np.float32)
    values = np.stack([truth, np.ones_like(truth)])
    scene = _scene(truth, values)
    handling = Handling(optional={"osm": slice(1, 2)}, dropout=1.0, variation=Variation(0, 0, 0))
    batch = Sampler([values], [truth], [scene], 16, handling).draw(30, np.random.default_rng(0))
    assert np.array_equal(batch.x[:, 0], batch.truth)
    assert (batch.x[:, 1] == 0).all()
    first = [chip[0, 0] - chip[0, 1] for chip in batch.truth]
    assert len({round(float(step)) for step in first}) == 4, "chips are never turned or mirrored"


def test_where_a_chip_lies_is_told_in_degrees() -> None:
    truth = np.zeros((101, 101), np.int16)
    corners = np.array([[[10.0, 50.0], [11.0, 50.0]], [[10.0, 49.0], [11.0, 49.0]]])
    scene = Scene("here", np.zeros((1, 101, 101), np.float32), np.ones((1, 101, 101), bool), truth, corners)
    assert scene.lonlat(np.array([50]), np.array([25])) == pytest.approx(np.array([[10.25, 49.5]]))


def test_a_slope_turns_its_direction_with_the_picture() -> None:
    """The aspect of a turned elevation model is the turned aspect."""
    height = np.random.default_rng(0).normal(size=(40, 40)).cumsum(0).cumsum(1)

    def aspect(surface: np.ndarray) -> np.ndarray:
        south, east = np.gradient(surface)
        steep = np.hypot(south, east)
        return np.stack([-east / steep, south / steep])  # it faces where it falls: east and north

    for turns in range(4):
        for mirrored in (False, True):
            found, other = turned(aspect(height), height, turns, mirrored, (Directions(0, 1),))
            assert found == pytest.approx(aspect(other)), (turns, mirrored)


def test_small_scenes_are_mirrored_and_their_margin_has_no_truth() -> None:
    scene = _scene(np.zeros((10, 40), np.int16)).at_least(32)
    assert scene.shape == (32, 40)
    assert (scene.truth[10:] == -1).all()


def test_pictures_are_varied_more_than_measurements() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (3, 50)).astype(np.float32)
    assert variation_of([picture]) == AERIAL
    assert variation_of([picture / 255]) == variation_of([picture * 20]) == SATELLITE
