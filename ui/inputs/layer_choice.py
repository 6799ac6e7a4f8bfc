"""Choosing layers of the project: one raster, or several vector layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Optional

from qgis.core import QgsMapLayer, QgsMapLayerProxyModel, QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.gui import QgsCheckableComboBox, QgsMapLayerComboBox
from qgis.PyQt.QtCore import QSignalBlocker, Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QWidget

from ...toolbox.layers.suiting import Suiting
from ..shared.widgets import keep_narrow
from ..shared.wording import tr

#: Layers that are left out are told in a tooltip, up to so many.
_TOLD = 8


class RasterChoice(QgsMapLayerComboBox):
    """One raster layer, or none; offers those that could serve, and all of them on demand."""

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
        self._show_all = False
        self._suitings: Mapping[str, Suiting] = {}
        self._excepted: list[str] = []
        self._more = tr("Show All Layers")
        self.layerChanged.connect(self._on_layer_changed)
        self.activated.connect(self._on_activated)
        QgsProject.instance().layersWillBeRemoved.connect(self._on_layers_will_be_removed)

    def layers(self) -> list[QgsMapLayer]:
        """The chosen layer, as a list of at most one."""
        layer = self.currentLayer()
        return [] if layer is None else [layer]

    def choose(self, layers: Sequence[QgsMapLayer]) -> None:
        """Choose the first raster among the layers, or nothing."""
        layer = next((layer for layer in layers if isinstance(layer, QgsRasterLayer)), None)
        if layer is not None and layer.id() in self._excepted:
            self._show_all = True
            self._offer()
        self._set(layer)

    def offer(self, suitings: Mapping[str, Suiting]) -> None:
        """Offer the layers (by id) that suit; those of which nothing is known are offered too."""
        self._suitings = suitings
        self._offer()

    def left_out_text(self) -> str:
        """Which layers are not offered, and why; one a line."""
        project = QgsProject.instance()
        lines = [f"{project.mapLayer(key).name()}: {self._suitings[key].reason}" for key in self._excepted]
        if not lines:
            return ""
        more = [tr("and {count} more").format(count=len(lines) - _TOLD)] if len(lines) > _TOLD else []
        return "\n".join([tr("Not offered"), *lines[:_TOLD], *more])

    def _left_out(self) -> list[str]:
        """Ids of the layers that are not offered; never the chosen one."""
        if self._show_all:
            return []
        layers = QgsProject.instance().mapLayers()
        unfit = [key for key, suiting in self._suitings.items() if not suiting.suits and key != self._chosen]
        return [key for key in unfit if isinstance(layers.get(key), QgsRasterLayer)]

    def _offer(self) -> None:
        left_out = self._left_out()
        if left_out == self._excepted:
            return
        self._excepted = left_out
        layer = self.currentLayer()
        # The list is built anew in several steps, in which another layer is the current one for a moment.
        blocker = QSignalBlocker(self)
        self.setExceptedLayerList([QgsProject.instance().mapLayer(key) for key in left_out])
        self.setAdditionalItems([self._more] if left_out else [])
        self._set(layer)
        blocker.unblock()

    def _set(self, layer: Optional[QgsMapLayer]) -> None:
        """`setLayer` takes the entry that shows all layers for an empty one as well, and stays there."""
        if layer is None:
            self.setCurrentIndex(0)
        else:
            self.setLayer(layer)

    def _asks_for_more(self) -> bool:
        return self.currentLayer() is None and self.currentText() == self._more

    def _on_layers_will_be_removed(self, ids: Sequence[str]) -> None:
        # By now QGIS has gone to whatever comes next in its list, without a word.
        if self._chosen in ids:
            self._set(None)
            self._on_layer_changed(None)
        # QGIS keeps bare pointers to the layers that are left out.
        self._suitings = {key: suiting for key, suiting in self._suitings.items() if key not in ids}
        self._offer()

    def _on_layer_changed(self, layer: Optional[QgsMapLayer]) -> None:
        chosen = "" if layer is None else layer.id()
        if chosen != self._chosen and not self._asks_for_more():
            self._chosen = chosen
            self.choice_changed.emit()

    def _on_activated(self, _index: int) -> None:
        if not self._asks_for_more():
            self.chosen_by_hand.emit()
            return
        self._show_all = True
        self._offer()
        self._set(QgsProject.instance().mapLayer(self._chosen))
        self.showPopup()


class VectorChoice(QgsCheckableComboBox):
    """Any number of the project's vector layers, ticked in a list; those that suit stand first."""

    choice_changed = pyqtSignal()
    chosen_by_hand = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setDefaultText(tr("No layers"))
        self.setSeparator(", ")
        keep_narrow(self)
        self._suitings: Mapping[str, Suiting] = {}
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

    def offer(self, suitings: Mapping[str, Suiting]) -> None:
        """List first the layers (by id) that suit, each with its reason as tooltip."""
        self._suitings = suitings
        self._fill(set(self.checkedItemsData()))

    def _fill(self, checked: set[str]) -> None:
        found = QgsProject.instance().mapLayers().values()
        vectors = [layer for layer in found if isinstance(layer, QgsVectorLayer) and layer.isSpatial()]
        blocker = QSignalBlocker(self)
        self.clear()
        for layer in sorted(vectors, key=self._rank):
            state = Qt.CheckState.Checked if layer.id() in checked else Qt.CheckState.Unchecked
            self.addItemWithCheckState(layer.name(), state, layer.id())
            suiting = self._suitings.get(layer.id())
            reason = suiting.reason if suiting else tr("It cannot be used as it is")
            self.setItemData(self.count() - 1, reason, Qt.ItemDataRole.ToolTipRole)
        blocker.unblock()

    def _rank(self, layer: QgsMapLayer) -> tuple[bool, str]:
        suiting = self._suitings.get(layer.id())
        return suiting is None or not suiting.suits, layer.name().lower()

    def _on_project_changed(self, _layers: object) -> None:
        before = set(self.checkedItemsData())
        self._fill(before)
        if set(self.checkedItemsData()) != before:
            self.choice_changed.emit()

    def _on_checked(self, _texts: Sequence[str]) -> None:
        self.choice_changed.emit()
        self.chosen_by_hand.emit()
