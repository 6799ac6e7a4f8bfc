"""Whether vector layers have the attributes that a model's OSM recipes read, and what stands in for them.

Layers cut out of OpenStreetMap often come without their tags: "roads", "rivers". Their name then says what all their
features are, and the nearest ordinary value of the tag is taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from ...models.card import OsmRecipe, TagRule
from .sources import VectorInput

#: Columns in which OSM drivers and Geofabrik extracts keep tags; the engine reads them all.
_TAG_COLUMNS = {"other_tags", "all_tags", "tags", "fclass"}
#: What a layer's name says: the tag's key, and ordinary values of it, the most ordinary first.
_NAMES = (
    (
        r"road|street|highway|track|stra(ss|ß)e|route|chemin",
        "highway",
        ("unclassified", "residential", "tertiary", "road"),
    ),
    (r"rail", "railway", ("rail",)),
    (r"river|stream|waterway|canal|ditch|fl(u|ü)ss", "waterway", ("river", "stream", "canal")),
    (r"build|house|geb(ae|ä)ude|b(a|â)timent", "building", ("yes", "house")),
    (r"water|lake|pond|reservoir|gew(ae|ä)sser", "natural", ("water",)),
    (r"forest|wood|wald", "landuse", ("forest",)),
    (r"farm|field|crop|acker", "landuse", ("farmland",)),
)
#: Keys of which any value is the same kind of thing; a farm's ``landuse`` is no reservoir's.
_ONE_KIND = ("highway", "railway", "waterway", "building")


@dataclass(frozen=True)
class Fitting:
    """The layers from which the recipes can draw, the tags that stand in for theirs, and sentences about it."""

    vectors: tuple[VectorInput, ...]
    tags: tuple[dict[str, str], ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def fitting_vectors(recipes: Sequence[OsmRecipe], vectors: Sequence[VectorInput]) -> Fitting:
    """Sort out which of the layers the recipes can read."""
    rules = [rule for recipe in recipes for rule in recipe.rules]
    keys = {rule.key for rule in rules}
    kept, tags, notes, warnings = [], [], [], []
    for vector in vectors:
        said = {} if has_tags(vector, keys) else guess_tags(vector, rules)
        if said is None:
            warnings.append(
                f"'{vector.name}' has none of the attributes {', '.join(sorted(keys))}, and its name does not tell "
                "what it shows; it is not used."
            )
            continue
        if said:
            (key, value), *_ = said.items()
            notes.append(f"'{vector.name}' has no OSM attributes; all of it is taken as {key}={value}, after its name.")
        kept.append(vector)
        tags.append(said)
    return Fitting(tuple(kept), tuple(tags), tuple(notes), tuple(warnings))


def has_tags(vector: VectorInput, keys: set[str]) -> bool:
    """Whether the layer has a column of one of the keys, or one that holds tags."""
    return bool(tag_columns(vector, keys))


def tag_columns(vector: VectorInput, keys: set[str]) -> list[str]:
    """The layer's columns of the keys, and those that hold several tags, in the layer's order."""
    return [name for name in vector.fields if name.lower() in keys | _TAG_COLUMNS]


def guess_tags(vector: VectorInput, rules: Sequence[TagRule]) -> Optional[dict[str, str]]:
    """The tag that the layer's name suggests and that some rule draws; None when there is no such tag."""
    for pattern, key, ordinary in _NAMES:
        if not re.search(pattern, f"{vector.name} {vector.layer or ''}", re.IGNORECASE):
            continue
        drawn = [rule for rule in rules if rule.key == key and _accepts(rule, vector)]
        value = next((value for value in ordinary for rule in drawn if not rule.values or value in rule.values), None)
        if value is None and key in _ONE_KIND:
            value = next((rule.values[0] for rule in drawn if rule.values), None)
        if value:
            return {key: value}
    return None


def _accepts(rule: TagRule, vector: VectorInput) -> bool:
    return not rule.geometry or not vector.geometry or vector.geometry in rule.geometry
