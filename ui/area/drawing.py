"""An area drawn on the map: the tool that draws it, and the frame that shows it."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsGeometry, QgsRectangle, QgsReferencedRectangle, QgsWkbTypes
from qgis.gui import QgsMapCanvas, QgsMapTool, QgsMapToolExtent, QgsRubberBand
from qgis.PyQt.QtCore import QObject, Qt, pyqtSignal
from qgis.PyQt.QtGui import QKeyEvent, QPalette

#: Of the frame, in pixels.
_WIDTH = 2
#: Opacity (0 to 255) of what the frame encloses.
_FILL = 25


class DrawnArea(QObject):
    """A rectangle that the user draws on the canvas; it stays where it is on the ground."""

    rectangle_drawn = pyqtSignal()
    drawing_changed = pyqtSignal(bool)
    """The tool was taken up, or laid down."""

    def __init__(self, canvas: QgsMapCanvas, parent: Optional[QObject] = None) -> None:
        super().__init__(parent)
        self.rectangle: Optional[QgsReferencedRectangle] = None
        """What was drawn, in the CRS that the canvas had then."""
        self._canvas = canvas
        self._shown = False
        self._tool: Optional[_DrawTool] = None
        self._before: Optional[QgsMapTool] = None
        self._frame: Optional[QgsRubberBand] = None
        canvas.destinationCrsChanged.connect(self._show)

    def drawing(self) -> bool:
        """True while the user is to draw."""
        return self._tool is not None

    def start(self) -> None:
        """Let the user draw; afterwards the canvas has its former tool again."""
        if self._tool is not None:
            return
        self._before = self._canvas.mapTool()
        self._tool = _DrawTool(self._canvas)
        self._tool.extentChanged.connect(self._on_drawn)
        self._tool.given_up.connect(self.stop)
        self._tool.deactivated.connect(self._on_deactivated)
        self._canvas.setMapTool(self._tool)
        self._canvas.setFocus()
        self.drawing_changed.emit(True)

    def stop(self) -> None:
        """Give the canvas its former tool again."""
        if self._tool is None:
            return
        if self._before is not None:
            self._canvas.setMapTool(self._before)
        else:
            self._canvas.unsetMapTool(self._tool)

    def set_shown(self, shown: bool) -> None:
        """Show the frame on the map, or hide it."""
        self._shown = shown
        self._show()

    def close_down(self) -> None:
        """Take tool and frame off the canvas."""
        self.stop()
        self._canvas.destinationCrsChanged.disconnect(self._show)
        self.set_shown(False)

    def _on_drawn(self, rectangle: QgsRectangle) -> None:
        if rectangle.isEmpty():
            return
        self.rectangle = QgsReferencedRectangle(rectangle, self._canvas.mapSettings().destinationCrs())
        self.stop()
        self._show()
        self.rectangle_drawn.emit()

    def _on_deactivated(self) -> None:
        """Drawn, given up, or another tool was chosen."""
        tool, self._tool, self._before = self._tool, None, None
        tool.deleteLater()
        self.drawing_changed.emit(False)

    def _show(self) -> None:
        if self._frame is not None:
            self._canvas.scene().removeItem(self._frame)
            self._frame = None
        if self._shown and self.rectangle is not None:
            self._frame = self._make_frame()

    def _make_frame(self) -> QgsRubberBand:
        frame = QgsRubberBand(self._canvas, QgsWkbTypes.GeometryType.PolygonGeometry)
        color = self._canvas.palette().color(QPalette.ColorRole.Highlight)
        frame.setStrokeColor(color)
        color.setAlpha(_FILL)
        frame.setFillColor(color)
        frame.setWidth(_WIDTH)
        frame.setToGeometry(QgsGeometry.fromRect(self.rectangle), self.rectangle.crs())
        return frame


class _DrawTool(QgsMapToolExtent):
    """QGIS's own tool for a rectangle, which Esc ends."""

    given_up = pyqtSignal()

    def keyPressEvent(self, event: Optional[QKeyEvent]) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.given_up.emit()
            event.accept()
        else:
            super().keyPressEvent(event)
