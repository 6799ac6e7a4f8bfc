"""The runs of this profile: the only place that knows them. Panel and message bar listen to it."""

from __future__ import annotations

import time
from functools import partial
from typing import Optional

from qgis.core import QgsApplication, QgsProcessingAlgorithm, QgsProject
from qgis.PyQt.QtCore import QObject, pyqtSignal

from ...inference.events import Event, Progress, Started
from ...toolbox.runs.history import new_key
from ...toolbox.runs.kept_values import layers_in
from ...toolbox.runs.resume import can_resume
from ..shared.wording import tr
from .again import missing_layers, request_again, request_on
from .feedback import RunFeedback
from .keeper import RunKeeper, project_file
from .state import Run, RunRequest, RunState, Way
from .words import stopping
from .work import Work

ALGORITHM = "fusion_mapper:map"
#: Milliseconds between two notes of how far a running run is.
NOTE_EVERY = 5000

#: Work whose task did not end in time when its model closed: QGIS still runs it, and would crash without a reference.
_OUTLIVED: list[Work] = []

__all__ = ["ALGORITHM", "Run", "RunModel", "RunRequest", "RunState"]


class RunModel(QObject):
    """Starts runs one after the other, and tells how they stand; every signal carries the run's number."""

    run_added = pyqtSignal(int)
    run_queued = pyqtSignal(int)
    """A run of old goes on: it is now the latest."""
    run_changed = pyqtSignal(int)
    run_ended = pyqtSignal(int)
    run_forgotten = pyqtSignal(int)
    runs_loaded = pyqtSignal()
    """Those of earlier sessions are there."""
    event_heard = pyqtSignal(int, object)
    """An event of the engine: Started, Progress, Block ..."""

    def __init__(self, parent: Optional[QObject] = None) -> None:
        super().__init__(parent)
        self.problems: tuple[str, ...] = ()
        """What of earlier sessions could not be read."""
        self._runs: dict[int, Run] = {}
        self._work: dict[int, Work] = {}
        self._queue: list[int] = []
        self._closing = False
        self._keeper = RunKeeper(self)
        self._keeper.load(self._on_loaded)
        QgsProject.instance().cleared.connect(self._on_project_cleared)

    def runs(self) -> list[Run]:
        """All runs, the latest last."""
        return list(self._runs.values())

    def run(self, number: int) -> Run:
        """The run of this number; KeyError where there is none."""
        return self._runs[number]

    def start(self, request: RunRequest) -> Run:
        """Run it in the background, after those that already wait."""
        return self._add(Run(self._next_number(), request))

    def resume(self, number: int) -> None:
        """Go on with a run that was interrupted, was cancelled or failed, in its folder; what is finished is kept."""
        run = self._runs[number]
        if not run.resumable:
            return
        run.request = request_on(run.request)
        run.way = _way_on(run)
        run.sentence, run.state, run.here, run.gone = "", RunState.WAITING, True, False
        self._runs[number] = self._runs.pop(number)
        self._enqueue(run)

    def run_again(self, number: int) -> Run:
        """Run it with the same settings into a new folder, from the project's layers as they are now.

        Where those are not in the project, from the files of the old run; the new run says so.
        """
        old = self._runs[number]
        run = Run(self._next_number(), request_again(old.request))
        missing = missing_layers(old)
        if missing and can_resume(old.request.folder):
            run.way, run.origin = Way.REPEAT, old.request.folder
            run.warnings.append(_repeated_text(missing))
        return self._add(run)

    def cancel(self, number: int) -> None:
        """Stop a run; it ends as soon as the engine has let go."""
        run = self._runs[number]
        if run.state is RunState.WAITING:
            self._end(run, self._stopped())
        elif run.state is RunState.RUNNING:
            run.stage = stopping()
            self.run_changed.emit(number)
            self._work[number].task.cancel()

    def forget(self, number: int) -> None:
        """Take an ended run out of the list; its layers and files stay."""
        run = self._runs[number]
        if not run.active:
            del self._runs[number]
            self._keeper.forget(run)
            self.run_forgotten.emit(number)

    def loaded(self, number: int) -> None:
        """Know that a run's results are on the map."""
        self._runs[number].on_map = True
        self._keeper.remember(self._runs[number])
        self.run_changed.emit(number)

    def measured(self, number: int, size: Optional[int]) -> None:
        """Know how many bytes a run's folder holds; None where there is no folder."""
        if number in self._runs:
            self._runs[number].size = size
            self._runs[number].gone = size is None
            self.run_changed.emit(number)

    def close_down(self) -> None:
        """Stop everything and start nothing more; the engine ends with the task that holds it."""
        if self._closing:
            return
        self._closing = True
        QgsProject.instance().cleared.disconnect(self._on_project_cleared)
        for run in self.runs():
            if run.active:
                self.cancel(run.number)

    def let_go(self) -> None:
        """Write down how the runs stand; called when their tasks had their time to end."""
        for work in self._work.values():
            work.task.executed.disconnect()
        _OUTLIVED.extend(self._work.values())
        for run in self.runs():
            if run.active:
                self._end(run, RunState.INTERRUPTED)
        self._keeper.close_down()

    def working(self) -> bool:
        """True while a task has not ended."""
        return bool(self._work)

    def _next_number(self) -> int:
        return max(self._runs, default=0) + 1

    def _add(self, run: Run) -> Run:
        run.key = new_key()
        run.created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        run.layers = layers_in(run.request.parameters, QgsProject.instance())
        run.project, run.here = project_file(), True
        self._runs[run.number] = run
        self.run_added.emit(run.number)
        self._enqueue(run)
        return run

    def _enqueue(self, run: Run) -> None:
        if not self._keeper.start(run):
            self._fail(run, tr("Another QGIS window is running it; wait for its end."))
            return
        self._queue.append(run.number)
        self.run_queued.emit(run.number)
        self.run_changed.emit(run.number)
        self._start_next()

    def _start_next(self) -> None:
        while self._queue and not self._work and not self._closing:
            run = self._runs.get(self._queue.pop(0))
            if run is not None and run.state is RunState.WAITING:
                self._launch(run)

    def _launch(self, run: Run) -> None:
        algorithm = None
        if run.way is Way.LAYERS:
            algorithm = QgsApplication.processingRegistry().createAlgorithmById(ALGORITHM)
            problem = _problem(run, algorithm)
            if problem:
                self._fail(run, problem)
                return
        work = Work(run, self._feedback(run), algorithm)
        if work.task.isCanceled():
            self._end(run, RunState.FAILED)
            return
        work.task.executed.connect(partial(self._on_executed, run))
        self._work[run.number] = work
        run.state, run.percent, run.progress = RunState.RUNNING, 0.0, None
        self._keeper.remember(run)
        self.run_changed.emit(run.number)
        QgsApplication.taskManager().addTask(work.task)

    def _feedback(self, run: Run) -> RunFeedback:
        feedback = RunFeedback()
        feedback.progressChanged.connect(partial(self._on_progress, run))
        feedback.said.stage_told.connect(partial(self._on_stage, run))
        feedback.said.event_heard.connect(partial(self._on_event, run))
        feedback.said.message_told.connect(run.messages.append)
        feedback.said.warning_told.connect(run.warnings.append)
        feedback.said.failure_told.connect(partial(self._on_failure, run))
        feedback.said.error_told.connect(partial(self._on_error, run))
        return feedback

    def _on_progress(self, run: Run, percent: float) -> None:
        run.percent = percent
        self._tell(run)

    def _on_stage(self, run: Run, text: str) -> None:
        run.stage = text
        self._tell(run)

    def _on_event(self, run: Run, event: Event) -> None:
        if isinstance(event, Progress):
            run.progress = event
        elif isinstance(event, Started) and event.backend:
            run.session = event
        self._tell(run)
        self.event_heard.emit(run.number, event)

    def _on_failure(self, run: Run, sentence: str) -> None:
        run.sentence = sentence

    def _on_error(self, run: Run, text: str) -> None:
        # What Processing itself objects to; of a failure of ours the sentence is known already.
        run.sentence = run.sentence or text.strip().partition("\n")[0]

    def _on_executed(self, run: Run, ok: bool, results: dict[str, object]) -> None:
        work = self._work.pop(run.number)
        run.seconds += work.clock.elapsed() / 1000
        if ok:
            run.results = results
        stopped = work.feedback.isCanceled()
        self._end(run, self._stopped() if stopped else RunState.FINISHED if ok else RunState.FAILED)
        self._start_next()

    def _on_project_cleared(self) -> None:
        for run in self._runs.values():
            run.here = False

    def _on_loaded(self, earlier: list[Run], problems: tuple[str, ...]) -> None:
        first = self._next_number()
        for number, run in enumerate(earlier, start=first):
            run.number = number
        self._runs = {**{run.number: run for run in earlier}, **self._runs}
        self.problems = problems
        self.runs_loaded.emit()

    def _stopped(self) -> RunState:
        return RunState.INTERRUPTED if self._closing else RunState.CANCELLED

    def _tell(self, run: Run) -> None:
        work = self._work.get(run.number)
        if work is None:
            return
        self.run_changed.emit(run.number)
        if work.written.elapsed() > NOTE_EVERY:
            work.written.restart()
            self._keeper.remember(run)

    def _fail(self, run: Run, sentence: str) -> None:
        run.sentence = sentence
        self._end(run, RunState.FAILED)

    def _end(self, run: Run, state: RunState) -> None:
        run.state = state
        run.stage, run.progress = "", None
        if state is RunState.FAILED:
            run.sentence = run.sentence or tr("The run failed; its log has the details.")
        elif state is RunState.INTERRUPTED:
            run.sentence = tr("Interrupted by closing QGIS")
        self._keeper.end(run)
        self.run_changed.emit(run.number)
        self.run_ended.emit(run.number)


def _problem(run: Run, algorithm: Optional[QgsProcessingAlgorithm]) -> str:
    """What keeps the run from being made from the project's layers, in one sentence; empty where nothing does."""
    if algorithm is None:
        text = tr("The Processing algorithm {name} is not there; switch the Processing plugin on.")
        return text.format(name=ALGORITHM)
    if not run.request.parameters:
        return tr("Its settings could not be kept; set it up again on the panel.")
    missing = missing_layers(run)
    if missing:
        return tr("The project lacks {layers}; load what is missing and try again.").format(layers=", ".join(missing))
    return ""


def _way_on(run: Run) -> Way:
    """How a run goes on: by its own job where it got that far."""
    if can_resume(run.request.folder):
        return Way.RESUME
    return Way.REPEAT if run.origin else Way.LAYERS


def _repeated_text(missing: list[str]) -> str:
    text = tr("The project lacks {layers}; the files that the earlier run read are read again.")
    return text.format(layers=", ".join(missing))
