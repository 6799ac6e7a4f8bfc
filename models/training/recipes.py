"""What fusion models are given of OpenStreetMap and of elevation: the starter models' recipes, and every training's."""

from __future__ import annotations

from ..card import Channel, OsmRecipe, Slot, TagRule

_ROADS = (
    (22.0, ("motorway", "trunk")),
    (10.0, ("primary", "motorway_link", "trunk_link")),
    (8.0, ("secondary", "primary_link")),
    (7.0, ("tertiary", "secondary_link", "tertiary_link")),
    (6.0, ("residential", "living_street", "pedestrian", "road")),
    (5.5, ("unclassified",)),
    (4.0, ("service",)),
)
_TRACKS = ((3.0, ("track",)), (1.5, ("path", "footway", "bridleway", "cycleway", "steps")))
_WATERWAYS = ((15.0, ("river",)), (10.0, ("canal",)), (5.0, ("stream",)), (2.0, ("ditch", "drain")))
_WATER = (
    TagRule("natural", ("water",), geometry=("polygon",)),
    TagRule("water", geometry=("polygon",)),
    TagRule("waterway", ("riverbank", "dock"), geometry=("polygon",)),
    TagRule("landuse", ("reservoir", "basin"), geometry=("polygon",)),
)
_WOODS = (
    TagRule("natural", ("wood",), geometry=("polygon",)),
    TagRule("landuse", ("forest",), geometry=("polygon",)),
)


def _lines(key: str, table: tuple[tuple[float, tuple[str, ...]], ...]) -> tuple[TagRule, ...]:
    return tuple(TagRule(key, values, geometry=("line",), width=width) for width, values in table)


def osm_recipes(coarse: bool, woods: bool) -> dict[str, OsmRecipe]:
    """Channel → recipe; `coarse` pixels are wider than roads, so that a line colours every pixel it touches."""
    recipes = {
        "roads": OsmRecipe(_lines("highway", _ROADS), all_touched=coarse),
        "tracks": OsmRecipe(_lines("highway", _TRACKS), all_touched=coarse),
        "buildings": OsmRecipe((TagRule("building", geometry=("polygon",)),), all_touched=coarse),
        "waterways": OsmRecipe(_lines("waterway", _WATERWAYS), all_touched=coarse),
        "water": OsmRecipe(_WATER),
    }
    if woods:
        recipes["woods"] = OsmRecipe(_WOODS)
    return recipes


#: For pixels finer than roads.
RECIPES = osm_recipes(coarse=False, woods=True)


def osm_slot(offset: int, coarse: bool, woods: bool) -> Slot:
    """OpenStreetMap as channels (see `osm_recipes`), from channel `offset` of the stack."""
    recipes = osm_recipes(coarse, woods)
    channels = tuple(Channel(name, osm=recipe) for name, recipe in recipes.items())
    what = "OpenStreetMap: " + ", ".join(recipes)
    return Slot("osm", "osm", channels, "input", offset, missing="fill", description=what)


def dem_slot(offset: int, radius: float) -> Slot:
    """Slope and topographic position within `radius` metres, from channel `offset` of the stack."""
    channels = (
        Channel("slope", derivative="slope"),
        Channel("topographic position", derivative="tpi", radius=radius),
    )
    what = "elevation model of about 30 m, in metres"
    return Slot("dem", "dem", channels, "input", offset, gsd=30.0, resampling="cubic", missing="fill", description=what)
