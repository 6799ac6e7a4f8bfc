"""A run at work: the task that QGIS runs in the background, and all that has to stay alive with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Optional, Union

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingAlgRunnerTask,
    QgsProcessingContext,
    QgsProject,
    QgsTask,
)
from qgis.PyQt.QtCore import QElapsedTimer, pyqtSignal

from ...toolbox.algorithms.base import FeedbackListener
from ...toolbox.engine.once import Engine, EngineFailed
from ...toolbox.faults import sentence_of
from ...toolbox.runs.execute import FinishedRun, Listener
from ...toolbox.runs.resume import repeat, resume
from .feedback import RunFeedback
from .state import Run, Way

#: Makes the products; called on another thread.
Job = Callable[[Engine, Listener], FinishedRun]


class AlgorithmTask(QgsProcessingAlgRunnerTask):
    """Ends well for QGIS even where the algorithm fails: QGIS would announce it a second time."""

    _went_well = False

    def run(self) -> bool:
        self._went_well = super().run()
        return self._went_well or not self.isCanceled()

    def finished(self, result: bool) -> None:
        super().finished(result and self._went_well)


class _JobTask(QgsTask):
    """Runs a job that lies in a run's folder; speaks and ends like the algorithm's task."""

    executed = pyqtSignal(bool, dict)

    def __init__(self, title: str, job: Job, feedback: RunFeedback) -> None:
        super().__init__(title, QgsTask.Flag.CanCancel)
        self._job = job
        self._feedback = feedback
        self._results: Optional[dict[str, object]] = None

    def run(self) -> bool:
        # Whatever escapes from here aborts QGIS, so a fault of ours is told as well.
        try:
            self._results = self._job(Engine(), FeedbackListener(self._feedback)).answer()
        except Exception as problem:  # noqa: BLE001 - see above
            if not self.isCanceled():
                self._tell(problem)
        return not self.isCanceled()

    def _tell(self, problem: Exception) -> None:
        if isinstance(problem, EngineFailed):
            self._feedback.pushConsoleInfo(problem.details)
        self._feedback.failed(sentence_of(problem))
        self._feedback.reportError(sentence_of(problem), True)

    def finished(self, _result: bool) -> None:
        self.executed.emit(self._results is not None, self._results or {})

    def cancel(self) -> None:
        self._feedback.cancel()
        super().cancel()


class Work:
    """What has to stay alive while a run runs: a task nobody refers to is lost without a word."""

    def __init__(self, run: Run, feedback: RunFeedback, algorithm: Optional[QgsProcessingAlgorithm]) -> None:
        """`algorithm` runs the parameters of a run that goes by its layers; the others need none."""
        self.clock = QElapsedTimer()
        self.clock.start()
        #: Since how a running run stands was last written down.
        self.written = QElapsedTimer()
        self.written.start()
        self.feedback = feedback
        self._algorithm = algorithm
        self._context = QgsProcessingContext()
        self._context.setProject(QgsProject.instance())
        self._context.setFeedback(feedback)
        self.task = self._task(run)
        self.task.setDescription(run.title)

    def _task(self, run: Run) -> Union[AlgorithmTask, _JobTask]:
        if self._algorithm is None:
            return _JobTask(run.title, _job(run), self.feedback)
        # The parameters are read here, on this thread; the task is born cancelled where they are refused.
        return AlgorithmTask(self._algorithm, run.request.parameters, self._context, self.feedback)


def _job(run: Run) -> Job:
    folder, origin = run.request.folder, Path(run.origin or run.request.folder)
    if run.way is Way.REPEAT:
        return lambda engine, listener: repeat(origin, folder, engine, listener)
    return lambda engine, listener: resume(folder, engine, listener)
