"""Values to steps, weights to integers."""

from __future__ import annotations

import numpy as np
import pytest
from fusion_mapper.models.quantised.rounding import LEVELS, integer_weights, step_sizes, zero_level

RNG = np.random.default_rng(8)


@pytest.mark.parametrize("shape", [(6, 4, 3, 3), (6, 4, 5, 2), (6, 4, 7), (6, 4, 2, 3, 3)])
def test_what_a_window_loses_is_less_than_one_step(shape):
    values = RNG.normal(size=shape).astype(np.float32)
    integers, scale = integer_weights(values, 0)
    error = integers - values / scale.reshape(-1, *[1] * (len(shape) - 1))
    assert np.abs(error.reshape(*shape[:2], -1).sum(2)).max() <= 0.5001
    assert np.abs(error).max() <= 1.0001
    assert integers.dtype == np.int8 and scale.dtype == np.float32


def test_the_largest_weight_of_each_output_is_the_largest_integer():
    values = RNG.normal(size=(5, 4, 1, 1)).astype(np.float32) * np.float32(
        [[[[1]]], [[[9]]], [[[0.1]]], [[[3]]], [[[0]]]]
    )
    integers, scale = integer_weights(values, 0)
    assert np.abs(integers).max((1, 2, 3)).tolist() == [127] * 4 + [0]
    np.testing.assert_allclose(integers * scale[:, None, None, None], values, atol=scale.max() / 2)


def test_zero_has_a_level_of_its_own_and_both_ends_are_reached():
    assert zero_level(0.0, 3.0) == 0
    zero = zero_level(-1.0, 3.0)
    assert zero == 64
    (size,) = step_sizes(np.array([-1.0]), np.array([3.0]), zero)
    assert zero * size == pytest.approx(1, rel=0.01) and (LEVELS - zero) * size == pytest.approx(3, rel=0.01)
    assert zero_level(-1e-9, 3.0) == 1
    assert zero_level(-3.0, 1e-9) == LEVELS - 1
    assert zero_level(-3.0, 0.0) == LEVELS - 1


def test_a_channel_has_steps_between_its_own_and_its_tensor_s():
    sizes = step_sizes(np.zeros(3), np.array([4.0, 1.0, 0.0]), 0) * LEVELS
    np.testing.assert_allclose(sizes, [4, 2, 0.04], rtol=1e-5)
    assert step_sizes(np.zeros(2), np.zeros(2), 0).tolist() == [1, 1]


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_very_small_and_very_large_values_have_steps_too(size):
    sizes = step_sizes(np.zeros(2, np.float32), np.float32([1, 0.25]) * np.float32(size), 0)
    np.testing.assert_allclose(sizes * (LEVELS / size), [1, 0.5], rtol=1e-5)
