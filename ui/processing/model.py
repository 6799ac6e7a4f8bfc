"""How Processing's windows ask for a model: the installed ones by name, and … for a file.

Processing makes `ModelWidget` for the parameter MODEL, whose value stays a name or a path, as ``qgis_process`` has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Optional
from weakref import WeakKeyDictionary

from processing.gui.wrappers import WidgetWrapper
from qgis.core import (
    QgsMapLayer,
    QgsProcessingContext,
    QgsProcessingParameterDefinition,
    QgsProcessingParameters,
    QgsProcessingUtils,
    QgsProject,
    QgsReferencedRectangle,
)
from qgis.gui import (
    QgsAbstractProcessingParameterWidgetWrapper,
    QgsFileWidget,
    QgsGui,
    QgsProcessingGui,
    QgsProcessingModelerParameterWidget,
)
from qgis.PyQt.QtCore import QSignalBlocker, Qt, QTimer
from qgis.PyQt.QtWidgets import QComboBox, QCompleter, QFileDialog, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from ...inference.errors import RequestError
from ...models.card import Card
from ...models.library import Installed
from ...toolbox.models import choose_model, installed_models
from ..shared.wording import needs_text, tr
from .verdicts import ROLES, VerdictList, judge_slots

#: Window → the models that lay in the library when it was opened: a table of many rows reads the cards once.
_LISTED: WeakKeyDictionary[QWidget, list[Installed]] = WeakKeyDictionary()
#: Milliseconds of quiet after which the layers of the form are looked at.
_SETTLE = 120


class ModelWidget:
    """What Processing calls for a widget; answers with the one that suits the window."""

    def __new__(
        cls, parameter: QgsProcessingParameterDefinition, dialog: QWidget, row: int = 0, column: int = 0
    ) -> object:
        if is_modeler(dialog):
            return _with_names(modeler_widget(parameter, dialog))
        return ModelWrapper(parameter, dialog, row, column)


def is_modeler(dialog: QWidget) -> bool:
    """Whether this is the model designer's form of a step, known by its name, as Processing tells its windows apart."""
    return type(dialog).__name__ == "ModelerParametersDialog"


def modeler_widget(parameter: QgsProcessingParameterDefinition, dialog: QWidget) -> QgsProcessingModelerParameterWidget:
    """QGIS's own, which can also take an input of the model, another step's output or an expression."""
    registry = QgsGui.processingGuiRegistry()
    widget = registry.createModelerParameterWidget(dialog.model, dialog.childId, parameter, dialog.context)
    widget.setDialog(dialog)
    return widget


def _with_names(widget: QgsProcessingModelerParameterWidget) -> QgsProcessingModelerParameterWidget:
    """The widget, whose file field completes the names of the installed models."""
    field = widget.findChild(QgsFileWidget)
    if field is not None:
        names = [model.name for model in installed_models()]
        field.lineEdit().setPlaceholderText(tr("A file, or {names}").format(names=", ".join(names)))
        field.lineEdit().setCompleter(QCompleter(names, field))
    return widget


class ModelWrapper(WidgetWrapper):
    """A list of the installed models for the form and the batch table; in the form, with the slots' verdicts below."""

    def createWidget(self) -> QWidget:
        self._others: dict[str, QgsAbstractProcessingParameterWidgetWrapper] = {}
        self._field = ModelField(self.parameterDefinition(), _listed_for(self.dialog))
        self._field.combo.currentIndexChanged.connect(self._on_changed)
        if self.dialogType != QgsProcessingGui.WidgetType.Standard:
            return self._field
        self._verdicts = VerdictList()
        self._settled = QTimer(self._verdicts)
        self._settled.setSingleShot(True)
        self._settled.setInterval(_SETTLE)
        self._settled.timeout.connect(self._judge)
        whole = QWidget()
        layout = QVBoxLayout(whole)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self._field)
        layout.addWidget(self._verdicts)
        return whole

    def setValue(self, value: object) -> None:
        self._field.choose(str(value or ""))

    def value(self) -> Optional[str]:
        # Not an empty text: QGIS's Autofill takes a row for free only without a value.
        return self._field.chosen() or None

    def postInitialize(self, wrappers: Sequence[QgsAbstractProcessingParameterWidgetWrapper]) -> None:
        super().postInitialize(wrappers)
        if self.dialogType != QgsProcessingGui.WidgetType.Standard:
            return
        self._others = {wrapper.parameterDefinition().name(): wrapper for wrapper in wrappers}
        for name in (*ROLES, "EXTENT"):
            if name in self._others:
                self._others[name].widgetValueHasChanged.connect(self._settled.start)
        self._settled.start()

    def _on_changed(self, _index: int) -> None:
        self.widgetValueHasChanged.emit(self)
        if self._others:
            self._settled.start()

    def _judge(self) -> None:
        card, problem = self._card()
        if card is None:
            self._verdicts.show_text(problem)
            return
        layers = {name: self._layers(name) for name in ROLES if name in self._others}
        self._verdicts.show_verdicts(card, judge_slots(card, layers, self._area()))

    def _card(self) -> tuple[Optional[Card], str]:
        """The chosen model's card, or why there is none to show."""
        if not self.value():
            return None, ""
        try:
            card = choose_model(self.value()).card
        except RequestError as problem:
            return None, str(problem)
        return card, tr("The model's card is inside the file; its slots are looked at when it runs.")

    def _layers(self, name: str) -> list[QgsMapLayer]:
        """The project's layers that the parameter names; files are looked at when the algorithm runs."""
        value = self._others[name].parameterValue()
        texts = value if isinstance(value, (list, tuple)) else [value]
        context = _context()
        found = [QgsProcessingUtils.mapLayerFromString(text, context, False) for text in texts if isinstance(text, str)]
        return [layer for layer in found if layer is not None]

    def _area(self) -> Optional[QgsReferencedRectangle]:
        wrapper = self._others.get("EXTENT")
        value = wrapper.parameterValue() if wrapper is not None else None
        if not value:
            return None
        definition, context = wrapper.parameterDefinition(), _context()
        values = {definition.name(): value}
        extent = QgsProcessingParameters.parameterAsExtent(definition, values, context)
        crs = QgsProcessingParameters.parameterAsExtentCrs(definition, values, context)
        return None if extent.isEmpty() or not crs.isValid() else QgsReferencedRectangle(extent, crs)


class ModelField(QWidget):
    """The list, and the button beside it."""

    def __init__(self, parameter: QgsProcessingParameterDefinition, models: Sequence[Installed]) -> None:
        super().__init__()
        self._models = models
        self._filter = parameter.createFileFilter()
        self.combo = QComboBox(self)
        self.combo.setObjectName("FusionMapperFormModel")
        self.combo.setAccessibleName(parameter.description())
        self.combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.combo.setMinimumContentsLength(20)
        optional = parameter.flags() & QgsProcessingParameterDefinition.Flag.FlagOptional
        self.combo.addItem(tr("None") if optional else tr("Choose a model"), "")
        for model in models:
            self._add(model)
        browse = QToolButton(self)
        browse.setObjectName("FusionMapperFormModelBrowse")
        browse.setText("…")
        browse.setToolTip(tr("Choose a model file"))
        browse.setAccessibleName(tr("Choose a model file"))
        browse.clicked.connect(self._on_browse)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.combo, 1)
        layout.addWidget(browse)
        self.setFocusProxy(self.combo)

    def chosen(self) -> str:
        """A name of an installed model, a path, or nothing."""
        return self.combo.currentData() or ""

    def choose(self, value: str) -> None:
        """Choose by name or path; what is not in the list is added to it as it stands."""
        index = self.combo.findData(value)
        if index < 0:
            index = self._find(value)
        if index < 0:
            with QSignalBlocker(self.combo):
                self.combo.addItem(Path(value).name, value)
            index = self.combo.count() - 1
        self.combo.setCurrentIndex(index)

    def _find(self, value: str) -> int:
        """Where the model stands that a title or a path of an installed model means; -1 where it is none of them."""
        try:
            path = choose_model(value).path
        except RequestError:
            return -1
        known = [model.path.absolute() for model in self._models]
        return known.index(path) + 1 if path in known else -1

    def _add(self, model: Installed) -> None:
        self.combo.addItem(model.label, model.name)
        tip = needs_text(model.card) if model.card else model.problem
        self.combo.setItemData(self.combo.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)

    def _on_browse(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, tr("Choose a Model"), "", self._filter)
        if path:
            self.choose(path)


def _listed_for(dialog: QWidget) -> list[Installed]:
    if dialog not in _LISTED:
        _LISTED[dialog] = installed_models()
    return _LISTED[dialog]


def _context() -> QgsProcessingContext:
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    return context
