"""OSM tags as people type them: ``highway=primary|secondary, railway``."""

from __future__ import annotations

from typing import Optional

from ...inference.errors import RequestError
from ...models.card import OsmRecipe, TagRule
from ..shared.wording import tr

#: What a model of so many OSM channels is most likely to draw, in the order of the papers' recipes.
_USUAL = ("highway", "building", "waterway", "natural=water", "landuse", "railway", "natural", "leisure")


def usual_tags(index: int) -> str:
    """A first guess for the channel of that index."""
    return _USUAL[index % len(_USUAL)]


def parse_tags(text: str, before: Optional[OsmRecipe] = None) -> OsmRecipe:
    """The recipe that draws features with these tags; widths and softening of `before` stay where the keys do.

    Raises:
        RequestError: when the text names no key.
    """
    known = {rule.key: rule for rule in before.rules} if before else {}
    rules = tuple(_rule(part, known) for part in text.split(",") if part.strip())
    if not rules:
        raise RequestError(tr("Name at least one OSM key, for example highway or natural=water|wetland."))
    return OsmRecipe(rules, before.all_touched, before.dilate, before.soften) if before else OsmRecipe(rules)


def tags_text(recipe: Optional[OsmRecipe]) -> str:
    """The recipe's tags as `parse_tags` reads them."""
    if recipe is None:
        return ""
    parts = [f"{rule.key}={'|'.join(rule.values)}" if rule.values else rule.key for rule in recipe.rules]
    return ", ".join(dict.fromkeys(parts))


def _rule(part: str, known: dict[str, TagRule]) -> TagRule:
    key, _, values = (piece.strip() for piece in part.partition("="))
    if not key:
        raise RequestError(tr("'{text}' names no OSM key; write it like natural=water.").format(text=part.strip()))
    wanted = tuple(value.strip() for value in values.split("|") if value.strip())
    before = known.get(key)
    if before is None:
        return TagRule(key, wanted)
    return TagRule(key, wanted, before.geometry, before.width, before.buffer)
