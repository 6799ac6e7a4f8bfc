"""Two pictures of one place, side by side: what went into the model, and what came out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable, Optional

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsMapLayer,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProject,
    QgsRectangle,
)
from qgis.PyQt.QtCore import QObject, QRect, QRectF, QSize, Qt
from qgis.PyQt.QtGui import QImage, QPainter, QPaintEvent, QPalette, QTextOption
from qgis.PyQt.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from ..shared.wording import tr

#: Pixels along a picture's longer side.
_SIZE = 640


class Picture(QWidget):
    """Shows one picture as large as there is room for, or a word in its place."""

    def __init__(self, name: str, title: str, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(title)
        self.setMinimumSize(120, 120)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._image = QImage()
        self._text = title

    def image(self) -> QImage:
        """What is shown; a null image where nothing is."""
        return self._image

    def show_image(self, image: QImage) -> None:
        self._image = image
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, 200)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        area = self.contentsRect()
        if self._image.isNull():
            painter.setPen(self.palette().color(QPalette.ColorRole.Mid))
            painter.drawRect(area.adjusted(0, 0, -1, -1))
            painter.setPen(self.palette().color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.WindowText))
            painter.drawText(QRectF(area), self._text, QTextOption(Qt.AlignmentFlag.AlignCenter))
            return
        size = self._image.size().scaled(area.size(), Qt.AspectRatioMode.KeepAspectRatio)
        corner = area.center() - QRect(area.topLeft(), size).center() + area.topLeft()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(QRect(corner, size), self._image)


class PicturePair(QWidget):
    """The imagery and the result."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.imagery = Picture("FusionMapperImportImagery", tr("Imagery"), self)
        self.result = Picture("FusionMapperImportResult", tr("Result"), self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.imagery)
        row.addWidget(self.result)

    def clear(self) -> None:
        """Show neither."""
        for picture in (self.imagery, self.result):
            picture.show_image(QImage())


class Drawing(QObject):
    """Draws layers into a picture, off the main thread; keep a reference until it is `done`."""

    def __init__(
        self,
        layers: Sequence[QgsMapLayer],
        extent: QgsRectangle,
        crs: QgsCoordinateReferenceSystem,
        done: Callable[[QImage], None],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        settings = QgsMapSettings()
        settings.setLayers(list(layers))
        settings.setDestinationCrs(crs)
        settings.setTransformContext(QgsProject.instance().transformContext())
        longest = max(extent.width(), extent.height())
        width, height = (max(1, round(_SIZE * side / longest)) for side in (extent.width(), extent.height()))
        settings.setOutputSize(QSize(width, height))
        settings.setExtent(extent)
        settings.setBackgroundColor(Qt.GlobalColor.transparent)
        self._done = done
        self._job = QgsMapRendererParallelJob(settings)
        self._job.finished.connect(self._on_finished)
        self._job.start()

    def stop(self) -> None:
        """Draw no more, and tell nobody."""
        self._job.finished.disconnect(self._on_finished)
        self._job.cancelWithoutBlocking()

    def _on_finished(self) -> None:
        self._done(self._job.renderedImage())
