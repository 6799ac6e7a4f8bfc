"""Whether a layer could serve a slot at all, and why; cheap enough to be asked of every layer of a project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...models.card import Slot
from .bands import companions
from .osm_tags import guess_tags, tag_columns
from .sources import RasterInput, VectorInput


@dataclass(frozen=True)
class Suiting:
    """Whether a layer could serve, and the reason in one sentence without a full stop."""

    suits: bool
    reason: str


def raster_suits(slot: Slot, raster: RasterInput, others: Sequence[RasterInput]) -> Suiting:
    """Whether a raster has, alone or with its sister files among the others, the bands that a slot takes."""
    count = len(raster.all_bands)
    if slot.role in ("dem", "prior"):
        what = "an elevation model" if slot.role == "dem" else "a class raster"
        return Suiting(len(raster.colour_bands) == 1, f"It has {_bands(count)}; {what} has one")
    needed = len(slot.channels)
    if count >= needed:
        return Suiting(True, f"It has {_bands(count)}; the model takes {needed}")
    sisters = companions(slot, raster, others)
    if sisters:
        names = ", ".join(dict.fromkeys(one.name for one, _ in sisters))
        return Suiting(True, f"Its sister files give the other bands: {names}")
    return Suiting(False, f"It has {_bands(count)}; the model takes {needed}")


def vector_suits(slot: Slot, vector: VectorInput) -> Suiting:
    """Whether the slot's recipes can draw from a vector layer, by its attributes or else by its name."""
    recipes = [channel.osm for channel in slot.channels if channel.osm]
    recipes += [addition.osm for addition in slot.prior.additions] if slot.prior else []
    rules = [rule for recipe in recipes for rule in recipe.rules]
    keys = {rule.key for rule in rules}
    columns = tag_columns(vector, keys)
    if columns:
        word = "attribute" if len(columns) == 1 else "attributes"
        return Suiting(True, f"It has the OSM {word} {', '.join(columns)}")
    guess = guess_tags(vector, rules)
    if guess:
        (key, value), *_ = guess.items()
        return Suiting(True, f"After its name, all of it is taken as {key}={value}")
    listed = ", ".join(sorted(keys))
    return Suiting(False, f"It has none of the attributes {listed}, and its name does not tell what it shows")


def _bands(count: int) -> str:
    return "1 band" if count == 1 else f"{count} bands"
