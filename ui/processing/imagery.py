"""How Processing's batch table asks for imagery: one raster is one plain value, so that Autofill can work with it.

QGIS's own cell holds a list even of one raster. *Select Files…* then leaves the first rows empty, and outputs cannot be
named after the raster (`BatchOutputSelectionPanel` of QGIS 3.22 to 3.40 raises a TypeError on a list).
"""

from __future__ import annotations

from processing.gui.wrappers import WidgetWrapper
from qgis.core import QgsProcessingContext, QgsProcessingParameterDefinition
from qgis.gui import (
    QgsGui,
    QgsProcessingContextGenerator,
    QgsProcessingGui,
    QgsProcessingParameterWidgetContext,
)
from qgis.PyQt.QtWidgets import QWidget

from .model import is_modeler, modeler_widget


class ImageryWidget:
    """What Processing calls for a widget; answers with QGIS's own, but for the batch table."""

    def __new__(
        cls, parameter: QgsProcessingParameterDefinition, dialog: QWidget, row: int = 0, column: int = 0
    ) -> object:
        if is_modeler(dialog):
            return modeler_widget(parameter, dialog)
        # Known by its name, as Processing itself tells its windows apart.
        if type(dialog).__name__ == "BatchAlgorithmDialog":
            return ImageryCell(parameter, dialog, row, column)
        registry = QgsGui.processingGuiRegistry()
        wrapper = registry.createParameterWidgetWrapper(parameter, QgsProcessingGui.WidgetType.Standard)
        wrapper.setDialog(dialog)
        return wrapper


class ImageryCell(WidgetWrapper):
    """QGIS's own cell for several layers, whose value is a list only where there are several."""

    def createWidget(self) -> QWidget:
        registry = QgsGui.processingGuiRegistry()
        self._inner = registry.createParameterWidgetWrapper(
            self.parameterDefinition(), QgsProcessingGui.WidgetType.Batch
        )
        self._inner.setDialog(self.dialog)
        return self._inner.createWrappedWidget(QgsProcessingContext())

    def setWidgetContext(self, context: QgsProcessingParameterWidgetContext) -> None:
        super().setWidgetContext(context)
        self._inner.setWidgetContext(context)

    def registerProcessingContextGenerator(self, generator: QgsProcessingContextGenerator) -> None:
        super().registerProcessingContextGenerator(generator)
        self._inner.registerProcessingContextGenerator(generator)

    def setValue(self, value: object) -> None:
        self._inner.setParameterValue(value, QgsProcessingContext())

    def value(self) -> object:
        layers = self._inner.parameterValue()
        if isinstance(layers, list) and len(layers) < 2:
            return layers[0] if layers else None
        return layers
