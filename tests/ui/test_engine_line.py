"""The engine's line at the panel's foot: what a session told of itself, and why it is not what was asked for."""

from __future__ import annotations

import pytest
from fusion_mapper.inference.events import Progress, Started
from fusion_mapper.toolbox.engine.warm import WarmEngine
from fusion_mapper.ui.shared.engine_line import EngineLine

PATIENCE = 60_000


@pytest.fixture
def line(qtbot, qgis_app):
    engine = WarmEngine()
    line = EngineLine(engine)
    qtbot.addWidget(line)
    yield line
    line.close_down()
    engine.close_down()
    qtbot.waitUntil(lambda: not line.working(), timeout=PATIENCE)


def test_a_session_is_named_as_soon_as_it_lives(line):
    line.hear(Started("1", backend="openvino", device="CPU (Some Processor)", precision="f32"))
    assert line.text() == "Engine ready · CPU (OpenVINO f32)"
    assert line.toolTip() == "<qt>CPU (Some Processor)</qt>"


def test_the_reason_stands_beside_a_device_that_was_not_asked_for(line):
    reason = "cuda: the installed ONNX Runtime has no <b>CUDA</b>."
    line.hear(Started("1", backend="onnxruntime", device="CPU", precision="f32", reason=reason))
    assert line.text() == f"Engine ready · CPU (ONNX Runtime f32)\n{reason}"


def test_a_long_reason_takes_a_few_lines_and_is_whole_in_the_tooltip(line):
    reason = "Chosen by a trial: openvino took 48 ms & onnxruntime-cpu 74 ms. " * 8
    line.hear(Started("1", backend="openvino", device="CPU", precision="f32", reason=reason))
    assert line.heightForWidth(260) == 4 * line.fontMetrics().lineSpacing()
    assert line.text().endswith(reason)
    assert reason.replace("&", "&amp;") in line.toolTip()


def test_events_that_are_no_session_change_nothing(line):
    line.hear(Started("1", backend="openvino", device="CPU", precision="f32"))
    said = line.text()
    line.hear(Progress(1, 2, "mapping"))
    line.hear(Started("1"))
    assert line.text() == said


def test_the_warm_engine_is_asked_once(qtbot, line):
    with qtbot.waitSignal(line.engine_changed, timeout=PATIENCE):
        line.ask()
    assert line.text().startswith("Engine ready · ")
    line.ask()
    assert not line.working()


def test_an_answer_that_comes_late_does_not_cover_a_session_that_lives(qtbot, line):
    line.ask()
    line.hear(Started("1", backend="onnxruntime", device="Some Card", precision="f16"))
    qtbot.waitUntil(lambda: not line.working(), timeout=PATIENCE)
    assert line.text() == "Engine ready · Some Card (ONNX Runtime f16)"
