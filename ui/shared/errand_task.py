"""One errand in QGIS's background, and how it ends: in an answer, or in one sentence."""

from __future__ import annotations

import threading
from typing import Callable, Optional

from qgis.core import QgsApplication, QgsTask
from qgis.PyQt.QtCore import pyqtSignal

from ...inference.errors import Cancelled
from ...toolbox.engine.commands import IsCancelled
from ...toolbox.faults import sentence_of

#: Called on another thread with what tells that nobody waits any more.
Errand = Callable[[IsCancelled], object]


class ErrandTask(QgsTask):
    """Does `errand`; keep a reference until it has ended. Its answer comes on the panel's thread."""

    answered = pyqtSignal(object)
    failed = pyqtSignal(str)
    """Why there is no answer, in one sentence."""
    ended = pyqtSignal()
    """After either, and when it was cancelled."""

    def __init__(self, description: str, errand: Errand) -> None:
        super().__init__(description, QgsTask.Flag.CanCancel | QgsTask.Flag.CancelWithoutPrompt)
        self._errand = errand
        self._cancelled = threading.Event()
        self._answer: Optional[object] = None
        self._problem = ""

    def start(self) -> None:
        """Hand it to QGIS, which runs it when there is a thread for it."""
        QgsApplication.taskManager().addTask(self)

    def run(self) -> bool:
        try:
            self._answer, self._problem = attempt(self._errand, self._cancelled.is_set)
        except Cancelled:
            return False
        return True

    def finished(self, result: bool) -> None:
        # It may have been cancelled between its last word and this one.
        heard = result and not self._cancelled.is_set()
        if heard and self._problem:
            self.failed.emit(self._problem)
        elif heard:
            self.answered.emit(self._answer)
        self.ended.emit()

    def cancel(self) -> None:
        self._cancelled.set()
        super().cancel()


def attempt(errand: Errand, is_cancelled: IsCancelled) -> tuple[object, str]:
    """The errand's answer, or the sentence why there is none; on another thread.

    Raises:
        Cancelled: when nobody waits any more.
    """
    # Whatever else escapes from a task's thread aborts QGIS, so a fault of ours is told as well.
    try:
        return errand(is_cancelled), ""
    except Cancelled:
        raise
    except Exception as problem:  # noqa: BLE001 - see above
        return None, sentence_of(problem)
