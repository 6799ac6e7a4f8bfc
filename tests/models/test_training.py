"""Scaling that training rests on, and the starter models' cards before they are trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fusion_mapper.models.card import Channel, Slot, card_from_dict
from fusion_mapper.models.training.normalise import measure, scaled_slots
from fusion_mapper.models.training.scenes import Scene
from fusion_mapper.models.training.starters import NOTICE, STARTERS

SLOTS = (
    Slot("imagery", "imagery", (Channel("red"),), "input"),
    Slot("osm", "osm", (Channel("roads"),), "input", 1, missing="fill"),
    Slot(
        "dem", "dem", (Channel("east", derivative="aspect_sin"), Channel("north", derivative="aspect_cos")), "input", 2
    ),
)


def scene(seed: int, side: int = 256) -> Scene:
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 6.28, (side, side))
    values = np.stack(
        [rng.normal(100, 20, (side, side)), rng.random((side, side)) < 0.1, np.sin(angle), np.cos(angle)]
    ).astype(np.float32)
    valid = np.ones(values.shape, bool)
    valid[0, :10] = False
    values[0, :10] = -32768
    return Scene("here", values, valid, rng.integers(0, 3, (side, side)).astype(np.int16))


def test_statistics_ignore_nodata_and_leave_shares_and_directions_alone() -> None:
    normalisation = measure([scene(0), scene(1)], SLOTS)
    assert normalisation.offset == pytest.approx([100, 0, 0, 0], abs=2)
    assert normalisation.scale == pytest.approx([20, 1, 1, 1], abs=1)
    other = scene(2)
    scaled = normalisation.apply(other)
    assert abs(scaled[0, 10:].mean()) < 0.05
    assert (scaled[0, :10] == 0).all()
    assert np.array_equal(scaled[1:], other.values[1:])


def test_the_card_scales_as_the_training_did() -> None:
    normalisation = measure([scene(0)], SLOTS)
    red = scaled_slots(SLOTS, normalisation)[0].channels[0].scaling
    values = scene(3).values[0, 10:]
    expected = (np.clip(values, red.minimum, red.maximum) - red.offset) / red.scale
    assert normalisation.apply(scene(3))[0, 10:] == pytest.approx(expected, abs=1e-6)
    assert scaled_slots(SLOTS, normalisation)[1:] == SLOTS[1:]


def test_a_mask_channel_is_kept_as_it_is() -> None:
    slot = replace(SLOTS[0], missing="mask_channel")
    one = scene(0)
    both = replace(one, values=one.values[[0, 1]], valid=np.stack([one.valid[0], np.ones_like(one.valid[0])]))
    assert measure([both], (slot,)).scale[1] == 1


@pytest.mark.parametrize("starter", STARTERS.values(), ids=STARTERS)
def test_starter_cards_are_valid_and_say_what_they_are_trained_on(starter) -> None:
    card = starter.card
    assert card_from_dict(card.to_dict()) == card
    assert card.notice == NOTICE == "trained on simulated landscapes: for trying out, not for mapping"
    offsets = [slot.offset for slot in card.slots]
    assert offsets == list(np.cumsum([0, *(slot.width for slot in card.slots)])[:-1])
