"""The labels: a layer, its field or band, the task, and what is found in it as one draws."""

from __future__ import annotations

import re
from functools import partial
from typing import Optional

from qgis.core import (
    QgsFieldProxyModel,
    QgsMapLayer,
    QgsMapLayerProxyModel,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
    QgsWkbTypes,
)
from qgis.gui import QgsFieldComboBox, QgsMapLayerComboBox, QgsRasterBandComboBox
from qgis.PyQt.QtCore import Qt, QTimer, pyqtSignal
from qgis.PyQt.QtWidgets import QComboBox, QFormLayout, QLabel, QLineEdit, QStackedWidget, QVBoxLayout, QWidget

from ..shared.background import Background
from ..shared.widgets import keep_narrow, make_small
from ..shared.wording import tip_text, tr
from .class_counts import ClassCounts
from .layers import title_width
from .survey import Survey, surveyor
from .verdicts import CHIPS, CLASSES, FIELDS, VALUES, notes_of, problem_of

#: Milliseconds of quiet after which changed labels are counted again.
_SETTLE = 250
_CLASS_FIELD = re.compile(r"class|label|cover|categ|type|kind|code|species|land|crop|name", re.IGNORECASE)
_LAYER = re.compile(r"label|train|sample|class|truth|reference|polygon", re.IGNORECASE)
_KEYS = ("fid", "id", "gid", "ogc_fid", "objectid")


class TrainingLabels(QWidget):
    """Chooses the labels, and shows their classes; counts them again whenever they are edited."""

    choice_changed = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._layer = QgsMapLayerComboBox(self)
        self._task = QComboBox(self)
        self._field = QgsFieldComboBox(self)
        self._band = QgsRasterBandComboBox(self)
        self._which = QStackedWidget(self)
        self._units = QLineEdit(self)
        self._form = QFormLayout()
        self.table = ClassCounts(self)
        self._note = QLabel(self)
        self._background = Background(self)
        self._watched: Optional[QgsMapLayer] = None
        self._asked = 0
        self._survey: Optional[Survey] = None
        self._trouble = ""
        self._settled = QTimer(self)
        self._prepare()
        self._lay_out()
        self._listen()
        self._on_layer_changed(self.layer())

    def layer(self) -> Optional[QgsMapLayer]:
        """The layer with what is known on the ground."""
        return self._layer.currentLayer()

    def task(self) -> str:
        """What is to be learned, as a job calls it."""
        return self._task.currentData()

    def field(self) -> str:
        """Attribute with the class or value; empty for rasters, and for fields."""
        is_vector = isinstance(self.layer(), QgsVectorLayer)
        return self._field.currentField() if is_vector and self.task() != FIELDS else ""

    def band(self) -> int:
        """1-based band of a label raster."""
        return max(1, self._band.currentBand()) if isinstance(self.layer(), QgsRasterLayer) else 1

    def units(self) -> str:
        """Of the values, where values are learned."""
        return self._units.text().strip() if self.task() in (VALUES, CHIPS) else ""

    def classes(self) -> str:
        """The CLASSES parameter, where colours were chosen; empty where the labels' own classes count."""
        return self.table.lines() if self.task() == CLASSES else ""

    def survey(self) -> Optional[Survey]:
        """What was counted; None while it is not known."""
        return self._survey

    def focus_chain(self) -> list[QWidget]:
        """What the Tab key goes through, in order."""
        return [self._layer, self._task, self._field, self._band, self._units, self.table]

    def propose(self) -> None:
        """Choose a layer that looks like labels, unless one is chosen."""
        if self.layer() is not None:
            return
        layers = [layer for layer in QgsProject.instance().layerTreeRoot().layerOrder() if _can_be_labels(layer)]
        found = [layer for layer in layers if _class_field(layer) and _LAYER.search(layer.name())]
        if found:
            self._layer.setLayer(found[0])

    def problem(self) -> str:
        """What keeps these labels from being learned from, in one sentence; empty where nothing does."""
        layer = self.layer()
        if layer is None:
            return tr("Choose the labels to learn from.")
        if not layer.isValid() or not layer.crs().isValid():
            return tr("The labels '{name}' cannot be read, or have no CRS.").format(name=layer.name())
        if isinstance(layer, QgsVectorLayer) and self.task() != FIELDS and not self.field():
            return tr("Choose the field that holds the class or the value.")
        if self._survey is None:
            return self._trouble or ("" if surveyor(layer, self.field()) is None else tr("Counting the labels…"))
        return problem_of(self._survey, self.task())

    def close_down(self) -> None:
        """Count and listen no more."""
        self._settled.stop()
        self._watch(None)
        self._background.close_down()

    def _prepare(self) -> None:
        kinds = QgsMapLayerProxyModel.Filter
        self._layer.setFilters(kinds.PolygonLayer | kinds.PointLayer | kinds.RasterLayer)
        self._layer.setAllowEmptyLayer(True, tr("No layer"))
        self._layer.setLayer(None)
        self._layer.setObjectName("FusionMapperTrainLabels")
        self._layer.setAccessibleName(tr("Labels"))
        self._layer.setToolTip(tr("What is known on the ground: polygons, points or a class raster, in any CRS"))
        tasks = (
            (CLASSES, tr("Land cover, or other classes")),
            (FIELDS, tr("Fields and their boundaries")),
            (VALUES, tr("Tree cover, or another value")),
            (CHIPS, tr("A value for each tile")),
        )
        for name, title in tasks:
            self._task.addItem(title, name)
        self._task.setObjectName("FusionMapperTrainTask")
        self._task.setToolTip(tr("What the model is to make of the layers"))
        self._field.setObjectName("FusionMapperTrainField")
        self._field.setAccessibleName(tr("Field with the class"))
        self._field.setToolTip(tr("The field that holds the class, or the value"))
        self._band.setObjectName("FusionMapperTrainBand")
        self._band.setAccessibleName(tr("Band with the class"))
        self._units.setObjectName("FusionMapperTrainUnits")
        self._units.setPlaceholderText(tr("such as % or m"))
        self._note.setObjectName("FusionMapperTrainLabelsNote")
        self._note.setWordWrap(True)
        self._note.setTextFormat(Qt.TextFormat.PlainText)
        make_small(self._note)
        for box in (self._layer, self._task, self._field, self._band):
            keep_narrow(box)
        self._settled.setSingleShot(True)
        self._settled.setInterval(_SETTLE)

    def _lay_out(self) -> None:
        self._which.addWidget(self._field)
        self._which.addWidget(self._band)
        self._which.setFixedHeight(self._field.sizeHint().height())
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setVerticalSpacing(3)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form.addRow(tr("&Labels"), self._layer)
        self._form.addRow(tr("&Task"), self._task)
        self._which_title = QLabel(tr("&Field"), self)
        self._which_title.setBuddy(self._field)
        self._form.addRow(self._which_title, self._which)
        self._form.addRow(tr("&Units"), self._units)
        for widget in (self._layer, self._task, self._units):
            self._form.labelForField(widget).setMinimumWidth(title_width(self))
        self._which_title.setMinimumWidth(title_width(self))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self._form)
        layout.addWidget(self.table)
        layout.addWidget(self._note)

    def _listen(self) -> None:
        self._layer.layerChanged.connect(self._on_layer_changed)
        self._task.currentIndexChanged.connect(self._on_task_changed)
        self._field.fieldChanged.connect(self._on_changed)
        self._band.bandChanged.connect(self._on_changed)
        self._settled.timeout.connect(self._count)

    def _on_layer_changed(self, layer: Optional[QgsMapLayer]) -> None:
        self._watch(layer)
        vector = layer if isinstance(layer, QgsVectorLayer) else None
        self._field.setLayer(vector)
        self._band.setLayer(layer if isinstance(layer, QgsRasterLayer) else None)
        if vector is not None:
            self._field.setField(_class_field(vector))
        self._show_fields()
        self._on_changed()

    def _on_task_changed(self, _index: int) -> None:
        chosen = self._field.currentField()
        values = self.task() in (VALUES, CHIPS)
        self._field.setFilters(QgsFieldProxyModel.Filter.Numeric if values else QgsFieldProxyModel.Filter.AllTypes)
        self._field.setField(chosen)
        self._show_fields()
        self._on_changed()

    def _show_fields(self) -> None:
        raster = isinstance(self.layer(), QgsRasterLayer)
        self._which.setCurrentIndex(1 if raster else 0)
        self._which_title.setText(tr("&Band") if raster else tr("&Field"))
        self._which_title.setBuddy(self._band if raster else self._field)
        self._which.setEnabled(raster or self.task() != FIELDS)
        values = self.task() in (VALUES, CHIPS)
        self._units.setVisible(values)
        self._form.labelForField(self._units).setVisible(values)

    def _on_changed(self, *_told: object) -> None:
        # At once, so that a count of another field is taken for this one by nobody.
        self._asked += 1
        self._survey, self._trouble = None, ""
        self._settled.start()
        self._show()

    def _on_edited(self, *_told: object) -> None:
        """The labels are others than they were; until they are counted again the old count is shown."""
        self._settled.start()

    def _count(self) -> None:
        count = surveyor(self.layer(), self.field(), self.band()) if self.layer() is not None else None
        self._asked += 1
        if count is not None:
            asked = self._asked
            self._background.ask(count, partial(self._on_counted, asked), partial(self._on_trouble, asked))
        self._show()

    def _on_counted(self, asked: int, survey: Survey) -> None:
        if asked == self._asked:
            self._survey = survey
            self._show()

    def _on_trouble(self, asked: int, sentence: str) -> None:
        if asked == self._asked:
            self._survey, self._trouble = None, sentence
            self._show()

    def _show(self) -> None:
        survey, task = self._survey, self.task()
        self.table.show_survey(survey if survey is not None and task == CLASSES else None)
        notes = notes_of(survey, task) if survey is not None else []
        if self.layer() is None:
            notes = [_how_to_draw()]
        self._note.setText("\n".join(notes))
        self._note.setToolTip(tip_text(self._note.text()))
        self._note.setVisible(bool(notes))
        self.choice_changed.emit()

    def _watch(self, layer: Optional[QgsMapLayer]) -> None:
        """Listen to the layer's edits, and to those of no other."""
        if self._watched is not None:
            for signal in _edits(self._watched):
                signal.disconnect(self._on_edited)
            self._watched.willBeDeleted.disconnect(self._on_deleted)
        self._watched = layer
        if layer is not None:
            for signal in _edits(layer):
                signal.connect(self._on_edited)
            layer.willBeDeleted.connect(self._on_deleted)

    def _on_deleted(self) -> None:
        self._watched = None


def _edits(layer: QgsMapLayer) -> list:
    signals = [layer.dataChanged, layer.dataSourceChanged, layer.crsChanged]
    if isinstance(layer, QgsVectorLayer):
        signals += [layer.featureAdded, layer.featuresDeleted, layer.attributeValueChanged, layer.editingStopped]
        signals += [layer.subsetStringChanged, layer.updatedFields]
    return signals


def _can_be_labels(layer: QgsMapLayer) -> bool:
    kinds = (QgsWkbTypes.GeometryType.PolygonGeometry, QgsWkbTypes.GeometryType.PointGeometry)
    return isinstance(layer, QgsVectorLayer) and layer.isValid() and layer.geometryType() in kinds


def _class_field(layer: QgsVectorLayer) -> str:
    """The field that is named like one of classes; else the first that is no key; empty where there is none."""
    names = [name for name in layer.fields().names() if name.lower() not in _KEYS]
    named = next((name for name in names if _CLASS_FIELD.search(name)), "")
    return named or next(iter(names), "")


def _how_to_draw() -> str:
    return tr(
        "No labels yet? Make a polygon layer with a text field for the class (Layer, Create Layer, New Temporary "
        "Scratch Layer), and draw a dozen small polygons over places that you know."
    )
