"""The classes of the labels as a small table: colour, class, and how many labels each has."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Optional

from qgis.gui import QgsColorButton
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from ..shared.widgets import fit_rows
from ..shared.wording import tr
from .survey import ClassCount, Survey

_COLOR, _NAME, _COUNT = range(3)
#: Rows that are shown without scrolling, and rows that are made at all.
_ROWS, _MOST = 6, 200


class ClassCounts(QTableWidget):
    """Shows the classes; their colours on the map to come can be chosen."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(0, 3, parent)
        self._classes: list[ClassCount] = []
        self._chosen: dict[str, str] = {}
        """Colours that the user chose, by class; they outlast another count."""
        self._shown: Optional[Survey] = None
        self.setObjectName("FusionMapperTrainClasses")
        self.setAccessibleName(tr("Classes of the labels"))
        self.setToolTip(tr("Classes that the model is to learn; a colour can be changed"))
        self.verticalHeader().hide()
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setTabKeyNavigation(False)
        header = self.horizontalHeader()
        header.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(_COUNT, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(_COLOR, QHeaderView.ResizeMode.Fixed)
        header.resizeSection(_COLOR, 48)
        header.setMinimumSectionSize(24)
        self.hide()

    def show_survey(self, survey: Optional[Survey]) -> None:
        """Show what was counted; nothing where it has no classes."""
        if survey == self._shown:
            return
        self._shown = survey
        classes = survey.classes[:_MOST] if survey is not None else ()
        self._classes = [replace(one, color=self._chosen.get(one.name, one.color)) for one in classes]
        titles = {"polygons": tr("Polygons"), "points": tr("Points"), "pixels": tr("Pixels")}
        self.setHorizontalHeaderLabels(["", tr("Class"), titles[survey.kind] if survey else ""])
        self.setRowCount(len(self._classes))
        for row, one in enumerate(self._classes):
            count = QTableWidgetItem(f"{one.count:,}")
            count.setTextAlignment(int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter))
            self.setItem(row, _NAME, QTableWidgetItem(one.name))
            self.setItem(row, _COUNT, count)
            self.setCellWidget(row, _COLOR, self._button(row, one))
        self._set_tab_order()
        fit_rows(self, _ROWS)
        self.setVisible(bool(self._classes))

    def lines(self) -> str:
        """The CLASSES parameter; empty where no colour was chosen, so that the labels' own classes count."""
        if not any(one.name in self._chosen for one in self._classes):
            return ""
        numbered = [(one, place + 1 if one.value is None else one.value) for place, one in enumerate(self._classes)]
        return "\n".join(f"{value}:{one.name} {one.color}" for one, value in numbered)

    def _button(self, row: int, one: ClassCount) -> QgsColorButton:
        button = QgsColorButton(self)
        button.setColor(QColor(one.color))
        button.setAllowOpacity(False)
        button.setObjectName(f"FusionMapperTrainColor_{row}")
        button.setAccessibleName(tr("Colour of {name}").format(name=one.name))
        button.setToolTip(button.accessibleName())
        button.colorChanged.connect(partial(self._on_color, row))
        return button

    def _set_tab_order(self) -> None:
        """From the table through its buttons to what comes after it: Qt would put new buttons at the very end."""
        before: QWidget = self
        for row in range(self.rowCount()):
            QWidget.setTabOrder(before, self.cellWidget(row, _COLOR))
            before = self.cellWidget(row, _COLOR)

    def _on_color(self, row: int, color: QColor) -> None:
        self._classes[row] = replace(self._classes[row], color=color.name())
        self._chosen[self._classes[row].name] = color.name()
