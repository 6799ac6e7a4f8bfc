"""The window in which the engine is set up: what, where and how large; then the progress; then the verdict."""

from __future__ import annotations

from typing import Optional

from qgis.PyQt.QtCore import QUrl
from qgis.PyQt.QtGui import QDesktopServices, QGuiApplication
from qgis.PyQt.QtWidgets import QDialog, QDialogButtonBox, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from ...inference.errors import FusionMapperError
from ...toolbox.faults import sentence_of
from ...toolbox.settings import set_setup_python
from ..shared.wording import tr
from .choice import ChoicePane
from .model import SetupModel
from .progress import ProgressPane
from .report import report_text

#: Pixels.
_SIZE = (560, 440)


class SetupDialog(QDialog):
    """Asks, follows and tells; closing it does not stop an installation, which the panel goes on to show."""

    def __init__(self, model: SetupModel, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._model = model
        self._choice = ChoicePane(self)
        self._progress = ProgressPane(model, self)
        self._stack = QStackedWidget(self)
        self._buttons = QDialogButtonBox(self)
        self._install = self._button(tr("&Install"), "Install", QDialogButtonBox.ButtonRole.AcceptRole)
        self._stop = self._button(tr("&Cancel"), "Cancel", QDialogButtonBox.ButtonRole.DestructiveRole)
        self._copy = self._button(tr("Copy &Report"), "CopyReport", QDialogButtonBox.ButtonRole.ActionRole)
        self._open = self._button(tr("Open &Log"), "OpenLog", QDialogButtonBox.ButtonRole.ActionRole)
        self._close = self._button(tr("Close"), "Close", QDialogButtonBox.ButtonRole.RejectRole)
        self.setObjectName("FusionMapperSetup")
        self.setWindowTitle(tr("Set Up the Engine"))
        self._prepare()
        self._listen()

    def ask(self) -> None:
        """Open it: on what is being done, or on the choice."""
        if self._model.installing():
            self._show(self._progress)
        else:
            self._ask_again()
        self.show()
        self.raise_()
        self.activateWindow()

    def _prepare(self) -> None:
        for pane in (self._choice, self._progress):
            self._stack.addWidget(pane)
        self._install.setDefault(True)
        self._stop.setToolTip(tr("What was downloaded is kept for the next time"))
        self._copy.setToolTip(tr("Versions, devices and the end of the log, without personal paths, to the clipboard"))
        layout = QVBoxLayout(self)
        layout.addWidget(self._stack, 1)
        layout.addWidget(self._buttons)
        self.resize(*_SIZE)

    def _listen(self) -> None:
        self._model.surveyed.connect(self._on_surveyed)
        self._model.survey_failed.connect(self._choice.show_problem)
        self._model.changed.connect(self._refresh)
        self._choice.ready_changed.connect(self._refresh)
        self._choice.python_named.connect(self._look_around)
        self._install.clicked.connect(self._on_install)
        self._stop.clicked.connect(self._model.cancel)
        self._copy.clicked.connect(self._on_copy)
        self._open.clicked.connect(self._on_open_log)
        self._close.clicked.connect(self.reject)

    def _button(self, text: str, name: str, role: QDialogButtonBox.ButtonRole) -> QPushButton:
        button = self._buttons.addButton(text, role)
        button.setObjectName(f"FusionMapperSetup{name}")
        button.setAutoDefault(False)
        return button

    def _ask_again(self) -> None:
        self._show(self._choice)
        self._look_around(self._choice.python())

    def _look_around(self, python: str) -> None:
        self._choice.show_waiting()
        self._model.look_around(python)

    def _show(self, pane: QWidget) -> None:
        self._stack.setCurrentWidget(pane)
        self._refresh()

    def _refresh(self) -> None:
        choosing, busy = self._stack.currentWidget() is self._choice, self._model.installing()
        failed = not choosing and not busy and not self._model.report
        self._install.setText(tr("&Try Again") if failed else tr("&Install"))
        self._install.setVisible(not busy and (choosing or failed))
        self._install.setEnabled(failed or not self._choice.problem())
        self._stop.setVisible(busy)
        self._copy.setVisible(not choosing)
        self._open.setVisible(not choosing and not busy)
        self._close.setText(tr("&Hide") if busy else tr("Close"))

    def _on_surveyed(self, found: object) -> None:
        self._choice.show_survey(found, self._model.unfinished())

    def _on_install(self) -> None:
        if self._stack.currentWidget() is self._progress:
            self._ask_again()
            return
        self._progress.clear()
        try:
            self._model.start(self._choice.wish())
        except FusionMapperError as problem:
            self._choice.show_problem(sentence_of(problem))
            return
        set_setup_python(self._choice.python())
        self._show(self._progress)

    def _on_copy(self) -> None:
        model = self._model
        text = report_text(model.state, model.problem, model.report, model.survey, model.lines)
        QGuiApplication.clipboard().setText(text)

    def _on_open_log(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._model.log_path())))
