"""The rows of the model's slots, one under the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Optional

from qgis.core import QgsMapLayer, QgsProject, QgsReferencedRectangle, QgsVectorLayer
from qgis.PyQt.QtCore import Qt, QTimer, pyqtSignal
from qgis.PyQt.QtWidgets import QLabel, QVBoxLayout, QWidget

from ...models.card import Card, Slot
from ...toolbox.layers.sources import RasterInput, VectorInput
from ...toolbox.layers.suiting import Suiting, raster_suits, vector_suits
from ..shared.widgets import take_away
from .preflight import Verdict
from .project_layers import Plain, described_layers
from .slot_row import SlotRow


class SlotList(QWidget):
    """A row for each slot of the card that takes layers."""

    choice_changed = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._rows: list[SlotRow] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(4)
        self._trouble = QLabel(self)
        self._trouble.setObjectName("FusionMapperInputsTrouble")
        self._trouble.setWordWrap(True)
        self._trouble.setTextFormat(Qt.TextFormat.PlainText)
        self._trouble.hide()
        self._layout.addWidget(self._trouble)
        self._offers = QTimer(self)
        self._offers.setSingleShot(True)
        self._offers.setInterval(0)
        self._offers.timeout.connect(self.offer_layers)
        self._watch(QgsProject.instance().mapLayers().values())
        # Later, since layers are told of before they are in the layer tree.
        QgsProject.instance().layersAdded.connect(self._on_layers_added)
        QgsProject.instance().layersRemoved.connect(self._on_layers_changed)

    def rows(self) -> list[SlotRow]:
        """The rows, in the order of the card's slots."""
        return list(self._rows)

    def show_card(self, card: Optional[Card]) -> None:
        """Make the rows anew for this card."""
        for row in self._rows:
            take_away(row)
        slots = [slot for slot in card.slots if slot.role != "location"] if card else []
        self._rows = [SlotRow(slot, card, self) for slot in slots]
        for number, row in enumerate(self._rows):
            self._layout.insertWidget(number, row)
            row.choice_changed.connect(self._on_choice_changed)
        self.show_trouble("")
        self._line_up()
        self.offer_layers()

    def focus_chain(self) -> list[QWidget]:
        """What the Tab key goes through, in order."""
        return [widget for row in self._rows for widget in row.focus_chain()]

    def offer_layers(self) -> None:
        """Have each row offer the layers of the project that could serve it."""
        plain = [plain for _, plain in described_layers()]
        rasters = [one for one in plain if isinstance(one, RasterInput)]
        for row in self._rows:
            row.offer(_suitings(row.slot, plain, rasters), rasters)

    def judge(self, area: Optional[QgsReferencedRectangle]) -> None:
        """Look at all chosen layers again."""
        for row in self._rows:
            row.judge(area)

    def show_thorough(self, verdicts: Mapping[str, Verdict]) -> None:
        """Show what the engine found, by slot name; slots that it did not look at keep the cheap verdict."""
        self.show_trouble("")
        for row in self._rows:
            row.show_thorough(verdicts.get(row.slot.name))

    def show_trouble(self, sentence: str) -> None:
        """Say why the engine could not look at the layers; empty takes it back."""
        for row in self._rows if sentence else ():
            row.show_thorough(None)
        self._trouble.setText(sentence)
        self._trouble.setVisible(bool(sentence))

    def reference(self) -> Optional[QgsMapLayer]:
        """The layer that gives the run its grid: that of the first imagery slot, else of the first raster slot."""
        for roles in (("imagery",), ("raster", "dem", "prior")):
            for row in self._rows:
                layers = row.layers() if row.slot.role in roles else []
                if layers:
                    return layers[0]
        return None

    def problem(self, seen: bool = True) -> str:
        """What keeps the model from being run, in one sentence; empty where nothing does.

        `seen` counts what the engine saw in the layers, which may have been changed since.
        """
        return next(filter(None, (row.problem(seen) for row in self._rows)), "")

    def _line_up(self) -> None:
        """Let all rows' layers begin below one another."""
        widest = max((row.title_width() for row in self._rows), default=0)
        for row in self._rows:
            row.set_title_width(widest)

    def _on_choice_changed(self) -> None:
        self.show_trouble("")
        self.choice_changed.emit()

    def _watch(self, layers: Iterable[QgsMapLayer]) -> None:
        """Hear of what may be changed of a layer in its properties, such as the CRS that it lacked."""
        for layer in layers:
            layer.crsChanged.connect(self._on_layer_changed)
            layer.dataSourceChanged.connect(self._on_layer_changed)
            if isinstance(layer, QgsVectorLayer):
                layer.subsetStringChanged.connect(self._on_layer_changed)

    def _on_layers_added(self, layers: list[QgsMapLayer]) -> None:
        self._watch(layers)
        self._offers.start()

    def _on_layer_changed(self) -> None:
        self._offers.start()
        self.choice_changed.emit()

    def _on_layers_changed(self, _layers: object) -> None:
        self._offers.start()


def _suitings(slot: Slot, layers: Sequence[Plain], rasters: Sequence[RasterInput]) -> dict[str, Suiting]:
    found = {one.id: raster_suits(slot, one, rasters) for one in rasters} if slot.role != "osm" else {}
    if slot.role != "osm" and not (slot.prior and slot.prior.additions):
        return found
    return {**found, **{one.id: vector_suits(slot, one) for one in layers if isinstance(one, VectorInput)}}
