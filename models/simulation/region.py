"""What differs from region to region: place, relief, season, soils, farming, building and camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .noise import stream

_PLACES = (
    (20.44, -34.02),
    (11.35, 47.27),
    (-97.2, 41.1),
    (103.6, 17.9),
    (4.9, 51.6),
    (33.1, -1.2),
    (-56.2, -32.6),
    (24.8, 60.1),
)
"""Longitude and latitude of the regions' centres, in turn."""


@dataclass(frozen=True)
class Region:
    """One region's character. Shares and reflectances lie between 0 and 1, sizes are in metres.

    ``scrub`` is how much of the wild ground grey-green bushes cover; ``lift`` the grey value that an 8-bit picture
    gives to black, out of 255.
    """

    index: int
    lon: float
    lat: float
    relief: float
    dryness: float
    soil: tuple[float, float, float, float]
    rock: tuple[float, float, float, float]
    leaf: float
    turbidity: float
    asphalt_grey: float
    paved_lanes: float
    roof_weights: tuple[float, float, float]
    field_width: float
    field_length: float
    farmland: float
    woodland: float
    hedges: float
    sun_azimuth: float
    sun_elevation: float
    haze: float
    exposure: float
    gamma: float
    white_balance: tuple[float, float, float, float]
    osm_completeness: float
    scrub: float
    lift: float


def region(index: int) -> Region:
    """The region of that index; the same index is the same region whatever the scene's seed."""
    rng = stream(index, "region")
    between = rng.uniform
    lon, lat = _PLACES[index % len(_PLACES)]
    redness, brightness = between(0.75, 1.25), between(0.8, 1.25)
    soil = np.array([0.19 * redness, 0.15, 0.115 / redness, 0.26]) * brightness
    rock = np.array([0.25, 0.235, 0.215, 0.29]) * between(0.8, 1.15) * [redness**0.4, 1, redness**-0.4, 1]
    roofs = rng.dirichlet([3, 3, 2])
    tint = between(-0.05, 0.05)
    return Region(
        index=index,
        lon=lon,
        lat=lat,
        relief=between(0.5, 1.6),
        dryness=between(0.0, 0.85),
        soil=tuple(soil),
        rock=tuple(rock),
        leaf=between(0.8, 1.2),
        turbidity=between(0.05, 0.8),
        asphalt_grey=between(0.08, 0.21),
        paved_lanes=between(0.3, 1.0),
        roof_weights=tuple(roofs),
        field_width=between(95, 190),
        field_length=between(180, 420),
        farmland=between(0.3, 0.68),
        woodland=between(0.12, 0.4),
        hedges=between(0.1, 0.5),
        sun_azimuth=between(100, 250),
        sun_elevation=between(32, 62),
        haze=between(0.0, 0.05),
        exposure=between(0.8, 1.25),
        gamma=between(0.55, 0.8),
        white_balance=(1 + tint, 1.0, 1 - tint, between(0.9, 1.1)),
        osm_completeness=between(0.65, 0.92),
        scrub=between(0.0, 1.0),
        lift=between(0.0, 14.0),
    )
