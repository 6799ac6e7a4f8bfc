"""Choosing what a run makes: the products that fit the model, and the rest under More."""

from __future__ import annotations

from functools import partial
from typing import Optional

from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QCheckBox, QGridLayout, QVBoxLayout, QWidget

from ...models.card import Card
from ...toolbox.products import BY_NAME, possible_products
from ..shared.widgets import take_away
from .options import ResultOptions

#: What the panel offers of all products; the toolbox offers the rest.
_OFFERED = ("classes", "regression", "fields", "polygons", "confidence", "probabilities", "summary")
#: What is ticked to begin with where the model makes it.
_TICKED = ("classes", "regression", "fields", "polygons")
_COLUMNS = 3


def fitting_products(card: Card) -> list[tuple[str, bool]]:
    """The products to offer for the model, each with whether it is ticked to begin with."""
    possible = possible_products(card)
    ticked = [name for name in _TICKED if name in possible and not (name == "polygons" and "fields" in possible)]
    return [(name, name in ticked) for name in _OFFERED if name in possible]


class ResultPicker(QWidget):
    """Check boxes of the products, and the options."""

    results_changed = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.options = ResultOptions(self)
        self._boxes: dict[str, QCheckBox] = {}
        self._by_hand: dict[str, bool] = {}
        self._grid = QGridLayout()
        self._grid.setVerticalSpacing(2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._grid)
        layout.addWidget(self.options)
        self.options.options_changed.connect(self.results_changed)

    def show_card(self, card: Optional[Card]) -> None:
        """Offer what fits the model; what the user ticked or cleared stays so wherever it is offered."""
        for box in self._boxes.values():
            take_away(box)
        self._boxes = {}
        for product, ticked in fitting_products(card) if card else []:
            self._add_box(product, self._by_hand.get(product, ticked))
        self._on_toggled()

    def focus_chain(self) -> list[QWidget]:
        """What the Tab key goes through, in order."""
        return [*self._boxes.values(), *self.options.focus_chain()]

    def products(self) -> list[str]:
        """The ticked products."""
        return [product for product, box in self._boxes.items() if box.isChecked()]

    def _add_box(self, product: str, ticked: bool) -> None:
        box = QCheckBox(BY_NAME[product].title, self)
        box.setObjectName("FusionMapperProduct_" + product)
        box.setToolTip(BY_NAME[product].help)
        box.setChecked(ticked)
        box.toggled.connect(self._on_toggled)
        box.clicked.connect(partial(self._by_hand.__setitem__, product))
        row, column = divmod(len(self._boxes), _COLUMNS)
        self._grid.addWidget(box, row, column)
        self._boxes[product] = box

    def _on_toggled(self, _checked: bool = False) -> None:
        self.options.show_products(self.products())
        self.results_changed.emit()
