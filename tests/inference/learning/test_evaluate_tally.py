"""Counting window by window."""

from __future__ import annotations

import numpy as np
import pytest
from fusion_mapper.inference.grid import Grid, Window
from fusion_mapper.inference.learning.evaluation_tally import ClassTally, ValueTally, scores_of_sums, windows_of
from fusion_mapper.models.accuracy.boundaries import count_boundaries
from fusion_mapper.models.accuracy.confusion import confusion
from fusion_mapper.models.accuracy.regression import regression_scores
from rasterio.transform import from_origin

SIZE = 60


def grid(height: int, width: int) -> Grid:
    return Grid("EPSG:32633", from_origin(600000, 5000000, 10, 10), width, height)


def test_windows_cover_every_pixel_once() -> None:
    covered = np.zeros((1500, 2100), int)
    for window in windows_of(grid(1500, 2100)):
        covered[window.within(Window(0, 0, 1500, 2100))] += 1
    assert (covered == 1).all()


def test_windows_within_an_extent_cover_that_alone() -> None:
    extent = Window(1000, 20, 100, 50)
    covered = np.zeros((1500, 2100), int)
    for window in windows_of(grid(1500, 2100), extent):
        covered[window.within(Window(0, 0, 1500, 2100))] += 1
    assert covered.sum() == 5000
    assert (covered[1000:1100, 20:70] == 1).all()


def test_confusions_of_windows_add_up_by_group() -> None:
    random = np.random.default_rng(1)
    truth, found, group = random.integers(-1, 3, (3, SIZE, SIZE))
    tally = ClassTally(3)
    for part in (slice(0, 17), slice(17, SIZE)):
        tally.add(truth[part], found[part], group[part])
    assert np.array_equal(tally.counts, confusion(truth, found, 3))
    for number in (-1, 0, 1, 2):
        of_group = np.where(group == number, truth, -1)
        assert np.array_equal(tally.groups[number], confusion(of_group, found, 3))


def test_boundaries_of_windows_with_a_margin_add_up() -> None:
    random = np.random.default_rng(2)
    truth, found = random.integers(0, 3, (2, SIZE, SIZE))
    whole = count_boundaries(truth == 2, found == 2, 1)
    tally = ClassTally(3)
    for top in (0, 20, 40):
        rows = slice(max(top - 1, 0), top + 21)
        within = np.zeros((SIZE, SIZE), bool)
        within[top : top + 20] = True
        tally.add_boundaries(truth[rows], found[rows], within[rows], 1)
    assert tally.boundaries == whole


def test_values_of_windows_give_the_figures_of_the_whole() -> None:
    random = np.random.default_rng(3)
    truth = random.normal(500, 4, (SIZE, SIZE))
    found = truth + random.normal(1, 2, truth.shape)
    found[0, :5] = np.nan
    group = random.integers(0, 7, truth.shape)
    tally = ValueTally()
    for part in (slice(0, 25), slice(25, SIZE)):
        tally.add(truth[part], found[part], group[part])
    wanted = regression_scores(truth, found)
    assert tally.moments.scores() == pytest.approx(wanted)
    of_sums = scores_of_sums(tally.by_group.sum(0))
    assert of_sums == pytest.approx({name: wanted[name] for name in of_sums})


def test_the_plots_pixels_stay_few_and_come_from_everywhere() -> None:
    tally = ValueTally()
    for start in range(30):
        values = np.full(20_000, float(start))
        tally.add(values, values, np.zeros(20_000, int))
    assert tally.sample.shape[1] <= 100_000
    assert len(np.unique(tally.sample[0])) == 30
