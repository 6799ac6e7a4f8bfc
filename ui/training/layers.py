"""The layers that a model is to see: imagery with its bands, OpenStreetMap, elevation and a coarse class raster."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Optional, Union

from qgis.core import QgsMapLayer, QgsRasterLayer
from qgis.gui import QgsCheckableComboBox
from qgis.PyQt.QtCore import QSignalBlocker, Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QGridLayout, QLabel, QWidget

from ...models.card import Card, Channel, Slot
from ...toolbox.algorithms.recipes import OSM_CHANNELS, osm_slot, terrain_slot
from ...toolbox.layers.sources import RasterInput, VectorInput
from ...toolbox.layers.suiting import raster_suits, vector_suits
from ..inputs.chosen import Chosen
from ..inputs.layer_choice import RasterChoice, VectorChoice
from ..inputs.preflight import Level, judge
from ..inputs.preselect import propose
from ..inputs.project_layers import Plain, described, described_layers
from ..shared.widgets import keep_narrow
from ..shared.wording import role_title, tip_text, tr

#: What each row takes; of the imagery no model says yet how many bands there are to be.
_SLOTS = {
    "imagery": Slot("imagery", "imagery", (Channel("band"),), "stack"),
    "osm": osm_slot(list(OSM_CHANNELS), missing="fill"),
    "dem": terrain_slot(["elevation"], missing="fill"),
    "prior": Slot("prior", "prior", (Channel("class"),), "stack", missing="fill"),
}
_CARD = Card("training", tuple(_SLOTS.values()), ())


class TrainingLayers(QWidget):
    """A row for each kind of layer; the layers are proposed from the project until the user chooses."""

    choice_changed = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._by_hand: set[str] = set()
        self._titles: dict[str, QLabel] = {}
        self._choices: dict[str, Union[RasterChoice, VectorChoice]] = {
            role: VectorChoice(self) if role == "osm" else RasterChoice(self) for role in _SLOTS
        }
        self._bands = QgsCheckableComboBox(self)
        self._bands_title = QLabel(tr("&Bands"), self)
        self._prepare()
        self._lay_out()
        self._bands.checkedItemsChanged.connect(self._on_bands_checked)
        for role, choice in self._choices.items():
            choice.choice_changed.connect(partial(self._on_choice_changed, role))
            choice.chosen_by_hand.connect(partial(self._by_hand.add, role))
        self.show_prior(False)

    def focus_chain(self) -> list[QWidget]:
        """What the Tab key goes through, in order."""
        imagery, *others = self._choices.values()
        return [imagery, self._bands, *others]

    def propose(self, labels: Optional[QgsMapLayer] = None) -> None:
        """Find layers for the rows that the user has not touched; never the `labels`."""
        layers = described_layers()
        rasters = [plain for _, plain in layers if isinstance(plain, RasterInput)]
        for role, choice in self._choices.items():
            choice.offer({plain.id: _suits(role, plain, rasters) for _, plain in layers if _of_kind(role, plain)})
        taken = {layer.id() for choice in self._choices.values() for layer in choice.layers()}
        taken |= set() if labels is None else {labels.id()}
        for role in ("dem", "prior", "osm", "imagery"):
            choice = self._choices[role]
            if role in self._by_hand or (choice.layers() and role != "osm"):
                continue
            free = [(layer, plain) for layer, plain in layers if layer.id() not in taken]
            if role == "osm":
                free = [(layer, plain) for layer, plain in layers if labels is None or layer.id() != labels.id()]
            found = _imagery(free) if role == "imagery" else propose(_SLOTS[role], free).layers
            choice.choose(found)
            taken |= {layer.id() for layer in choice.layers()}

    def layers(self, role: str) -> list[QgsMapLayer]:
        """The layers of a row; none of one that is not shown."""
        return self._choices[role].layers() if role != "prior" or self._with_prior else []

    def imagery(self) -> Optional[QgsRasterLayer]:
        """The imagery, which gives the training its grid."""
        return next(iter(self.layers("imagery")), None)

    def bands(self) -> tuple[int, ...]:
        """1-based bands of the imagery that were ticked; empty for all of them."""
        ticked = self._bands.checkedItemsData()
        return () if len(ticked) == self._bands.count() else tuple(sorted(ticked))

    def show_prior(self, shown: bool) -> None:
        """Ask for a coarse class raster, which one strategy needs."""
        self._with_prior = shown
        self._titles["prior"].setVisible(shown)
        self._choices["prior"].setVisible(shown)

    def problem(self) -> str:
        """What keeps these layers from being learned from, in one sentence; empty where nothing does."""
        if self.imagery() is None:
            return tr("Choose the imagery that the model is to see.")
        if not self._bands.checkedItemsData():
            return tr("Tick at least one band of the imagery.")
        if self._with_prior and not self.layers("prior"):
            return tr("Choose a coarse class raster, or another way of fusion.")
        return next(filter(None, (self._row_problem(role) for role in _SLOTS)), "")

    def _row_problem(self, role: str) -> str:
        layers = self.layers(role)
        if not layers:
            return ""
        rasters = tuple(layer for layer in layers if isinstance(layer, QgsRasterLayer))
        vectors = tuple(layer for layer in layers if not isinstance(layer, QgsRasterLayer))
        verdict = judge(_SLOTS[role], _CARD, Chosen(rasters, vectors), None)
        return verdict.text if verdict.level is Level.CANNOT else ""

    def _prepare(self) -> None:
        hints = {
            "imagery": tr("The imagery from which the model learns, with all the bands that are ticked below"),
            "osm": tr("Vector layers with OSM attributes; tick as many as there are"),
            "dem": tr("Elevation in metres, in any CRS and resolution"),
            "prior": tr("A raster of coarse classes, such as an existing land-cover map"),
        }
        titles = {"imagery": tr("&Imagery"), "osm": tr("&OSM"), "dem": tr("&Elevation"), "prior": tr("Coarse classes")}
        for role, choice in self._choices.items():
            choice.setObjectName(f"FusionMapperTrain_{role}")
            choice.setAccessibleName(role_title(role))
            choice.setToolTip(hints[role])
            self._titles[role] = QLabel(titles[role], self)
            self._titles[role].setMinimumWidth(title_width(self))
            self._titles[role].setBuddy(choice)
        self._bands.setObjectName("FusionMapperTrainBands")
        self._bands.setAccessibleName(tr("Bands of the imagery"))
        self._bands.setDefaultText(tr("No bands"))
        self._bands.setSeparator(", ")
        self._bands_title.setBuddy(self._bands)
        keep_narrow(self._bands)

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        rows: list[tuple[QLabel, QWidget]] = [(self._titles[role], choice) for role, choice in self._choices.items()]
        rows.insert(1, (self._bands_title, self._bands))
        for row, (title, widget) in enumerate(rows):
            grid.addWidget(title, row, 0)
            grid.addWidget(widget, row, 1)

    def _on_choice_changed(self, role: str) -> None:
        if role == "imagery":
            self._list_bands()
        self.choice_changed.emit()

    def _list_bands(self) -> None:
        """All bands that hold values, ticked."""
        layer = self.imagery()
        plain = described(layer) if layer is not None else None
        blocker = QSignalBlocker(self._bands)
        self._bands.clear()
        for band in plain.colour_bands if isinstance(plain, RasterInput) else ():
            self._bands.addItemWithCheckState(layer.bandName(band.number), Qt.CheckState.Checked, band.number)
        blocker.unblock()
        self._tell_bands()

    def _on_bands_checked(self, _texts: Sequence[str]) -> None:
        self._tell_bands()
        self.choice_changed.emit()

    def _tell_bands(self) -> None:
        ticked = self._bands.checkedItems()
        text = tr("{count} of {all} bands").format(count=len(ticked), all=self._bands.count())
        self._bands.setToolTip(tip_text("\n".join([text, ", ".join(ticked)])))


def title_width(widget: QWidget) -> int:
    """Pixels for the titles of the dialog's fields, so that all fields begin below one another."""
    return widget.fontMetrics().horizontalAdvance(tr("Elevation")) + 4


def _of_kind(role: str, plain: Plain) -> bool:
    return isinstance(plain, VectorInput if role == "osm" else RasterInput)


def _suits(role: str, plain: Plain, rasters: Sequence[RasterInput]) -> object:
    if isinstance(plain, VectorInput):
        return vector_suits(_SLOTS[role], plain)
    return raster_suits(_SLOTS[role], plain, rasters)


def _imagery(layers: Sequence[tuple[QgsMapLayer, Plain]]) -> list[QgsMapLayer]:
    """The raster with the most bands, the topmost of several; one of a single band is no imagery by itself."""
    found = [(len(plain.colour_bands), layer) for layer, plain in layers if isinstance(plain, RasterInput)]
    most = max((count for count, _ in found), default=0)
    return [next(layer for count, layer in found if count == most)] if most > 1 else []
