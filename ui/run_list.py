"""The list of runs, the latest on top; it only listens."""

from __future__ import annotations

from typing import Optional

from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QLabel, QVBoxLayout, QWidget

from .run_row import RunRow
from .runs import RunModel
from .widgets import ColumnScroll, take_away
from .wording import tr

#: Pixels; the panel must fit 580 in all.
MAX_HEIGHT = 120


class RunList(QWidget):
    """Shows what `model` holds; nothing at all while there are no runs."""

    details_asked = pyqtSignal(int)

    def __init__(self, model: RunModel, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._model = model
        self._rows: dict[int, RunRow] = {}
        self._column = QWidget(self)
        self._rows_layout = QVBoxLayout(self._column)
        self._scroll = ColumnScroll(self._column, self)
        self._lay_out()
        for run in model.runs():
            self._on_run_added(run.number)
        model.run_added.connect(self._on_run_added)
        model.run_changed.connect(self._on_run_changed)
        model.run_forgotten.connect(self._on_run_forgotten)

    def row(self, number: int) -> RunRow:
        """The row of a run."""
        return self._rows[number]

    def _lay_out(self) -> None:
        self._rows_layout.setContentsMargins(2, 2, 2, 2)
        self._rows_layout.setSpacing(4)
        self._rows_layout.addStretch(1)
        self._scroll.setMaximumHeight(MAX_HEIGHT)
        title = QLabel(tr("Runs"), self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(title)
        layout.addWidget(self._scroll)
        self.hide()

    def _on_run_added(self, number: int) -> None:
        row = RunRow(number, self._column)
        row.show_run(self._model.run(number))
        row.cancel_asked.connect(self._model.cancel)
        row.forget_asked.connect(self._model.forget)
        row.details_asked.connect(self.details_asked)
        self._rows[number] = row
        self._rows_layout.insertWidget(0, row)
        self.show()

    def _on_run_changed(self, number: int) -> None:
        self._rows[number].show_run(self._model.run(number))

    def _on_run_forgotten(self, number: int) -> None:
        take_away(self._rows.pop(number))
        self.setVisible(bool(self._rows))
