"""The list of runs, the latest on top; it only listens."""

from __future__ import annotations

from typing import Optional

from qgis.PyQt.QtCore import QEvent, QObject, QSize, pyqtSignal
from qgis.PyQt.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from ..shared.widgets import ColumnScroll, heading, take_away
from ..shared.wording import count_text, tr
from .model import RunModel
from .row import RunRow

#: Pixels; about three runs. The panel must fit 580 in all.
MAX_HEIGHT = 132
#: Runs of earlier sessions that are shown at once; rows cost time on the panel's thread.
EARLIER = 10


class RunList(QWidget):
    """Shows what `model` holds; nothing at all while there are no runs."""

    asked = pyqtSignal(int, object)
    """Number and `Deed`."""
    menu_opened = pyqtSignal(int)
    clean_up_asked = pyqtSignal()

    def __init__(self, model: RunModel, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._model = model
        self._rows: dict[int, RunRow] = {}
        self._column = QWidget(self)
        self._rows_layout = QVBoxLayout(self._column)
        self._older = QPushButton(self._column)
        self._scroll = _LowScroll(self._column, self)
        self._clean_up = QToolButton(self)
        self._lay_out()
        model.run_added.connect(self._on_run_added)
        model.run_queued.connect(self._on_run_queued)
        model.run_changed.connect(self._on_run_changed)
        model.run_forgotten.connect(self._on_run_forgotten)
        model.runs_loaded.connect(self._on_runs_loaded)

    def row(self, number: int) -> RunRow:
        """The row of a run."""
        return self._rows[number]

    def focus_chain(self) -> list[QWidget]:
        """What the Tab key goes through, in order."""
        rows = [self._rows_layout.itemAt(place).widget() for place in range(len(self._rows))]
        return [self._clean_up, *(part for row in rows for part in row.focus_chain()), self._older]

    def _lay_out(self) -> None:
        self._rows_layout.setContentsMargins(2, 2, 2, 2)
        self._rows_layout.setSpacing(4)
        self._older.setObjectName("FusionMapperRunsOlder")
        self._older.setToolTip(tr("Show runs from before"))
        self._older.setFlat(True)
        self._older.clicked.connect(self._show_older)
        self._older.hide()
        self._rows_layout.addWidget(self._older)
        self._rows_layout.addStretch(1)
        self._clean_up.setObjectName("FusionMapperRunsCleanUp")
        self._clean_up.setText(tr("Clean &Up…"))
        self._clean_up.setToolTip(tr("See what the runs' folders hold, and delete what is not needed"))
        self._clean_up.setAutoRaise(True)
        self._clean_up.clicked.connect(self.clean_up_asked)
        head = QHBoxLayout()
        head.addWidget(heading(tr("Runs"), self), 1)
        head.addWidget(self._clean_up)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(head)
        layout.addWidget(self._scroll)
        self.hide()

    def _on_run_added(self, number: int) -> None:
        self._insert(number, 0)
        self._scroll.verticalScrollBar().setValue(0)

    def _on_runs_loaded(self) -> None:
        self._show_older()

    def _show_older(self) -> None:
        """Show some more of the runs that are not shown yet, the latest of them first."""
        hidden = [run.number for run in reversed(self._model.runs()) if run.number not in self._rows]
        for number in hidden[:EARLIER]:
            self._insert(number, len(self._rows))
        left = len(hidden) - EARLIER
        self._older.setText(count_text(left, tr("1 Older Run"), tr("{count} Older Runs")))
        self._older.setVisible(left > 0)

    def _insert(self, number: int, place: int) -> None:
        row = RunRow(self._model.run(number), self._column)
        row.asked.connect(self.asked)
        row.menu_opened.connect(self.menu_opened)
        self._rows[number] = row
        self._rows_layout.insertWidget(place, row)
        self._set_tab_order()
        self.show()

    def _on_run_queued(self, number: int) -> None:
        self._rows_layout.removeWidget(self._rows[number])
        self._rows_layout.insertWidget(0, self._rows[number])
        self._set_tab_order()
        self._scroll.verticalScrollBar().setValue(0)

    def _on_run_changed(self, number: int) -> None:
        if number in self._rows:
            self._rows[number].show_run()

    def _on_run_forgotten(self, number: int) -> None:
        if number in self._rows:
            take_away(self._rows.pop(number))
        self.setVisible(bool(self._rows))

    def _set_tab_order(self) -> None:
        chain = self.focus_chain()
        for first, second in zip(chain, chain[1:]):
            QWidget.setTabOrder(first, second)


class _LowScroll(ColumnScroll):
    """As high as its rows are, up to `MAX_HEIGHT`."""

    def __init__(self, column: QWidget, parent: QWidget) -> None:
        super().__init__(column, parent)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(self.minimumSizeHint().width(), min(self._wanted(), MAX_HEIGHT))

    def minimumSizeHint(self) -> QSize:
        return QSize(super().minimumSizeHint().width(), min(self._wanted(), MAX_HEIGHT))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # The rows' words break according to the width.
        if watched is self.widget() and event.type() == QEvent.Type.Resize:
            self.updateGeometry()
        return super().eventFilter(watched, event)

    def _wanted(self) -> int:
        column = self.widget()
        width = self.viewport().width()
        high = column.heightForWidth(width) if column.hasHeightForWidth() else column.sizeHint().height()
        # The border of a theme's style sheet, which the frame's width does not tell.
        return high + max(0, self.height() - self.viewport().height())
