"""Stratified estimation against published worked examples."""

from __future__ import annotations

import numpy as np
import pytest
from fusion_mapper.models.accuracy.areas import AreaEstimates, estimate_areas


@pytest.fixture
def deforestation() -> AreaEstimates:
    """Olofsson et al. 2014, table 8: deforestation, forest gain, stable forest, stable non-forest; pixels of 30 m.

    The paper has the map's classes in rows.
    """
    counts = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]]).T
    return estimate_areas(counts, np.array([200_000, 150_000, 3_200_000, 6_450_000]) * 0.09)


def test_the_areas_of_olofsson_2014(deforestation: AreaEstimates) -> None:
    """Section 5.2.2: areas and margins in hectares, as printed."""
    assert deforestation.areas == pytest.approx([21158, 11686, 285770, 581386], abs=1)
    assert deforestation.area_margins == pytest.approx([6158, 3756, 15510, 16282], abs=1)


def test_the_shares_of_olofsson_2014(deforestation: AreaEstimates) -> None:
    """Table 9: estimated area proportions, to four places."""
    published = [
        [0.0176, 0, 0.0013, 0.0011],
        [0, 0.0110, 0.0016, 0.0024],
        [0.0019, 0, 0.2967, 0.0213],
        [0.0040, 0.0020, 0.0179, 0.6212],
    ]
    assert pytest.approx(np.array(published), abs=5e-5) == deforestation.shares.T


def test_the_accuracies_of_olofsson_2014(deforestation: AreaEstimates) -> None:
    """Section 5.2.1, to two places. For forest gain and stable non-forest the margins of producer's accuracy are those
    of the paper's equation 7, worked out by hand (0.254, 0.018).
    """
    assert (deforestation.overall, deforestation.overall_margin) == pytest.approx((0.95, 0.02), abs=5e-3)
    assert deforestation.users == pytest.approx([0.88, 0.73, 0.93, 0.96], abs=5e-3)
    assert deforestation.users_margins == pytest.approx([0.07, 0.10, 0.04, 0.02], abs=5e-3)
    assert deforestation.producers == pytest.approx([0.75, 0.85, 0.93, 0.96], abs=5e-3)
    assert deforestation.producers_margins == pytest.approx([0.213, 0.254, 0.034, 0.018], abs=5e-4)


def test_the_example_of_olofsson_2013() -> None:
    """Remote Sensing of Environment 129:122-131, table 4: shares, user's, producer's and overall accuracy."""
    counts = np.array([[97, 0, 3], [3, 279, 18], [2, 1, 97]]).T
    estimates = estimate_areas(counts, np.array([22353, 1122543, 610228]))
    published = [[0.012, 0, 0.0004], [0.006, 0.595, 0.038], [0.007, 0.003, 0.337]]
    assert pytest.approx(np.array(published), abs=1e-3) == estimates.shares.T
    assert estimates.users == pytest.approx([0.97, 0.93, 0.97], abs=5e-3)
    assert estimates.producers[:2] == pytest.approx([0.48, 0.99], abs=5e-3)
    assert estimates.overall == pytest.approx(0.944, abs=1e-3)


def test_a_mapped_class_without_a_sample_is_left_out_and_said_to_be() -> None:
    estimates = estimate_areas(np.array([[9, 1, 0], [1, 9, 0], [0, 0, 1]]), np.array([50.0, 50, 900]))
    assert estimates.judged.tolist() == [True, True, False]
    assert estimates.areas.sum() == pytest.approx(100)
    assert np.isnan(estimates.users[2])


def test_without_any_sample_nothing_is_estimated() -> None:
    estimates = estimate_areas(np.zeros((2, 2), int), np.array([1.0, 2]))
    assert not estimates.judged.any()
    assert np.isnan(estimates.areas).all()


def test_an_interval_holds_the_true_area_as_often_as_it_says() -> None:
    """200 samples of a map whose errors are known: about 95 % of the intervals hold the true area."""
    random = np.random.default_rng(2)
    mapped, confused = np.array([300.0, 700]), np.array([[0.8, 0.1], [0.2, 0.9]])
    true_area = (confused * mapped).sum(1)
    held = 0
    for _ in range(200):
        counts = np.stack([random.multinomial(60, confused[:, stratum]) for stratum in range(2)], 1)
        estimates = estimate_areas(counts, mapped)
        held += abs(estimates.areas[0] - true_area[0]) <= estimates.area_margins[0]
    assert 0.9 <= held / 200 <= 0.99
