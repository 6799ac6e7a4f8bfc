"""What the licence of OpenStreetMap's data asks of whoever makes a map with it."""

from __future__ import annotations

from collections.abc import Iterable

OSM_CREDIT = "© OpenStreetMap contributors (ODbL)"
#: How a text names the licence: by a name, or by the page that the Foundation's attribution guideline offers instead.
_LICENCE = ("odbl", "open database licen", "openstreetmap.org/copyright")


def credits_osm(told: Iterable[str]) -> bool:
    """Whether the texts name OpenStreetMap and its licence; one without the other is not enough."""
    text = " ".join(told).lower()
    return "openstreetmap" in text and any(name in text for name in _LICENCE)
