"""The list of installed models: one entry a model, with a second line that says what it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from qgis.PyQt.QtCore import QModelIndex, QRect, QRectF, QSize, Qt
from qgis.PyQt.QtGui import QPainter, QPalette, QTextOption
from qgis.PyQt.QtWidgets import QApplication, QComboBox, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from ...models.library import Installed
from ..shared.widgets import keep_narrow
from ..shared.wording import DOT, metres_text, task_title

_SECOND_LINE = int(Qt.ItemDataRole.UserRole) + 1
_MARGIN = 4
#: Letters of a description that the second line has room for.
_DESCRIPTION = 90
_POPUP_WIDTH = 420


class ModelList(QComboBox):
    """A combo box whose open list says more than its closed line."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._models: list[Installed] = []
        self.setItemDelegate(_TwoLines(self))
        keep_narrow(self)
        self.view().setMinimumWidth(_POPUP_WIDTH)

    def models(self) -> list[Installed]:
        """All models, in the order of the list."""
        return list(self._models)

    def current(self) -> Optional[Installed]:
        """The chosen model."""
        index = self.currentIndex()
        return self._models[index] if 0 <= index < len(self._models) else None

    def index_of(self, path: Path) -> int:
        """Where the model of that file stands; -1 where it does not."""
        return next((i for i, model in enumerate(self._models) if model.path == path), -1)

    def set_models(self, models: Sequence[Installed]) -> None:
        """Show exactly these; the chosen one stays chosen where it is among them."""
        chosen = self.current()
        self.clear()
        self._models = []
        for model in models:
            self.put(model)
        if chosen is not None and self.index_of(chosen.path) >= 0:
            self.setCurrentIndex(self.index_of(chosen.path))

    def put(self, model: Installed) -> int:
        """Add the model, or show anew the one of the same file; returns where it stands."""
        index = self.index_of(model.path)
        if index < 0:
            self._models.append(model)
            self.addItem(model.label)
            index = self.count() - 1
        self._models[index] = model
        self.setItemText(index, model.label)
        self.setItemData(index, second_line(model), _SECOND_LINE)
        self.setItemData(index, second_line(model), Qt.ItemDataRole.ToolTipRole)
        return index


def second_line(model: Installed) -> str:
    """Task, GSD and description of a model; where its card cannot be read, why."""
    card = model.card
    if card is None:
        return model.problem
    parts = [task_title(card)]
    if card.gsd is not None:
        parts.append(metres_text(card.gsd))
    if card.description:
        parts.append(_one_line(card.description))
    return DOT.join(parts)


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _DESCRIPTION else line[: _DESCRIPTION - 1].rstrip() + "…"


class _TwoLines(QStyledItemDelegate):
    """Draws an entry's name, and below it, in smaller letters, what it is."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        height = option.fontMetrics.height()
        return QSize(_POPUP_WIDTH, int(height * 1.9) + 2 * _MARGIN)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        self.initStyleOption(option, index)
        option.text = ""
        style = option.widget.style() if option.widget else QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        role = QPalette.ColorRole.HighlightedText if chosen else QPalette.ColorRole.Text
        area = option.rect.adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
        painter.save()
        painter.setPen(option.palette.color(role))
        self._draw(painter, area, str(index.data()), 1.0, Qt.AlignmentFlag.AlignTop)
        painter.setOpacity(0.75)
        self._draw(painter, area, str(index.data(_SECOND_LINE) or ""), 0.9, Qt.AlignmentFlag.AlignBottom)
        painter.restore()

    @staticmethod
    def _draw(painter: QPainter, area: QRect, text: str, size: float, place: Qt.AlignmentFlag) -> None:
        font = painter.font()
        font.setPointSizeF(font.pointSizeF() * size)
        painter.setFont(font)
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, area.width())
        option = QTextOption(place)
        option.setWrapMode(QTextOption.WrapMode.NoWrap)
        painter.drawText(QRectF(area), shown, option)
