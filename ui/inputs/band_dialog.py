"""Which bands of which layers are a slot's channels, and how their numbers are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QFormLayout, QLabel, QVBoxLayout, QWidget

from ...models.card import Channel, Slot
from ...toolbox.layers.bands import Place, automatic_bands, channel_wavelength
from ...toolbox.layers.radiometry import RADIOMETRIES, STORED, Radiometry, suggested
from ...toolbox.layers.sources import Band, RasterInput
from ..shared.widgets import keep_narrow
from ..shared.wording import DOT, tr


@dataclass(frozen=True)
class BandSettings:
    """What was set for one slot."""

    bands: tuple[Place, ...] = ()
    """For each channel; empty where the toolbox's matching is to find them."""
    radiometry: Radiometry = STORED


NO_SETTINGS = BandSettings()


class BandDialog(QDialog):
    """A line for each channel of `slot` with the bands of `main`, the row's layer, and those of all other rasters."""

    def __init__(
        self,
        slot: Slot,
        title: str,
        main: RasterInput,
        rasters: Sequence[RasterInput],
        now: BandSettings,
        parent: Optional[QWidget] = None,
    ) -> None:
        super().__init__(parent)
        self._slot = slot
        self._main = main
        self._rasters = [main, *(raster for raster in rasters if raster.id != main.id)]
        self._found, self._certain = automatic_bands(slot, main, self._rasters)
        self._suggested = suggested(slot, main)
        self._combos = [self._channel_combo(number) for number in range(len(slot.channels))]
        self._radiometry = self._radiometry_combo()
        self._reason = QLabel(self)
        self._buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok
            | QDialogButtonBox.StandardButton.Cancel
            | QDialogButtonBox.StandardButton.Reset,
            self,
        )
        self.setObjectName("FusionMapperBandDialog")
        self.setWindowTitle(tr("Bands of {slot}").format(slot=title))
        self._lay_out()
        self._show(now.bands or self._found, self._first_radiometry(now.radiometry))
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        self._buttons.button(QDialogButtonBox.StandardButton.Reset).clicked.connect(self._on_reset)

    def settings(self) -> BandSettings:
        """What is set; bands that would be found in any case are not named."""
        bands = tuple(self._place(combo) for combo in self._combos)
        bands = () if self._certain and bands == self._found else bands
        return BandSettings(bands, RADIOMETRIES[self._radiometry.currentIndex()])

    def _place(self, combo: QComboBox) -> Place:
        key, number = combo.currentData()
        return key, number

    def _first_radiometry(self, now: Radiometry) -> Radiometry:
        """What the file speaks for stands there already, to be accepted or not; nothing else is changed unasked."""
        return self._suggested.radiometry if self._suggested and now == STORED else now

    def _channel_combo(self, number: int) -> QComboBox:
        combo = QComboBox(self)
        combo.setObjectName(f"FusionMapperBand_{number}")
        combo.setAccessibleName(channel_text(self._slot.channels[number]))
        keep_narrow(combo)
        for raster in self._rasters:
            if raster is not self._main and combo.count() == len(self._main.all_bands):
                combo.insertSeparator(combo.count())
            for band in raster.all_bands:
                combo.addItem(self._band_title(raster, band), (raster.id, band.number))
        return combo

    def _band_title(self, raster: RasterInput, band: Band) -> str:
        if len(raster.all_bands) == 1:
            return raster.name
        if raster is self._main:
            return band_text(band)
        return tr("{layer}, {band}").format(layer=raster.name, band=band_text(band))

    def _radiometry_combo(self) -> QComboBox:
        combo = QComboBox(self)
        combo.setObjectName("FusionMapperRadiometry")
        combo.setToolTip(tr("What is done to the layer's numbers before the model's own scaling"))
        for radiometry in RADIOMETRIES:
            combo.addItem(tr(radiometry.title), radiometry.name)
        return combo

    def _lay_out(self) -> None:
        name = QLabel(self._main.name, self)
        name.setTextFormat(Qt.TextFormat.PlainText)
        self._reason.setObjectName("FusionMapperRadiometryReason")
        self._reason.setTextFormat(Qt.TextFormat.PlainText)
        self._reason.setWordWrap(True)
        self._reason.setText(tr("{reason}.").format(reason=self._suggested.reason) if self._suggested else "")
        self._reason.setVisible(self._suggested is not None)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(tr("Layer"), name)
        for channel, combo in zip(self._slot.channels, self._combos):
            form.addRow(channel_text(channel).replace("&", "&&"), combo)
        form.addRow(tr("&Numbers are"), self._radiometry)
        form.addRow(self._reason)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addStretch(1)
        layout.addWidget(self._buttons)
        self.resize(max(self.sizeHint().width(), 380), self.sizeHint().height())

    def _show(self, bands: Sequence[Place], radiometry: Radiometry) -> None:
        for combo, place in zip(self._combos, bands):
            index = next((i for i in range(combo.count()) if combo.itemData(i) == place), 0)
            combo.setCurrentIndex(index)
        self._radiometry.setCurrentIndex(RADIOMETRIES.index(radiometry))

    def _on_reset(self) -> None:
        self._show(self._found, STORED)


def channel_text(channel: Channel) -> str:
    """A channel's name with its wavelength."""
    centre = channel_wavelength(channel)
    return channel.name if centre is None else DOT.join([channel.name, _micrometres(centre)])


def band_text(band: Band) -> str:
    """A band's number, with the name or colour and the wavelength that its file tells."""
    plain = band.color if band.color not in ("undefined", "gray", "palette") else ""
    said = [band.name or plain, "" if band.wavelength is None else _micrometres(band.wavelength)]
    if not any(said):
        return tr("Band {number}").format(number=band.number)
    return DOT.join(part for part in (str(band.number), *said) if part)


def _micrometres(value: float) -> str:
    return tr("{value} µm").format(value=f"{value:.3g}")
