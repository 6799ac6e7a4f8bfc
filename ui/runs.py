"""The runs of this QGIS session: the only place that knows them. Panel and message bar listen to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Optional

from qgis.core import (
    QgsApplication,
    QgsProcessingAlgorithm,
    QgsProcessingAlgRunnerTask,
    QgsProcessingContext,
    QgsProject,
)
from qgis.PyQt.QtCore import QElapsedTimer, QObject, pyqtSignal

from ..models.card import Card
from .run_feedback import RunFeedback
from .wording import tr

ALGORITHM = "fusion_mapper:map"


class RunState(Enum):
    """Where a run stands."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class RunRequest:
    """What is to be run; all that is needed to run it again."""

    title: str
    """Names the run in lists and in the layer tree."""
    model: Path
    card: Card
    parameters: dict[str, object]
    """Parameters of the Processing algorithm `ALGORITHM`."""
    folder: Path
    """The run's own folder."""


@dataclass
class Run:
    """One run and how it stands; changed by `RunModel` alone."""

    number: int
    request: RunRequest
    state: RunState = RunState.WAITING
    percent: float = 0.0
    stage: str = ""
    sentence: str = ""
    """Why it failed, in one sentence."""
    messages: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0
    results: dict[str, object] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return self.request.title

    @property
    def active(self) -> bool:
        return self.state in (RunState.WAITING, RunState.RUNNING)


class _RunTask(QgsProcessingAlgRunnerTask):
    """Ends well for QGIS even where the algorithm fails: QGIS would announce it a second time."""

    _went_well = False

    def run(self) -> bool:
        self._went_well = super().run()
        return self._went_well or not self.isCanceled()

    def finished(self, result: bool) -> None:
        super().finished(result and self._went_well)


class _Work:
    """What has to stay alive while a run runs: a task nobody refers to is lost without a word."""

    def __init__(self, algorithm: QgsProcessingAlgorithm, run: Run, feedback: RunFeedback) -> None:
        self.clock = QElapsedTimer()
        self.clock.start()
        self.algorithm = algorithm
        self.feedback = feedback
        self.context = QgsProcessingContext()
        self.context.setProject(QgsProject.instance())
        self.context.setFeedback(feedback)
        # The parameters are read here, on this thread; the task is born cancelled where they are refused.
        self.task = _RunTask(algorithm, run.request.parameters, self.context, feedback)
        self.task.setDescription(run.title)


class RunModel(QObject):
    """Starts runs one after the other, and tells how they stand; every signal carries the run's number."""

    run_added = pyqtSignal(int)
    run_changed = pyqtSignal(int)
    run_ended = pyqtSignal(int)
    run_forgotten = pyqtSignal(int)

    def __init__(self, parent: Optional[QObject] = None) -> None:
        super().__init__(parent)
        self._runs: dict[int, Run] = {}
        self._work: dict[int, _Work] = {}
        self._closing = False

    def runs(self) -> list[Run]:
        """All runs, the latest last."""
        return list(self._runs.values())

    def run(self, number: int) -> Run:
        """The run of this number; KeyError where there is none."""
        return self._runs[number]

    def start(self, request: RunRequest) -> Run:
        """Run it in the background, after those that already wait."""
        run = Run(number=max(self._runs, default=0) + 1, request=request)
        self._runs[run.number] = run
        self.run_added.emit(run.number)
        self._start_next()
        return run

    def cancel(self, number: int) -> None:
        """Stop a run; it ends as soon as the engine has let go."""
        run = self._runs[number]
        if run.state is RunState.WAITING:
            self._end(run, RunState.CANCELLED)
        elif run.state is RunState.RUNNING:
            run.stage = tr("Stopping…")
            self.run_changed.emit(number)
            self._work[number].task.cancel()

    def forget(self, number: int) -> None:
        """Take an ended run out of the list; its layers and files stay."""
        if not self._runs[number].active:
            del self._runs[number]
            self.run_forgotten.emit(number)

    def close_down(self) -> None:
        """Stop everything and start nothing more; the engine ends with the task that holds it."""
        self._closing = True
        for run in self.runs():
            if run.active:
                self.cancel(run.number)

    def working(self) -> bool:
        """True while a task has not ended."""
        return bool(self._work)

    def _start_next(self) -> None:
        waiting = [run for run in self._runs.values() if run.state is RunState.WAITING]
        if self._work or self._closing or not waiting:
            return
        run = waiting[0]
        algorithm = QgsApplication.processingRegistry().createAlgorithmById(ALGORITHM)
        if algorithm is None:
            text = tr("The Processing algorithm {name} is not there; switch the Processing plugin on.")
            run.sentence = text.format(name=ALGORITHM)
            self._end(run, RunState.FAILED)
            return
        self._launch(run, algorithm)

    def _launch(self, run: Run, algorithm: QgsProcessingAlgorithm) -> None:
        feedback = RunFeedback()
        feedback.progressChanged.connect(partial(self._on_progress, run))
        feedback.said.stage_told.connect(partial(self._on_stage, run))
        feedback.said.message_told.connect(run.messages.append)
        feedback.said.warning_told.connect(run.warnings.append)
        feedback.said.error_told.connect(partial(self._on_error, run))
        work = _Work(algorithm, run, feedback)
        if work.task.isCanceled():
            self._end(run, RunState.FAILED)
            return
        work.task.executed.connect(partial(self._on_executed, run))
        self._work[run.number] = work
        run.state = RunState.RUNNING
        self.run_changed.emit(run.number)
        QgsApplication.taskManager().addTask(work.task)

    def _on_progress(self, run: Run, percent: float) -> None:
        run.percent = percent
        self._tell(run)

    def _on_stage(self, run: Run, text: str) -> None:
        run.stage = text
        self._tell(run)

    def _on_error(self, run: Run, text: str) -> None:
        run.sentence = text.strip().splitlines()[0] if text.strip() else run.sentence

    def _on_executed(self, run: Run, ok: bool, results: dict[str, object]) -> None:
        work = self._work.pop(run.number)
        run.seconds = work.clock.elapsed() / 1000
        if work.feedback.isCanceled():
            state = RunState.CANCELLED
        elif ok:
            run.results = results
            state = RunState.FINISHED
        else:
            state = RunState.FAILED
        self._end(run, state)
        self._start_next()

    def _tell(self, run: Run) -> None:
        if run.state is RunState.RUNNING:
            self.run_changed.emit(run.number)

    def _end(self, run: Run, state: RunState) -> None:
        run.state = state
        run.stage = ""
        if state is RunState.FAILED:
            run.sentence = run.sentence or tr("The run failed; the log panel has the details.")
        self.run_changed.emit(run.number)
        self.run_ended.emit(run.number)
