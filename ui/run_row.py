"""One run in the list: its state, progress, and what can be done with it."""

from __future__ import annotations

from typing import Optional

from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QGridLayout, QLabel, QProgressBar, QToolButton, QWidget

from .runs import Run, RunState
from .widgets import ElidedLabel
from .wording import seconds_text, theme_icon, tr

_SIGNS = {
    RunState.WAITING: ("…", "#666666"),
    RunState.RUNNING: ("▶", "#2a6db0"),
    RunState.FINISHED: ("✔", "#2e8b57"),
    RunState.FAILED: ("✖", "#c0392b"),
    RunState.CANCELLED: ("■", "#666666"),
    RunState.INTERRUPTED: ("■", "#666666"),
}


class RunRow(QWidget):
    """Shows one run and asks to cancel it, to forget it, or for its log."""

    cancel_asked = pyqtSignal(int)
    forget_asked = pyqtSignal(int)
    details_asked = pyqtSignal(int)

    def __init__(self, number: int, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._number = number
        self.setObjectName(f"FusionMapperRun_{number}")
        self._sign = QLabel(self)
        self._title = ElidedLabel(self)
        self._told = QLabel(self)
        self._told.setObjectName(f"FusionMapperRunText_{number}")
        self._told.setWordWrap(True)
        self._bar = QProgressBar(self)
        self._bar.setRange(0, 100)
        self._bar.setMaximumHeight(14)
        self._details = self._button("Details", "mMessageLog.svg", tr("Show the log"))
        self._cancel = self._button("Cancel", "mTaskCancel.svg", tr("Cancel this run"))
        self._forget = self._button("Forget", "mActionDeleteSelected.svg", tr("Take this run out of the list"))
        self._details.clicked.connect(lambda: self.details_asked.emit(number))
        self._cancel.clicked.connect(lambda: self.cancel_asked.emit(number))
        self._forget.clicked.connect(lambda: self.forget_asked.emit(number))
        self._lay_out()

    def show_run(self, run: Run) -> None:
        """Show how the run stands."""
        sign, color = _SIGNS[run.state]
        self._sign.setText(sign)
        self._sign.setStyleSheet("color: " + color)
        self._sign.setAccessibleName(state_text(run))
        self._title.setText(run.title)
        self._title.setToolTip("\n".join([run.title, str(run.request.folder), *run.messages, *run.warnings]))
        self._told.setText(told(run))
        self._bar.setVisible(run.active)
        self._bar.setValue(int(run.percent))
        self._cancel.setVisible(run.active)
        self._forget.setVisible(not run.active)

    def _button(self, name: str, icon: str, hint: str) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName(f"FusionMapperRun{name}_{self._number}")
        button.setIcon(theme_icon(icon))
        button.setAutoRaise(True)
        button.setToolTip(hint)
        button.setAccessibleName(hint)
        return button

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(4)
        grid.setVerticalSpacing(0)
        grid.addWidget(self._sign, 0, 0)
        grid.addWidget(self._title, 0, 1)
        for column, button in enumerate((self._details, self._cancel, self._forget), start=2):
            grid.addWidget(button, 0, column)
        grid.addWidget(self._bar, 1, 1, 1, 4)
        grid.addWidget(self._told, 2, 1, 1, 4)
        grid.setColumnStretch(1, 1)


def state_text(run: Run) -> str:
    """The run's state in words."""
    return {
        RunState.WAITING: tr("Waiting"),
        RunState.RUNNING: tr("Running"),
        RunState.FINISHED: tr("Finished"),
        RunState.FAILED: tr("Failed"),
        RunState.CANCELLED: tr("Cancelled"),
        RunState.INTERRUPTED: tr("Interrupted"),
    }[run.state]


def told(run: Run) -> str:
    """What is worth saying of the run, in one line."""
    if run.state is RunState.RUNNING:
        return run.stage or tr("Starting the engine…")
    if run.state in (RunState.FAILED, RunState.INTERRUPTED):
        return run.sentence
    if run.state is RunState.WAITING:
        return tr("Waiting for the run before it")
    text = tr("{state} after {time}").format(state=state_text(run), time=seconds_text(run.seconds))
    if run.warnings:
        text = tr("{text}, {count} notes in the log").format(text=text, count=len(run.warnings))
    return text
