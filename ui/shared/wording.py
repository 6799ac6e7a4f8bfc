"""The interface's own words for what a card and the layers say."""

from __future__ import annotations

import math
from html import escape

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QCoreApplication, QLocale
from qgis.PyQt.QtGui import QIcon

from ...models.card import Card, ClassInfo, Slot

LOG_TAG = "Fusion Mapper"
DOT = " · "


def tr(text: str) -> str:
    """`text` in the user's language."""
    return QCoreApplication.translate("FusionMapper", text)


def tip_text(text: str) -> str:
    """`text`, which may quote names of layers and files, for a tool tip or a message box: both would read markup."""
    return f"<qt>{escape(text)}</qt>".replace("\n", "<br>") if "<" in text or "&" in text else text


def theme_icon(name: str) -> QIcon:
    """One of QGIS's own icons, which follow its theme."""
    return QgsApplication.getThemeIcon("/" + name)


def role_title(role: str) -> str:
    """What a layer of this role is called on the panel."""
    titles = {
        "imagery": tr("Imagery"),
        "osm": tr("OSM"),
        "dem": tr("Elevation"),
        "prior": tr("Prior"),
        "location": tr("Location"),
    }
    return titles.get(role, tr("Raster"))


def task_title(card: Card) -> str:
    """What the model answers, in a word or two: that of its first output."""
    titles = {
        "semantic-segmentation": tr("Classes"),
        "pixel-regression": tr("Values"),
        "field-boundaries": tr("Fields"),
    }
    return titles[card.outputs[0].task] if card.outputs else tr("Stack")


def slot_title(slot: Slot, card: Card) -> str:
    """The role; where several slots have the same one, with what tells them apart."""
    title = role_title(slot.role)
    if sum(other.role == slot.role for other in card.slots) == 1:
        return title
    return tr("{role}, {which}").format(role=title, which=slot.date or slot.name)


def metres_text(metres: float) -> str:
    """A length on the ground as people say it."""
    if metres >= 1000:
        return tr("{number} km").format(number=short_number(metres / 1000))
    return tr("{number} m").format(number=short_number(metres))


def short_number(number: float) -> str:
    """Two digits that count, never in powers of ten; all digits before the point."""
    size = abs(number)
    if size >= 9.95 or number == 0:
        return f"{number:,.0f}"
    digits = 1 - math.floor(math.log10(size))
    return f"{number:.{digits}f}".rstrip("0").rstrip(".")


def needs_text(card: Card) -> str:
    """What the model wants, in one line: its slots, and the ground sampling distance."""
    slots = [slot for slot in card.slots if slot.role != "location"]
    parts = [_slot_needs(slot, card) for slot in slots if slot.missing == "required"]
    helpful = [_slot_needs(slot, card) for slot in slots if slot.missing != "required"]
    if helpful:
        parts.append(tr("helped by {slots}").format(slots=", ".join(helpful)))
    if card.gsd is not None:
        parts.append(metres_text(card.gsd))
    return DOT.join(parts)


def _slot_needs(slot: Slot, card: Card) -> str:
    title = slot_title(slot, card)
    if slot.role == "imagery" and len(slot.channels) <= 4:
        bands = ", ".join(channel.name for channel in slot.channels)
        title = tr("{slot} ({bands})").format(slot=title, bands=bands)
    elif slot.role == "imagery":
        title = tr("{slot} ({count} bands)").format(slot=title, count=len(slot.channels))
    return title


def card_classes(card: Card) -> tuple[ClassInfo, ...]:
    """The classes of the model's first output that has some."""
    return next((output.classes for output in card.outputs if output.classes), ())


def device_titles() -> list[tuple[str, str]]:
    """What can be asked for as a device, as a job calls it, and how it is called."""
    return [
        ("auto", tr("Automatic")),
        ("cpu", tr("Processor")),
        ("cuda", tr("NVIDIA graphics card (CUDA)")),
        ("tensorrt", tr("NVIDIA graphics card (TensorRT)")),
        ("directml", tr("Graphics card (DirectML)")),
    ]


def seconds_text(seconds: float) -> str:
    """A duration as people say it."""
    if seconds < 60:
        return tr("{number} s").format(number=f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}")
    minutes, rest = divmod(round(seconds), 60)
    return tr("{minutes} min {seconds} s").format(minutes=minutes, seconds=rest)


def count_text(count: int, one: str, several: str) -> str:
    """`one` for a single thing, else `several` with its {count}."""
    return one if count == 1 else several.format(count=f"{count:,}")


def whole_seconds_text(seconds: float) -> str:
    """A duration that is a guess or changes as one looks: at least a second, no tenths."""
    whole = max(1, round(seconds))
    return tr("{number} s").format(number=whole) if whole < 60 else seconds_text(whole)


def size_text(size: int) -> str:
    """Bytes as people say it."""
    return QLocale().formattedDataSize(size, 1, QLocale.DataSizeFormat.DataSizeTraditionalFormat)
