"""Pictures of finished blocks, painted on the map canvas above the layers; nothing of it is part of the project."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Optional

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsPointXY,
    QgsProject,
    QgsRectangle,
)
from qgis.gui import QgsMapCanvas, QgsMapCanvasItem
from qgis.PyQt.QtCore import QObject, QPointF, QRectF, QRunnable, QThreadPool, pyqtSignal
from qgis.PyQt.QtGui import QImage, QPainter, QPolygonF, QTransform
from qgis.PyQt.QtWidgets import QStyleOptionGraphicsItem, QWidget

from ...inference.events import Block
from ...toolbox.layers.crs import crs_of

#: Above the map and below rubber bands, markers and annotations.
_LEVEL = -5.0
#: The imagery shines through a little, so that what was mapped can be compared with it.
_OPACITY = 0.8


#: Blocks of a run share one CRS, which is not to be looked up for each.
_known_crs = lru_cache(maxsize=4)(crs_of)
#: Pictures that are painted within some 30 ms; of a run with more blocks the latest ones are shown.
MOST = 1500


class BlockOverlay(QObject):
    """The pictures of one run or preview on the canvas."""

    picture_shown = pyqtSignal()
    """A picture has been loaded and is being painted."""

    def __init__(self, canvas: QgsMapCanvas, parent: Optional[QObject] = None) -> None:
        super().__init__(parent)
        self._canvas = canvas
        self._item: Optional[_PictureItem] = None
        self._loader = _Loader(self)
        self._loader.loaded.connect(self.put)
        canvas.destinationCrsChanged.connect(self._on_crs_changed)

    def add(self, block: Block) -> None:
        """Show a block's picture, once it is loaded, in place of an earlier one of the same block."""
        self._loader.load(block)

    def put(self, block: Block, image: QImage) -> None:
        """Show a picture that `read_picture` has read; one that could not be read is passed over."""
        if image.isNull():
            return
        if self._item is None:
            self._item = _PictureItem(self._canvas)
        self._item.pictures[block.index] = _Picture(image, block)
        if len(self._item.pictures) > MOST:
            del self._item.pictures[next(iter(self._item.pictures))]
        self._item.update()
        self.picture_shown.emit()

    def count(self) -> int:
        """Pictures that are on the canvas."""
        return len(self._item.pictures) if self._item is not None else 0

    def clear(self) -> None:
        """Take all pictures off the canvas, and forget those that are still being loaded."""
        self._loader.forget()
        item, self._item = self._item, None
        if item is not None:
            self._canvas.scene().removeItem(item)

    def close_down(self) -> None:
        """Take everything away and wait for the thread that loads."""
        self._canvas.destinationCrsChanged.disconnect(self._on_crs_changed)
        self.clear()
        self._loader.close_down()

    def _on_crs_changed(self) -> None:
        if self._item is not None:
            self._item.place_anew()


@dataclass
class _Picture:
    """A picture and where its corners lie."""

    image: QImage
    block: Block
    corners: Optional[list[QgsPointXY]] = None
    """Upper left, upper right, lower right, lower left in the canvas's CRS; None until they are asked for, empty where
    the block has no place in that CRS."""

    def place(self, target: QgsCoordinateReferenceSystem) -> None:
        """Find the corners in the canvas's CRS, each by itself: a rectangle becomes any quadrangle there."""
        box = QgsRectangle(*self.block.bounds)
        xs, ys = (box.xMinimum(), box.xMaximum()), (box.yMaximum(), box.yMinimum())
        corners = [
            QgsPointXY(xs[0], ys[0]),
            QgsPointXY(xs[1], ys[0]),
            QgsPointXY(xs[1], ys[1]),
            QgsPointXY(xs[0], ys[1]),
        ]
        transform = QgsCoordinateTransform(_known_crs(self.block.crs), target, QgsProject.instance().transformContext())
        try:
            self.corners = [transform.transform(corner) for corner in corners]
        except QgsCsException:
            self.corners = []


class _PictureItem(QgsMapCanvasItem):
    """Paints the pictures wherever the map canvas now shows their ground."""

    def __init__(self, canvas: QgsMapCanvas) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self.pictures: dict[int, _Picture] = {}
        self.setZValue(_LEVEL)
        self.setOpacity(_OPACITY)

    def place_anew(self) -> None:
        """The canvas has another CRS."""
        for picture in self.pictures.values():
            picture.corners = None
        self.update()

    def updatePosition(self) -> None:
        """Called by the canvas whenever it is zoomed, moved, turned or resized."""
        self.prepareGeometryChange()
        self.update()

    def boundingRect(self) -> QRectF:
        # Larger than the canvas, which shifts what is painted while the map is dragged.
        width, height = self._canvas.width(), self._canvas.height()
        return QRectF(-width, -height, 3 * width, 3 * height)

    def paint(
        self,
        painter: Optional[QPainter],
        option: Optional[QStyleOptionGraphicsItem] = None,
        widget: Optional[QWidget] = None,
    ) -> None:
        target = self._canvas.mapSettings().destinationCrs()
        around = self.boundingRect()
        for picture in self.pictures.values():
            if picture.corners is None:
                picture.place(target)
            quad = self._on_canvas(picture.corners)
            if quad is not None and around.intersects(quad.boundingRect()):
                _paint_into(painter, picture.image, quad)

    def _on_canvas(self, corners: list[QgsPointXY]) -> Optional[QPolygonF]:
        """The corners in the canvas's pixels."""
        if not corners:
            return None
        to_pixel = self._canvas.getCoordinateTransform()
        points = [to_pixel.transform(corner) for corner in corners]
        return QPolygonF([QPointF(point.x(), point.y()) for point in points])


def read_picture(path: str) -> QImage:
    """The picture in the format that is painted without being converted each time; null where there is none."""
    image = QImage(path)
    return image if image.isNull() else image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)


def _paint_into(painter: QPainter, image: QImage, quad: QPolygonF) -> None:
    width, height = float(image.width()), float(image.height())
    whole = QPolygonF([QPointF(0, 0), QPointF(width, 0), QPointF(width, height), QPointF(0, height)])
    transform = QTransform()
    if not QTransform.quadToQuad(whole, quad, transform):
        return
    painter.save()
    painter.setTransform(transform, True)
    # Classes keep their pixels where the map is near, and no line drops out where it is far.
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, quad.boundingRect().width() < width)
    painter.drawImage(QPointF(0, 0), image)
    painter.restore()


class _Loader(QObject):
    """Reads pictures on a thread of its own, one after the other; what was asked for before `forget` is dropped."""

    loaded = pyqtSignal(object, QImage)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._generation = 0
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._signals = _LoadSignals()
        self._signals.read.connect(self._on_read)

    def load(self, block: Block) -> None:
        self._pool.start(_Load(self._generation, block, self._signals))

    def forget(self) -> None:
        self._generation += 1
        self._pool.clear()

    def close_down(self) -> None:
        self.forget()
        self._pool.waitForDone()

    def _on_read(self, generation: int, block: Block, image: QImage) -> None:
        if generation == self._generation:
            self.loaded.emit(block, image)


class _LoadSignals(QObject):
    read = pyqtSignal(int, object, QImage)


class _Load(QRunnable):
    """Reads one picture."""

    def __init__(self, generation: int, block: Block, signals: _LoadSignals) -> None:
        super().__init__()
        self._generation, self._block, self._signals = generation, block, signals

    def run(self) -> None:
        self._signals.read.emit(self._generation, self._block, read_picture(self._block.picture))
