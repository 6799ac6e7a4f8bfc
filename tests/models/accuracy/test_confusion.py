"""Figures from a confusion matrix."""

from __future__ import annotations

import numpy as np
import pytest
from fusion_mapper.models.accuracy import scores
from fusion_mapper.models.accuracy.confusion import (
    accuracy,
    class_f1,
    class_iou,
    confusion,
    kappa,
    mean_f1,
    mean_iou,
    producers_accuracy,
    users_accuracy,
)


@pytest.fixture
def counts() -> np.ndarray:
    truth = np.array([[0, 0, 1, 1], [0, 0, 1, -1]])
    found = np.array([[0, 0, 1, 0], [0, 1, 1, 1]])
    return confusion(truth, found, 2)


def test_truth_stands_in_rows_and_unlabelled_pixels_are_left_out(counts: np.ndarray) -> None:
    assert counts.tolist() == [[3, 1], [1, 2]]


def test_overall_accuracy_and_mean_iou_of_a_known_confusion(counts: np.ndarray) -> None:
    assert accuracy(counts) == pytest.approx(5 / 7)
    assert mean_iou(counts) == pytest.approx((3 / 5 + 2 / 4) / 2)


def test_users_accuracy_is_of_the_mapped_class_and_producers_of_the_true_one() -> None:
    counts = np.array([[8, 2], [0, 10]])
    assert users_accuracy(counts).tolist() == [1, pytest.approx(10 / 12)]
    assert producers_accuracy(counts).tolist() == [pytest.approx(0.8), 1]


def test_a_class_that_is_nowhere_has_no_figure_and_lowers_no_mean() -> None:
    counts = np.array([[4, 0, 0], [0, 4, 0], [0, 0, 0]])
    assert np.isnan(class_iou(counts)[2])
    assert mean_iou(counts) == 1
    assert mean_f1(counts) == 1


def test_kappa_is_zero_where_a_map_agrees_by_chance_alone() -> None:
    assert kappa(np.array([[25, 25], [25, 25]])) == pytest.approx(0)
    assert kappa(np.array([[20, 5], [10, 15]])) == pytest.approx(0.4)


def test_scores_name_every_class() -> None:
    truth, found = np.array([[0, 0, 1, -1]]), np.array([[0, 1, 1, 1]])
    figures = scores("semantic-segmentation", truth, found, ["water", "land"])
    assert figures == pytest.approx(
        {"accuracy": 2 / 3, "miou": 0.5, "iou_water": 0.5, "iou_land": 0.5, "f1_water": 2 / 3, "f1_land": 2 / 3, "n": 3}
    )


def test_figures_equal_those_of_torchmetrics() -> None:
    pytest.importorskip("torch", reason="torchmetrics needs torch")
    metrics = pytest.importorskip("torchmetrics.functional.classification", reason="torchmetrics is not installed")
    import torch

    random = np.random.default_rng(4)
    truth = random.integers(0, 5, 4000)
    found = np.where(random.random(4000) < 0.6, truth, random.integers(0, 5, 4000))
    counts = confusion(truth, found, 5)
    there, seen = torch.from_numpy(truth), torch.from_numpy(found)

    assert counts.tolist() == metrics.multiclass_confusion_matrix(seen, there, 5).tolist()
    assert accuracy(counts) == pytest.approx(float(metrics.multiclass_accuracy(seen, there, 5, average="micro")))
    for ours, name in (
        (users_accuracy, "precision"),
        (producers_accuracy, "recall"),
        (class_f1, "f1_score"),
        (class_iou, "jaccard_index"),
    ):
        theirs = getattr(metrics, f"multiclass_{name}")(seen, there, 5, average="none")
        assert ours(counts) == pytest.approx(theirs.numpy(), abs=1e-6), name
    assert kappa(counts) == pytest.approx(float(metrics.multiclass_cohen_kappa(seen, there, 5)), abs=1e-6)
