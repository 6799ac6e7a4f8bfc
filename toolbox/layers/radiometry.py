"""How stored numbers become the values that a model knows, and what speaks for one way or another.

The same scene comes as digital numbers (reflectance × 10,000), as reflectance, with or without the 1000 that ESA adds
since processing baseline 04.00 (January 2022), or as 8 bit. A model was trained with one of these.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from ...inference.errors import RequestError
from ...models.card import Channel, Slot
from .sources import RasterInput


@dataclass(frozen=True)
class Radiometry:
    """One way: ``((stored + offset) × the file's scale + its offset) × scale``, as the engine computes it."""

    name: str
    """In the RADIOMETRY parameter."""
    title: str
    offset: float = 0.0
    scale: float = 1.0

    def apply(self, value: float) -> float:
        """What becomes of a value; the file has no scale or offset of its own."""
        return (value + self.offset) * self.scale


STORED = Radiometry("stored", "As stored")
_SENTINEL = Radiometry("sentinel2", "Sentinel-2 since 2022 (−1000)", -1000.0)
_SENTINEL_SHARE = Radiometry("sentinel2-reflectance", "Sentinel-2 since 2022, made reflectance", -1000.0, 1e-4)
_TO_REFLECTANCE = Radiometry("to-reflectance", "DN made reflectance (÷ 10 000)", scale=1e-4)
_TO_DN = Radiometry("to-dn", "Reflectance 0 to 1, made DN (× 10 000)", scale=1e4)
_FROM_BYTE = Radiometry("byte-to-unit", "8 bit, made 0 to 1 (÷ 255)", scale=1 / 255)
_TO_BYTE = Radiometry("unit-to-byte", "0 to 1, made 8 bit (× 255)", scale=255.0)
RADIOMETRIES = (STORED, _SENTINEL, _SENTINEL_SHARE, _TO_REFLECTANCE, _TO_DN, _FROM_BYTE, _TO_BYTE)
#: Slots whose values are radiances, or other raster values that may come in another unit.
ROLES = ("imagery", "raster")

#: ESA's processing baseline from which products hold 1000 more.
_SHIFTED_BASELINE = 4.0
_PRODUCT_NAME = re.compile(r"S2[A-D]_MSIL[12][AC]_\d{8}T\d{6}_N(\d{2})(\d{2})_")
#: The highest value that a scaling was made for (see `_top`) when it is one of reflectance, and of bytes.
_SHARE, _BYTE = 3.0, 900.0
#: Beyond this many scaled units a value is not what a model was trained on; as the engine's own check has it.
_FAR = 20.0
#: Below this share of its ordinary value a channel shows nothing; without a mean, that is a part of full scale.
_FAINT, _ORDINARY = 0.2, 0.15
#: A layer whose values fill less than this much of what the model's scaling spans is in another unit.
_FLAT = 0.01


@dataclass(frozen=True)
class Suggestion:
    """A radiometry that a layer's file speaks for, and what it says."""

    radiometry: Radiometry
    reason: str


def radiometry(name: str) -> Radiometry:
    """The one called `name`; raises RequestError with the names of all."""
    found = next((one for one in RADIOMETRIES if one.name == name), None)
    if found is None:
        known = ", ".join(one.name for one in RADIOMETRIES)
        raise RequestError(f"RADIOMETRY has no '{name}'; it has {known}.")
    return found


def suggested(slot: Slot, raster: RasterInput) -> Optional[Suggestion]:
    """What the raster's file says about its numbers, where the model wants others; None where nothing is said."""
    if slot.role not in ROLES:
        return None
    wants_share = _top(slot.channels) <= _SHARE
    said = _shift_said(raster)
    if said:
        return Suggestion(_SENTINEL_SHARE if wants_share else _SENTINEL, said)
    if raster.scale_tag == 1e-4 and not wants_share and _top(slot.channels) > _BYTE:
        return Suggestion(_TO_DN, "The file's own scale of 0.0001 makes reflectance of its numbers")
    return None


def remedy(slot: Slot, now: Radiometry, minimum: Sequence[float], maximum: Sequence[float]) -> Optional[Radiometry]:
    """The radiometry that brings values which do not suit the slot's scaling nearest to what it was made for, if any.

    Args:
        now: with which they were read.
        minimum, maximum: lowest and highest value of each channel, as read.
    """
    best, least = None, math.inf
    for other in RADIOMETRIES:
        ranges = [(_reread(low, now, other), _reread(high, now, other)) for low, high in zip(minimum, maximum)]
        if other == now or other.offset != now.offset or not ranges or not suits(slot.channels, ranges):
            continue
        highest = max(high for _, high in ranges)
        distance = abs(math.log(max(highest, 1e-12) / _top(slot.channels)))
        if distance < least:
            best, least = other, distance
    return best


def suits(channels: Sequence[Channel], ranges: Sequence[tuple[float, float]]) -> bool:
    """Whether values within these ranges, one for each channel, are what the channels' scaling was made for.

    The engine's own check decides whether to warn; this finds out which channel is wrong, and what would be right.
    """
    pairs = list(zip(channels, ranges))
    return all(_suits(channel, low, high) for channel, (low, high) in pairs) and not all(
        _faint(channel, high) for channel, (_, high) in pairs
    )


def _faint(channel: Channel, high: float) -> bool:
    rule = channel.scaling
    ordinary = rule.offset if rule.offset > 0 else _ORDINARY * rule.scale
    return rule.scale != 1 and high < _FAINT * ordinary


def _suits(channel: Channel, low: float, high: float) -> bool:
    rule = channel.scaling
    scaled = [(value - rule.offset) / rule.scale for value in (low, high)]
    return max(map(abs, scaled)) <= _FAR and (high == low or abs(scaled[1] - scaled[0]) >= _FLAT)


def _reread(value: float, now: Radiometry, other: Radiometry) -> float:
    return other.apply(value / now.scale - now.offset)


def _top(channels: Sequence[Channel]) -> float:
    """About the highest value that the channels' scaling was made for."""
    rules = [channel.scaling for channel in channels]
    tops = [rule.offset + 3 * abs(rule.scale) if rule.maximum is None else rule.maximum for rule in rules]
    return max([*tops, 1e-6])


def _shift_said(raster: RasterInput) -> str:
    """What tells that the numbers hold 1000 more, unless the file's own offset takes that away again."""
    if raster.offset_tag:
        return ""
    for key, value in raster.metadata:
        if re.search(r"(RADIO|BOA)_ADD_OFFSET", key, re.IGNORECASE) and _number(value) == -1000:
            return f"The file says {key} = {value}"
    baseline = next((value for key, value in raster.metadata if key.upper() == "PROCESSING_BASELINE"), "")
    if not baseline:
        named = _PRODUCT_NAME.search(raster.path or "")
        baseline = f"{named[1]}.{named[2]}" if named else ""
    if _number(baseline) >= _SHIFTED_BASELINE:
        return f"Sentinel-2's processing baseline {baseline} adds 1000 to its numbers"
    return ""


def _number(text: str) -> float:
    found = re.fullmatch(r"\s*([-+]?\d+(?:\.\d+)?)\s*", text)
    return float(found[1]) if found else 0.0
