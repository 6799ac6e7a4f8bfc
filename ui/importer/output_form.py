"""One output of the card: what the model answers, and how the answer is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Optional

from qgis.core import QgsStyle
from qgis.PyQt.QtCore import QSignalBlocker, pyqtSignal
from qgis.PyQt.QtWidgets import QComboBox, QHBoxLayout, QLabel, QLineEdit, QWidget

from ...models.card import ClassInfo, Output, Scaling
from ..shared.wording import tr
from .class_table import ClassTable
from .draft import CardDraft, numbered_classes
from .fields import FieldForm, OptionalNumber, choose

_CHOOSE = ""
SEGMENTATION, REGRESSION, FIELDS = "semantic-segmentation", "pixel-regression", "field-boundaries"


class OutputForm(FieldForm):
    """Edits the draft's output of that index."""

    refused = pyqtSignal(str)
    """Why what was typed cannot be taken."""

    def __init__(
        self, draft: CardDraft, index: int, tensor: Mapping[str, Any], parent: Optional[QWidget] = None
    ) -> None:
        output = draft.card.outputs[index]
        title = tr("Output “{name}”, {shape}").format(name=output.name, shape=tensor["text"])
        super().__init__(title, draft, parent)
        self._index = index
        self._classes = output.classes
        self._activation_before = output.activation
        self._task = QComboBox(self)
        self._name = QLineEdit(self)
        self._table = ClassTable(self)
        self._activation = QComboBox(self)
        self._threshold = OptionalNumber(tr("None"), 1.0, 2, "", self)
        self._field_class = QComboBox(self)
        self._boundary_class = QComboBox(self)
        self._units = QLineEdit(self)
        self._low, self._high = QLineEdit(self), QLineEdit(self)
        self._factor = QLineEdit(self)
        self._ramp = QComboBox(self)
        self._fill()
        self._lay_out()
        self._listen()
        self._show()

    def output(self) -> Output:
        """The output as it is now."""
        return self.draft.card.outputs[self._index]

    def _place(self, name: str) -> str:
        return f"outputs[{self._index}].{name}"

    def _fill(self) -> None:
        if self.draft.is_unknown(self._place("task")):
            self._task.addItem(tr("Choose…"), _CHOOSE)
        for name, words in _task_words().items():
            self._task.addItem(words, name)
        for name, words in _activation_words().items():
            if (name == "labels") == (self.output().activation == "labels"):
                self._activation.addItem(words, name)
        self._ramp.addItems(QgsStyle.defaultStyle().colorRampNames() or ["viridis"])

    def _lay_out(self) -> None:
        number = str(self._index)
        self.add(tr("Answer"), self._task, "Task" + number, self._place("task"))
        self.add(tr("Title"), self._name, "OutputTitle" + number, self._place("title"))
        self.add(tr("Classes"), self._table, "Classes" + number, self._place("classes"))
        self.add(tr("Field class"), self._field_class, "FieldClass" + number, self._place("field"))
        self.add(tr("Boundary class"), self._boundary_class, "BoundaryClass" + number, self._place("boundary"))
        hint = tr("What has still to be applied to get probabilities")
        self.add(tr("Activation"), self._activation, "Activation" + number, self._place("activation"), hint)
        hint = tr("Below this probability a pixel takes the first class")
        self.add(tr("Least probability"), self._threshold, "Threshold" + number, self._place("threshold"), hint)
        self.add(tr("Units"), self._units, "Units" + number, self._place("units"), tr("For example %, m or t/ha"))
        self.add(tr("Range"), self._range_row(), "Range" + number, self._place("range"))
        hint = tr("The map's value is the model's answer times this")
        self.add(tr("Factor"), self._factor, "Factor" + number, self._place("scaling"), hint)
        self.add(tr("Colour ramp"), self._ramp, "Ramp" + number, self._place("ramp"))

    def _range_row(self) -> QWidget:
        row = QWidget(self)
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        for edit, name, words in (
            (self._low, "Low", tr("Lowest value")),
            (self._high, "High", tr("Highest value")),
        ):
            edit.setObjectName("FusionMapperImport" + name + str(self._index))
            edit.setAccessibleName(words)
            edit.setToolTip(words)
            edit.setPlaceholderText(tr("Open"))
            layout.addWidget(edit)
            if name == "Low":
                layout.addWidget(QLabel("–", row))
        return row

    def _listen(self) -> None:
        self._task.currentIndexChanged.connect(self._on_task)
        self._name.textEdited.connect(self._on_title)
        self._table.edited.connect(self._on_classes)
        self._table.refused.connect(self.refused)
        self._field_class.currentIndexChanged.connect(self._on_field_classes)
        self._boundary_class.currentIndexChanged.connect(self._on_field_classes)
        self._activation.currentIndexChanged.connect(self._on_activation)
        self._threshold.changed.connect(self._on_threshold)
        self._units.textEdited.connect(self._on_units)
        self._low.editingFinished.connect(self._on_range)
        self._high.editingFinished.connect(self._on_range)
        self._factor.editingFinished.connect(self._on_factor)
        self._ramp.currentIndexChanged.connect(self._on_ramp)

    def _show(self) -> None:
        """Bring all widgets to what the card says."""
        output = self.output()
        combos = (self._task, self._activation, self._ramp, self._field_class, self._boundary_class)
        blockers = [QSignalBlocker(widget) for widget in (*combos, self._threshold)]
        choose(self._task, _CHOOSE if self.draft.is_unknown(self._place("task")) else output.task)
        choose(self._activation, output.activation)
        self._ramp.setCurrentIndex(max(self._ramp.findText(output.ramp.capitalize()), 0))
        self._threshold.set_number(output.threshold)
        self._name.setText(output.title)
        self._units.setText(output.units)
        low, high = output.range or ("", "")
        self._low.setText(str(low) if low == "" else f"{low:g}")
        self._high.setText(str(high) if high == "" else f"{high:g}")
        self._factor.setText(f"{output.scaling.scale:g}")
        self._table.show_classes(output.classes)
        self._show_field_classes(output)
        del blockers
        self._show_what_counts(output)

    def _show_field_classes(self, output: Output) -> None:
        for combo, value in ((self._field_class, output.field), (self._boundary_class, output.boundary)):
            blocker = QSignalBlocker(combo)
            combo.clear()
            for info in output.classes:
                combo.addItem(info.name, info.value)
            combo.setCurrentIndex(combo.findData(value))
            del blocker

    def _show_what_counts(self, output: Output) -> None:
        regression, fields = output.task == REGRESSION, output.task == FIELDS
        several = len(self.draft.card.outputs) > 1
        self.show_row(self._name, several)
        for widget in (self._table, self._activation):
            self.show_row(widget, not regression)
        for widget in (self._field_class, self._boundary_class):
            self.show_row(widget, fields)
        self.show_row(self._threshold, output.task == SEGMENTATION)
        for widget in (self._units, self._low.parentWidget(), self._factor, self._ramp):
            self.show_row(widget, regression)

    def _set(self, *told: str, **changes: object) -> None:
        self.draft.set_output(self._index, *told, **changes)

    def _on_task(self, _index: int) -> None:
        task = self._task.currentData()
        if task == _CHOOSE:
            return
        if task == REGRESSION:
            self._set("task", "classes", "activation", task=task, classes=(), activation="none")
        else:
            classes = self.output().classes or self._classes or numbered_classes(2)
            first, last = classes[0].value, classes[-1].value
            fields = {"field": first, "boundary": last} if task == FIELDS else {"field": None, "boundary": None}
            self._set("task", task=task, classes=classes, activation=self._activation_before, **fields)
        self._show()

    def _on_title(self, text: str) -> None:
        self._set("title", title=text.strip())

    def _on_classes(self, classes: tuple[ClassInfo, ...]) -> None:
        self._classes = classes
        output = self.output()
        fields = {"field": output.field, "boundary": output.boundary}
        if output.task == FIELDS:
            moved = {old.value: new.value for old, new in zip(output.classes, classes)}
            fields = {name: moved.get(value, value) for name, value in fields.items()}
        self._set("classes", classes=classes, **fields)
        self._show_field_classes(self.output())

    def _on_field_classes(self, _index: int) -> None:
        self._set(
            "field", "boundary", field=self._field_class.currentData(), boundary=self._boundary_class.currentData()
        )

    def _on_activation(self, _index: int) -> None:
        self._activation_before = self._activation.currentData()
        self._set("activation", activation=self._activation.currentData())

    def _on_threshold(self, threshold: Optional[float]) -> None:
        self._set("threshold", threshold=threshold)

    def _on_units(self, text: str) -> None:
        self._set("units", units=text.strip())

    def _on_range(self) -> None:
        low, high = _number(self._low.text()), _number(self._high.text())
        if low is not None and high is not None and low >= high:
            self.refused.emit(tr("The range's lowest value must lie below its highest."))
            return
        self._set("range", range=None if low is None or high is None else (low, high))

    def _on_factor(self) -> None:
        factor = _number(self._factor.text())
        if not factor:
            self.refused.emit(tr("The factor must be a number other than 0."))
            self._factor.setText(f"{self.output().scaling.scale:g}")
            return
        self._set("scaling", scaling=replace(self.output().scaling or Scaling(), scale=factor))

    def _on_ramp(self, _index: int) -> None:
        self._set("ramp", ramp=self._ramp.currentText())


def _number(text: str) -> Optional[float]:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None


def _task_words() -> dict[str, str]:
    return {
        SEGMENTATION: tr("Classes: one for every pixel"),
        REGRESSION: tr("Values: a number for every pixel"),
        FIELDS: tr("Fields: their inside and their boundaries"),
    }


def _activation_words() -> dict[str, str]:
    return {
        "none": tr("None: the graph gives probabilities"),
        "softmax": tr("Softmax: one class a pixel"),
        "sigmoid": tr("Sigmoid: each class by itself"),
        "labels": tr("None: the graph gives class numbers"),
    }
