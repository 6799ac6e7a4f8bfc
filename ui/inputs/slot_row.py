"""One row of the panel: the layers for one of the model's slots, and how well they suit it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Optional, Union

from qgis.core import QgsMapLayer, QgsProject, QgsRasterLayer, QgsReferencedRectangle
from qgis.PyQt.QtCore import QEvent, Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QGridLayout, QLabel, QToolButton, QWidget

from ...models.card import Card, Slot
from ...toolbox.layers.bands import Place, companions
from ...toolbox.layers.radiometry import ROLES, STORED
from ...toolbox.layers.sources import RasterInput
from ...toolbox.layers.suiting import Suiting
from ..shared.widgets import make_small
from ..shared.wording import DOT, slot_title, theme_icon, tip_text, tr
from .band_dialog import NO_SETTINGS, BandDialog, BandSettings
from .chosen import Chosen
from .layer_choice import RasterChoice, VectorChoice
from .preflight import FITS, Level, Verdict, judge
from .project_layers import described
from .signs import show_sign

#: A title of more letters is broken into lines, so that the panel stays narrow.
_TITLE_LETTERS = 12
#: Columns of all rows, which line up below one another.
_SIGN_COLUMN, _TITLE_COLUMN, _CHOICE_COLUMN, _BUTTON_COLUMN = 0, 1, 2, 3


class SlotRow(QWidget):
    """The layers chosen for `slot`; shows the verdict on them."""

    choice_changed = pyqtSignal()

    def __init__(self, slot: Slot, card: Card, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.slot = slot
        self.card = card
        self.by_hand = False
        """True once the user chose: from then on nothing is matched by itself."""
        self.verdict = FITS
        self._settings = NO_SETTINGS
        self._rasters: Sequence[RasterInput] = ()
        self._sisters: tuple[Place, ...] = ()
        self._cheap = FITS
        self._thorough: Optional[Verdict] = None
        self._reason = ""
        self._dialog: Optional[BandDialog] = None
        self.setObjectName("FusionMapperSlot_" + slot.name)
        self._sign = QLabel(self)
        self._title = QLabel(self)
        self._verdict = QLabel(self)
        self._bands = QToolButton(self)
        self.choices = self._make_choices()
        self._fill_title()
        self._prepare()
        self._lay_out()

    def chosen(self) -> Chosen:
        """The layers of this row, with the bands that were named or that sister files give."""
        layers = [layer for choice in self.choices for layer in choice.layers()]
        rasters = tuple(layer for layer in layers if isinstance(layer, QgsRasterLayer))
        vectors = tuple(layer for layer in layers if not isinstance(layer, QgsRasterLayer))
        bands = _present(self._settings.bands) or _present(self._sisters)
        if bands:
            rasters = tuple({raster.id(): raster for raster, _ in bands}.values())
        return Chosen(rasters, vectors, bands, self._settings.radiometry)

    def layers(self) -> list[QgsMapLayer]:
        """All layers chosen in this row."""
        return list(self.chosen().layers)

    def choose(self, layers: Sequence[QgsMapLayer], reason: str = "", settings: BandSettings = NO_SETTINGS) -> None:
        """Choose these layers; `reason` says why they were found to match."""
        self._reason = reason
        for choice in self.choices:
            choice.choose(layers)
        self._settings = settings
        self._tell_choice()

    def offer(self, suitings: Mapping[str, Suiting], rasters: Sequence[RasterInput]) -> None:
        """Offer the layers (by id) that could serve, and say why others could not; `rasters` are all of the project."""
        self._rasters = rasters
        for choice in self.choices:
            choice.offer(suitings)
        self._tell_choice()

    def judge(self, area: Optional[QgsReferencedRectangle]) -> Verdict:
        """Look at the chosen layers and show what is found; `area` is what is to be mapped."""
        self._cheap = judge(self.slot, self.card, self.chosen(), area)
        self._show_verdict()
        return self.verdict

    def problem(self, seen: bool = True) -> str:
        """What keeps the model from being run, in one sentence; `seen` counts what the engine saw in the layers."""
        verdict = self.verdict if seen else self._cheap
        if verdict.level is not Level.CANNOT:
            return ""
        return verdict.text if self.layers() else tr("Choose a layer for {slot}.").format(slot=self.title())

    def show_thorough(self, verdict: Optional[Verdict]) -> None:
        """Show what the engine found in the layers' pixels; None while it has not looked at this choice."""
        self._thorough = verdict
        self._show_verdict()

    def open_bands(self) -> None:
        """Let the user say which bands are the model's channels, and how their numbers are read."""
        main = self._main()
        if main is None or self._dialog is not None:
            return
        now = BandSettings(tuple((layer.id(), band) for layer, band in self.chosen().bands), self._settings.radiometry)
        self._dialog = BandDialog(self.slot, self.title(), main, self._rasters, now, self)
        self._dialog.finished.connect(self._on_bands_finished)
        self._dialog.open()

    def focus_chain(self) -> list[QWidget]:
        """What the Tab key goes through, in order."""
        first, *others = self.choices
        return [first, *([self._bands] if self.slot.role in ROLES else []), *others]

    def title(self) -> str:
        """What the slot is called on the panel."""
        return slot_title(self.slot, self.card)

    def title_width(self) -> int:
        """Pixels that the title wants: all of a short one; a long one is broken into lines."""
        measure = self._title.fontMetrics()
        words = [measure.boundingRect(word).width() for word in self._title.text().split()]
        limit = _TITLE_LETTERS * measure.averageCharWidth()
        whole = self._title.sizeHint().width()
        self._title.setWordWrap(whole > limit)
        return whole if whole <= limit else max(limit, *words) + measure.averageCharWidth()

    def set_title_width(self, width: int) -> None:
        """Give the title this many pixels, so that it lines up with other rows'."""
        self._title.setFixedWidth(width)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        # Children may not be there yet, nor any more.
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "choices"):
            self._show_verdict()

    def _main(self) -> Optional[RasterInput]:
        """The raster of the combo box, in plain values; None where nothing usable is chosen."""
        layers = self.choices[0].layers() if isinstance(self.choices[0], RasterChoice) else []
        if not layers:
            return None
        known = next((raster for raster in self._rasters if raster.id == layers[0].id()), None)
        plain = known or described(layers[0])
        return plain if isinstance(plain, RasterInput) else None

    def _find_sisters(self) -> tuple[Place, ...]:
        """The bands of a scene that comes as one file a band, where one of its files is chosen."""
        main = self._main() if self.slot.role in ROLES and len(self.slot.channels) > 1 else None
        if main is None or len(main.all_bands) > 1:
            return ()
        return tuple((one.id, band) for one, band in companions(self.slot, main, self._rasters))

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
            choice.choice_changed.connect(self._on_choice_changed)
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

    def _prepare(self) -> None:
        self._sign.setObjectName("FusionMapperSign_" + self.slot.name)
        self._verdict.setWordWrap(True)
        self._verdict.setTextFormat(Qt.TextFormat.PlainText)
        self._verdict.setObjectName("FusionMapperVerdict_" + self.slot.name)
        make_small(self._verdict)
        self._verdict.hide()
        self._bands.setObjectName("FusionMapperBands_" + self.slot.name)
        self._bands.setIcon(theme_icon("styleicons/multibandcolor.svg"))
        self._bands.setAutoRaise(True)
        self._bands.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._bands.setAccessibleName(tr("Bands of {slot}").format(slot=self.title()))
        self._bands.setToolTip(tr("Bands… Which bands the model takes, and how their numbers are read"))
        self._bands.clicked.connect(self.open_bands)
        self._bands.setVisible(self.slot.role in ROLES)
        self._tell_choice()

    def _fill_title(self) -> None:
        required = self.slot.missing == "required"
        same = [slot for slot in self.card.slots if slot.role == self.slot.role]
        # Where several slots have one role, what tells them apart is enough, and leaves the layers more room.
        label = self.title() if len(same) == 1 else (self.slot.date or self.slot.name)
        label = label[:1].upper() + label[1:]
        self._title.setText("&" + label.replace("&", "&&") + ("\u00a0*" if required else ""))
        self._title.setTextFormat(Qt.TextFormat.PlainText)
        self._title.setBuddy(self.choices[0])
        hint = tr("Required") if required else tr("Optional")
        self._title.setToolTip(escape(DOT.join(text for text in (self.title(), hint, self.slot.description) if text)))

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(4)
        grid.setVerticalSpacing(1)
        grid.addWidget(self._sign, 0, _SIGN_COLUMN)
        grid.addWidget(self._title, 0, _TITLE_COLUMN)
        for row, choice in enumerate(self.choices):
            grid.addWidget(choice, row, _CHOICE_COLUMN)
        grid.addWidget(self._bands, 0, _BUTTON_COLUMN)
        grid.addWidget(self._verdict, len(self.choices), _TITLE_COLUMN, 1, 3)
        grid.setColumnStretch(_CHOICE_COLUMN, 1)

    def _tell_choice(self) -> None:
        """Why the layers were chosen and others are not offered, in the tooltip."""
        self._sisters = self._find_sisters()
        for choice in self.choices:
            left_out = choice.left_out_text() if isinstance(choice, RasterChoice) else ""
            choice.setToolTip(tip_text("\n\n".join(text for text in (self._reason or self._hint(), left_out) if text)))
        self._bands.setEnabled(self._main() is not None)

    def _show_verdict(self) -> None:
        """The graver of what QGIS and the engine found; of equally grave ones the engine's, which saw the pixels."""
        found = [self._cheap] if self._thorough is None else [self._thorough, self._cheap]
        self.verdict = max(found, key=lambda verdict: verdict.level)
        show_sign(self._sign, self.verdict.level)
        everything = dict.fromkeys(line for verdict in found for line in (verdict.text, verdict.detail) if line)
        words = "\n".join(everything) or tr("The layer suits the model.")
        self._sign.setToolTip(tip_text(words))
        self._sign.setAccessibleName(words)
        text = "\n".join(line for line in (self._told(), self.verdict.text) if line)
        self._verdict.setText(text)
        self._verdict.setVisible(bool(text))

    def _told(self) -> str:
        """What was set under Bands…, or follows from sister files, in one line."""
        chosen = self.chosen()
        parts = [_bands_text(chosen)] if chosen.bands else []
        if chosen.rasters and chosen.radiometry != STORED:
            parts.append(tr(chosen.radiometry.title))
        return DOT.join(parts)

    def _on_choice_changed(self) -> None:
        # Named bands and the way their numbers are read belong to the layer that was there.
        self._settings = NO_SETTINGS
        self._thorough = None
        self._tell_choice()
        self.choice_changed.emit()

    def _on_chosen_by_hand(self) -> None:
        self.by_hand = True
        self._reason = ""
        self._tell_choice()

    def _on_bands_finished(self, accepted: int) -> None:
        dialog, self._dialog = self._dialog, None
        if accepted:
            self._settings = dialog.settings()
            self.by_hand = True
            self._thorough = None
            self.choice_changed.emit()
        dialog.deleteLater()


def _present(places: Sequence[Place]) -> tuple[tuple[QgsRasterLayer, int], ...]:
    """The places' layers; nothing unless the project still has all."""
    found = tuple((QgsProject.instance().mapLayer(key), band) for key, band in places)
    return found if all(layer is not None for layer, _ in found) else ()


def _bands_text(chosen: Chosen) -> str:
    if len(chosen.rasters) == 1:
        return tr("Bands {numbers}").format(numbers=", ".join(str(band) for _, band in chosen.bands))
    parts = [layer.name() if layer.bandCount() == 1 else f"{layer.name()} {band}" for layer, band in chosen.bands]
    return tr("Bands {names}").format(names=", ".join(parts))
