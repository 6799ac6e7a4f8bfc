"""Which bands of a raster are a slot's channels: by name, by colour, or by their order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from ..models.card import Slot
from .sources import Band, RasterInput

#: What producers call the bands that models ask for by a colour's name. Sentinel-2's two-digit names are its own.
_ALIASES = {
    "red": ("red", "r", "b04"),
    "green": ("green", "g", "b03"),
    "blue": ("blue", "b", "b02"),
    "nir": ("nir", "nearinfrared", "near-infrared", "nir1", "b08"),
    "swir1": ("swir1", "b11"),
    "swir2": ("swir2", "b12"),
}
#: One-digit names mean other bands on Landsat, so they count only beside a band that Sentinel-2 alone has.
_SENTINEL = {"red": "b4", "green": "b3", "blue": "b2", "nir": "b8"}
_ONLY_SENTINEL = {"b8a", "b12"}


@dataclass(frozen=True)
class Choice:
    """Bands for a slot's channels, in their order, and how sure that is."""

    bands: tuple[tuple[int, int], ...]
    """For each channel: position of the raster in the list that was searched, and its 1-based band."""
    guessed: bool = False
    """True when the file has more bands than channels and nothing tells them apart."""


def by_name(slot: Slot, rasters: Sequence[RasterInput]) -> Optional[Choice]:
    """The bands whose names (or colours, or single-band layers' names) are the channels'; None unless all are."""
    named = [
        (position, band.number, _names(band, raster))
        for position, raster in enumerate(rasters)
        for band in raster.colour_bands
    ]
    everything = set().union(*(names for _, _, names in named)) if named else set()
    found = []
    for channel in slot.channels:
        wanted = _wanted(channel.name, bool(everything & _ONLY_SENTINEL))
        fits = [(position, number) for position, number, names in named if names & wanted]
        if len(fits) != 1:
            return None
        found.append(fits[0])
    return Choice(tuple(found)) if len(set(found)) == len(found) else None


def in_order(count: int, raster: RasterInput) -> Optional[Choice]:
    """The first `count` bands beside alpha; None when there are fewer."""
    bands = raster.colour_bands
    if len(bands) < count:
        return None
    return Choice(tuple((0, band.number) for band in bands[:count]), guessed=len(bands) > count)


def _names(band: Band, raster: RasterInput) -> set[str]:
    names = {_plain(band.name), band.color} | {_plain(word) for word in re.split(r"[\s:;,(]+", band.name)}
    if len(raster.colour_bands) == 1:
        names |= {_plain(word) for word in re.split(r"[^A-Za-z0-9]+", raster.name)}
    return names - {"", "undefined", "gray", "palette"}


def _wanted(channel: str, sentinel: bool) -> set[str]:
    plain = _plain(channel)
    base = re.sub(r"_?(t?\d+|spring|summer|autumn|winter|before|after)$", "", plain) if plain not in _ALIASES else plain
    wanted = {plain, *_ALIASES.get(base, ())}
    if sentinel and base in _SENTINEL:
        wanted.add(_SENTINEL[base])
    return wanted


def _plain(name: str) -> str:
    return name.strip().strip(")(").lower()
