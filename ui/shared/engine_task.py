"""One question to the engine, asked in the background."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Callable, Optional

from qgis.core import QgsApplication, QgsTask
from qgis.PyQt.QtCore import QObject, pyqtSignal

from ...inference.errors import Cancelled, FusionMapperError
from ...toolbox.commands import EngineCommands
from ...toolbox.engine import Engine, IsCancelled
from ...toolbox.scratch import ScratchFolder, sweep
from .wording import tr

#: Called on another thread with an engine, a folder of its own, and what tells that nobody waits any more.
Question = Callable[[EngineCommands, Path, IsCancelled], object]


class EngineTask(QgsTask):
    """Asks `question`; keep a reference until it has ended. Its answer comes on the panel's thread."""

    answered = pyqtSignal(object)
    failed = pyqtSignal(str)
    """Why there is no answer, in one sentence."""
    ended = pyqtSignal()
    """After either, and when it was cancelled."""

    def __init__(self, description: str, question: Question, engine: Optional[EngineCommands] = None) -> None:
        super().__init__(description, QgsTask.Flag.CanCancel | QgsTask.Flag.CancelWithoutPrompt)
        self._question = question
        self._engine = engine
        self._cancelled = threading.Event()
        self._answer: Optional[object] = None
        self._problem = ""

    def start(self) -> None:
        """Hand it to QGIS, which runs it when there is a thread for it."""
        QgsApplication.taskManager().addTask(self)

    def run(self) -> bool:
        try:
            self._answer, self._problem = put(self._question, self._engine, self._cancelled.is_set)
        except Cancelled:
            return False
        return True

    def finished(self, result: bool) -> None:
        if result and self._problem:
            self.failed.emit(self._problem)
        elif result:
            self.answered.emit(self._answer)
        self.ended.emit()

    def cancel(self) -> None:
        self._cancelled.set()
        super().cancel()


class QuietQuestion(QObject):
    """The same beside QGIS's tasks, which are announced in its status and message bars: for what nobody asked for."""

    answered = pyqtSignal(object)
    failed = pyqtSignal(str)
    ended = pyqtSignal()

    def __init__(self, question: Question, engine: EngineCommands) -> None:
        super().__init__()
        self._question = question
        self._engine = engine
        self._cancelled = threading.Event()

    def start(self) -> None:
        """Ask on a thread of its own."""
        threading.Thread(target=self._run, name="fusion-mapper-question", daemon=True).start()

    def cancel(self) -> None:
        """Nobody waits for the answer any more."""
        self._cancelled.set()

    def _run(self) -> None:
        # The signals carry what is told to the panel's thread.
        try:
            answer, problem = put(self._question, self._engine, self._cancelled.is_set)
        except Cancelled:
            self.ended.emit()
            return
        if problem:
            self.failed.emit(problem)
        else:
            self.answered.emit(answer)
        self.ended.emit()


def put(question: Question, engine: Optional[EngineCommands], is_cancelled: IsCancelled) -> tuple[object, str]:
    """The question's answer, or the sentence why there is none; on another thread.

    Raises:
        Cancelled: when nobody waits any more.
    """
    # Whatever else escapes from a task's thread aborts QGIS, so a fault of ours is told as well.
    try:
        sweep()
        with ScratchFolder() as folder:
            return question(engine or Engine(), folder, is_cancelled), ""
    except Cancelled:
        raise
    except FusionMapperError as problem:
        return None, str(problem)
    except Exception as problem:  # noqa: BLE001 - see above
        return None, tr("Asking the engine failed; {problem!r}").format(problem=problem)
