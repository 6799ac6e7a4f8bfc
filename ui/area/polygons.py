"""Choosing polygons as the area to map: a layer, or what is selected in it."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsMapLayer, QgsMapLayerProxyModel, QgsProcessingFeatureSourceDefinition, QgsReferencedRectangle
from qgis.gui import QgsMapLayerComboBox
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QCheckBox, QHBoxLayout, QWidget

from ..shared.widgets import keep_narrow
from ..shared.wording import tr


class PolygonChoice(QWidget):
    """A polygon layer of the project, and whether only its selected features count."""

    choice_changed = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._combo = QgsMapLayerComboBox(self)
        self._selected = QCheckBox(tr("S&elected only"), self)
        self._watched: Optional[QgsMapLayer] = None
        self._prepare()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo, 1)
        layout.addWidget(self._selected)
        self._on_layer_changed(self._combo.currentLayer())

    def focus_chain(self) -> list[QWidget]:
        """What the Tab key goes through, in order."""
        return [self._combo, self._selected]

    def problem(self) -> str:
        """What is missing, in one sentence; empty where nothing is."""
        layer = self._combo.currentLayer()
        if layer is None:
            return tr("The project has no polygon layer; add one or choose another area.")
        if self._selected.isChecked() and not layer.selectedFeatureCount():
            return tr("No feature of {layer} is selected; select some or take all.").format(layer=layer.name())
        return ""

    def parameter(self) -> object:
        """The choice as Processing takes it; None where there is none."""
        if self.problem():
            return None
        layer = self._combo.currentLayer()
        if self._selected.isChecked():
            return QgsProcessingFeatureSourceDefinition(layer.id(), True)
        return layer.id()

    def extent(self) -> Optional[QgsReferencedRectangle]:
        """The bounding box of the polygons; None where there are none."""
        if self.problem():
            return None
        layer = self._combo.currentLayer()
        box = layer.boundingBoxOfSelected() if self._selected.isChecked() else layer.extent()
        return None if box.isEmpty() else QgsReferencedRectangle(box, layer.crs())

    def prefer_selection(self) -> None:
        """Offer what is selected: in the layer that stands there, else in another one."""
        layers = [self._combo.currentLayer(), *(self._combo.layer(index) for index in range(self._combo.count()))]
        chosen = next((layer for layer in layers if layer is not None and layer.selectedFeatureCount()), None)
        if chosen is not None:
            self._combo.setLayer(chosen)
            self._selected.setChecked(True)

    def close_down(self) -> None:
        """Listen to no layer any more."""
        self._watch(None)

    def _prepare(self) -> None:
        self._combo.setObjectName("FusionMapperAreaLayer")
        self._combo.setFilters(QgsMapLayerProxyModel.Filter.PolygonLayer)
        self._combo.setToolTip(tr("Maps what lies in this layer's polygons"))
        self._combo.setAccessibleName(tr("Polygon layer"))
        keep_narrow(self._combo)
        self._combo.layerChanged.connect(self._on_layer_changed)
        self._selected.setObjectName("FusionMapperAreaSelected")
        self._selected.setToolTip(tr("Maps what lies in the selected features only"))
        self._selected.toggled.connect(self._on_changed)

    def _on_layer_changed(self, layer: Optional[QgsMapLayer]) -> None:
        self._watch(layer)
        self._selected.setChecked(layer is not None and layer.selectedFeatureCount() > 0)
        self.choice_changed.emit()

    def _watch(self, layer: Optional[QgsMapLayer]) -> None:
        if self._watched is not None:
            self._watched.selectionChanged.disconnect(self._on_changed)
            self._watched.willBeDeleted.disconnect(self._on_deleted)
        self._watched = layer
        if layer is not None:
            layer.selectionChanged.connect(self._on_changed)
            layer.willBeDeleted.connect(self._on_deleted)

    def _on_changed(self, *_what: object) -> None:
        self.choice_changed.emit()

    def _on_deleted(self) -> None:
        self._watched = None
