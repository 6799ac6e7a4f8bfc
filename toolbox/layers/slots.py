"""The texts in which a user says things of slots, a line each: ``slot=layer:bands``, and ``slot=radiometry``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...inference.errors import RequestError
from .radiometry import Radiometry, radiometry

# The bands are what follows the last colon, if it is numbers: a path may have colons of its own.
_LINE = re.compile(r"^(?P<slot>[^=]+?)\s*=\s*(?P<layer>.+?)\s*(?::\s*(?P<bands>\d+(?:\s*,\s*\d+)*)\s*)?$")


@dataclass(frozen=True)
class SlotLine:
    """One line: the slot's name, the layer's id, name or path, and 1-based bands (empty: as matching finds them)."""

    slot: str
    layer: str
    bands: tuple[int, ...] = ()


def parse_slots(text: str) -> tuple[SlotLine, ...]:
    """Read the lines; blank ones and those after ``#`` are passed over. ``;`` ends a line too, for command lines.

    Raises:
        RequestError: quotes the line that cannot be read.
    """
    return tuple(_parse(line) for line in _lines(text))


def parse_radiometry(text: str) -> tuple[tuple[str, Radiometry], ...]:
    """Slot names and how their numbers are read, from lines ``slot=name``; written like the slot lines.

    Raises:
        RequestError: quotes the line that cannot be read, or tells the names there are.
    """
    found: dict[str, Radiometry] = {}
    for line in _lines(text):
        slot, sign, name = (part.strip() for part in line.partition("="))
        if not (slot and sign and name):
            raise RequestError(f"The radiometry line '{line}' cannot be read; write slot=name, such as imagery=to-dn.")
        if slot in found:
            raise RequestError(f"RADIOMETRY names the slot '{slot}' twice; leave one line.")
        found[slot] = radiometry(name)
    return tuple(found.items())


def _lines(text: str) -> list[str]:
    lines = [line.strip() for line in re.split(r"[\n;]", text or "")]
    return [line for line in lines if line and not line.startswith("#")]


def _parse(line: str) -> SlotLine:
    found = _LINE.match(line)
    if found is None:
        raise RequestError(f"The slot line '{line}' cannot be read; write slot=layer or slot=layer:1,2,3.")
    bands = tuple(int(number) for number in (found["bands"] or "").replace(" ", "").split(",") if number)
    if 0 in bands:
        raise RequestError(f"The slot line '{line}' names band 0; bands are counted from 1.")
    return SlotLine(found["slot"].strip(), found["layer"].strip(), bands)
