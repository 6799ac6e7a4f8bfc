"""The one truth about the engine's environment; notice, window and options page only listen."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Optional

from qgis.PyQt.QtCore import QObject, QTimer, pyqtSignal

from ...toolbox.engine.commands import IsCancelled
from ...toolbox.engine.environment import EngineMissing, find_engine
from ...toolbox.settings import set_engine_python
from ...toolbox.setup.installer import install, is_busy, remove
from ...toolbox.setup.planning import Survey, current_state, make_plan, read_network, survey
from ...toolbox.setup.state import LOG, State, Wish, engine_folder, managed_python, read_wish
from ...toolbox.setup.steps import Listener, Plan, Step
from ..shared.errand_task import ErrandTask
from ..shared.wording import tr

#: Milliseconds after which another QGIS that is installing is looked at again.
_LOOK_AGAIN = 3000
#: Lines of the log that are kept.
_LINES = 2000


class SetupModel(QObject):
    """What there is, what is being done about it, and how that went."""

    changed = pyqtSignal()
    """State, step or verdict."""
    line_heard = pyqtSignal(str)
    surveyed = pyqtSignal(object)
    """A `Survey`."""
    survey_failed = pyqtSignal(str)
    ended = pyqtSignal()
    """An installation or a removal has ended, well or not."""
    engine_changed = pyqtSignal()
    """There is another engine than before, or none."""
    engine_going = pyqtSignal()
    """The environment is about to be deleted; whoever runs its Python is to end it."""

    def __init__(self, parent: Optional[QObject] = None) -> None:
        super().__init__(parent)
        self.state = State.ABSENT
        self.step: Optional[Step] = None
        """While something is being done."""
        self.problem = ""
        """Why the last time failed, in one sentence."""
        self.report: dict[str, object] = {}
        """The doctor's, after an installation."""
        self.lines: list[str] = []
        self.survey: Optional[Survey] = None
        self._task: Optional[_SetupTask] = None
        self._look: Optional[ErrandTask] = None
        self._closed = False
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.setInterval(_LOOK_AGAIN)
        self._again.timeout.connect(self.refresh)

    def refresh(self) -> None:
        """Look at the folder: another QGIS, or the options, may have changed what is there."""
        if self._closed:
            return
        self.state = current_state()
        if self.state is State.UNFINISHED and self._task is None and is_busy(engine_folder()):
            self.state = State.BUSY
            self._again.start()
        self.changed.emit()

    def in_use(self) -> bool:
        """Whether the environment of this folder is the engine that runs."""
        try:
            return find_engine() == managed_python()
        except EngineMissing:
            return False

    def engine_is_there(self) -> bool:
        """Whether there is any engine."""
        try:
            find_engine()
        except EngineMissing:
            return False
        return True

    def unfinished(self) -> Optional[Wish]:
        """What an installation that was interrupted was to install."""
        return read_wish(engine_folder())

    @staticmethod
    def log_path() -> Path:
        """The log of the last installation."""
        return engine_folder() / LOG

    def look_around(self, python: str = "") -> None:
        """Survey the machine in the background; `surveyed` or `survey_failed` answers."""
        if self._look is not None:
            self._look.cancel()
        self._look = look = ErrandTask(tr("Looking at this machine"), partial(_survey, python))
        look.answered.connect(self._on_surveyed)
        look.failed.connect(self.survey_failed)
        look.ended.connect(partial(self._on_looked, look))
        look.start()

    def start(self, wish: Wish) -> None:
        """Install; raises RequestError with what is against it. Called on the panel's thread."""
        if self._task is None and self.survey is not None:
            plan = make_plan(self.survey, wish, read_network())
            self._begin(_SetupTask(tr("Setting up the engine"), partial(_install, plan)))

    def remove(self) -> None:
        """Delete the environment and all that belongs to it."""
        if self._task is None:
            self.engine_going.emit()
            self._begin(_SetupTask(tr("Removing the engine"), _remove))

    def cancel(self) -> None:
        """Stop what is being done; what was downloaded is kept."""
        if self._task is not None:
            self._task.cancel()

    def working(self) -> bool:
        """True while something is being done."""
        return self._task is not None or self._look is not None

    def installing(self) -> bool:
        """True while an installation or a removal goes on."""
        return self._task is not None

    def close_down(self) -> None:
        """Stop, and listen no more."""
        self._closed = True
        self._again.stop()
        for task in (self._task, self._look):
            if task is not None:
                task.cancel()

    def _begin(self, task: _SetupTask) -> None:
        self.problem, self.report, self.lines = "", {}, []
        self._task = task
        task.stepped.connect(self._on_stepped)
        task.said.connect(self._on_said)
        task.answered.connect(self._on_answered)
        task.failed.connect(self._on_failed)
        task.ended.connect(self._on_ended)
        task.start()
        self.changed.emit()

    def _on_surveyed(self, found: Survey) -> None:
        self.survey = found
        self.surveyed.emit(found)

    def _on_looked(self, look: ErrandTask) -> None:
        if self._look is look:
            self._look = None

    def _on_stepped(self, step: Step) -> None:
        self.step = step
        self.changed.emit()

    def _on_said(self, line: str) -> None:
        self.lines = [*self.lines[-_LINES:], line]
        self.line_heard.emit(line)

    def _on_answered(self, report: dict[str, object]) -> None:
        self.report = report
        if report:
            # A Python that was named before would stay in use.
            set_engine_python("")

    def _on_failed(self, problem: str) -> None:
        self.problem = problem

    def _on_ended(self) -> None:
        self._task, self.step = None, None
        self.refresh()
        self.ended.emit()
        self.engine_changed.emit()


class _SetupTask(ErrandTask):
    """An installation or a removal; what it tells comes on the panel's thread."""

    stepped = pyqtSignal(object)
    said = pyqtSignal(str)

    def __init__(self, description: str, work: Callable[[Listener], dict[str, object]]) -> None:
        super().__init__(description, lambda is_cancelled: work(_Follower(self, is_cancelled)))


class _Follower:
    """Hears an installation on its thread, and hands on what it says."""

    def __init__(self, task: _SetupTask, is_cancelled: IsCancelled) -> None:
        self._task = task
        self.is_cancelled = is_cancelled

    def stepped(self, step: Step) -> None:
        self._task.setProgress(step.percent)
        self._task.stepped.emit(step)

    def said(self, line: str) -> None:
        self._task.said.emit(line)


def _survey(python: str, _is_cancelled: IsCancelled) -> Survey:
    return survey(python)


def _install(plan: Plan, listener: Listener) -> dict[str, object]:
    return install(plan, listener)


def _remove(listener: Listener) -> dict[str, object]:
    remove(engine_folder(), listener)
    return {}
