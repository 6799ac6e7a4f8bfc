"""What a camera or satellite records of a scene on one date."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from . import illumination, spectra
from .buildings import Buildings
from .cover import RIVER, Cover
from .frame import Frame
from .noise import fractal, stream
from .parcels import Parcels
from .region import Region

_HAZE = (1.3, 1.5, 1.9, 0.8)
"""Haze in every band over the region's, strongest in the blue."""


def photograph(
    frame: Frame,
    region: Region,
    cover: Cover,
    parcels: Parcels,
    buildings: Buildings,
    height: np.ndarray,
    seed: int,
    date: int = 0,
) -> np.ndarray:
    """Reflectance with sun, shadow and haze; float32 4 x H x W (red, green, blue, near infrared).

    ``height`` is the terrain in metres (H x W); ``date`` is 0 for early and 1 for late in the season.
    """
    rng = stream(seed, f"imagery {date}")
    light = _light(frame, region, cover, buildings, height, rng)
    green, straw = _ground_shares(frame, region, cover, parcels, date, rng)
    surface = _Surface(
        texture=_texture(frame, cover, parcels, rng) * light,
        green=green,
        straw=straw,
        rock=cover.rock * ~parcels.farmed,
        scrub=_scrub(frame, region, parcels, rng),
        mud=np.clip(region.turbidity + 0.25 * fractal(rng, frame.shape, 900 / frame.gsd, 2), 0, 1),
        needles=np.clip(0.5 + 0.9 * fractal(rng, frame.shape, 700 / frame.gsd, 3), 0, 1),
        season=(1.0, 0.9)[date],
    )
    image = np.empty((4, *frame.shape), np.float32)
    for band in range(4):
        haze = region.haze * _HAZE[band]
        image[band] = _reflectance(surface, region, cover, band) * surface.texture * (1 - haze) + haze
    return image


@dataclass(frozen=True)
class _Surface:
    """How the ground looks on one date; all H x W but ``season``, the brightness of crowns."""

    texture: np.ndarray
    green: np.ndarray
    straw: np.ndarray
    rock: np.ndarray
    scrub: np.ndarray
    mud: np.ndarray
    needles: np.ndarray
    season: float


def _reflectance(surface: _Surface, region: Region, cover: Cover, band: int) -> np.ndarray:
    """Soil under straw and leaves, scrub, rock, crowns, and over all of it what people and water laid; H x W."""
    soil, leaf = np.float32(region.soil[band]), spectra.leaf(region)[band]
    plane = soil + surface.green * (leaf - soil) + surface.straw * (spectra.STRAW[band] - soil)
    plane += surface.scrub * (spectra.SCRUB[band] - plane)
    plane += surface.rock * (np.float32(region.rock[band]) - plane)
    crown = spectra.CROWN[band] + surface.needles * (spectra.NEEDLE[band] - spectra.CROWN[band])
    plane += cover.tree * (crown * surface.season - plane)
    laid = spectra.materials(region)[:, band][cover.material] * cover.tone
    wet = spectra.CLEAR_WATER[band] + surface.mud * (spectra.MUDDY_WATER[band] - spectra.CLEAR_WATER[band])
    laid = np.where(cover.material == RIVER, wet, laid)
    return plane + cover.share * (laid - plane)


def _light(
    frame: Frame,
    region: Region,
    cover: Cover,
    buildings: Buildings,
    height: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Sunlight over that on open flat ground, H x W; cast shadows only where pixels are smaller than these."""
    light = illumination.hill_light(frame, region, height)
    if frame.gsd >= 3:
        return light
    tree_top = cover.tree * (7 + 3 * fractal(rng, frame.shape, 9 / frame.gsd, 2))
    house_top = np.concatenate([[0], buildings.height]).astype(np.float32)[cover.building]
    shadow = illumination.cast_shadow(frame, region, np.maximum(tree_top, house_top).astype(np.float32))
    return np.where(shadow, light * illumination.SHADOW, light)


def _ground_shares(
    frame: Frame, region: Region, cover: Cover, parcels: Parcels, date: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Green leaves and straw as shares of the natural ground, H x W each."""
    patchy = fractal(rng, frame.shape, 130 / frame.gsd, 4)
    wild = np.clip(0.92 - cover.dry * (0.85 if date == 0 else 1.0) + 0.06 * patchy, 0.03, 0.95)
    farmed = parcels.farmed
    crop = parcels.vigour[:, date].astype(np.float32)[parcels.number]
    green = np.where(farmed, np.clip(crop * (1 + 0.09 * patchy), 0, 1), wild)
    stubble = (parcels.vigour[:, 1 - date] > 0.5).astype(np.float32)[parcels.number] * (0.45 if date else 0.1)
    straw = np.where(farmed, (1 - green) * stubble, (1 - green) * 0.8)
    return green.astype(np.float32), straw.astype(np.float32)


def _scrub(frame: Frame, region: Region, parcels: Parcels, rng: np.random.Generator) -> np.ndarray:
    """The share of wild ground under low grey-green bushes, which are no trees, H x W."""
    stands = 0.9 * region.scrub - 0.25 + 0.3 * fractal(rng, frame.shape, 500 / frame.gsd, 5)
    grain = 0.18 * fractal(rng, frame.shape, max(6 / frame.gsd, 2), 2)
    return np.where(parcels.farmed, 0, np.clip(stands + grain, 0, 0.95)).astype(np.float32)


def _texture(frame: Frame, cover: Cover, parcels: Parcels, rng: np.random.Generator) -> np.ndarray:
    """Brightness about 1: soil patches, plough lines, crowns and the parcels' own shade."""
    fine = fractal(rng, frame.shape, max(5 / frame.gsd, 2), 2)
    broad = fractal(rng, frame.shape, 180 / frame.gsd, 4)
    roughness = 0.035 + 0.16 * cover.tree - 0.02 * cover.share
    shade = parcels.shade.astype(np.float32)[parcels.number]
    natural = shade * (1 + 0.055 * broad)
    if frame.gsd < 3:
        natural *= 1 + 0.05 * _plough_lines(frame, parcels)
    texture = 1 + roughness * fine
    return (texture * (natural + cover.share * (1 - natural))).astype(np.float32)


def _plough_lines(frame: Frame, parcels: Parcels) -> np.ndarray:
    along = parcels.direction.astype(np.float32)[parcels.number]
    rows, columns = np.ogrid[: frame.size, : frame.size]
    across = rows * np.cos(along) - columns * np.sin(along)
    return np.where(parcels.farmed, np.sin(across * np.float32(2 * np.pi * frame.gsd / 7.3)), 0)


def to_bytes(reflectance: np.ndarray, region: Region, seed: int) -> np.ndarray:
    """An 8-bit aerial picture with the region's exposure, white balance and tone curve; uint8."""
    rng = stream(seed, "sensor")
    picture = np.empty(reflectance.shape, np.uint8)
    for band, plane in enumerate(reflectance):
        sharp = ndimage.gaussian_filter(plane, 0.55)
        gain = region.exposure * region.white_balance[band] * (1.0, 1.0, 1.0, 0.6)[band]
        tone = np.clip(sharp * gain, 0, 1)
        value = region.lift + (410 - 1.3 * region.lift) * tone**region.gamma
        value += rng.standard_normal(value.shape, dtype=np.float32) * 3
        picture[band] = np.clip(value, 1, 255)
    return picture


def to_reflectance_numbers(reflectance: np.ndarray, seed: int, date: int = 0) -> np.ndarray:
    """Satellite numbers: surface reflectance times 10000 with sensor noise and a point spread; uint16."""
    rng = stream(seed, f"satellite {date}")
    numbers = np.empty(reflectance.shape, np.uint16)
    for band, plane in enumerate(reflectance):
        blurred = ndimage.gaussian_filter(plane, 0.5) * 10000
        blurred += rng.standard_normal(plane.shape, dtype=np.float32) * (25 + 0.015 * blurred)
        numbers[band] = np.clip(blurred, 1, 12000)
    return numbers
