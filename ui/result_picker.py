"""Choosing what a run makes: the products that fit the model, where they go and on which device."""

from __future__ import annotations

from functools import partial
from typing import Optional

from qgis.gui import QgsCollapsibleGroupBox, QgsFileWidget
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ..models.card import Card
from ..toolbox.products import BY_NAME, possible_products
from ..toolbox.settings import default_device
from .layer_choice import keep_narrow
from .widgets import take_away
from .wording import device_titles, tr

#: What the panel offers of all products; the toolbox offers the rest.
_OFFERED = ("classes", "regression", "fields", "polygons", "confidence", "probabilities", "summary")
#: What is ticked to begin with where the model makes it.
_TICKED = ("classes", "regression", "fields", "polygons")
_COLUMNS = 3
_HECTARE = 10_000.0


def fitting_products(card: Card) -> list[tuple[str, bool]]:
    """The products to offer for the model, each with whether it is ticked to begin with."""
    possible = possible_products(card)
    ticked = [name for name in _TICKED if name in possible and not (name == "polygons" and "fields" in possible)]
    return [(name, name in ticked) for name in _OFFERED if name in possible]


class ResultPicker(QWidget):
    """Check boxes of the products, and the rarely needed rest under More."""

    results_changed = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._boxes: dict[str, QCheckBox] = {}
        self._by_hand: dict[str, bool] = {}
        self._grid = QGridLayout()
        self._more = QgsCollapsibleGroupBox(tr("More"), self)
        self._folder = QgsFileWidget(self._more)
        self._smallest = QDoubleSpinBox(self._more)
        self._device = QComboBox(self._more)
        for value, title in device_titles():
            self._device.addItem(title, value)
        self._device.setCurrentIndex(max(0, self._device.findData(default_device())))
        self._unreadable = QComboBox(self._more)
        self._unreadable.addItem(tr("Stop"), "stop")
        self._unreadable.addItem(tr("Skip and count"), "skip")
        self._prepare()
        self._lay_out()

    def show_card(self, card: Optional[Card]) -> None:
        """Offer what fits the model; what the user ticked or cleared stays so wherever it is offered."""
        for box in self._boxes.values():
            take_away(box)
        self._boxes = {}
        for product, ticked in fitting_products(card) if card else []:
            self._add_box(product, self._by_hand.get(product, ticked))
        self.results_changed.emit()

    def focus_chain(self) -> list[QWidget]:
        """What the Tab key goes through, in order."""
        opener = self._more.findChild(QToolButton, "collapseButton")
        rest = [self._folder.lineEdit(), self._smallest, self._device, self._unreadable]
        return [*self._boxes.values(), opener, *rest]

    def products(self) -> list[str]:
        """The ticked products."""
        return [product for product, box in self._boxes.items() if box.isChecked()]

    def folder(self) -> Optional[str]:
        """Where the run's own folder goes; None for a temporary one."""
        return self._folder.filePath().strip() or None

    def smallest_polygon(self) -> float:
        """Smallest polygon to keep, in m²."""
        return self._smallest.value() * _HECTARE

    def device(self) -> str:
        """The device asked for."""
        return self._device.currentData()

    def unreadable(self) -> str:
        """What becomes of features and blocks that cannot be read, as the engine calls it."""
        return self._unreadable.currentData()

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

    def _prepare(self) -> None:
        self._more.setObjectName("FusionMapperMore")
        self._more.setSettingGroup("fusion_mapper/dock")
        self._more.setSaveCollapsedState(True)
        self._more.setCollapsed(True)
        self._folder.setObjectName("FusionMapperFolder")
        self._folder.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self._folder.lineEdit().setPlaceholderText(tr("In the QGIS profile"))
        self._folder.setToolTip(tr("Each run gets a folder of its own in here"))
        self._smallest.setObjectName("FusionMapperSmallestPolygon")
        self._smallest.setSuffix(tr(" ha"))
        self._smallest.setDecimals(3)
        self._smallest.setMaximum(1e6)
        self._smallest.setSpecialValueText(tr("Keep all"))
        self._smallest.setToolTip(tr("Smaller polygons are merged into a neighbour"))
        self._device.setObjectName("FusionMapperDevice")
        self._device.setToolTip(tr("What the model runs on; Automatic takes a graphics card where there is one"))
        keep_narrow(self._device)
        self._unreadable.setObjectName("FusionMapperUnreadable")
        self._unreadable.setToolTip(tr("What to do with damaged features and blocks of a layer"))
        keep_narrow(self._unreadable)

    def _lay_out(self) -> None:
        form = QFormLayout(self._more)
        form.setContentsMargins(6, 4, 6, 4)
        form.addRow(tr("&Folder"), self._folder)
        form.addRow(tr("&Smallest polygon"), self._smallest)
        form.addRow(tr("&Device"), self._device)
        form.addRow(tr("&Unreadable data"), self._unreadable)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self._grid)
        layout.addWidget(self._more)

    def _on_toggled(self, _checked: bool) -> None:
        self.results_changed.emit()
