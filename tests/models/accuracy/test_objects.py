"""Fields as objects."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from fusion_mapper.models.accuracy import match_objects


def boxes(*bounds: tuple[float, float, float, float]) -> np.ndarray:
    return np.array([shapely.box(*one) for one in bounds], object)


def test_equal_fields_match_wholly() -> None:
    fields = boxes((0, 0, 1, 1), (2, 0, 3, 1))
    figures = match_objects(fields, fields[::-1])
    assert (figures.precision, figures.recall, figures.f1, figures.mean_iou) == (1, 1, 1, 1)
    assert (figures.over_segmentation, figures.under_segmentation) == (0, 0)


def test_a_field_matches_one_field_alone() -> None:
    """Two mapped copies of one field: the second is a false one."""
    figures = match_objects(boxes((0, 0, 1, 1)), boxes((0, 0, 1, 1), (0, 0, 1, 0.9)))
    assert (figures.matched, figures.precision, figures.recall) == (1, 0.5, 1)
    assert figures.f1 == pytest.approx(2 / 3)


def test_fields_that_overlap_by_less_than_half_do_not_match() -> None:
    assert match_objects(boxes((0, 0, 1, 1)), boxes((0, 0, 0.49, 1))).matched == 0
    assert match_objects(boxes((0, 0, 1, 1)), boxes((0, 0, 0.5, 1))).matched == 1


def test_a_field_cut_in_four_is_over_segmented_and_not_under_segmented() -> None:
    quarters = boxes((0, 0, 1, 1), (1, 0, 2, 1), (0, 1, 1, 2), (1, 1, 2, 2))
    figures = match_objects(boxes((0, 0, 2, 2)), quarters)
    assert (figures.over_segmentation, figures.under_segmentation, figures.matched) == (0.75, 0, 0)


def test_fields_that_run_together_are_under_segmented() -> None:
    quarters = boxes((0, 0, 1, 1), (1, 0, 2, 1), (0, 1, 1, 2), (1, 1, 2, 2))
    figures = match_objects(quarters, boxes((0, 0, 2, 2)))
    assert (figures.over_segmentation, figures.under_segmentation) == (0, 0.75)


def test_neighbours_that_share_a_border_alone_do_not_meet() -> None:
    figures = match_objects(boxes((0, 0, 1, 1)), boxes((1, 0, 2, 1)))
    assert (figures.matched, figures.over_segmentation) == (0, 1)
    assert np.isnan(figures.under_segmentation)


def test_fields_mapped_where_nothing_is_known_do_not_lower_the_precision() -> None:
    found = boxes((0, 0, 1, 1), (5, 5, 6, 6))
    figures = match_objects(boxes((0, 0, 1, 1)), found, judged=np.array([True, False]))
    assert (figures.precision, figures.found) == (1, 1)


def test_nothing_mapped_is_a_recall_of_zero() -> None:
    figures = match_objects(boxes((0, 0, 1, 1)), boxes())
    assert (figures.recall, figures.f1) == (0, 0)
    assert np.isnan(figures.precision)
