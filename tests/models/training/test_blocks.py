"""Which labels train and which judge."""

from __future__ import annotations

import numpy as np
import pytest
from fusion_mapper.models.training.blocks import rectangle, split_truths
from scipy import ndimage


def _patches(seed: int, side: int = 200, count: int = 40, classes: int = 4) -> np.ndarray:
    """Small squares of a class each on unlabelled ground, as polygons drawn by hand are."""
    rng = np.random.default_rng(seed)
    truth = np.full((side, side), -1, np.int16)
    for number in range(count):
        row, col = rng.integers(0, side - 10, 2)
        if (truth[row - 1 : row + 10, col - 1 : col + 10] < 0).all():
            truth[row : row + 9, col : col + 9] = number % classes
    return truth


def test_every_class_trains_and_judges_by_about_its_share() -> None:
    truth = _patches(0)
    parts = split_truths([truth], 0.25, np.random.default_rng(0))
    for index in range(4):
        held = (parts.validation[0] == index).sum() / (truth == index).sum()
        assert 0.1 < held < 0.55
        assert (parts.training[0] == index).any()
    assert parts.alone == ()


def test_a_drawn_patch_is_never_torn_between_the_parts() -> None:
    truth = _patches(1)
    parts = split_truths([truth], 0.3, np.random.default_rng(1))
    patches, count = ndimage.label(truth >= 0)
    for number in range(1, count + 1):
        inside = patches == number
        assert not ((parts.training[0][inside] >= 0).any() and (parts.validation[0][inside] >= 0).any())


def test_no_training_label_lies_beside_a_judging_one() -> None:
    """A label raster that covers everything is cut by blocks, with a gap."""
    truth = (np.indices((256, 256)).sum(0) // 40 % 3).astype(np.int16)
    parts = split_truths([truth], 0.25, np.random.default_rng(0), block=64, gap=3)
    held = parts.validation[0] >= 0
    assert 0.1 < held.mean() < 0.5
    near = ndimage.binary_dilation(held, np.ones((7, 7), bool))
    assert not (near & (parts.training[0] >= 0)).any()


def test_a_class_in_a_single_patch_trains_and_is_named() -> None:
    truth = _patches(2)
    truth[truth == 3] = -1
    truth[0:6, 0:6] = 3
    parts = split_truths([truth], 0.25, np.random.default_rng(0))
    assert parts.alone == (3,)
    assert (parts.training[0] == 3).any()
    assert not (parts.validation[0] == 3).any()


def test_values_of_a_regression_are_split_by_blocks() -> None:
    truth = np.random.default_rng(0).random((256, 256)).astype(np.float32)
    truth[:50] = np.nan
    parts = split_truths([truth], 0.25, np.random.default_rng(0))
    both = np.isfinite(parts.training[0]) & np.isfinite(parts.validation[0])
    assert not both.any()
    assert 0.1 < np.isfinite(parts.validation[0]).sum() / np.isfinite(truth).sum() < 0.5


def test_the_same_seed_splits_the_same() -> None:
    first, second = (split_truths([_patches(3)], 0.25, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first.training[0], second.training[0])


@pytest.mark.parametrize("fraction", [0.5, 0.1, 0.02])
def test_a_fraction_is_one_rectangle_with_about_that_share_of_the_labels(fraction: float) -> None:
    truth = (np.indices((300, 300)).sum(0) // 10 % 3).astype(np.int16)
    kept = rectangle([truth], fraction, np.random.default_rng(0))[0] >= 0
    rows, cols = np.nonzero(kept)
    assert kept[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1].all()
    assert kept.mean() == pytest.approx(fraction, rel=0.1)
