"""Small widgets that Qt lacks."""

from __future__ import annotations

from typing import Optional

from qgis.PyQt.QtCore import QEvent, QObject, QSize, Qt
from qgis.PyQt.QtGui import QPainter, QPaintEvent
from qgis.PyQt.QtWidgets import QAbstractSpinBox, QComboBox, QFrame, QLabel, QScrollArea, QSizePolicy, QWidget


class ElidedLabel(QLabel):
    """One line that is shortened by an ellipsis where there is no room for all of it."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def paintEvent(self, _event: QPaintEvent) -> None:
        area = self.contentsRect()
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, area.width())
        QPainter(self).drawText(area, int(Qt.AlignmentFlag.AlignVCenter), text)


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


def take_away(widget: QWidget) -> None:
    """Take a widget out of its parent and layout at once, and delete it when nothing is going on in it any more."""
    widget.hide()
    widget.setParent(None)
    widget.deleteLater()
