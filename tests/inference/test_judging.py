"""What counts as kept under reduced precision, and of which pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fusion_mapper.inference.judging import kept, share_kept
from fusion_mapper.models.card import Card, ClassInfo, Output

CLASSES = tuple(ClassInfo(value, f"c{value}") for value in range(3))


def flat(scores: np.ndarray) -> np.ndarray:
    return scores.reshape(len(scores), -1)


def test_kept_classes_are_counted_pixel_by_pixel():
    output = Output("out", "semantic-segmentation", CLASSES, activation="softmax")
    one = np.zeros((3, 10, 10), np.float32)
    other = one.copy()
    other[2, :3] = 1
    assert kept(output, flat(one), flat(other)).mean() == pytest.approx(0.7)
    assert kept(output, flat(one), flat(one + 0.001)).mean() == 1


def test_a_probability_keeps_its_class_on_its_side_of_the_threshold():
    output = replace(Output("out", "semantic-segmentation", CLASSES[:2], activation="sigmoid"), threshold=0.3)
    one = np.full((1, 4, 5), -0.8, np.float32)  # 0.31
    other = one.copy()
    other[0, 0] = -0.9  # 0.29
    assert kept(output, flat(one), flat(other)).mean() == pytest.approx(0.75)


def test_kept_values_are_those_within_a_share_of_the_spread():
    output = Output("out", "pixel-regression", units="%")
    one = np.linspace(0, 100, 10_000, dtype=np.float32).reshape(1, 100, 100)
    other = one.copy()
    other[0, :40] += 1.0
    other[0, 40:] += 0.2
    assert kept(output, flat(one), flat(other)).mean() == pytest.approx(0.6)


def test_pixels_that_are_not_mapped_prove_nothing():
    card = Card("m", (), (Output("out", "semantic-segmentation", CLASSES, activation="softmax"),))
    one = np.zeros((1, 3, 10, 10), np.float32)
    other = one.copy()
    other[0, 2, :1] = 1
    valid = np.zeros((10, 10), bool)
    valid[:2] = True
    answers = [{"out": one}], [{"out": other}]
    assert share_kept(card, [np.ones((10, 10), bool)], *answers) == pytest.approx(0.9)
    assert share_kept(card, [valid], *answers) == pytest.approx(0.5)
    assert share_kept(card, [~valid], *answers) == 1
    assert share_kept(card, [np.zeros((10, 10), bool)], *answers) == 0


def test_the_head_that_suffers_most_counts():
    heads = tuple(Output(name, "semantic-segmentation", CLASSES, activation="softmax") for name in ("a", "b"))
    one = np.zeros((1, 3, 4, 4), np.float32)
    other = one.copy()
    other[0, 1, :, :1] = 1
    answers = [{"a": one, "b": one}], [{"a": one, "b": other}]
    assert share_kept(Card("m", (), heads), [np.ones((4, 4), bool)], *answers) == pytest.approx(0.75)
