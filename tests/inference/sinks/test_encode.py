"""What one head's scores become, pixel by pixel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fusion_mapper.inference.activation import probabilities
from fusion_mapper.inference.errors import CardError
from fusion_mapper.inference.job import Outputs
from fusion_mapper.inference.sinks.encode import Encoder, products_of
from fusion_mapper.models.card import ClassInfo, Output, Scaling

JOB = Outputs("out")
EVERYTHING = frozenset({"classes", "probabilities", "confidence", "entropy", "polygons", "fields", "regression"})


def softmaxed(channels: int, height: int = 150, width: int = 90) -> np.ndarray:
    scores = np.exp(np.random.default_rng(0).standard_normal((channels, height, width)))
    return (scores / scores.sum(axis=0)).astype(np.float32)


def everywhere(scores: np.ndarray) -> np.ndarray:
    return np.ones(scores.shape[1:], bool)


def encode_block(
    output: Output, scores: np.ndarray, valid: np.ndarray, wanted: frozenset[str], job: Outputs, raw: bool = False
) -> dict[str, np.ndarray]:
    """A block's arrays, and under ``faulty`` how many of its pixels were not finite."""
    encoder = Encoder(output, wanted, job)
    arrays = encoder.blank(valid.shape)
    return {**arrays, "faulty": np.array(encoder.encode(scores, valid, arrays, raw))}


def one_pixel(output: Output, *scores: float, job: Outputs = JOB) -> dict[str, float]:
    """Encode one pixel with the given channel values; the products' values of it."""
    arrays = encode_block(output, np.float32(scores).reshape(-1, 1, 1), np.ones((1, 1), bool), EVERYTHING, job)
    return {name: array.ravel()[0].item() for name, array in arrays.items()}


@pytest.mark.parametrize("count", [2, 5, 300])
def test_the_likeliest_class_wins_and_says_how_sure_it_is(count):
    values = [3 * position + 1 for position in range(count)]
    output = Output("out", "semantic-segmentation", classes=tuple(ClassInfo(v, f"c{v}") for v in values))
    scores = softmaxed(count)
    arrays = encode_block(output, scores, everywhere(scores), frozenset({"classes", "confidence"}), JOB)
    assert np.array_equal(arrays["classes"], np.array(values)[scores.argmax(axis=0)])
    assert np.array_equal(arrays["confidence"], scores.max(axis=0))
    assert arrays["classes"].dtype == (np.uint8 if count < 80 else np.uint16)


def test_of_equal_probabilities_the_first_class_wins(land_cover):
    assert one_pixel(land_cover, 0.1, 0.4, 0.4, 0.1, 0.0)["classes"] == 1


def test_only_what_is_wanted_and_possible_is_made(land_cover):
    scores = softmaxed(5)
    arrays = encode_block(land_cover, scores, everywhere(scores), frozenset({"entropy", "fields", "stack"}), JOB)
    assert set(arrays) == {"entropy", "faulty"}
    assert products_of(Output("h", "pixel-regression")) == {"regression", "summary"}


def test_invalid_pixels_are_nodata_in_every_product(land_cover):
    scores = softmaxed(5)
    valid = everywhere(scores)
    valid[3:70, 8:11] = False
    arrays = encode_block(land_cover, scores, valid, EVERYTHING, JOB)
    assert arrays.pop("faulty") == 0
    nodata = {"classes": 255, "certainty": 0}
    for name, array in arrays.items():
        blank = (array == nodata.get(name, -9999)).reshape(-1, *valid.shape).all(axis=0)
        assert np.array_equal(blank, ~valid), name


@pytest.mark.parametrize("fault", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number_is_nodata_and_counted(land_cover, fault):
    scores = softmaxed(5)
    scores[2, 100, 50] = fault
    scores[0, 4, 4] = fault
    valid = everywhere(scores)
    valid[4, 4] = False
    arrays = encode_block(land_cover, scores, valid, EVERYTHING, JOB)
    assert arrays["faulty"] == 1
    assert arrays["classes"][100, 50] == 255
    assert np.count_nonzero(arrays["confidence"] == -9999) == 2


@pytest.mark.parametrize("threshold", [None, 0.4])
@pytest.mark.parametrize("wanted", [{"classes"}, {"polygons", "confidence"}, {"classes", "entropy"}])
def test_raw_answers_give_what_their_softmax_gives(land_cover, wanted, threshold):
    land_cover, job = replace(land_cover, activation="softmax"), replace(JOB, threshold=threshold)
    raw = np.random.default_rng(5).standard_normal((5, 90, 70)).astype(np.float32) * 3
    raw[1, 3, 4] = np.nan
    valid = everywhere(raw)
    valid[10:20] = False
    found = encode_block(land_cover, raw, valid, frozenset(wanted), job, raw=True)
    likely = encode_block(land_cover, probabilities(land_cover, raw), valid, frozenset(wanted), job)
    assert found["faulty"] == likely["faulty"] == 1
    for name, array in likely.items():
        assert np.allclose(found[name], array, rtol=0, atol=1 if name == "certainty" else 1e-6), name


def test_entropy_runs_from_certain_to_even(land_cover):
    assert one_pixel(land_cover, 1, 0, 0, 0, 0)["entropy"] == pytest.approx(0, abs=1e-6)
    assert one_pixel(land_cover, 0.2, 0.2, 0.2, 0.2, 0.2)["entropy"] == pytest.approx(1, abs=1e-6)
    assert one_pixel(land_cover, 0.5, 0.5, 0, 0, 0)["entropy"] == pytest.approx(np.log(2) / np.log(5), abs=1e-6)


@pytest.mark.parametrize(
    ("score", "threshold", "value"), [(0.4, None, 7), (0.6, None, 9), (0.4, 0.3, 9), (0.6, 0.7, 7)]
)
def test_one_channel_is_the_second_classes_probability(score, threshold, value):
    output = Output(
        "out", "semantic-segmentation", classes=(ClassInfo(7, "no"), ClassInfo(9, "tree")), threshold=threshold
    )
    pixel = one_pixel(output, score)
    assert pixel["classes"] == value
    assert pixel["confidence"] == pytest.approx(max(score, 1 - score))
    assert pixel["probabilities"] == pytest.approx(1 - score)


def test_what_the_cards_threshold_refuses_is_background(land_cover):
    output = replace(land_cover, threshold=0.5)
    assert one_pixel(output, 0, 0, 0.4, 0.3, 0.3)["classes"] == 0
    assert one_pixel(output, 0, 0, 0.6, 0.2, 0.2)["classes"] == 2


def test_what_the_jobs_threshold_refuses_is_nodata_in_the_map_alone(land_cover):
    pixel = one_pixel(land_cover, 0, 0, 0.6, 0.2, 0.2, job=Outputs("out", threshold=0.7))
    assert pixel["classes"] == 255
    assert pixel["confidence"] == pytest.approx(0.6)


def test_regression_does_not_wrap():
    output = Output("height", "pixel-regression")
    for value in (300, -5, 0.37):
        assert one_pixel(output, value)["regression"] == np.float32(value)


def test_regression_is_scaled_then_clipped():
    output = Output("cover", "pixel-regression", scaling=Scaling(offset=5, scale=100), range=(0, 100))
    assert one_pixel(output, 0.3)["regression"] == pytest.approx(35)
    assert one_pixel(output, 0.99)["regression"] == 100
    assert one_pixel(output, -0.2)["regression"] == 0


def test_regression_that_is_not_a_number_is_nodata():
    pixel = one_pixel(Output("cover", "pixel-regression", range=(0, 100)), float("inf"))
    assert (pixel["regression"], pixel["faulty"]) == (-9999, 1)


def test_a_true_value_is_never_read_as_nodata():
    value = one_pixel(Output("cover", "pixel-regression", nodata=0.0), 0.0)["regression"]
    assert value != 0
    assert abs(value) < 1e-40


@pytest.mark.parametrize(
    ("field", "boundary", "code"), [(0.6, 0.3, 6001), (0.6, 0.55, 0), (0.45, 0.1, 0), (0.5, 0.5, 0), (1, 0, 10001)]
)
def test_a_field_is_likely_field_and_unlikely_boundary(field, boundary, code):
    classes = (ClassInfo(0, "other"), ClassInfo(1, "field"), ClassInfo(2, "boundary"))
    output = Output("out", "field-boundaries", classes=classes, field=1, boundary=2)
    assert one_pixel(output, 1 - field - boundary, field, boundary)["interior"] == code


def test_other_channels_than_the_card_says_are_refused(land_cover):
    with pytest.raises(CardError, match="answers 4 channels, but its card describes 5"):
        one_pixel(land_cover, 0.2, 0.2, 0.3, 0.3)


def test_a_class_raster_cannot_hold_a_negative_nodata(land_cover):
    with pytest.raises(CardError, match="-1"):
        one_pixel(replace(land_cover, nodata=-1.0), 0.2, 0.2, 0.3, 0.3, 0)
