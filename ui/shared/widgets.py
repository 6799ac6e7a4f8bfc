"""Small widgets that Qt lacks."""

from __future__ import annotations

from typing import Optional

from qgis.PyQt.QtCore import QEvent, QObject, QSize, Qt
from qgis.PyQt.QtGui import QPainter, QPaintEvent, QTextLayout
from qgis.PyQt.QtWidgets import (
    QWIDGETSIZE_MAX,
    QAbstractSpinBox,
    QComboBox,
    QFrame,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QTableWidget,
    QWidget,
)

#: Letters of the longest entry that a combo box makes room for.
NAME_LENGTH = 9
#: Size of explaining letters, as a share of the others'.
SMALL = 0.9


class ElidedLabel(QLabel):
    """One line that is shortened by an ellipsis, at its end or in `mode`, where there is no room for all of it."""

    def __init__(self, parent: Optional[QWidget] = None, mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight) -> None:
        super().__init__(parent)
        self._mode = mode
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def minimumSizeHint(self) -> QSize:
        return QSize(self.fontMetrics().horizontalAdvance("…"), super().minimumSizeHint().height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        area = self.contentsRect()
        text = self.fontMetrics().elidedText(self.text(), self._mode, area.width())
        QPainter(self).drawText(area, int(Qt.AlignmentFlag.AlignVCenter), text)


class BriefLabel(QLabel):
    """Plain text broken into at most `most` lines; what does not fit ends in an ellipsis, and is for the tooltip."""

    def __init__(self, most: int, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._most = most
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)

    def heightForWidth(self, width: int) -> int:
        return min(super().heightForWidth(width), self._limit())

    def sizeHint(self) -> QSize:
        return super().sizeHint().boundedTo(QSize(QWIDGETSIZE_MAX, self._limit()))

    def minimumSizeHint(self) -> QSize:
        return super().minimumSizeHint().boundedTo(QSize(QWIDGETSIZE_MAX, self._limit()))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        step = self.fontMetrics().lineSpacing()
        for number, line in enumerate(self._lines()):
            painter.drawText(0, number * step + self.fontMetrics().ascent(), line)

    def _limit(self) -> int:
        return self._most * self.fontMetrics().lineSpacing()

    def _lines(self) -> list[str]:
        text = self.text().replace("\n", "\u2028")  # QTextLayout's own word for the end of a line
        layout = QTextLayout(text, self.font())
        starts = []
        layout.beginLayout()
        while len(starts) <= self._most:
            line = layout.createLine()
            if not line.isValid():
                break
            line.setLineWidth(self.width())
            starts.append(line.textStart())
        layout.endLayout()
        shown = starts[: self._most]
        lines = [text[start:end].strip() for start, end in zip(shown, [*shown[1:], None])]
        return [self.fontMetrics().elidedText(line, Qt.TextElideMode.ElideRight, self.width()) for line in lines]


class ColumnScroll(QScrollArea):
    """Scrolls a column of widgets up and down, and is always wide enough for it."""

    def __init__(self, column: QWidget, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setWidget(column)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.widget() and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)

    def minimumSizeHint(self) -> QSize:
        wanted = self.widget().minimumSizeHint().width() + self.verticalScrollBar().sizeHint().width()
        return QSize(wanted, super().minimumSizeHint().height())


class WheelGuard(QObject):
    """Lets the mouse wheel scroll the panel, and not change the boxes that happen to pass below it."""

    def protect(self, column: QWidget) -> None:
        """Guard all boxes that are in the column now; may be called again when there are more."""
        for kind in (QComboBox, QAbstractSpinBox):
            for box in column.findChildren(kind):
                box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
                box.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Wheel and not watched.hasFocus():
            event.ignore()
            return True
        return False


def make_small(label: QWidget) -> None:
    """Give a widget the smaller letters of what explains something else."""
    font = label.font()
    font.setPointSizeF(font.pointSizeF() * SMALL)
    label.setFont(font)


def take_away(widget: QWidget) -> None:
    """Take a widget out of its parent and layout at once, and delete it when nothing is going on in it any more."""
    widget.hide()
    widget.setParent(None)
    widget.deleteLater()


def keep_narrow(combo: QComboBox) -> None:
    """Let the panel, not the longest entry, decide how wide the combo box is."""
    combo.setMinimumContentsLength(NAME_LENGTH)
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)


def heading(text: str, parent: QWidget) -> QLabel:
    """A part's title."""
    label = QLabel(text, parent)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label


def fit_rows(table: QTableWidget, most: int) -> None:
    """Make the table as high as its rows, or as `most` of them; one without rows as if it had one."""
    rows = min(max(table.rowCount(), 1), most)
    row = table.rowHeight(0) if table.rowCount() else table.verticalHeader().defaultSectionSize()
    table.setFixedHeight(table.horizontalHeader().sizeHint().height() + rows * row + 2 * table.frameWidth())
