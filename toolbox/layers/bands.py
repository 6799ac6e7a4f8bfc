"""Which bands of a raster are a slot's channels: by name, by colour, by wavelength, or by their order."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Optional

from ...models.card import Channel, Slot
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
#: Landsat's bands, by the sensor that the layer's or file's name tells: L{sensor}{satellite}, with or without "0".
_LANDSAT = (
    (
        re.compile(r"(?<![a-z0-9])l[co]0?[89]|landsat[ _-]?[89]", re.IGNORECASE),
        {"blue": "b2", "green": "b3", "red": "b4", "nir": "b5", "swir1": "b6", "swir2": "b7"},
    ),
    (
        re.compile(r"(?<![a-z0-9])l[te]0?[457](?!\d)|landsat[ _-]?[457]", re.IGNORECASE),
        {"blue": "b1", "green": "b2", "red": "b3", "nir": "b4", "swir1": "b5", "swir2": "b7"},
    ),
)
#: Usual centre wavelengths, in micrometres, of channels whose card tells none (STAC's common band names).
_USUAL = {
    "coastal": 0.443, "blue": 0.49, "green": 0.56, "red": 0.665, "nir": 0.842, "nir08": 0.865,
    "swir1": 1.61, "swir16": 1.61, "swir2": 2.2, "swir22": 2.2,
}  # fmt: skip
#: A band may lie this share of a channel's wavelength beside it: near infrared at 0.865 for 0.842 µm, not red edge
#: (0.705) for red (0.665).
_TOLERANCE = 0.05

#: Layer id and 1-based band.
Place = tuple[str, int]


@dataclass(frozen=True)
class Choice:
    """Bands for a slot's channels, in their order, and how sure that is."""

    bands: tuple[tuple[int, int], ...]
    """For each channel: position of the raster in the list that was searched, and its 1-based band."""
    guessed: bool = False
    """True when the file has more bands than channels and nothing tells them apart."""


def told_apart(slot: Slot, rasters: Sequence[RasterInput]) -> Optional[Choice]:
    """The bands that names, colours or wavelengths say are the channels; None unless all are found."""
    return by_name(slot, rasters) or by_wavelength(slot, rasters)


def by_name(slot: Slot, rasters: Sequence[RasterInput]) -> Optional[Choice]:
    """The bands whose names (or colours, or single-band layers' names) are the channels'; None unless all are."""
    named = [
        (position, band.number, _names(band, raster))
        for position, raster in enumerate(rasters)
        for band in raster.colour_bands
    ]
    everything = set().union(*(names for _, _, names in named)) if named else set()
    sensor = _sensor_names(everything, rasters)
    found = []
    for channel in slot.channels:
        wanted = _wanted(channel.name, sensor)
        fits = [(position, number) for position, number, names in named if names & wanted]
        if len(fits) != 1:
            return None
        found.append(fits[0])
    return Choice(tuple(found)) if len(set(found)) == len(found) else None


def by_wavelength(slot: Slot, rasters: Sequence[RasterInput]) -> Optional[Choice]:
    """For each channel the band nearest to its wavelength; None unless all lie within the tolerance, no band twice."""
    centres = [
        (band.wavelength, (position, band.number))
        for position, raster in enumerate(rasters)
        for band in raster.bands
        if band.wavelength
    ]
    found = []
    for channel in slot.channels:
        wanted = channel_wavelength(channel)
        if wanted is None or not centres:
            return None
        centre, place = min(centres, key=lambda entry: abs(entry[0] - wanted))
        if abs(centre - wanted) > _TOLERANCE * wanted:
            return None
        found.append(place)
    return Choice(tuple(found)) if len(set(found)) == len(found) else None


def channel_wavelength(channel: Channel) -> Optional[float]:
    """The channel's centre wavelength in micrometres: the card's, or what its name usually means."""
    return channel.wavelength or _USUAL.get(_base(_plain(channel.name)))


def in_order(count: int, raster: RasterInput) -> Optional[Choice]:
    """The first `count` bands beside alpha; None when there are fewer."""
    bands = raster.colour_bands
    if len(bands) < count:
        return None
    return Choice(tuple((0, band.number) for band in bands[:count]), guessed=len(bands) > count)


def companions(slot: Slot, raster: RasterInput, others: Sequence[RasterInput]) -> tuple[tuple[RasterInput, int], ...]:
    """The single-band rasters that together with `raster`, one of them, are the slot's channels, and their bands.

    Those in the same folder first, since band files of one scene have the names of another's; empty where there are
    not enough, or nothing tells them apart.
    """
    if len(slot.channels) < 2 or len(raster.colour_bands) != 1:
        return ()
    single = [raster, *(one for one in others if one.id != raster.id and len(one.colour_bands) == 1)]
    beside = [one for one in single if _folder(one) == _folder(raster)]
    for group in (beside, single):
        found = told_apart(slot, group)
        if found and any(position == 0 for position, _ in found.bands):
            return tuple((group[position], number) for position, number in found.bands)
    return ()


def automatic_bands(slot: Slot, main: RasterInput, rasters: Sequence[RasterInput]) -> tuple[tuple[Place, ...], bool]:
    """For each channel the band that its name, colour or wavelength speaks for, else the next one in order.

    True where something spoke for them. In order, a band called alpha counts as well, after all others: four bands of
    bytes are red, green, blue and near infrared more often than not.
    """
    found = told_apart(slot, [main])
    if found:
        return tuple((main.id, number) for _, number in found.bands), True
    sisters = companions(slot, main, rasters)
    if sisters:
        return tuple((raster.id, number) for raster, number in sisters), True
    ordered = sorted(main.all_bands, key=lambda band: band.color == "alpha")
    count = len(slot.channels)
    return tuple((main.id, ordered[min(i, len(ordered) - 1)].number) for i in range(count)), False


def _folder(raster: RasterInput) -> str:
    return os.path.dirname(raster.path or "")


def _names(band: Band, raster: RasterInput) -> frozenset[str]:
    return _words(band.name, band.color, raster.name if len(raster.colour_bands) == 1 else "")


@lru_cache(maxsize=4096)
def _words(name: str, color: str, layer: str) -> frozenset[str]:
    """What a band may be called by; kept, since all layers of a project are compared with one another."""
    names = {_plain(name), color} | {_plain(word) for word in re.split(r"[\s:;,(]+", name)}
    names |= {_plain(word) for word in re.split(r"[^A-Za-z0-9]+", layer)}
    # Landsat's surface reflectance: SR_B4.
    names |= {word[3:] for word in names if word.startswith("sr_")}
    return frozenset(names - {"", "undefined", "gray", "palette"})


def _sensor_names(everything: set[str], rasters: Sequence[RasterInput]) -> dict[str, str]:
    """What the sensor, where something tells it, calls the bands that have a colour's name."""
    if everything & _ONLY_SENTINEL:
        return _SENTINEL
    for pattern, names in _LANDSAT:
        if rasters and all(
            pattern.search(f"{raster.name} {os.path.basename(raster.path or '')}") for raster in rasters
        ):
            return names
    return {}


def _wanted(channel: str, sensor: dict[str, str]) -> set[str]:
    plain = _plain(channel)
    base = _base(plain)
    wanted = {plain, *_ALIASES.get(base, ())}
    if base in sensor:
        wanted.add(sensor[base])
    return wanted


def _base(plain: str) -> str:
    """The channel's name without the date it belongs to."""
    if plain in _ALIASES or plain in _USUAL:
        return plain
    return re.sub(r"_?(t?\d+|spring|summer|autumn|winter|before|after)$", "", plain)


def _plain(name: str) -> str:
    return name.strip().strip(")(").lower()
