"""One row of the panel: the layers for one of the model's slots, and how well they suit it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional, Union

from qgis.core import QgsMapLayer, QgsReferencedRectangle
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QGridLayout, QLabel, QWidget

from ..models.card import Card, Slot
from .layer_choice import RasterChoice, VectorChoice
from .preflight import Level, Verdict, judge
from .wording import slot_title, tr

#: Told apart by shape as well as by colour.
_SIGNS = {Level.FITS: ("●", "#2e8b57"), Level.NOTE: ("◐", "#c27c0e"), Level.CANNOT: ("○", "#c0392b")}
#: Where verdicts of all rows begin, so that they line up under their layer.
_SIGN_COLUMN, _TITLE_COLUMN, _CHOICE_COLUMN = 0, 1, 2


class SlotRow(QWidget):
    """The layers chosen for `slot`; shows the verdict on them."""

    choice_changed = pyqtSignal()

    def __init__(self, slot: Slot, card: Card, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.slot = slot
        self.card = card
        self.by_hand = False
        """True once the user chose: from then on nothing is matched by itself."""
        self.verdict = Verdict(Level.FITS)
        self.setObjectName("FusionMapperSlot_" + slot.name)
        self._sign = QLabel(self)
        self._title = QLabel(self)
        self._verdict = QLabel(self)
        self.choices = self._make_choices()
        self._fill_title()
        self._lay_out()

    def layers(self) -> list[QgsMapLayer]:
        """All layers chosen in this row."""
        return [layer for choice in self.choices for layer in choice.layers()]

    def choose(self, layers: Sequence[QgsMapLayer], reason: str = "") -> None:
        """Choose these layers; `reason` says why they were found to match."""
        for choice in self.choices:
            choice.choose(layers)
            choice.setToolTip(reason or self._hint())

    def judge(self, area: Optional[QgsReferencedRectangle]) -> Verdict:
        """Look at the chosen layers and show what is found; `area` is what is to be mapped."""
        self.verdict = judge(self.slot, self.card, self.layers(), area)
        sign, color = _SIGNS[self.verdict.level]
        self._sign.setText(sign)
        self._sign.setStyleSheet("color: " + color)
        self._sign.setToolTip(self.verdict.text or tr("The layer suits the model."))
        self._sign.setAccessibleName(self._sign.toolTip())
        self._verdict.setText(self.verdict.text)
        self._verdict.setVisible(bool(self.verdict.text))
        return self.verdict

    def title(self) -> str:
        """What the slot is called on the panel."""
        return slot_title(self.slot, self.card)

    def title_width(self) -> int:
        """Pixels that the title wants."""
        return self._title.sizeHint().width()

    def set_title_width(self, width: int) -> None:
        """Give the title this many pixels, so that it lines up with other rows'."""
        self._title.setMinimumWidth(width)

    def _make_choices(self) -> list[Union[RasterChoice, VectorChoice]]:
        choices: list[Union[RasterChoice, VectorChoice]] = []
        if self.slot.role != "osm":
            choices.append(RasterChoice(self))
        if self.slot.role == "osm" or (self.slot.prior is not None and self.slot.prior.additions):
            choices.append(VectorChoice(self))
        for choice in choices:
            kind = "Vectors_" if isinstance(choice, VectorChoice) else "Raster_"
            choice.setObjectName("FusionMapper" + kind + self.slot.name)
            choice.setAccessibleName(self.title())
            choice.setToolTip(self._hint())
            choice.choice_changed.connect(self.choice_changed)
            choice.chosen_by_hand.connect(self._on_chosen_by_hand)
        return choices

    def _hint(self) -> str:
        if self.slot.role == "osm":
            hint = tr("Vector layers with OSM attributes; tick as many as there are")
        elif self.slot.role == "dem":
            hint = tr("Elevation in metres, in any CRS and resolution")
        else:
            hint = tr("Raster with the bands {names}")
            hint = hint.format(names=", ".join(channel.name for channel in self.slot.channels))
        return hint

    def _fill_title(self) -> None:
        required = self.slot.missing == "required"
        self._title.setText("&" + self.title().replace("&", "&&") + ("" if not required else " *"))
        self._title.setBuddy(self.choices[0])
        hint = tr("Required") if required else tr("Optional")
        self._title.setToolTip(self.slot.description or hint)
        self._verdict.setWordWrap(True)
        self._verdict.setObjectName("FusionMapperVerdict_" + self.slot.name)
        font = self._verdict.font()
        font.setPointSizeF(font.pointSizeF() * 0.9)
        self._verdict.setFont(font)

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(4)
        grid.setVerticalSpacing(1)
        grid.addWidget(self._sign, 0, _SIGN_COLUMN)
        grid.addWidget(self._title, 0, _TITLE_COLUMN)
        for row, choice in enumerate(self.choices):
            grid.addWidget(choice, row, _CHOICE_COLUMN)
        grid.addWidget(self._verdict, len(self.choices), _TITLE_COLUMN, 1, 2)
        grid.setColumnStretch(_CHOICE_COLUMN, 1)

    def _on_chosen_by_hand(self) -> None:
        self.by_hand = True
