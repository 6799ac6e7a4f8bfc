"""Choosing layers of the project: one raster, or several vector layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from qgis.core import QgsMapLayer, QgsMapLayerProxyModel, QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.gui import QgsCheckableComboBox, QgsMapLayerComboBox
from qgis.PyQt.QtCore import QSignalBlocker, Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QComboBox, QWidget

from .wording import tr

#: A combo box must not widen the panel to the length of a layer's name.
NAME_LENGTH = 12


def keep_narrow(combo: QComboBox) -> None:
    """Let the panel, not the longest entry, decide how wide the combo box is."""
    combo.setMinimumContentsLength(NAME_LENGTH)
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)


class RasterChoice(QgsMapLayerComboBox):
    """One raster layer, or none."""

    choice_changed = pyqtSignal()
    """The chosen layer is another one, whoever chose it."""
    chosen_by_hand = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setFilters(QgsMapLayerProxyModel.Filter.RasterLayer)
        self.setAllowEmptyLayer(True, tr("No layer"))
        keep_narrow(self)
        self.setLayer(None)
        self._chosen = ""
        self.layerChanged.connect(self._on_layer_changed)
        self.activated.connect(self._on_activated)
        QgsProject.instance().layersWillBeRemoved.connect(self._on_layers_will_be_removed)

    def layers(self) -> list[QgsMapLayer]:
        """The chosen layer, as a list of at most one."""
        layer = self.currentLayer()
        return [] if layer is None else [layer]

    def choose(self, layers: Sequence[QgsMapLayer]) -> None:
        """Choose the first raster among the layers, or nothing."""
        self.setLayer(next((layer for layer in layers if isinstance(layer, QgsRasterLayer)), None))

    def _on_layers_will_be_removed(self, ids: Sequence[str]) -> None:
        # By now QGIS has gone to whatever layer comes next in its list, without a word.
        if self._chosen in ids:
            self.setLayer(None)

    def _on_layer_changed(self, layer: Optional[QgsMapLayer]) -> None:
        self._chosen = "" if layer is None else layer.id()
        self.choice_changed.emit()

    def _on_activated(self, _index: int) -> None:
        self.chosen_by_hand.emit()


class VectorChoice(QgsCheckableComboBox):
    """Any number of the project's vector layers, ticked in a list that follows the project."""

    choice_changed = pyqtSignal()
    chosen_by_hand = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setDefaultText(tr("No layers"))
        self.setSeparator(", ")
        keep_narrow(self)
        project = QgsProject.instance()
        project.layersAdded.connect(self._on_project_changed)
        project.layersRemoved.connect(self._on_project_changed)
        self.checkedItemsChanged.connect(self._on_checked)
        self._fill(set())

    def layers(self) -> list[QgsMapLayer]:
        """The ticked layers, in the order of the list."""
        found = [QgsProject.instance().mapLayer(layer_id) for layer_id in self.checkedItemsData()]
        return [layer for layer in found if layer is not None]

    def choose(self, layers: Sequence[QgsMapLayer]) -> None:
        """Tick exactly these layers."""
        wanted = {layer.id() for layer in layers}
        if wanted != set(self.checkedItemsData()):
            self._fill(wanted)
            self.choice_changed.emit()

    def _fill(self, checked: set[str]) -> None:
        found = QgsProject.instance().mapLayers().values()
        vectors = [layer for layer in found if isinstance(layer, QgsVectorLayer) and layer.isSpatial()]
        blocker = QSignalBlocker(self)
        self.clear()
        for layer in sorted(vectors, key=lambda layer: layer.name().lower()):
            state = Qt.CheckState.Checked if layer.id() in checked else Qt.CheckState.Unchecked
            self.addItemWithCheckState(layer.name(), state, layer.id())
        blocker.unblock()

    def _on_project_changed(self, _layers: object) -> None:
        before = set(self.checkedItemsData())
        self._fill(before)
        if set(self.checkedItemsData()) != before:
            self.choice_changed.emit()

    def _on_checked(self, _texts: Sequence[str]) -> None:
        self.choice_changed.emit()
        self.chosen_by_hand.emit()
