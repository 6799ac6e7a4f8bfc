"""What readers fill in where metadata is silent."""

from __future__ import annotations

import re

from ..card import ClassInfo


def default_classes(channels: int, names: tuple[str, ...] = ()) -> tuple[ClassInfo, ...]:
    """Classes for an output of so many channels, numbered from 0; one channel is a binary head of two classes.

    `names` are taken in order as far as they reach; a binary head with one name has it for its second class.
    """
    if channels == 1 and len(names) < 2:
        names = ("background", names[0] if names else "object")
    count = max(2, channels)
    filled = [names[i] if i < len(names) else f"class {i}" for i in range(count)]
    return tuple(ClassInfo(value, name) for value, name in enumerate(filled))


def safe_name(name: str) -> str:
    """A name that can stand in ``slot=layer`` texts and file names: letters, digits, ``_``, ``-`` and ``.``."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:80] or "unnamed"
