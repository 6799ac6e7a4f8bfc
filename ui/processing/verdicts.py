"""In the toolbox's form: the slots of the chosen model, and what each thinks of the layers that are chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Optional

from qgis.core import QgsMapLayer, QgsRasterLayer, QgsReferencedRectangle
from qgis.PyQt.QtCore import QEvent, Qt
from qgis.PyQt.QtWidgets import QGridLayout, QLabel, QWidget

from ...inference.errors import RequestError
from ...models.card import Card, Slot
from ...toolbox.layers.matching import Binding, Given, match
from ..inputs.chosen import Chosen
from ..inputs.preflight import Level, Verdict, judge
from ..inputs.project_layers import described
from ..inputs.signs import show_sign
from ..shared.widgets import take_away
from ..shared.wording import slot_title, tip_text, tr

#: Parameter → role of the slots that its layers may go to.
ROLES = {"IMAGERY": "imagery", "OSM": "osm", "DEM": "dem", "PRIOR": "prior"}
Layers = Mapping[str, Sequence[QgsMapLayer]]


def judge_slots(card: Card, layers: Layers, area: Optional[QgsReferencedRectangle]) -> list[tuple[Slot, Verdict]]:
    """What each slot of the card thinks of the layers, given by parameter; main thread.

    Where the layers as a whole do not go with the model, the first slot that cannot be filled says so.
    """
    bindings, problem = _bindings(card, layers)
    found = []
    for slot in card.slots:
        if slot.role == "location":
            continue
        verdict = judge(slot, card, _chosen(slot, bindings, layers), area)
        if problem and f"'{slot.name}'" in problem and verdict.level is not Level.CANNOT:
            verdict = Verdict(Level.CANNOT, problem)
        # What the panel asks for under Bands…, the form asks for among its advanced parameters.
        text = verdict.text.replace(tr("Bands…"), tr("Advanced Parameters"))
        found.append((slot, Verdict(verdict.level, text)))
    return found


def _bindings(card: Card, layers: Layers) -> tuple[Mapping[str, Binding], str]:
    """What the toolbox will bind, or the sentence with which it will refuse."""
    plain = {name: [described(layer) for layer in chosen] for name, chosen in layers.items()}
    usable = {name: tuple(one for one in found if one is not None) for name, found in plain.items()}
    given = Given(**{role: usable.get(name, ()) for name, role in ROLES.items()})
    try:
        return match(card, given).bindings, ""
    except RequestError as problem:
        return {}, str(problem)


def _chosen(slot: Slot, bindings: Mapping[str, Binding], layers: Layers) -> Chosen:
    """The layers that go to the slot; before all slots are filled, those of its role."""
    every = [layer for chosen in layers.values() for layer in chosen]
    if slot.name in bindings:
        binding = bindings[slot.name]
        wanted = {plain.id for plain in (*binding.rasters, *binding.vectors)}
        every = [layer for layer in every if layer.id() in wanted]
    else:
        every = [layer for name, role in ROLES.items() if role == slot.role for layer in layers.get(name, ())]
    rasters = tuple(layer for layer in every if isinstance(layer, QgsRasterLayer))
    vectors = tuple(layer for layer in every if layer not in rasters)
    return Chosen(rasters, vectors, _stacked_bands(bindings.get(slot.name), rasters))


def _stacked_bands(
    binding: Optional[Binding], rasters: Sequence[QgsRasterLayer]
) -> tuple[tuple[QgsRasterLayer, int], ...]:
    """Layer and band of each channel, where the layers' bands follow one another; elsewhere each has all channels."""
    if binding is None or not binding.stacked:
        return ()
    layers = {layer.id(): layer for layer in rasters}
    return tuple((layers[plain.id], band) for plain, bands in zip(binding.rasters, binding.bands) for band in bands)


class VerdictList(QWidget):
    """A line for each slot: sign, name, and what is to be said."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.setObjectName("FusionMapperFormVerdicts")
        self._signs: list[tuple[QLabel, Level]] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 2, 0, 2)
        self._grid.setHorizontalSpacing(6)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(2, 1)

    def show_verdicts(self, card: Card, verdicts: Sequence[tuple[Slot, Verdict]]) -> None:
        """Show the slots, each with its verdict."""
        self.clear()
        for slot, verdict in verdicts:
            self._add_line(slot_title(slot, card), slot.missing == "required", verdict)

    def show_text(self, text: str) -> None:
        """Say why no slots are shown."""
        self.clear()
        if text:
            self._grid.addWidget(self._label(text), 0, 0, 1, 3)

    def clear(self) -> None:
        """Show nothing."""
        self._signs = []
        while self._grid.count():
            take_away(self._grid.takeAt(0).widget())

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_signs"):
            for sign, level in self._signs:
                show_sign(sign, level)

    def _add_line(self, title: str, required: bool, verdict: Verdict) -> None:
        row = self._grid.rowCount()
        sign = QLabel(self)
        show_sign(sign, verdict.level)
        text = verdict.text or tr("The layer suits the model.")
        sign.setAccessibleName(f"{title}: {text}")
        sign.setToolTip(tip_text(text))
        self._signs.append((sign, verdict.level))
        name = self._label(title + (" *" if required else ""))
        name.setWordWrap(False)
        name.setToolTip(tr("Required") if required else tr("Optional"))
        top = Qt.AlignmentFlag.AlignTop
        for column, label in enumerate((sign, name, self._label(text))):
            self._grid.addWidget(label, row, column, top)

    def _label(self, text: str) -> QLabel:
        label = QLabel(self)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setWordWrap(True)
        label.setText(text)
        return label
