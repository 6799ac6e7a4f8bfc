"""Areas by class as a table with bars, and the figures of a regression as a plain one."""

from __future__ import annotations

from typing import Optional

from qgis.PyQt.QtCore import QAbstractTableModel, QModelIndex, QObject, QRect, QSize, Qt
from qgis.PyQt.QtGui import QColor, QIcon, QPainter, QPalette, QPixmap
from qgis.PyQt.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from ...inference.record import Figures
from ...toolbox.results.figures import hectares_text, number_text, share_text, statistics_of
from ..shared.wording import tr

#: Asked of a cell for what it is sorted by.
SORT_ROLE = int(Qt.ItemDataRole.UserRole)
#: Asked of a share for the length (0 to 1) and the colour of its bar.
LENGTH_ROLE = SORT_ROLE + 1
COLOR_ROLE = SORT_ROLE + 2
CLASS, AREA, SHARE = range(3)
#: Pixels.
_SWATCH = 14
_PAD = 6
_BAR = 90


class ClassTable(QAbstractTableModel):
    """Class, hectares and share of one output."""

    def __init__(self, figures: Figures, parent: Optional[QObject] = None) -> None:
        super().__init__(parent)
        self._rows = figures.classes
        self._most = max((row.share for row in self._rows), default=0.0) or 1.0
        self._icons = [_swatch(QColor(row.color)) for row in self._rows]

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        return 0 if parent.isValid() else 3

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return (tr("Class"), tr("Area"), tr("Share"))[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(_alignment(section))
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        row, column = self._rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return (row.name, hectares_text(row.area_ha), share_text(row.share))[column]
        if role == Qt.ItemDataRole.DecorationRole and column == CLASS:
            return self._icons[index.row()]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(_alignment(column) | Qt.AlignmentFlag.AlignVCenter)
        if role == Qt.ItemDataRole.ToolTipRole:
            return tr("{name}, {area}, {share}").format(
                name=row.name, area=hectares_text(row.area_ha), share=share_text(row.share)
            )
        own = {SORT_ROLE: (row.name, row.area_ha, row.share)[column], COLOR_ROLE: row.color}
        own[LENGTH_ROLE] = row.share / self._most
        return own.get(role)


class FigureTable(QAbstractTableModel):
    """The figures of a regressed value."""

    def __init__(self, figures: Figures, parent: Optional[QObject] = None) -> None:
        super().__init__(parent)
        self._rows = [
            (title, f"{number_text(value)} {figures.units}".strip()) for title, value in statistics_of(figures)
        ]

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        return 0 if parent.isValid() else 2

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return (tr("Figure"), tr("Value"))[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignRight if section else Qt.AlignmentFlag.AlignLeft)
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if role == Qt.ItemDataRole.DisplayRole:
            return self._rows[index.row()][index.column()]
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column():
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None


class ShareDelegate(QStyledItemDelegate):
    """A share as its text, and a bar in the class's colour behind which every theme's ground can be."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        cell = QStyleOptionViewItem(option)
        self.initStyleOption(cell, index)
        words, cell.text = cell.text, ""
        style = cell.widget.style() if cell.widget else QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, cell, painter, cell.widget)
        selected = bool(cell.state & QStyle.StateFlag.State_Selected)
        ink = cell.palette.color(QPalette.ColorRole.HighlightedText if selected else QPalette.ColorRole.Text)
        column = _words_width(cell)
        place = QRect(cell.rect.left(), cell.rect.top(), column, cell.rect.height())
        painter.save()
        painter.setPen(ink)
        painter.drawText(place, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), words)
        bar = cell.rect.adjusted(column + _PAD, 4, -_PAD, -5)
        bar.setWidth(max(round(bar.width() * float(index.data(LENGTH_ROLE))), 1))
        ink.setAlpha(110)
        painter.setPen(ink)
        painter.setBrush(QColor(index.data(COLOR_ROLE)))
        painter.drawRect(bar)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        hint = super().sizeHint(option, index)
        return QSize(_words_width(option) + _BAR, hint.height())


def _words_width(option: QStyleOptionViewItem) -> int:
    return option.fontMetrics.horizontalAdvance(share_text(1.0)) + 2 * _PAD


def _alignment(column: int) -> Qt.AlignmentFlag:
    return Qt.AlignmentFlag.AlignRight if column == AREA else Qt.AlignmentFlag.AlignLeft


def _swatch(color: QColor) -> QIcon:
    """A square of the colour with a rim that shows on light and dark alike."""
    square = QPixmap(_SWATCH, _SWATCH)
    square.fill(color)
    painter = QPainter(square)
    painter.setPen(QColor(128, 128, 128))
    painter.drawRect(0, 0, _SWATCH - 1, _SWATCH - 1)
    painter.end()
    icon = QIcon()
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):
        icon.addPixmap(square, mode)
    return icon
