"""The whole card as a form: the model, its inputs, its outputs, its tiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from ..shared.widgets import ColumnScroll, WheelGuard, take_away
from .draft import CardDraft
from .fields import FieldForm
from .model_form import AboutForm, ModelForm, TileForm
from .output_form import OutputForm
from .slot_form import SlotForm


class CardForm(ColumnScroll):
    """Scrolls through the forms of one draft."""

    refused = pyqtSignal(str)
    """Why what was typed cannot be taken."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        self._column = QWidget()
        super().__init__(self._column, parent)
        self.setObjectName("FusionMapperImportCard")
        self._layout = QVBoxLayout(self._column)
        self._layout.setContentsMargins(0, 0, 4, 0)
        self._layout.setSpacing(6)
        self._layout.addStretch(1)
        self._forms: list[FieldForm] = []
        self._wheel = WheelGuard(self)
        self._draft: Optional[CardDraft] = None
        self._graph: Mapping[str, Any] = {}
        self._shown: Optional[QWidget] = None
        self.model: Optional[ModelForm] = None

    def show_draft(self, draft: CardDraft, graph: Mapping[str, Any]) -> None:
        """Make the forms of this draft; `graph` is what the engine tells of the file's inputs and outputs."""
        self._draft, self._graph = draft, graph
        draft.reshaped.connect(self._rebuild)
        self._rebuild()

    def clear(self) -> None:
        """Show nothing."""
        for form in self._forms:
            take_away(form)
        self._forms = []
        self._shown = None
        self.model = None

    def show_next_open(self) -> None:
        """Bring the next field that is still open into view, and put the cursor there."""
        fields = [widget for form in self._forms for widget in form.open_fields()]
        if not fields:
            return
        after = fields.index(self._shown) + 1 if self._shown in fields else 0
        self._shown = fields[after % len(fields)]
        self.ensureWidgetVisible(self._shown)
        self._shown.setFocus(Qt.FocusReason.OtherFocusReason)

    def _rebuild(self) -> None:
        at = self.verticalScrollBar().value()
        self.clear()
        draft = self._draft
        self.model = ModelForm(draft, self._column)
        inputs = {tensor["name"]: tensor for tensor in self._graph["inputs"]}
        outputs = {tensor["name"]: tensor for tensor in self._graph["outputs"]}
        slots = [SlotForm(draft, i, inputs[slot.input], self._column) for i, slot in enumerate(draft.card.slots)]
        heads = [OutputForm(draft, i, outputs[one.name], self._column) for i, one in enumerate(draft.card.outputs)]
        for form in (*slots, *heads):
            form.refused.connect(self.refused)
        tail = (TileForm(draft, self._column), AboutForm(draft, self._column))
        self._forms = [self.model, *slots, *heads, *tail]
        for place, form in enumerate(self._forms):
            self._layout.insertWidget(place, form)
        self._wheel.protect(self._column)
        for edit in self._column.findChildren(QLineEdit):
            edit.setAcceptDrops(False)  # a file that is dropped here is meant for the dialog
        self.verticalScrollBar().setValue(at)
