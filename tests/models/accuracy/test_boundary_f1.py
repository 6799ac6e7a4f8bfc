"""Boundary F1 within a tolerance."""

from __future__ import annotations

import numpy as np
import pytest
from fusion_mapper.models.accuracy import boundary_f1, scores
from fusion_mapper.models.accuracy.boundaries import Boundaries, count_boundaries


def line(at: int) -> np.ndarray:
    mask = np.zeros((20, 20), bool)
    mask[at] = True
    return mask


def test_boundary_f1_forgives_one_pixel_and_no_more() -> None:
    assert boundary_f1(line(10), line(11)) == 1
    assert boundary_f1(line(10), line(13)) == 0


def test_a_missed_boundary_costs_recall_alone() -> None:
    counts = count_boundaries(line(4) | line(12), line(4))
    assert (counts.precision, counts.recall) == (1, 0.5)
    assert counts.f1 == pytest.approx(2 / 3)


def test_counts_of_blocks_with_a_margin_add_up_to_those_of_the_whole() -> None:
    random = np.random.default_rng(1)
    truth, found = (random.random((40, 40)) < 0.1 for _ in range(2))
    total = Boundaries()
    for top in range(0, 40, 10):
        window = slice(max(top - 2, 0), top + 12)
        within = np.zeros((40, 40), bool)
        within[top : top + 10] = True
        total += count_boundaries(truth[window], found[window], 2, within[window])
    assert total == count_boundaries(truth, found, 2)


def test_scores_of_fields_meet_no_boundary_of_the_next_chip() -> None:
    truth, found = np.ones((2, 4, 4), int), np.ones((2, 4, 4), int)
    truth[0, -1], found[1, 0] = 2, 2
    names = ["background", "field", "boundary"]
    assert scores("field-boundaries", truth, found, names)["boundary_f1"] == 0
