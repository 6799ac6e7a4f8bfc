"""The card that is being completed: its present state, what is still unknown, and what is said about each field."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from qgis.PyQt.QtCore import QObject, pyqtSignal

from ...inference.errors import RequestError
from ...models.card import Card, Channel, ClassInfo, Slot, card_from_dict
from ..shared.wording import tr

#: What a model's folder in the library may be called.
NAME = re.compile(r"\w([\w.-]{0,78}\w)?")
_INDEX = re.compile(r"slots\[(\d+)\]")


class Weight(IntEnum):
    """How much a note weighs."""

    NONE = 0
    ASSUMED = 1
    NEEDED = 2


@dataclass(frozen=True)
class Note:
    """What is said beside a field."""

    weight: Weight = Weight.NONE
    text: str = ""
    acceptable: bool = False
    """True where the field's present value can be accepted as it is."""


class CardDraft(QObject):
    """Holds the card; every change of it is told."""

    changed = pyqtSignal()
    """A value changed, or was accepted."""
    reshaped = pyqtSignal()
    """There are other slots or channels now, so that forms have to be made anew."""
    noted = pyqtSignal()
    """What is said about the fields changed."""

    def __init__(self, card: Card, remarks: Sequence[Mapping[str, str]] = (), parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.card = card
        self._remarks = list(remarks)
        self._problems: list[Mapping[str, str]] = []
        self._checked: Card | None = None
        self._found = ""

    def set(self, *told: str, **changes: Any) -> None:
        """Change the card; the fields `told` are known from now on."""
        self._put(replace(self.card, **changes), told)

    def set_slot(self, index: int, *told: str, **changes: Any) -> None:
        """Change one slot; `told` are its fields that are known from now on."""
        slots = list(self.card.slots)
        slots[index] = replace(slots[index], **changes)
        self._put(replace(self.card, slots=tuple(slots)), [f"slots[{index}].{name}" for name in told])

    def set_output(self, index: int, *told: str, **changes: Any) -> None:
        """Change one output; `told` are its fields that are known from now on."""
        outputs = list(self.card.outputs)
        outputs[index] = replace(outputs[index], **changes)
        self._put(replace(self.card, outputs=tuple(outputs)), [f"outputs[{index}].{name}" for name in told])

    def accept(self, field: str) -> None:
        """Take the field's present value for true."""
        self._put(self.card, [field])

    def doubt(self, field: str) -> None:
        """Ask for the field, since another choice made its present value a guess."""
        if field not in self.card.unknown:
            self.card = replace(self.card, unknown=(*self.card.unknown, field))

    def split_slot(self, index: int, first: int, last: int) -> None:
        """Give the channels `first` to `last` of a slot a slot of their own; what is left before and after keeps on."""
        slots = split(self.card.slots[index], first, last, {slot.name for slot in self.card.slots})
        before, after = self.card.slots[:index], self.card.slots[index + 1 :]
        added = len(slots) - 1
        unknown = [_moved(field, index, added) for field in self.card.unknown]
        for offset, slot in enumerate(slots):
            for field in ("role", "scaling"):
                if offset and slot.role == "raster":
                    unknown.append(f"slots[{index + offset}].{field}")
        self._remarks = [{**remark, "field": _moved(remark["field"], index, added)} for remark in self._remarks]
        self.card = replace(self.card, slots=(*before, *slots, *after), unknown=tuple(dict.fromkeys(unknown)))
        self.reshaped.emit()
        self.changed.emit()

    def set_problems(self, problems: Sequence[Mapping[str, str]]) -> None:
        """What the engine holds against the card as it is now."""
        self._problems = list(problems)
        self.noted.emit()

    def is_unknown(self, field: str) -> bool:
        return field in self.card.unknown

    def problem(self) -> str:
        """What keeps the model from being installed, in one sentence; empty where nothing does."""
        fault = self._fault()
        if fault:
            return fault
        if self._problems:
            return self._problems[0]["text"]
        if not NAME.fullmatch(self.card.name):
            return _name_sentence()
        count = len(self.card.blocking)
        if count == 1:
            return tr("One field is still open; it is marked with ○.")
        return tr("{count} fields are still open; they are marked with ○.").format(count=count) if count else ""

    def note(self, field: str) -> Note:
        """What to say beside a field."""
        problems = [one["text"] for one in self._problems if _covers(field, one["field"])]
        if problems:
            return Note(Weight.NEEDED, " ".join(problems))
        if field == "name" and not NAME.fullmatch(self.card.name):
            return Note(Weight.NEEDED, _name_sentence())
        remarks = [one["text"] for one in self._remarks if _covers(field, one["field"])]
        if not self.is_unknown(field):
            return Note(Weight.ASSUMED, " ".join(remarks)) if remarks else Note()
        name = field.rpartition(".")[2]
        weight = Weight.NEEDED if field in self.card.blocking else Weight.ASSUMED
        return Note(weight, " ".join([_sentence(name), *remarks]), name not in ("role", "scaling", "task"))

    def stray_remarks(self) -> list[str]:
        """Remarks about no field that the form shows."""
        return [one["text"] for one in (*self._remarks, *self._problems) if not one["field"]]

    def _fault(self) -> str:
        """What the card's own rules hold against it; asked of each card once."""
        if self._checked is not self.card:
            self._checked, self._found = self.card, ""
            try:
                card_from_dict(self.card.to_dict())
            except RequestError as fault:
                self._found = str(fault)
        return self._found

    def _put(self, card: Card, told: Sequence[str]) -> None:
        unknown = tuple(field for field in card.unknown if field not in told)
        changed = replace(card, unknown=unknown)
        if changed == self.card:
            return
        self.card = changed
        self.changed.emit()


def split(slot: Slot, first: int, last: int, names: set[str]) -> list[Slot]:
    """The slot's channels before `first`, from `first` to `last`, and after `last`, each in a slot of its own."""
    parts: list[Slot] = []
    for begin, end in ((0, first), (first, last + 1), (last + 1, len(slot.channels))):
        if begin == end:
            continue
        part = replace(slot, channels=slot.channels[begin:end], offset=slot.offset + begin)
        if parts:
            part = replace(part, name=_free_name(slot.name, names), role="raster", prior=None)
            names.add(part.name)
        parts.append(part)
    return parts


def numbered_classes(count: int) -> tuple[ClassInfo, ...]:
    """Made-up classes for as many values."""
    return tuple(ClassInfo(value, tr("Class {number}").format(number=value)) for value in range(count))


def resized(channels: tuple[Channel, ...], count: int) -> tuple[Channel, ...]:
    """The first `count` channels, with made-up ones added where there are fewer."""
    extra = (Channel(tr("band {number}").format(number=i + 1)) for i in range(len(channels), count))
    return (*channels, *extra)[:count]


def _free_name(name: str, taken: set[str]) -> str:
    return next(free for free in (f"{name}_{i}" for i in range(2, len(taken) + 3)) if free not in taken)


def _moved(field: str, index: int, added: int) -> str:
    """The field's path after `added` slots came in behind the one at `index`."""
    found = _INDEX.match(field)
    if not found or int(found.group(1)) <= index:
        return field
    return f"slots[{int(found.group(1)) + added}]{field[found.end() :]}"


def _covers(field: str, place: str) -> bool:
    """Whether what was said about `place` belongs beside `field`."""
    return bool(place) and (place == field or place.startswith((field + ".", field + "[")))


def _name_sentence() -> str:
    return tr("The name in the library begins and ends with a letter or digit; inside, _, - and . may stand as well.")


def _sentence(name: str) -> str:
    sentences = {
        "gsd": tr("Not told. Left empty, the map takes the imagery's own pixels."),
        "role": tr("Choose what kind of layer goes in here."),
        "channels": tr("The number or meaning of the channels is a guess; check it."),
        "layout": tr("One input takes several dates; check that the dates stand in this order."),
        "scaling": tr("Choose how the layer's values become what the model was trained on."),
        "location": tr("These values are taken for the place on Earth; check that."),
        "task": tr("Choose what the model answers."),
        "classes": tr("Assumed. The file does not name its classes; write their names."),
        "activation": tr("Assumed from the graph's last operator."),
    }
    return sentences.get(name, tr("The file does not tell this."))
