"""The rows of the model's slots, one under the other."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsMapLayer, QgsReferencedRectangle
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QVBoxLayout, QWidget

from ..models.card import Card
from .preflight import Level
from .slot_row import SlotRow
from .widgets import take_away
from .wording import tr


class SlotList(QWidget):
    """A row for each slot of the card that takes layers."""

    choice_changed = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._rows: list[SlotRow] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(4)

    def rows(self) -> list[SlotRow]:
        """The rows, in the order of the card's slots."""
        return list(self._rows)

    def show_card(self, card: Optional[Card]) -> None:
        """Make the rows anew for this card."""
        for row in self._rows:
            take_away(row)
        slots = [slot for slot in card.slots if slot.role != "location"] if card else []
        self._rows = [SlotRow(slot, card, self) for slot in slots]
        for row in self._rows:
            self._layout.addWidget(row)
            row.choice_changed.connect(self.choice_changed)
        self._line_up()

    def focus_chain(self) -> list[QWidget]:
        """What the Tab key goes through, in order."""
        return [choice for row in self._rows for choice in row.choices]

    def judge(self, area: Optional[QgsReferencedRectangle]) -> None:
        """Look at all chosen layers again."""
        for row in self._rows:
            row.judge(area)

    def reference(self) -> Optional[QgsMapLayer]:
        """The layer that gives the run its grid: that of the first imagery slot, else of the first raster slot."""
        for roles in (("imagery",), ("raster", "dem", "prior")):
            for row in self._rows:
                if row.slot.role in roles and row.layers():
                    return row.layers()[0]
        return None

    def problem(self) -> str:
        """What keeps the model from being run, in one sentence; empty where nothing does."""
        for row in self._rows:
            if row.verdict.level is Level.CANNOT and row.layers():
                return row.verdict.text
            if row.verdict.level is Level.CANNOT:
                return tr("Choose a layer for {slot}.").format(slot=row.title())
        return ""

    def _line_up(self) -> None:
        """Let all rows' layers begin below one another."""
        widest = max((row.title_width() for row in self._rows), default=0)
        for row in self._rows:
            row.set_title_width(widest)
