"""Chips, statistics and figures of merit that training rests on."""

from __future__ import annotations

import numpy as np
import pytest
from fusion_mapper.models.card import card_from_dict
from fusion_mapper.models.training import chips
from fusion_mapper.models.training.starters import NOTICE, STARTERS, finished_card


def _stack(seed: int, side: int = 256) -> chips.Stack:
    rng = np.random.default_rng(seed)
    values = np.stack([rng.normal(100, 20, (side, side)), rng.random((side, side)) < 0.1]).astype(np.float32)
    valid = np.ones(values.shape, bool)
    valid[0, :10] = False
    values[0, :10] = -32768
    return chips.Stack(values, valid, rng.integers(0, 3, (side, side)))


def test_statistics_ignore_nodata_and_leave_shares_alone() -> None:
    normalisation = chips.measure([_stack(0), _stack(1)], as_is=[False, True])
    assert normalisation.offset == pytest.approx([100, 0], abs=2)
    assert normalisation.scale == pytest.approx([20, 1], abs=1)
    scaled = normalisation.apply(_stack(2))
    assert abs(scaled[0, 10:].mean()) < 0.05
    assert (scaled[0, :10] == 0).all()
    assert set(np.unique(scaled[1])) == {0, 1}


def test_no_training_chip_touches_the_validation_area() -> None:
    stacks, size = [_stack(n) for n in range(6)], 16
    rng = np.random.default_rng(0)
    train, validation = chips.split(stacks, size, 0.25, rng)
    held = [np.zeros((256, 256), bool) for _ in stacks]
    for chip in validation:
        held[chip.stack][chip.row : chip.row + size, chip.col : chip.col + size] = True
    drawn = chips.Batches(
        [s.values for s in stacks], [s.truth for s in stacks], train, size, {}, {}, [], chips.Variation()
    )
    for chip in train * 3:
        rows, cols = drawn._square(chip, rng)
        assert not held[chip.stack][rows, cols].any()
    assert 0.15 < len(validation) / (len(train) + len(validation)) < 0.35


def test_left_out_slots_are_filled_and_truth_turns_with_the_values() -> None:
    values = np.stack([np.arange(64.0).reshape(8, 8), np.ones((8, 8))]).astype(np.float32)
    truth = np.arange(64).reshape(8, 8)
    batches = chips.Batches(
        [values], [truth], [chips.Chip(0, 0, 0)], 8, {"osm": slice(1, 2)}, {"osm": 1.0}, [], chips.Variation()
    )
    x, y = batches.draw(20, np.random.default_rng(0))
    assert (x[:, 1] == 0).all()
    assert np.array_equal(x[:, 0], y)
    assert len({tuple(part.ravel()) for part in y}) > 4, "chips are never turned or mirrored"


@pytest.mark.parametrize("starter", STARTERS.values(), ids=STARTERS)
def test_starter_cards_are_valid_and_say_what_they_were_trained_on(starter) -> None:
    count = len(starter.channels)
    statistics = chips.Normalisation(np.arange(count), np.ones(count) * 2, np.full(count, -9.0), np.full(count, 9.0))
    card = finished_card(starter, statistics, 44, 8, {"seed": 1})
    assert card_from_dict(card.to_dict()) == card
    assert card.notice == NOTICE == "trained on simulated landscapes: for trying out, not for mapping"
    offsets = [slot.offset for slot in card.slots]
    assert offsets == list(np.cumsum([0, *(slot.width for slot in card.slots)])[:-1])
    for slot in card.slots:
        for place, channel in enumerate(slot.channels):
            expected = 0 if slot.role == "osm" else slot.offset + place
            assert channel.scaling.offset == expected
