"""Choosing what is mapped: what is visible on the map, or all of the imagery."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsMapLayer, QgsReferencedRectangle
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QHBoxLayout, QLabel, QRadioButton, QVBoxLayout, QWidget

from .ground import pixel_size, rectangle_size
from .preflight import in_crs_of
from .wording import DOT, metres_text, tr


class AreaPicker(QWidget):
    """The area to map, within the layer that gives the run its grid."""

    area_changed = pyqtSignal()

    def __init__(self, canvas: QgsMapCanvas, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._canvas = canvas
        self._layer: Optional[QgsMapLayer] = None
        self._visible = QRadioButton(tr("&Visible map"), self)
        self._whole = QRadioButton(tr("&Whole imagery"), self)
        self._estimate = QLabel(self)
        self._prepare()
        self._lay_out()
        canvas.extentsChanged.connect(self.area_changed)
        self._visible.toggled.connect(self._on_toggled)

    def focus_chain(self) -> list[QWidget]:
        """What the Tab key goes through, in order."""
        return [self._visible, self._whole]

    def set_layer(self, layer: Optional[QgsMapLayer]) -> None:
        """The layer that gives the grid; nothing outside it is mapped."""
        self._layer = layer

    def extent(self) -> Optional[QgsReferencedRectangle]:
        """What is to be mapped, in the layer's CRS; None where there is no layer, or none of it is visible."""
        if self._layer is None or not self._layer.isValid() or not self._layer.crs().isValid():
            return None
        whole = QgsReferencedRectangle(self._layer.extent(), self._layer.crs())
        if self._whole.isChecked():
            return whole
        seen = QgsReferencedRectangle(self._canvas.extent(), self._canvas.mapSettings().destinationCrs())
        within = in_crs_of(self._layer, seen)
        common = None if within is None else within.intersect(whole)
        return None if common is None or common.isEmpty() else QgsReferencedRectangle(common, whole.crs())

    def is_whole(self) -> bool:
        """True where the whole layer is asked for."""
        return self._whole.isChecked()

    def show_estimate(self, gsd: Optional[float]) -> None:
        """Say how large the map will be; `gsd` in ground metres, None takes the layer's own."""
        area = self.extent()
        self._estimate.setText(self._estimate_text(area, gsd) if area is not None else "")
        self._estimate.setVisible(area is not None)

    def _estimate_text(self, area: QgsReferencedRectangle, gsd: Optional[float]) -> str:
        width, height = rectangle_size(area, area.crs())
        size = tr("{width} × {height}").format(width=metres_text(width), height=metres_text(height))
        gsd = gsd or pixel_size(self._layer)
        if gsd is None:
            return size
        pixels = tr("{count} Mpx").format(count=f"{width * height / gsd**2 / 1e6:.2g}")
        return DOT.join([tr("{size} at {gsd}").format(size=size, gsd=metres_text(gsd)), pixels])

    def _prepare(self) -> None:
        self._visible.setObjectName("FusionMapperAreaVisible")
        self._visible.setToolTip(tr("Maps what the map window shows of the imagery"))
        self._whole.setObjectName("FusionMapperAreaWhole")
        self._whole.setToolTip(tr("Maps all of the imagery layer"))
        self._estimate.setObjectName("FusionMapperAreaEstimate")
        self._visible.setChecked(True)

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self._visible)
        row.addWidget(self._whole)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(self._estimate)

    def _on_toggled(self, _checked: bool) -> None:
        self.area_changed.emit()
