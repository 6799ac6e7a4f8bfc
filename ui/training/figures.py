"""The figures of a trained model, a line each, and a table of its classes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ..shared.widgets import fit_rows
from ..shared.wording import DOT, tr

#: How the engine's figures of a class begin.
_IOU = "iou_"
#: Rows that are shown without scrolling.
_ROWS = 6


@dataclass(frozen=True)
class Figures:
    """What the validation blocks say of a model."""

    line: str
    classes: tuple[tuple[str, float], ...] = ()
    """Class and its intersection over union."""


def read_figures(text: str) -> Figures:
    """The figures that the algorithm answers, as JSON; an empty line where it tells none."""
    try:
        told = json.loads(text or "{}")
    except ValueError:
        told = {}
    told = {name: value for name, value in told.items() if isinstance(value, (int, float))}
    classes = tuple((name[len(_IOU) :], value) for name, value in told.items() if name.startswith(_IOU))
    return Figures(DOT.join(_parts(told)), classes)


def _parts(told: Mapping[str, float]) -> list[str]:
    titles = (
        ("miou", tr("mIoU {number}")),
        ("accuracy", tr("accuracy {number}")),
        ("r2", tr("R² {number}")),
        ("rmse", tr("RMSE {number}")),
        ("bias", tr("bias {number}")),
    )
    parts = [text.format(number=f"{told[name]:.3g}") for name, text in titles if name in told]
    if "n" in told:
        parts.append(tr("on {count} pixels apart from the training").format(count=f"{int(told['n']):,}"))
    return parts


class FiguresView(QWidget):
    """Shows the figures; hidden while there are none."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._line = QLabel(self)
        self._table = QTableWidget(0, 2, self)
        self._line.setObjectName("FusionMapperTrainFigures")
        self._line.setWordWrap(True)
        self._line.setTextFormat(Qt.TextFormat.PlainText)
        self._table.setObjectName("FusionMapperTrainFiguresTable")
        self._table.setAccessibleName(tr("Figures of each class"))
        self._table.setHorizontalHeaderLabels([tr("Class"), tr("IoU")])
        self._table.setToolTip(tr("Intersection over union on the validation blocks: 1 is perfect"))
        self._table.verticalHeader().hide()
        self._table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._table.setTabKeyNavigation(False)
        self._table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self._line)
        layout.addWidget(self._table)
        self.hide()

    def show_figures(self, figures: Optional[Figures]) -> None:
        """Show them; None shows nothing."""
        self.setVisible(figures is not None)
        if figures is None:
            return
        self._line.setText(figures.line)
        self._table.setRowCount(len(figures.classes))
        for row, (name, value) in enumerate(figures.classes):
            number = QTableWidgetItem(f"{value:.3f}")
            number.setTextAlignment(int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter))
            self._table.setItem(row, 0, QTableWidgetItem(name))
            self._table.setItem(row, 1, number)
        fit_rows(self._table, _ROWS)
        self._table.setVisible(bool(figures.classes))
