"""Slots for jobs without a model: OpenStreetMap, terrain, imagery and priors as plain channels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import get_args

from ...inference.errors import CardError, RequestError
from ...models.card import Channel, Derivative, OsmRecipe, Slot, TagRule, check_recipe
from ...models.fields import decode
from ..layers.sources import RasterInput

DERIVATIVES: tuple[str, ...] = get_args(Derivative)
#: The channels that the STACK models of Rao & Rolf (arXiv 2507.13385) draw from OpenStreetMap, drawn plainly: what GDAL
#: burns where a feature lies, without widths and softening.
OSM_CHANNELS = {
    "roads": OsmRecipe((TagRule("highway", geometry=("line",)),)),
    "waterways": OsmRecipe((TagRule("waterway", geometry=("line",)),), all_touched=True),
    "water": OsmRecipe(
        (
            TagRule("natural", ("water",), geometry=("polygon",)),
            TagRule("water", geometry=("polygon",)),
            TagRule("waterway", ("riverbank", "dock"), geometry=("polygon",)),
            TagRule("landuse", ("reservoir", "basin"), geometry=("polygon",)),
        )
    ),
    "buildings": OsmRecipe((TagRule("building", geometry=("polygon",)),)),
}


def osm_slot(names: Sequence[str], recipe: str = "", missing: str = "required") -> Slot:
    """A slot with predefined channels, and those of a recipe in JSON (channel name → the card's ``osm`` block).

    Raises:
        RequestError: when the recipe is not one, or no channel is named.
    """
    channels = [Channel(name, osm=OSM_CHANNELS[name]) for name in names]
    channels += [Channel(name, osm=osm) for name, osm in _parse(recipe).items()]
    if not channels:
        raise RequestError("No channel was chosen; tick some under CHANNELS or write a RECIPE.")
    return Slot("osm", "osm", tuple(channels), input="stack", missing=missing)


def terrain_slot(derivatives: Sequence[str], radius: float | None = None, missing: str = "required") -> Slot:
    """A slot with elevation and what is derived from it; `radius` in ground metres is that of ``tpi``."""
    if not derivatives:
        raise RequestError("No derivative was chosen; tick some under DERIVATIVES.")
    channels = tuple(Channel(name, derivative=name, radius=radius if name == "tpi" else None) for name in derivatives)
    return Slot("terrain", "dem", channels, input="stack", missing=missing)


def raster_slot(name: str, rasters: Sequence[RasterInput], nearest: bool = False, missing: str = "required") -> Slot:
    """A slot with the bands of rasters: those of one layer (or of a mosaic of alike ones), else all in order."""
    resampling = "nearest" if nearest else "bilinear"
    role = "raster" if nearest else "imagery"
    return Slot(
        name, role, tuple(Channel(n) for n in _names(name, rasters)), "stack", resampling=resampling, missing=missing
    )


def _names(slot: str, rasters: Sequence[RasterInput]) -> list[str]:
    counts = {len(raster.colour_bands) for raster in rasters}
    alike = len(counts) == 1 and counts != {1}
    parts = rasters[:1] if alike else rasters
    names = []
    for raster in parts:
        for band in raster.colour_bands:
            plain = band.name or (band.color if band.color in ("red", "green", "blue") else "")
            names.append(
                plain if alike and plain else f"{raster.name} {band.number}" if not plain else f"{raster.name} {plain}"
            )
    return names if len(set(names)) == len(names) else [f"{slot} {number}" for number in range(1, len(names) + 1)]


def _parse(recipe: str) -> dict[str, OsmRecipe]:
    if not recipe.strip():
        return {}
    try:
        data = json.loads(recipe)
    except (ValueError, RecursionError):
        raise RequestError('RECIPE is not valid JSON; write {"name": {"rules": [{"key": "highway"}]}}.') from None
    if not isinstance(data, dict):
        raise RequestError('RECIPE must name channels: {"name": {"rules": [{"key": "highway"}]}}.')
    recipes = {str(name): decode(OsmRecipe, value, f"RECIPE.{name}", CardError) for name, value in data.items()}
    for name, osm in recipes.items():
        check_recipe(osm, f"RECIPE.{name}")
    return recipes
