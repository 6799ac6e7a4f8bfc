"""The classes of one output: value, name and colour, edited in place."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Optional

from qgis.gui import QgsColorButton
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from ...models.card import ClassInfo
from ...models.palette import class_color
from ..shared.widgets import fit_rows
from ..shared.wording import tr

_VALUE, _NAME, _COLOR = range(3)
#: Rows that are shown without scrolling.
_ROWS = 7
_MOST_VALUE = 65534


class ClassTable(QTableWidget):
    """Edits classes; their number is the graph's."""

    edited = pyqtSignal(tuple)
    """The classes as they are now."""
    refused = pyqtSignal(str)
    """Why what was typed cannot be taken."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(0, 3, parent)
        self._classes: tuple[ClassInfo, ...] = ()
        self._filling = False
        self.setHorizontalHeaderLabels([tr("Value"), tr("Name"), tr("Colour")])
        self.verticalHeader().hide()
        self.setTabKeyNavigation(False)
        header = self.horizontalHeader()
        header.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(_VALUE, QHeaderView.ResizeMode.ResizeToContents)
        self.itemChanged.connect(self._on_item_changed)

    def show_classes(self, classes: tuple[ClassInfo, ...]) -> None:
        """Show these classes."""
        self._classes = classes
        self._filling = True
        self.setRowCount(len(classes))
        for row, info in enumerate(classes):
            value = QTableWidgetItem(str(info.value))
            value.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.setItem(row, _VALUE, value)
            self.setItem(row, _NAME, QTableWidgetItem(info.name))
            self.setCellWidget(row, _COLOR, self._color_button(row, info))
        self._filling = False
        fit_rows(self, _ROWS)

    def _color_button(self, row: int, info: ClassInfo) -> QgsColorButton:
        button = QgsColorButton(self)
        button.setColor(QColor(class_color(info, row)))
        button.setAllowOpacity(False)
        button.setAccessibleName(tr("Colour of {name}").format(name=info.name))
        button.setToolTip(button.accessibleName())
        button.colorChanged.connect(partial(self._on_color, row))
        return button

    def _on_color(self, row: int, color: QColor) -> None:
        self._put(row, replace(self._classes[row], color=color.name()))

    def _on_item_changed(self, item: QTableWidgetItem) -> None:
        if self._filling:
            return
        row, text = item.row(), item.text().strip()
        if item.column() == _NAME and text:
            self._put(row, replace(self._classes[row], name=text))
        elif item.column() == _VALUE and text.isdecimal() and int(text) <= _MOST_VALUE:
            self._put(row, replace(self._classes[row], value=int(text)))
        else:
            self.refused.emit(
                tr("A class needs a name.")
                if item.column() == _NAME
                else tr("A class value is a whole number from 0 to 65534.")
            )
            self.show_classes(self._classes)

    def _put(self, row: int, info: ClassInfo) -> None:
        classes = list(self._classes)
        classes[row] = info
        self._classes = tuple(classes)
        self.edited.emit(self._classes)
