"""The text in which a user names the classes to be learned, one a line: ``1:water #2b6cb0``."""

from __future__ import annotations

import re

from ...inference.errors import RequestError
from ...models.card import ClassInfo

# The colour stands last, so that a name may have spaces of its own.
_LINE = re.compile(r"^(?:(?P<value>\d{1,5})\s*:\s*)?(?P<name>[^#]*?)\s*(?P<color>#[0-9a-fA-F]{6})?$")


def parse_classes(text: str) -> tuple[ClassInfo, ...]:
    """Classes from lines ``value:name #rrggbb``; value and colour may be left out, and ``;`` ends a line too.

    Classes without a value are numbered from 1 in their order.

    Raises:
        RequestError: quotes the line that cannot be read, or names what stands there twice.
    """
    lines = [line.strip() for line in re.split(r"[\n;]", text or "") if line.strip()]
    classes = tuple(_parse(line, number) for number, line in enumerate(lines, 1))
    for what in ("name", "value"):
        told = [str(getattr(one, what)).lower() for one in classes]
        twice = next((one for one in told if told.count(one) > 1), None)
        if twice is not None:
            raise RequestError(f"CLASSES has the {what} '{twice}' twice; every class has its own.")
    return classes


def _parse(line: str, number: int) -> ClassInfo:
    found = _LINE.match(line)
    if found is None or not found["name"]:
        raise RequestError(f"CLASSES has the line '{line}', which cannot be read; write it like 1:water #2b6cb0.")
    value = number if found["value"] is None else int(found["value"])
    return ClassInfo(value, found["name"], (found["color"] or "").lower())
