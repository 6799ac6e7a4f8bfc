"""The curve of a training: its axes, and what is drawn of which epochs."""

from __future__ import annotations

import math

import pytest
from fusion_mapper.inference.events import Epoch
from fusion_mapper.ui.training.axis import axis_for, whole_ticks
from fusion_mapper.ui.training.curve import LOSS, SCORE, Curve
from qgis.PyQt.QtGui import QColor, QPalette


def epoch(index: int, score: float = 0.5, best: bool = False, loss: float = 1.0, total: int = 10) -> Epoch:
    return Epoch(index, total, loss, score, "mIoU", best, 12.0)


@pytest.fixture
def curve(qtbot, qgis_app) -> Curve:
    widget = Curve()
    qtbot.addWidget(widget)
    widget.resize(480, 260)
    widget.show()
    return widget


def columns(curve: Curve, color: QColor) -> list[int]:
    """Where, from left to right, the picture has that colour within the frame."""
    image = curve.grab().toImage()
    rows = range(40, image.height() - 60)
    return [x for x in range(60, image.width() - 60) if any(image.pixelColor(x, y) == color for y in rows)]


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.41, 0.93], [0.4, 0.6, 0.8, 1.0]),
        ([3.0, 17.0], [0.0, 5.0, 10.0, 15.0, 20.0]),
        ([0.0012, 0.0019], [0.0012, 0.0014, 0.0016, 0.0018, 0.002]),
    ],
)
def test_ticks_are_numbers_that_people_read(values, ticks):
    axis = axis_for(values)
    assert axis.ticks() == pytest.approx(ticks)
    assert 0 <= axis.share(min(values)) < axis.share(max(values)) <= 1


def test_ticks_are_written_with_as_many_digits_as_tell_them_apart():
    axis = axis_for([0.41, 0.93])
    assert [axis.text(tick) for tick in axis.ticks()] == ["0.4", "0.6", "0.8", "1.0"]
    assert [axis_for([0, 900]).text(tick) for tick in axis_for([0, 900]).ticks()][:2] == ["0", "500"]


def test_equal_numbers_still_have_an_axis():
    axis = axis_for([0.5, 0.5])
    assert axis.low < 0.5 < axis.high


def test_a_number_that_is_none_has_no_axis():
    assert axis_for([math.nan, math.inf, 0.2, 0.8]).ticks() == axis_for([0.2, 0.8]).ticks()


def test_one_very_low_score_does_not_press_the_others_flat():
    axis = axis_for([-40.0, 0.2, 0.6], least=-1.0)
    assert axis.low == -1.0
    assert axis.share(-40.0) == 0.0


def test_epochs_are_counted_in_whole_numbers():
    assert whole_ticks(4, 10) == [1, 2, 3, 4]
    assert whole_ticks(40, 8) == [1, 5, 10, 15, 20, 25, 30, 35, 40]


def test_the_best_epoch_is_the_last_that_was_called_so(curve):
    assert curve.best() is None
    for one in (epoch(1, 0.3, True), epoch(2, 0.6, True), epoch(3, 0.5)):
        curve.add(one)
    assert curve.best() == epoch(2, 0.6, True)


def test_a_training_that_goes_on_goes_on_in_the_curve(curve):
    for one in (epoch(1), epoch(2), epoch(3), epoch(3, 0.7), epoch(4)):
        curve.add(one)
    assert [(one.index, one.score) for one in curve.epochs()] == [(1, 0.5), (2, 0.5), (3, 0.7), (4, 0.5)]


def test_both_curves_reach_as_far_as_the_training(curve):
    for index in range(1, 6):
        curve.add(epoch(index, 0.1 * index, True, 1 / index))
    early = {name: max(columns(curve, color)) for name, color in (("loss", LOSS), ("score", SCORE))}
    assert all(190 < reach < 280 for reach in early.values())
    curve.end()
    assert all(max(columns(curve, color)) > 380 for color in (LOSS, SCORE))


def test_a_dark_theme_has_light_words(curve):
    palette = curve.palette()
    palette.setColor(QPalette.ColorRole.Window, QColor("#202020"))
    palette.setColor(QPalette.ColorRole.WindowText, QColor("#f4f4f4"))
    curve.setPalette(palette)
    curve.add(epoch(1, 0.4, True))
    curve.add(epoch(2, 0.6, True))
    image = curve.grab().toImage()
    below = [image.pixelColor(x, y) for x in range(image.width()) for y in range(image.height() - 18, image.height())]
    assert max(color.lightness() for color in below) > 220


def test_the_curve_tells_its_last_epoch_to_those_who_listen(curve):
    curve.add(epoch(3, 0.625, True, 0.5))
    assert curve.accessibleDescription() == "Epoch 3: loss 0.500, mIoU 0.625"
    curve.clear()
    assert curve.accessibleDescription() == ""
