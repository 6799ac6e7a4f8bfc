"""What is done with runs at the user's word: what the model does, and what shows or deletes files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Optional

from qgis.core import Qgis, QgsMessageLog, QgsProject
from qgis.PyQt.QtCore import QObject, Qt, QUrl, pyqtSignal
from qgis.PyQt.QtGui import QDesktopServices
from qgis.PyQt.QtWidgets import QMessageBox, QWidget

from ...toolbox.runs.folder_use import layer_files, layers_inside
from ...toolbox.runs.folders import delete_folder, examine
from ..shared.background import Background
from ..shared.wording import LOG_TAG, size_text, tr
from .cleanup import CleanUp
from .list import RunList
from .log import RunLog
from .menu import Deed
from .model import Run, RunModel


class RunActions(QObject):
    """Does the deeds of the list's buttons and menus."""

    add_asked = pyqtSignal(int)
    summary_asked = pyqtSignal(int)
    report_asked = pyqtSignal(int)
    trouble = pyqtSignal(str)
    """What could not be done, in one sentence."""

    def __init__(self, model: RunModel, window: QWidget) -> None:
        super().__init__(window)
        self._model = model
        self._window = window
        self._files = Background(self)
        self._logs: dict[int, RunLog] = {}
        self._clean_up: Optional[CleanUp] = None
        self._question: Optional[QMessageBox] = None
        self._deeds: dict[Deed, Callable[[int], object]] = {
            Deed.CANCEL: model.cancel,
            Deed.RESUME: model.resume,
            Deed.RETRY: model.resume,
            Deed.RUN_AGAIN: model.run_again,
            Deed.FORGET: model.forget,
            Deed.ADD_TO_MAP: self.add_to_map,
            Deed.SUMMARY: self.summary_asked.emit,
            Deed.REPORT: self.report_asked.emit,
            Deed.OPEN_FOLDER: self.open_folder,
            Deed.SHOW_LOG: self.show_log,
            Deed.DELETE_FOLDER: self.delete_folder,
        }
        model.runs_loaded.connect(self._on_runs_loaded)
        model.run_ended.connect(self._on_run_ended)
        model.run_forgotten.connect(self._on_run_forgotten)

    def follow(self, listed: RunList) -> None:
        """Do what the list asks for."""
        listed.asked.connect(self.do)
        listed.menu_opened.connect(self.measure)
        listed.clean_up_asked.connect(self.clean_up)

    def do(self, number: int, deed: Deed) -> None:
        """Do it with the run of that number."""
        self._deeds[deed](number)

    def measure(self, number: int) -> None:
        """Count in the background what the run's folder holds."""
        folder = self._model.run(number).request.folder
        self._files.ask(
            lambda: examine(folder, True).size if folder.is_dir() else None,
            lambda size: self._model.measured(number, size),
        )

    def add_to_map(self, number: int) -> None:
        """Have the run's results loaded, where they are still there."""
        run = self._model.run(number)
        paths = [path for path in run.results.values() if isinstance(path, str) and Path(path).is_absolute()]
        if run.request.folder.is_dir() and all(Path(path).exists() for path in paths):
            self.add_asked.emit(number)
        else:
            self.trouble.emit(_gone_text(run.request.folder))

    def open_folder(self, number: int) -> None:
        """Show the run's folder in the system's file manager."""
        folder = self._model.run(number).request.folder
        if not folder.is_dir():
            self.trouble.emit(tr("The folder {folder} is gone.").format(folder=folder))
        elif not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            self.trouble.emit(tr("No program of this system shows the folder {folder}.").format(folder=folder))

    def show_log(self, number: int) -> None:
        """Open the run's log."""
        if number not in self._logs:
            self._logs[number] = RunLog(self._model.run(number), self._files, self._window)
        log = self._logs[number]
        log.refresh()
        log.show()
        log.raise_()
        log.activateWindow()

    def delete_folder(self, number: int) -> None:
        """Delete the run's folder and take it out of the list, once the user has said yes."""
        run = self._model.run(number)
        problem = self._use(run)
        if problem:
            self.trouble.emit(problem)
            return
        text = tr("Delete the folder of “{run}” with its results? This cannot be undone.").format(run=run.title)
        self._question = QMessageBox(QMessageBox.Icon.Question, tr("Delete Folder"), text, parent=self._window)
        self._question.setObjectName("FusionMapperDeleteFolder")
        self._question.setTextFormat(Qt.TextFormat.PlainText)
        self._question.setInformativeText(_place_text(run))
        self._question.setStandardButtons(QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.Cancel)
        self._question.setDefaultButton(QMessageBox.StandardButton.Cancel)
        self._question.finished.connect(partial(self._on_answered, number))
        self._question.open()

    def clean_up(self) -> None:
        """Show what all run folders hold, to be cleaned."""
        if self._clean_up is None:
            self._clean_up = CleanUp(self._model, self._files, self._window)
        self._clean_up.refresh()
        self._clean_up.show()
        self._clean_up.raise_()

    def close_down(self) -> None:
        """Finish what is being done, and listen no more."""
        self._files.close_down()
        self._model.runs_loaded.disconnect(self._on_runs_loaded)
        self._model.run_ended.disconnect(self._on_run_ended)
        self._model.run_forgotten.disconnect(self._on_run_forgotten)
        for dialog in (*self._logs.values(), self._clean_up):
            if dialog is not None:
                dialog.close()

    def _use(self, run: Run) -> str:
        """Why the folder has to stay, in one sentence; empty where nothing speaks against its end."""
        folder = run.request.folder
        if any(folder in (other.request.folder, other.origin) for other in self._model.runs() if other.active):
            return tr("A run reads or writes {folder}; wait for its end.").format(folder=folder)
        layers = layers_inside(layer_files(QgsProject.instance()), folder)
        if layers:
            text = tr("The project shows {layers} from {folder}; remove these layers first.")
            return text.format(layers=", ".join(layers), folder=folder)
        return ""

    def _on_answered(self, number: int, _code: int) -> None:
        question, self._question = self._question, None
        question.deleteLater()
        # The signal's own number is an enumeration in Qt 5 and none in Qt 6.
        if question.standardButton(question.clickedButton()) != QMessageBox.StandardButton.Yes:
            return
        folder = self._model.run(number).request.folder
        self._files.ask(
            lambda: delete_folder(folder, True) if folder.is_dir() else 0,
            lambda _freed: self._model.forget(number),
            self.trouble.emit,
        )

    def _on_runs_loaded(self) -> None:
        for problem in self._model.problems:
            QgsMessageLog.logMessage(problem, LOG_TAG, Qgis.MessageLevel.Warning)

    def _on_run_ended(self, number: int) -> None:
        self.measure(number)
        if number in self._logs:
            self._logs[number].refresh()

    def _on_run_forgotten(self, number: int) -> None:
        log = self._logs.pop(number, None)
        if log is not None:
            log.close()


def _gone_text(folder: Path) -> str:
    return tr("The results in {folder} are gone; run again to make them anew.").format(folder=folder)


def _place_text(run: Run) -> str:
    if run.size is None:
        return str(run.request.folder)
    return tr("{folder} holds {size}.").format(folder=run.request.folder, size=size_text(run.size))
