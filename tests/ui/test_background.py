"""Errands on a thread of their own: what was asked for is finished, and nobody waits for each other."""

from __future__ import annotations

import threading

from fusion_mapper.ui.shared.background import Background
from qgis.PyQt.QtCore import QObject, Qt, pyqtSignal


class Server(QObject):
    """Asks the main thread and waits for its answer, as QGIS does for a password."""

    asks = pyqtSignal()


def test_an_errand_that_waits_for_the_main_thread_does_not_hold_up_the_end(qgis_app):
    server, background, begun, answered = Server(), Background(), threading.Event(), []
    server.asks.connect(lambda: answered.append("password"), Qt.ConnectionType.BlockingQueuedConnection)

    def errand() -> None:
        begun.set()
        server.asks.emit()
        answered.append("done")

    background.ask(errand)
    begun.wait()
    background.close_down()
    assert answered == ["password", "done"]


def test_what_was_asked_for_is_finished_and_no_longer_answered(qtbot, tmp_path):
    background, heard = Background(), []
    for number in range(20):
        background.ask((tmp_path / str(number)).touch, heard.append, heard.append)
    background.close_down()
    assert len(list(tmp_path.iterdir())) == 20
    qtbot.wait(1)
    assert not heard


def test_an_errand_without_an_end_is_left_behind(qgis_app, monkeypatch):
    monkeypatch.setattr("fusion_mapper.ui.shared.farewell.FAREWELL", 50)
    background, never = Background(), threading.Event()
    background.ask(never.wait)
    background.close_down()
    never.set()
