"""The channels of one slot: what each is called, what is drawn or derived for it, and how it is scaled."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Callable, Optional, get_args

from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QAbstractItemView, QComboBox, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from ...inference.errors import RequestError
from ...models.card import Channel, Derivative, Slot
from ..shared.widgets import fit_rows
from ..shared.wording import tr
from .tags import parse_tags, tags_text

_NAME, _KIND, _OFFSET, _SCALE = range(4)
#: Rows that are shown without scrolling.
_ROWS = 6


class ChannelTable(QTableWidget):
    """Edits the channels' names, kinds and scaling in place."""

    edited = pyqtSignal(str, tuple)
    """Which field of the slot (``channels`` or ``scaling``), and the channels as they are now."""
    refused = pyqtSignal(str)
    """Why what was typed cannot be taken."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(0, 4, parent)
        self._channels: tuple[Channel, ...] = ()
        self._filling = False
        self.verticalHeader().hide()
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setTabKeyNavigation(False)
        self.itemChanged.connect(self._on_item_changed)

    def show_slot(self, slot: Slot) -> None:
        """Show the channels of a slot; the column of kinds only where the slot's role has them."""
        self._channels = slot.channels
        self._filling = True
        kinds = {"osm": tr("OSM tags"), "dem": tr("Derived")}
        self.setHorizontalHeaderLabels([tr("Channel"), kinds.get(slot.role, ""), tr("Offset"), tr("Scale")])
        self.setColumnHidden(_KIND, slot.role not in kinds)
        for column in (_OFFSET, _SCALE):
            self.setColumnHidden(column, slot.role == "osm")
            width = QHeaderView.ResizeMode.ResizeToContents if slot.role == "dem" else QHeaderView.ResizeMode.Stretch
            self.horizontalHeader().setSectionResizeMode(column, width)
        self.setRowCount(len(slot.channels))
        for row, channel in enumerate(slot.channels):
            self._fill_row(row, channel, slot.role)
        self._filling = False
        fit_rows(self, _ROWS)

    def selected_rows(self) -> list[int]:
        """The selected channels' indices, in order."""
        return sorted({index.row() for index in self.selectedIndexes()})

    def _fill_row(self, row: int, channel: Channel, role: str) -> None:
        self.setItem(row, _NAME, QTableWidgetItem(channel.name))
        self.setItem(row, _OFFSET, QTableWidgetItem(f"{channel.scaling.offset:g}"))
        self.setItem(row, _SCALE, QTableWidgetItem(f"{channel.scaling.scale:g}"))
        for column in (_OFFSET, _SCALE):
            self.item(row, column).setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.removeCellWidget(row, _KIND)
        self.setItem(row, _KIND, QTableWidgetItem(tags_text(channel.osm) if role == "osm" else ""))
        if role == "dem":
            self.setCellWidget(row, _KIND, self._derivative_combo(row, channel))

    def _derivative_combo(self, row: int, channel: Channel) -> QComboBox:
        combo = QComboBox(self)
        combo.setAccessibleName(tr("Derived from elevation"))
        titles = derivative_titles()
        for name in get_args(Derivative):
            combo.addItem(titles[name], name)
        combo.setCurrentIndex(combo.findData(channel.derivative or "elevation"))
        combo.currentIndexChanged.connect(partial(self._on_derivative, row, combo))
        return combo

    def _on_derivative(self, row: int, combo: QComboBox, _index: int) -> None:
        self._put(row, "channels", replace(self._channels[row], derivative=combo.currentData()))

    def _on_item_changed(self, item: QTableWidgetItem) -> None:
        if self._filling:
            return
        takers: dict[int, Callable[[int, str], None]] = {
            _NAME: self._take_name,
            _KIND: self._take_tags,
            _OFFSET: partial(self._take_number, "offset"),
            _SCALE: partial(self._take_number, "scale"),
        }
        try:
            takers[item.column()](item.row(), item.text().strip())
        except RequestError as problem:
            self.refused.emit(str(problem))
            self._restore(item)

    def _take_name(self, row: int, text: str) -> None:
        if not text:
            raise RequestError(tr("A channel needs a name."))
        self._put(row, "channels", replace(self._channels[row], name=text))

    def _take_tags(self, row: int, text: str) -> None:
        self._put(row, "channels", replace(self._channels[row], osm=parse_tags(text, self._channels[row].osm)))

    def _take_number(self, name: str, row: int, text: str) -> None:
        channel = self._channels[row]
        scaling = replace(channel.scaling, **{name: _number(text)})
        if scaling.scale == 0:
            raise RequestError(tr("The scale cannot be 0."))
        self._put(row, "scaling", replace(channel, scaling=scaling))

    def _put(self, row: int, field: str, channel: Channel) -> None:
        channels = list(self._channels)
        channels[row] = channel
        self._channels = tuple(channels)
        self.edited.emit(field, self._channels)

    def _restore(self, item: QTableWidgetItem) -> None:
        channel = self._channels[item.row()]
        texts = {
            _NAME: channel.name,
            _KIND: tags_text(channel.osm),
            _OFFSET: f"{channel.scaling.offset:g}",
            _SCALE: f"{channel.scaling.scale:g}",
        }
        self._filling = True
        item.setText(texts[item.column()])
        self._filling = False


def derivative_titles() -> dict[str, str]:
    """What can be derived from elevation, in words."""
    return {
        "elevation": tr("Elevation (m)"),
        "slope": tr("Slope (degrees)"),
        "aspect_sin": tr("Aspect, sine"),
        "aspect_cos": tr("Aspect, cosine"),
        "hillshade": tr("Hillshade (0 to 255)"),
        "tpi": tr("Topographic position (m)"),
        "roughness": tr("Roughness (m)"),
    }


def _number(text: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise RequestError(tr("'{text}' is no number; write it like 2.5.").format(text=text)) from None
