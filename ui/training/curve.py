"""The curve of a training: loss and score of each epoch, with the best one marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Optional

from qgis.PyQt.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from qgis.PyQt.QtGui import QColor, QHelpEvent, QPainter, QPainterPath, QPaintEvent, QPalette, QPen
from qgis.PyQt.QtWidgets import QLabel, QSizePolicy, QToolTip, QWidget

from ...inference.events import Epoch
from ..shared.wording import tr
from .axis import Axis, axis_for, whole_ticks

#: Orange and blue of middling lightness: apart for every eye, and readable on white as on dark grey.
LOSS, SCORE = QColor("#d9822b"), QColor("#3f8fd2")
#: Pixels around and between the parts.
_GAP = 6
#: Up to so many epochs each has its dot.
_DOTTED = 40
#: A score below this (R² has no lower end) would press the rest of the curve flat.
_LEAST_SCORE = -1.0


class Curve(QLabel):
    """Draws what it is told, epoch by epoch; a tooltip tells the numbers under the mouse.

    A label without a text, because themes give labels the colour of words, and plain widgets none.
    """

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._epochs: list[Epoch] = []
        self._ended = False
        self.setObjectName("FusionMapperTrainCurve")
        self.setAccessibleName(tr("Loss and score of each epoch"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(260, 150)

    def epochs(self) -> list[Epoch]:
        """What is drawn, in order."""
        return list(self._epochs)

    def best(self) -> Optional[Epoch]:
        """The epoch that is kept; None before there is one."""
        return next((epoch for epoch in reversed(self._epochs) if epoch.best), None)

    def clear(self) -> None:
        """Begin a new curve."""
        self._epochs, self._ended = [], False
        self._tell()

    def add(self, epoch: Epoch) -> None:
        """Draw one more epoch; one that was drawn before is drawn anew, as when a training goes on."""
        self._epochs = [one for one in self._epochs if one.index < epoch.index] + [epoch]
        self._ended = False
        self._tell()

    def end(self) -> None:
        """Give the whole width to the epochs there are: no more will come."""
        self._ended = True
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(460, 260)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip:
            self._show_tip(event)
            return True
        return super().event(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self._epochs:
            painter.setPen(self._faint())
            flags = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)
            text = tr("Loss and score of each epoch are drawn here while a model is trained.")
            painter.drawText(self.rect().adjusted(20, 20, -20, -20), flags, text)
            return
        loss, score = self._axes()
        area = self._area(loss, score)
        self._draw_frame(painter, area, loss, score)
        self._draw_best(painter, area, score)
        self._draw_line(painter, area, loss, [epoch.loss for epoch in self._epochs], LOSS, Qt.PenStyle.DashLine)
        self._draw_line(painter, area, score, [epoch.score for epoch in self._epochs], SCORE, Qt.PenStyle.SolidLine)

    def _tell(self) -> None:
        self.setAccessibleDescription(_words(self._epochs[-1]) if self._epochs else "")
        self.update()

    def _last(self) -> int:
        """The epoch at the right end."""
        return self._epochs[-1].index if self._ended else max(self._epochs[-1].index, self._epochs[-1].total)

    def _axes(self) -> tuple[Axis, Axis]:
        most = max(3, min(7, self.height() // (3 * self.fontMetrics().height())))
        losses = [epoch.loss for epoch in self._epochs]
        scores = [epoch.score for epoch in self._epochs]
        return axis_for(losses, most), axis_for(scores, most, _LEAST_SCORE)

    def _area(self, loss: Axis, score: Axis) -> QRectF:
        measure = self.fontMetrics()
        left = max(measure.horizontalAdvance(loss.text(tick)) for tick in loss.ticks())
        right = max(measure.horizontalAdvance(score.text(tick)) for tick in score.ticks())
        above, below = measure.height() + 2 * _GAP, 2 * measure.height() + 2 * _GAP
        return QRectF(self.rect()).adjusted(left + 2 * _GAP, above, -right - 2 * _GAP, -below)

    def _x(self, area: QRectF, index: int) -> float:
        last = self._last()
        return area.center().x() if last == 1 else area.left() + area.width() * (index - 1) / (last - 1)

    def _draw_frame(self, painter: QPainter, area: QRectF, loss: Axis, score: Axis) -> None:
        height = self.fontMetrics().height()
        right, left = int(Qt.AlignmentFlag.AlignRight), int(Qt.AlignmentFlag.AlignLeft)
        for axis, color, edge, side in ((loss, LOSS, area.left(), right), (score, SCORE, area.right(), left)):
            for tick in axis.ticks():
                y = area.bottom() - area.height() * axis.share(tick)
                box = QRectF(0, y - height / 2, edge - _GAP, height)
                if side == left:
                    box = QRectF(edge + _GAP, y - height / 2, self.width() - edge - _GAP, height)
                painter.setPen(color)
                painter.drawText(box, side | int(Qt.AlignmentFlag.AlignVCenter), axis.text(tick))
                if side == left:
                    painter.setPen(self._faint(60))
                    painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        self._draw_titles(painter, area)
        self._draw_numbers(painter, area)

    def _draw_titles(self, painter: QPainter, area: QRectF) -> None:
        head = QRectF(_GAP, 2, self.width() - 2 * _GAP, self.fontMetrics().height())
        painter.setPen(LOSS)
        painter.drawText(head, int(Qt.AlignmentFlag.AlignLeft), tr("Loss (dashed)"))
        painter.setPen(SCORE)
        title = tr("{metric}, validation blocks").format(metric=self._epochs[-1].metric)
        painter.drawText(head, int(Qt.AlignmentFlag.AlignRight), title)
        painter.setPen(self._text())
        foot = QRectF(area.left(), self.height() - self.fontMetrics().height() - 2, area.width(), head.height())
        painter.drawText(foot, int(Qt.AlignmentFlag.AlignHCenter), tr("Epoch"))

    def _draw_numbers(self, painter: QPainter, area: QRectF) -> None:
        measure = self.fontMetrics()
        last = self._last()
        room = measure.horizontalAdvance(str(last)) + 3 * _GAP
        for tick in whole_ticks(last, max(2, int(area.width() / room))):
            x = self._x(area, tick)
            painter.setPen(self._faint())
            painter.drawLine(QPointF(x, area.bottom()), QPointF(x, area.bottom() + 3))
            painter.setPen(self._text())
            box = QRectF(x - room, area.bottom() + 4, 2 * room, measure.height())
            painter.drawText(box, int(Qt.AlignmentFlag.AlignHCenter), str(tick))

    def _draw_best(self, painter: QPainter, area: QRectF, score: Axis) -> None:
        best = self.best()
        if best is None:
            return
        at = QPointF(self._x(area, best.index), area.bottom() - area.height() * score.share(best.score))
        painter.setPen(QPen(self._faint(150), 1, Qt.PenStyle.DotLine))
        painter.drawLine(QPointF(at.x(), area.top()), QPointF(at.x(), area.bottom()))
        painter.setPen(QPen(SCORE, 2))
        painter.drawEllipse(at, 6, 6)
        text = tr("best {score}").format(score=f"{best.score:.3f}")
        width = self.fontMetrics().horizontalAdvance(text) + 2 * _GAP
        # On the side where there is room, and inside the frame.
        x = at.x() + _GAP if at.x() + _GAP + width < area.right() else at.x() - _GAP - width
        painter.setPen(self._text())
        box = QRectF(x, area.top() + 1, width, self.fontMetrics().height())
        painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), text)

    def _draw_line(
        self,
        painter: QPainter,
        area: QRectF,
        axis: Axis,
        values: Sequence[float],
        color: QColor,
        style: Qt.PenStyle,
    ) -> None:
        path = QPainterPath()
        points = [
            QPointF(self._x(area, epoch.index), area.bottom() - area.height() * axis.share(value))
            for epoch, value in zip(self._epochs, values)
            if math.isfinite(value)
        ]
        for number, point in enumerate(points):
            path.lineTo(point) if number else path.moveTo(point)
        painter.setPen(QPen(color, 2, style))
        painter.drawPath(path)
        if len(points) <= _DOTTED:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color)
            for point in points:
                painter.drawEllipse(point, 2.5, 2.5)
            painter.setBrush(Qt.BrushStyle.NoBrush)

    def _show_tip(self, event: QHelpEvent) -> None:
        if not self._epochs:
            QToolTip.hideText()
            return
        area = self._area(*self._axes())
        nearest = min(self._epochs, key=lambda epoch: abs(self._x(area, epoch.index) - event.pos().x()))
        QToolTip.showText(event.globalPos(), _words(nearest), self)

    def _text(self) -> QColor:
        # Of a window in use: some themes leave the others' colours dark on dark.
        return self.palette().color(QPalette.ColorGroup.Active, QPalette.ColorRole.WindowText)

    def _faint(self, alpha: int = 170) -> QColor:
        color = QColor(self._text())
        color.setAlpha(alpha)
        return color


def _words(epoch: Epoch) -> str:
    text = tr("Epoch {index}: loss {loss}, {metric} {score}")
    return text.format(index=epoch.index, loss=f"{epoch.loss:.3f}", metric=epoch.metric, score=f"{epoch.score:.3f}")
