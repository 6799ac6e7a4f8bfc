"""Intervals by drawing whole groups."""

from __future__ import annotations

import numpy as np
import pytest
from fusion_mapper.models.accuracy.bootstrap import bootstrap_by_group
from fusion_mapper.models.accuracy.confusion import accuracy


def overall(counts: np.ndarray) -> dict[str, float]:
    return {"accuracy": accuracy(counts)}


def groups(count: int, pixels: int, right: float, seed: int = 1) -> np.ndarray:
    """`count` polygons, each of `pixels` pixels that are all right or all wrong."""
    matrices = np.zeros((count, 2, 2), int)
    is_right = np.random.default_rng(seed).random(count) < right
    matrices[is_right, 0, 0] = pixels
    matrices[~is_right, 0, 1] = pixels
    return matrices


def test_more_pixels_in_a_polygon_do_not_make_an_interval_narrower() -> None:
    few, many = (bootstrap_by_group(groups(40, pixels, 0.8), overall)["accuracy"] for pixels in (1, 100))
    assert few == many


def test_the_interval_is_that_of_independent_polygons() -> None:
    matrices = groups(200, 50, 0.8)
    share = accuracy(matrices.sum(0))
    interval = bootstrap_by_group(matrices, overall)["accuracy"]
    margin = 1.96 * np.sqrt(share * (1 - share) / 200)
    assert (interval.low, interval.high) == pytest.approx((share - margin, share + margin), abs=0.01)


def test_few_groups_give_no_interval() -> None:
    assert bootstrap_by_group(groups(4, 10, 0.5), overall) == {}


def test_a_figure_that_most_draws_lack_has_no_interval() -> None:
    assert bootstrap_by_group(groups(20, 10, 0.5), lambda counts: {"none": float("nan")}) == {}
