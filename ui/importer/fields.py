"""A form whose fields say beside themselves what is missing, assumed or contradicted."""

from __future__ import annotations

from html import escape
from typing import Optional

from qgis.gui import QgsDoubleSpinBox
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QComboBox, QGridLayout, QGroupBox, QHBoxLayout, QLabel, QPushButton, QWidget

from ..shared.widgets import keep_narrow
from ..shared.wording import tr
from .draft import CardDraft, Weight

#: Told apart by shape as well as by colour; readable on light and dark.
_SIGNS = {Weight.ASSUMED: ("◐", "#c27c0e"), Weight.NEEDED: ("○", "#d0453a")}


class FieldNote(QWidget):
    """One sentence below a field, with a button that accepts what stands there."""

    def __init__(self, draft: CardDraft, field: str, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._draft = draft
        self._field = field
        self._wanted = True
        self.weight = Weight.NONE
        self._text = QLabel(self)
        self._accept = QPushButton(tr("Accept"), self)
        self._prepare()
        draft.changed.connect(self.refresh)
        draft.noted.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Say what there is to be said now."""
        note = self._draft.note(self._field)
        self.weight = note.weight
        sign, color = _SIGNS.get(note.weight, ("", ""))
        self._text.setText(f'<span style="color:{color}">{sign}</span> {escape(note.text)}')
        self._text.setAccessibleName(note.text)
        self._accept.setVisible(note.acceptable)
        self.setVisible(self._wanted and bool(note.text))

    def want(self, wanted: bool) -> None:
        """Whether the field itself is shown."""
        self._wanted = wanted
        self.refresh()

    def _prepare(self) -> None:
        self.setObjectName("FusionMapperImportNote_" + self._field)
        self._text.setTextFormat(Qt.TextFormat.RichText)
        self._text.setWordWrap(True)
        font = self._text.font()
        font.setPointSizeF(font.pointSizeF() * 0.9)
        self._text.setFont(font)
        self._accept.setFont(font)
        self._accept.setObjectName("FusionMapperImportAccept_" + self._field)
        self._accept.setAutoDefault(False)
        self._accept.setToolTip(tr("What stands here is right"))
        self._accept.clicked.connect(self._on_accept)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 2)
        row.addWidget(self._text, 1)
        row.addWidget(self._accept)

    def _on_accept(self) -> None:
        self._draft.accept(self._field)


class FieldForm(QGroupBox):
    """A group of labelled fields of the card."""

    def __init__(self, title: str, draft: CardDraft, parent: Optional[QWidget] = None) -> None:
        super().__init__(title, parent)
        self.draft = draft
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(8, 6, 8, 6)
        self._grid.setVerticalSpacing(3)
        self._grid.setColumnStretch(1, 1)
        # The widest label of all groups, so that their fields line up.
        self._grid.setColumnMinimumWidth(0, self.fontMetrics().horizontalAdvance(tr("Receptive radius")) + 8)
        self._rows: dict[QWidget, tuple[QLabel, Optional[FieldNote]]] = {}

    def add(self, label: str, widget: QWidget, name: str, field: str = "", hint: str = "") -> None:
        """Add a widget under a label; `field` is the card's field whose notes stand below it."""
        widget.setObjectName("FusionMapperImport" + name)
        widget.setToolTip(hint)
        widget.setAccessibleName(label.replace("&", ""))
        if isinstance(widget, QComboBox):
            keep_narrow(widget)
        title = QLabel(label, self)
        title.setBuddy(widget)
        row = self._grid.rowCount()
        top = Qt.AlignmentFlag.AlignTop if widget.sizeHint().height() > 60 else Qt.AlignmentFlag.AlignVCenter
        self._grid.addWidget(title, row, 0, top)
        self._grid.addWidget(widget, row, 1)
        note = FieldNote(self.draft, field, self) if field else None
        if note is not None:
            self._grid.addWidget(note, row + 1, 1)
        self._rows[widget] = (title, note)

    def open_fields(self) -> list[QWidget]:
        """The widgets whose fields still have to be told, in order."""
        noted = [(widget, note) for widget, (_title, note) in self._rows.items() if note is not None]
        return [widget for widget, note in noted if note.weight is Weight.NEEDED]

    def show_row(self, widget: QWidget, shown: bool) -> None:
        """Show or hide a widget with its label and note."""
        title, note = self._rows[widget]
        widget.setVisible(shown)
        title.setVisible(shown)
        if note is not None:
            note.want(shown)


class OptionalNumber(QgsDoubleSpinBox):
    """A number that may be missing; at its lower end it shows why it is."""

    changed = pyqtSignal(object)
    """The number, or None."""

    def __init__(
        self, absent: str, most: float, decimals: int = 0, suffix: str = "", parent: Optional[QWidget] = None
    ) -> None:
        super().__init__(parent)
        self._step = 10.0**-decimals
        self.setDecimals(decimals)
        self.setRange(-self._step, most)
        self.setSpecialValueText(absent)
        self.setSuffix(suffix)
        self.setClearValue(-self._step, absent)
        self.setKeyboardTracking(False)
        self.valueChanged.connect(self._on_value_changed)

    def number(self) -> Optional[float]:
        """The number; None where it is missing."""
        return None if self.value() < 0 else self.value()

    def set_number(self, number: Optional[float]) -> None:
        self.setValue(-self._step if number is None else number)

    def _on_value_changed(self, _value: float) -> None:
        self.changed.emit(self.number())


def choose(combo: QComboBox, data: str) -> None:
    """Choose the entry that stands for `data`; the first where there is none."""
    combo.setCurrentIndex(max(combo.findData(data), 0))
