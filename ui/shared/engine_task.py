"""One question to the engine, asked in the background."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import Callable, Optional

from qgis.PyQt.QtCore import QObject, pyqtSignal

from ...inference.errors import Cancelled
from ...toolbox.engine.commands import EngineCommands, IsCancelled
from ...toolbox.engine.once import Engine
from ...toolbox.engine.scratch import ScratchFolder, sweep
from .errand_task import ErrandTask, attempt

#: Called on another thread with an engine, a folder of its own, and what tells that nobody waits any more.
Question = Callable[[EngineCommands, Path, IsCancelled], object]


class EngineTask(ErrandTask):
    """Asks `question`; without `engine`, of one that is started for it."""

    def __init__(self, description: str, question: Question, engine: Optional[EngineCommands] = None) -> None:
        super().__init__(description, partial(_ask, question, engine))


class QuietQuestion(QObject):
    """The same beside QGIS's tasks, which are announced in its status and message bars: for what nobody asked for."""

    answered = pyqtSignal(object)
    failed = pyqtSignal(str)
    ended = pyqtSignal()

    def __init__(self, question: Question, engine: EngineCommands) -> None:
        super().__init__()
        self._errand = partial(_ask, question, engine)
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
            answer, problem = attempt(self._errand, self._cancelled.is_set)
        except Cancelled:
            self.ended.emit()
            return
        if problem:
            self.failed.emit(problem)
        else:
            self.answered.emit(answer)
        self.ended.emit()


def _ask(question: Question, engine: Optional[EngineCommands], is_cancelled: IsCancelled) -> object:
    sweep()
    with ScratchFolder() as folder:
        return question(engine or Engine(), folder, is_cancelled)
