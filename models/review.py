"""Looking over a card that somebody is completing: all that is wrong with it, each fault with the field it is in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from .card import card_from_dict
from .consistency import contradictions
from .errors import CardError
from .graph import read_graph

#: Messages about a card's own fields begin with their path: ``card.slots[0].channels must be a list``.
_PLACE = re.compile(r"card\.([a-z_]+(?:\[\d+\])*(?:\.[a-z_]+(?:\[\d+\])*)*)")


def review(path: Path, data: object) -> dict[str, Any]:
    """What speaks against the card `data` for the model `path`, as plain JSON values.

    Returns ``problems``, a list of a ``field`` (its path in the card, empty where none can be named) and a ``text``
    each; ``unknown`` and ``blocking``, the fields that still have to be told.

    Raises:
        CardError: the file itself is no model that can run.
    """
    graph = read_graph(path)
    try:
        card = card_from_dict(data)
    except CardError as problem:
        told = _PLACE.match(str(problem))
        return _report([{"field": told.group(1) if told else "", "text": str(problem)}], (), ())
    found = [{"field": one.field, "text": one.text} for one in contradictions(card, graph)]
    return _report(found, card.unknown, card.blocking)


def _report(problems: list[dict[str, str]], unknown: tuple[str, ...], blocking: tuple[str, ...]) -> dict[str, Any]:
    return {"problems": problems, "unknown": list(unknown), "blocking": list(blocking)}
