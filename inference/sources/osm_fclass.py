"""What Geofabrik's `fclass` column and plain layer names mean in OSM tags.

Source of the classes: F. Ramm, "OpenStreetMap Data in Layered GIS Format, Free shapefiles" (Geofabrik's public
description of its extracts), https://download.geofabrik.de/osm-data-in-gis-formats-free.pdf . Where a class stands for
several tags, all of them are given, so that a recipe which asks for any one finds it.
"""

from __future__ import annotations

Tags = dict[str, str]

_ROADS = (
    "motorway motorway_link trunk trunk_link primary primary_link secondary secondary_link tertiary tertiary_link "
    "unclassified residential living_street pedestrian busway service track bridleway cycleway footway path steps"
)
_RAILWAYS = "rail light_rail subway tram monorail narrow_gauge miniature funicular"
_WATERWAYS = "river stream canal drain"
_LANDUSE = (
    "residential industrial commercial retail cemetery allotments meadow military quarry orchard vineyard grass "
    "farmland farmyard recreation_ground village_green"
)
_LEISURE = "park nature_reserve golf_course pitch playground sports_centre stadium swimming_pool dog_park track"
_NATURAL = "spring glacier peak cliff volcano tree beach scrub heath cave_entrance"
_PLACES = "city town village hamlet suburb island farm locality"
_AMENITIES = "parking fuel school kindergarten university college hospital place_of_worship marketplace"

#: Classes that mean the same in every layer.
_ALWAYS: dict[str, Tags] = {
    **{f"track_grade{grade}": {"highway": "track", "tracktype": f"grade{grade}"} for grade in range(1, 6)},
    **{name: {"amenity": name} for name in _AMENITIES.split()},
    **{name: {"leisure": name} for name in _LEISURE.split()},
    **{name: {"natural": name} for name in _NATURAL.split()},
    **{name: {"landuse": name} for name in _LANDUSE.split()},
    "building": {"building": "yes"},
    "forest": {"landuse": "forest", "natural": "wood"},
    "recreation_ground": {"landuse": "recreation_ground", "leisure": "recreation_ground"},
    "national_park": {"boundary": "national_park"},
    "water": {"natural": "water"},
    "wetland": {"natural": "wetland"},
    "reservoir": {"natural": "water", "water": "reservoir", "landuse": "reservoir"},
    "dock": {"waterway": "dock", "natural": "water"},
    "parking_multistorey": {"amenity": "parking", "parking": "multi-storey"},
    "parking_underground": {"amenity": "parking", "parking": "underground"},
    "dam": {"waterway": "dam"},
    "waterfall": {"waterway": "waterfall"},
    "pier": {"man_made": "pier"},
    "airport": {"aeroway": "aerodrome"},
    "airfield": {"aeroway": "airfield"},
    "helipad": {"aeroway": "helipad"},
    "apron": {"aeroway": "apron"},
}
#: Classes that mean something else, or only something, as lines.
_LINES: dict[str, Tags] = {
    **{name: {"highway": name} for name in _ROADS.split()},
    **{name: {"railway": name} for name in _RAILWAYS.split()},
    **{name: {"waterway": name} for name in _WATERWAYS.split()},
    "unknown": {"highway": "road"},
}
#: Classes that mean something else as polygons.
_POLYGONS: dict[str, Tags] = {
    "river": {"natural": "water", "water": "river", "waterway": "riverbank"},
    "pedestrian": {"highway": "pedestrian"},
    "service": {"highway": "service"},
}
#: Classes that mean something else as points.
_POINTS: dict[str, Tags] = {name: {"place": name} for name in _PLACES.split()}
_OF_KIND = {"line": _LINES, "polygon": _POLYGONS, "point": _POINTS}

#: Words in the name of a layer or file that has no OSM attributes, and what its features are taken for. A tag without a
#: value takes the one in the layer's `type` column, or else "yes".
_NAMES: dict[str, tuple[str, str]] = {
    "roads": ("highway", ""),
    "road": ("highway", ""),
    "streets": ("highway", ""),
    "highways": ("highway", ""),
    "highway": ("highway", ""),
    "waterways": ("waterway", ""),
    "waterway": ("waterway", ""),
    "rivers": ("waterway", "river"),
    "river": ("waterway", "river"),
    "streams": ("waterway", "stream"),
    "canals": ("waterway", "canal"),
    "railways": ("railway", ""),
    "railway": ("railway", ""),
    "buildings": ("building", ""),
    "building": ("building", ""),
    "houses": ("building", ""),
    "water": ("natural", "water"),
    "waterbodies": ("natural", "water"),
    "lakes": ("natural", "water"),
    "lake": ("natural", "water"),
    "ponds": ("natural", "water"),
    "forest": ("landuse", "forest"),
    "forests": ("landuse", "forest"),
    "woods": ("natural", "wood"),
    "landuse": ("landuse", ""),
    "natural": ("natural", ""),
}


def fclass_tags(value: str, kind: str, layer_type: str | None) -> Tags:
    """OSM tags of one `fclass` value on a geometry of one kind (point, line, polygon); empty for an unknown class.

    `layer_type` is the layer's `type` column, in which Geofabrik keeps the value of a building's tag.
    """
    tags = _OF_KIND.get(kind, {}).get(value) or _ALWAYS.get(value) or {}
    if value == "building" and layer_type:
        return {"building": layer_type}
    return tags


def name_tag(name: str) -> tuple[str, str] | None:
    """The key and value (empty: look into `type`) that a layer's name suggests, or None."""
    words = "".join(letter if letter.isalpha() else " " for letter in name.lower()).split()
    return next((_NAMES[word] for word in words if word in _NAMES), None)
