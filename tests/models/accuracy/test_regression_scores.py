"""Figures of a regression."""

from __future__ import annotations

import numpy as np
import pytest
from fusion_mapper.models.accuracy import regression_scores, scores
from fusion_mapper.models.accuracy.regression import Moments


def test_r2_is_over_all_pixels_at_once() -> None:
    truth = np.array([0.0, 50, 100])
    assert regression_scores(truth, truth)["r2"] == 1
    assert regression_scores(truth, np.full(3, 50.0))["r2"] == pytest.approx(0)


def test_bias_is_map_minus_truth() -> None:
    figures = regression_scores(np.array([1.0, 2, 3]), np.array([2.0, 3, 4]))
    assert (figures["bias"], figures["mae"], figures["rmse"], figures["n"]) == (1, 1, 1, 3)


def test_pixels_without_a_value_are_left_out() -> None:
    figures = scores("pixel-regression", np.array([1, np.nan, 3, 5]), np.array([1, 2, 3, np.nan]), ())
    assert (figures["n"], figures["rmse"]) == (2, 0)


def test_sums_of_blocks_give_the_figures_of_the_whole() -> None:
    random = np.random.default_rng(3)
    truth = random.normal(1e5, 3, 999)
    found = truth + random.normal(0.5, 1, 999)
    total = sum((Moments.of(*part) for part in zip(np.split(truth, 3), np.split(found, 3), strict=True)), Moments())
    assert total.scores() == pytest.approx(regression_scores(truth, found), rel=1e-9)


def test_no_r2_where_the_truth_does_not_vary() -> None:
    assert np.isnan(regression_scores(np.full(4, 2.0), np.array([1.0, 2, 3, 2]))["r2"])


def test_figures_equal_those_of_torchmetrics() -> None:
    torch = pytest.importorskip("torch", reason="torchmetrics needs torch")
    metrics = pytest.importorskip("torchmetrics.functional", reason="torchmetrics is not installed")
    random = np.random.default_rng(5)
    truth = random.normal(40, 20, 500)
    found = truth + random.normal(2, 8, 500)
    there, seen = torch.from_numpy(truth), torch.from_numpy(found)

    figures = regression_scores(truth, found)
    assert figures["r2"] == pytest.approx(float(metrics.r2_score(seen, there)), abs=1e-6)
    assert figures["mae"] == pytest.approx(float(metrics.mean_absolute_error(seen, there)), abs=1e-6)
    assert figures["rmse"] == pytest.approx(float(metrics.mean_squared_error(seen, there)) ** 0.5, abs=1e-6)
