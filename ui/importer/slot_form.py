"""One input slot of the card: what kind of layer goes in, its channels, and how its values are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Optional, get_args

from qgis.PyQt.QtCore import QSignalBlocker, pyqtSignal
from qgis.PyQt.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QPushButton, QSpinBox, QWidget

from ...models.card import Channel, Derivative, OsmRecipe, Resampling, Scaling, Slot
from ..shared.wording import role_title, tr
from .channel_table import ChannelTable
from .draft import CardDraft, resized
from .fields import FieldForm, OptionalNumber, choose
from .scaling import IMAGENET, OWN, apply, presets, recognise
from .tags import parse_tags, usual_tags

_CHOOSE = ""
#: Roles that the dialog can describe in full; others (a prior's matrix) only come with a card of our own.
_ROLES = ("imagery", "osm", "dem", "raster")
_MOST_CHANNELS = 1024


class SlotForm(FieldForm):
    """Edits the draft's slot of that index."""

    refused = pyqtSignal(str)
    """Why what was typed cannot be taken."""

    def __init__(
        self, draft: CardDraft, index: int, tensor: Mapping[str, Any], parent: Optional[QWidget] = None
    ) -> None:
        slot = draft.card.slots[index]
        sharing = [other for other in draft.card.slots if (other.input, other.time) == (slot.input, slot.time)]
        super().__init__(_title(slot, tensor["text"], len(sharing) == 1), draft, parent)
        self._index = index
        self._free = tensor["shape"][1] is None
        """True where the graph takes any number of channels."""
        self._role = QComboBox(self)
        self._name = QLineEdit(self)
        self._date = QLineEdit(self)
        self._count = QSpinBox(self)
        self._table = ChannelTable(self)
        self._split = QPushButton(tr("Own Slot for Selected Channels"), self)
        self._scaling = QComboBox(self)
        self._missing = QComboBox(self)
        self._resampling = QComboBox(self)
        self._gsd = OptionalNumber(tr("As the map"), 100000, 2, " m", self)
        self._fill()
        self._lay_out()
        self._listen()
        self._show()

    def slot(self) -> Slot:
        """The slot as it is now."""
        return self.draft.card.slots[self._index]

    def _field(self, name: str) -> str:
        return f"slots[{self._index}].{name}"

    def _fill(self) -> None:
        slot = self.slot()
        roles = _ROLES if slot.role in _ROLES else (slot.role,)
        if self.draft.is_unknown(self._field("role")):
            self._role.addItem(tr("Choose…"), _CHOOSE)
        for role in roles:
            self._role.addItem(_role_words(role), role)
        for name, words in _missing_words().items():
            self._missing.addItem(words, name)
        for name in get_args(Resampling):
            self._resampling.addItem(name.replace("_", " ").capitalize(), name)
        self._count.setRange(1, _MOST_CHANNELS)

    def _fill_scaling(self) -> None:
        """Offer what suits the number of channels."""
        blocker = QSignalBlocker(self._scaling)
        self._scaling.clear()
        unknown = self.draft.is_unknown(self._field("scaling"))
        if unknown:
            self._scaling.addItem(tr("Choose…"), _CHOOSE)
        for preset in presets():
            if preset.name != IMAGENET or len(self.slot().channels) == 3:
                self._scaling.addItem(preset.title, preset.name)
        choose(self._scaling, _CHOOSE if unknown else recognise(self.slot().channels))
        del blocker

    def _lay_out(self) -> None:
        number = str(self._index)
        self.add(tr("Kind of layer"), self._role, "Role" + number, self._field("role"))
        self.add(tr("Slot's name"), self._name, "SlotName" + number, self._field("name"))
        self.add(tr("Date"), self._date, "Date" + number, self._field("layout"), tr("For example spring, or before"))
        self.add(tr("Channels"), self._count_row(), "ChannelRow" + number, self._field("channels"))
        self.add("", self._table, "Channels" + number, self._field("location"))
        self.add(tr("Values"), self._scaling, "Scaling" + number, self._field("scaling"))
        self.add(tr("Without a layer"), self._missing, "Missing" + number, self._field("missing"))
        self.add(tr("Resampling"), self._resampling, "Resampling" + number, self._field("resampling"))
        hint = tr("Ground sampling distance of the layers the model was trained with")
        self.add(tr("Layer's GSD"), self._gsd, "SlotGsd" + number, self._field("gsd"), hint)

    def _count_row(self) -> QWidget:
        number = str(self._index)
        self._count.setObjectName("FusionMapperImportCount" + number)
        self._count.setAccessibleName(tr("Number of channels"))
        self._split.setObjectName("FusionMapperImportSplit" + number)
        self._split.setAutoDefault(False)
        self._split.setToolTip(tr("Layers of another kind that share this input of the graph get a slot of their own"))
        row = QWidget(self)
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._count)
        layout.addWidget(self._split)
        layout.addStretch(1)
        return row

    def _listen(self) -> None:
        self._role.currentIndexChanged.connect(self._on_role)
        self._name.textEdited.connect(self._on_name)
        self._date.textEdited.connect(self._on_date)
        self._count.valueChanged.connect(self._on_count)
        self._table.edited.connect(self._on_channels)
        self._table.refused.connect(self.refused)
        self._table.itemSelectionChanged.connect(self._on_selection)
        self._split.clicked.connect(self._on_split)
        self._scaling.currentIndexChanged.connect(self._on_scaling)
        self._missing.currentIndexChanged.connect(self._on_missing)
        self._resampling.currentIndexChanged.connect(self._on_resampling)
        self._gsd.changed.connect(self._on_gsd)

    def _show(self) -> None:
        """Bring all widgets to what the card says."""
        slot = self.slot()
        blockers = [QSignalBlocker(widget) for widget in (self._role, self._missing, self._resampling)]
        blockers += [QSignalBlocker(self._count), QSignalBlocker(self._gsd)]
        choose(self._role, _CHOOSE if self.draft.is_unknown(self._field("role")) else slot.role)
        self._fill_scaling()
        choose(self._missing, slot.missing)
        choose(self._resampling, slot.resampling)
        self._name.setText(slot.name)
        self._date.setText(slot.date or "")
        self._count.setValue(len(slot.channels))
        self._gsd.set_number(slot.gsd)
        del blockers
        self._table.show_slot(slot)
        self._on_selection()
        self._show_what_counts(slot)

    def _show_what_counts(self, slot: Slot) -> None:
        vector = slot.layout == "vector"
        twins = sum(other.role == slot.role for other in self.draft.card.slots) > 1
        self.show_row(self._name, len(self.draft.card.slots) > 1)
        self.show_row(self._date, slot.layout == "NCTHW" or (slot.role == "imagery" and twins))
        self.show_row(self._scaling, not vector and slot.role != "osm")
        self.show_row(self._resampling, not vector and slot.role != "osm")
        self.show_row(self._gsd, not vector and slot.role != "osm")
        self.show_row(self._missing, not vector)
        self._count.setEnabled(self._free)
        self._split.setVisible(not vector and len(slot.channels) > 1)

    def _set(self, *told: str, **changes: object) -> None:
        self.draft.set_slot(self._index, *told, **changes)

    def _on_role(self, _index: int) -> None:
        role = self._role.currentData()
        if role == _CHOOSE:
            return
        channels = tuple(_channel_for(role, i, channel) for i, channel in enumerate(self.slot().channels))
        if role in ("osm", "dem"):
            self.draft.doubt(self._field("channels"))
        told = ("role", "scaling") if role == "osm" else ("role",)
        self._set(*told, role=role, channels=channels, resampling=self.slot().resampling)
        self._show()

    def _on_name(self, text: str) -> None:
        self._set("name", name=text.strip())

    def _on_date(self, text: str) -> None:
        self._set("layout", date=text.strip() or None)

    def _on_count(self, count: int) -> None:
        self._set("channels", channels=resized(self.slot().channels, count))
        self._table.show_slot(self.slot())
        self._fill_scaling()

    def _on_channels(self, field: str, channels: tuple[Channel, ...]) -> None:
        told = (field, "channels") if self.slot().role in ("osm", "dem") else (field,)
        self._set(*told, channels=channels)
        if field == "scaling":
            blocker = QSignalBlocker(self._scaling)
            choose(self._scaling, recognise(channels))
            del blocker

    def _on_selection(self) -> None:
        rows = self._table.selected_rows()
        together = bool(rows) and rows == list(range(rows[0], rows[-1] + 1))
        self._split.setEnabled(together and len(rows) < len(self.slot().channels))

    def _on_split(self) -> None:
        rows = self._table.selected_rows()
        self.draft.split_slot(self._index, rows[0], rows[-1])

    def _on_scaling(self, _index: int) -> None:
        name = self._scaling.currentData()
        if name == _CHOOSE:
            return
        self._set("scaling", channels=apply(name, self.slot().channels))
        self._table.show_slot(self.slot())
        if name == OWN:
            self._table.setFocus()

    def _on_missing(self, _index: int) -> None:
        """A mask takes up the slot's last channel in the graph."""
        rule, slot = self._missing.currentData(), self.slot()
        channels = slot.channels
        if rule == "mask_channel" and slot.missing != rule and len(channels) > 1:
            channels = channels[:-1]
        elif slot.missing == "mask_channel" and rule != slot.missing:
            channels = resized(channels, len(channels) + 1)
        self._set("missing", missing=rule, channels=channels)
        self._table.show_slot(self.slot())
        self._fill_scaling()

    def _on_resampling(self, _index: int) -> None:
        self._set("resampling", resampling=self._resampling.currentData())

    def _on_gsd(self, gsd: Optional[float]) -> None:
        self._set("gsd", gsd=gsd or None)


def _channel_for(role: str, index: int, channel: Channel) -> Channel:
    """The channel with what its slot's role needs, and without what it does not."""
    derivatives = get_args(Derivative)
    derivative = channel.derivative or derivatives[index % len(derivatives)] if role == "dem" else None
    osm: Optional[OsmRecipe] = channel.osm or parse_tags(usual_tags(index)) if role == "osm" else None
    scaling = Scaling() if role == "osm" else channel.scaling
    return replace(channel, derivative=derivative, osm=osm, scaling=scaling)


def _role_words(role: str) -> str:
    words = {
        "imagery": tr("Imagery: aerial or satellite bands"),
        "osm": tr("OSM: vector layers, drawn as channels"),
        "dem": tr("Elevation, and what is derived from it"),
        "raster": tr("Another raster"),
    }
    return words.get(role, role_title(role))


def _missing_words() -> dict[str, str]:
    return {
        "required": tr("The model cannot run"),
        "fill": tr("A fill value takes its place"),
        "mask_channel": tr("A fill value; the last channel says where"),
    }


def _title(slot: Slot, shape: str, whole: bool) -> str:
    """`whole` is True where the slot fills its input alone."""
    title = tr("Input “{name}”, {shape}").format(name=slot.input, shape=shape)
    if slot.layout == "NCTHW":
        return tr("{title}, Date {number}").format(title=title, number=slot.time + 1)
    return (
        title
        if whole
        else tr("{title}, Channels {first} to {last}").format(
            title=title, first=slot.offset + 1, last=slot.offset + slot.width
        )
    )
