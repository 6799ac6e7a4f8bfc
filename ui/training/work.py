"""A training at work: the task that QGIS runs in the background, what it says, and how it is stopped."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Optional

from qgis.core import QgsApplication, QgsProcessingContext, QgsProject
from qgis.PyQt.QtCore import QElapsedTimer, QObject, pyqtSignal

from ...inference.events import Epoch, Event, Started
from ...inference.learnjob import STOP
from ..runs.feedback import RunFeedback
from ..runs.work import AlgorithmTask
from ..shared.wording import tr

ALGORITHM = "fusion_mapper:train"

#: Work whose task did not end in time when QGIS closed: it still runs, and would crash without a reference.
_OUTLIVED: list[object] = []


class TrainingState(Enum):
    """Where a training stands."""

    RUNNING = "running"
    STOPPING = "stopping"
    """It ends with the best epoch so far."""
    CANCELLING = "cancelling"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    """Its finished epochs lie in its folder, and it can go on."""


@dataclass(frozen=True)
class TrainingRequest:
    """What is to be trained: all that is needed to go on with it."""

    name: str
    folder: Path
    parameters: dict[str, object] = field(default_factory=dict)
    """Parameters of ``fusion_mapper:train``."""


class TrainingWork(QObject):
    """One training in the background; its signals come on the window's thread."""

    epoch_heard = pyqtSignal(object)
    stage_told = pyqtSignal(str)
    warning_told = pyqtSignal(str)
    state_changed = pyqtSignal()

    def __init__(self, request: TrainingRequest, parent: Optional[QObject] = None) -> None:
        super().__init__(parent)
        self.request = request
        self.state = TrainingState.RUNNING
        self.sentence = ""
        """Why it failed, in one sentence."""
        self.results: dict[str, object] = {}
        self.session: Optional[Started] = None
        """What it runs on, as the engine tells."""
        self.epochs = 0
        """Epochs that were finished, so that there is one to keep."""
        self.seconds = 0.0
        self._clock = QElapsedTimer()
        self._feedback = RunFeedback()
        self._context = QgsProcessingContext()
        self._task: Optional[AlgorithmTask] = None

    @property
    def active(self) -> bool:
        """Whether it has not ended yet."""
        return self.state in (TrainingState.RUNNING, TrainingState.STOPPING, TrainingState.CANCELLING)

    def start(self) -> None:
        """Hand it to QGIS, which runs it when there is a thread for it."""
        algorithm = QgsApplication.processingRegistry().createAlgorithmById(ALGORITHM)
        if algorithm is None:
            text = tr("The Processing algorithm {name} is not there; switch the Processing plugin on.")
            self._end(TrainingState.FAILED, text.format(name=ALGORITHM))
            return
        able, sentence = algorithm.canExecute()
        if not able:
            self._end(TrainingState.FAILED, sentence)
            return
        self._context.setProject(QgsProject.instance())
        self._context.setFeedback(self._feedback)
        said = self._feedback.said
        said.stage_told.connect(self.stage_told)
        said.warning_told.connect(self.warning_told)
        said.event_heard.connect(self._on_event)
        said.failure_told.connect(partial(setattr, self, "sentence"))
        said.error_told.connect(self._on_error)
        self._algorithm = algorithm
        self._clock.start()
        # The parameters are read here, on this thread; the task is born cancelled where they are refused.
        self._task = AlgorithmTask(algorithm, self.request.parameters, self._context, self._feedback)
        self._task.setDescription(tr("Training {name}").format(name=self.request.name))
        if self._task.isCanceled():
            self._task = None
            self._end(TrainingState.FAILED)
            return
        self._task.executed.connect(self._on_executed)
        QgsApplication.taskManager().addTask(self._task)

    def stop(self) -> str:
        """End after this batch, and keep the best epoch so far; answers why that cannot be asked for, or nothing."""
        if self.state is not TrainingState.RUNNING:
            return ""
        try:
            (self.request.folder / STOP).touch()
        except OSError as problem:
            text = tr("The training cannot be told to stop: {folder} cannot be written ({reason}).")
            return text.format(folder=self.request.folder, reason=problem.strerror)
        self._go(TrainingState.STOPPING)
        return ""

    def cancel(self) -> None:
        """Stop at once; the last finished epoch stays in the folder."""
        if self.active and self._task is not None:
            self._go(TrainingState.CANCELLING)
            self._task.cancel()

    def let_go(self) -> None:
        """Listen no more; called when the task had its time to end."""
        if self._task is not None and self.active:
            self._task.executed.disconnect()
            _OUTLIVED.append((self._task, self._feedback, self._context, self._algorithm))

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Epoch):
            self.epochs += 1
            self.epoch_heard.emit(event)
            self.state_changed.emit()
        elif isinstance(event, Started) and event.backend:
            self.session = event

    def _on_error(self, text: str) -> None:
        # What Processing itself objects to; of a failure of ours the sentence is known already.
        self.sentence = self.sentence or text.strip().partition("\n")[0]

    def _on_executed(self, fine: bool, results: dict[str, object]) -> None:
        stopped = self._feedback.isCanceled()
        self._task = None
        self.results = results if fine and not stopped else {}
        self._end(TrainingState.CANCELLED if stopped else TrainingState.FINISHED if fine else TrainingState.FAILED)

    def _end(self, state: TrainingState, sentence: str = "") -> None:
        self.seconds = self._clock.elapsed() / 1000 if self._clock.isValid() else 0.0
        if state is TrainingState.FAILED:
            self.sentence = sentence or self.sentence or tr("The training failed; the log has the details.")
        self._go(state)

    def _go(self, state: TrainingState) -> None:
        self.state = state
        self.state_changed.emit()
