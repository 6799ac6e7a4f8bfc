"""What an algorithm says while it runs in the background, brought to the panel and to the log."""

from __future__ import annotations

from typing import Optional

from qgis.core import Qgis, QgsMessageLog
from qgis.PyQt.QtCore import QObject, pyqtSignal

from ...inference.events import Event
from ...toolbox.algorithms.base import EventFeedback
from ..shared.wording import LOG_TAG


class FeedbackSignals(QObject):
    """Carries what is said on the algorithm's thread to listeners on the panel's."""

    stage_told = pyqtSignal(str)
    message_told = pyqtSignal(str)
    warning_told = pyqtSignal(str)
    error_told = pyqtSignal(str)
    failure_told = pyqtSignal(str)
    """The sentence that says why the run fails."""
    event_heard = pyqtSignal(object)
    """An event of the engine: Started, Progress, Block ..."""


class RunFeedback(EventFeedback):
    """Passes on what is said; all of it also goes to the log panel, under the plugin's own tag."""

    def __init__(self) -> None:
        super().__init__(False)  # the log gets it from here, under our tag
        self.said = FeedbackSignals()

    def heard(self, event: Event) -> None:
        self.said.event_heard.emit(event)

    def failed(self, sentence: str) -> None:
        self.said.failure_told.emit(sentence)

    def setProgressText(self, text: Optional[str]) -> None:
        self.said.stage_told.emit(text or "")

    def pushInfo(self, info: Optional[str]) -> None:
        self._log(info, Qgis.MessageLevel.Info)
        self.said.message_told.emit(info or "")

    def pushDebugInfo(self, info: Optional[str]) -> None:
        self._log(info, Qgis.MessageLevel.Info)

    def pushCommandInfo(self, info: Optional[str]) -> None:
        self._log(info, Qgis.MessageLevel.Info)

    def pushConsoleInfo(self, info: Optional[str]) -> None:
        self._log(info, Qgis.MessageLevel.Info)

    def pushWarning(self, warning: Optional[str]) -> None:
        self._log(warning, Qgis.MessageLevel.Warning)
        self.said.warning_told.emit(warning or "")

    def reportError(self, error: Optional[str], fatalError: bool = False) -> None:
        self._log(error, Qgis.MessageLevel.Critical)
        self.said.error_told.emit(error or "")

    @staticmethod
    def _log(text: Optional[str], level: Qgis.MessageLevel) -> None:
        # Without a notification: the run's own item in the message bar says what matters.
        QgsMessageLog.logMessage(text or "", LOG_TAG, level, False)
