"""Tags are found wherever an extract keeps them."""

from __future__ import annotations

import pytest
import shapely
from fusion_mapper.inference.job import VectorLayer
from fusion_mapper.inference.sources.osm_tags import parse_bag
from fusion_mapper.models.card import OsmRecipe, TagRule
from hypothesis import given
from hypothesis import strategies as st
from osm_sources import Run, osm_slot, recipe, square_grid, write_layer

GRID = square_grid("EPSG:32633", 500_000, 5_000_100, 1.0, 100)


def bars(count):
    """Horizontal lines, the first on row 5, then every tenth row."""
    return [
        shapely.LineString([(500_010, 5_000_094.5 - 10 * i), (500_090, 5_000_094.5 - 10 * i)]) for i in range(count)
    ]


def boxes(count):
    return [shapely.box(500_010, 5_000_092 - 10 * i, 500_090, 5_000_097 - 10 * i) for i in range(count)]


def rows_of(tmp_path, path, recipe_, **layer):
    """Which of the bars or boxes a recipe found."""
    source = Run(tmp_path).open(osm_slot(x=recipe_), GRID, VectorLayer(path.name, **layer))
    band = source.read(GRID.whole).data[0]
    return [i for i in range(10) if band[5 + 10 * i, 50]]


def escaped(text):
    return text.replace("\\", "\\\\").replace('"', '\\"')


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=5))
def test_other_tags_are_read_as_gdal_writes_them(tags):
    text = ",".join(f'"{escaped(key)}"=>"{escaped(value)}"' for key, value in tags.items())
    assert parse_bag(text) == tags


@given(st.text())
def test_no_text_is_too_odd_to_be_parsed(text):
    parse_bag(text)
    parse_bag("{" + text)


@pytest.mark.parametrize("text", ['{"highway": 3}', '{"highway": {"a": 1}}', "{" * 5000, '"a"=>NULL', "[1]", None])
def test_other_json_and_null_do_no_harm(text):
    assert all(isinstance(value, str) for value in parse_bag(text).values())


def test_own_column_other_tags_and_json_are_all_understood(tmp_path):
    path = write_layer(
        tmp_path / "a.gpkg",
        bars(5),
        GRID.crs,
        highway=["path", None, None, None, None],
        other_tags=[None, '"name"=>"a \\"b\\"","highway"=>"path"', None, '"name"=>"highway"', '"highway"=>"no"'],
        tags=[None, None, '{"highway": "path"}', None, None],
    )
    assert rows_of(tmp_path, path, recipe("highway")) == [0, 1, 2]
    assert rows_of(tmp_path, path, recipe("highway", "path")) == [0, 1, 2]
    assert rows_of(tmp_path, path, recipe("highway", "motorway")) == []
    assert rows_of(tmp_path, path, recipe("highway", "no")) == [4]


def test_geofabriks_fclass_gives_tags_by_the_kind_of_geometry(tmp_path):
    classes = ["motorway", "footway", "river", "track_grade3", "rail"]
    path = write_layer(tmp_path / "gis_osm_lines.gpkg", bars(5), GRID.crs, osm_id=list("12345"), fclass=classes)
    assert rows_of(tmp_path, path, recipe("highway")) == [0, 1, 3]
    assert rows_of(tmp_path, path, recipe("waterway", "river")) == [2]
    assert rows_of(tmp_path, path, recipe("railway")) == [4]
    classes = ["water", "river", "forest", "building", "wetland", "reservoir"]
    types = [None, None, None, "church", None, None]
    path = write_layer(tmp_path / "gis_osm_a.gpkg", boxes(6), GRID.crs, fclass=classes, type=types)
    assert rows_of(tmp_path, path, recipe("natural", "water")) == [0, 1, 5]
    assert rows_of(tmp_path, path, recipe("waterway", "river")) == []
    assert rows_of(tmp_path, path, recipe("landuse", "forest")) == [2]
    assert rows_of(tmp_path, path, recipe("building", "church")) == [3]


def test_rules_are_tried_in_order_and_ask_for_geometry(tmp_path):
    path = write_layer(
        tmp_path / "m.gpkg", [*bars(2), *boxes(4)[2:]], GRID.crs, highway=["path", "a;trunk", "path", "no"]
    )
    assert rows_of(tmp_path, path, recipe("highway", geometry=("line",))) == [0, 1]
    assert rows_of(tmp_path, path, recipe("highway", geometry=("polygon",))) == [2]
    assert rows_of(tmp_path, path, recipe("highway", "trunk", "motorway")) == [1]
    narrow_first = OsmRecipe((TagRule("highway", ("path",)), TagRule("highway", (), width=9.0)))
    source = Run(tmp_path).open(osm_slot(x=narrow_first), GRID, VectorLayer(path.name))
    band = source.read(GRID.whole).data[0]
    assert band[:10, 50].sum() == 1
    assert band[10:20, 50].sum() == 9


def test_a_where_and_constant_tags_are_obeyed(tmp_path):
    path = write_layer(tmp_path / "odd.gpkg", bars(3), GRID.crs, kind=["a", "b", "c"], n=[1, 2, 3])
    tags = {"highway": "path"}
    assert rows_of(tmp_path, path, recipe("highway", "path"), tags=tags) == [0, 1, 2]
    assert rows_of(tmp_path, path, recipe("highway", "path"), tags=tags, where="kind IN ('a','c') AND n < 3") == [0]


@pytest.mark.parametrize(
    ("name", "column", "recipe_", "found"),
    [
        ("roads_33S.gpkg", {"TYPE": ["trunk", "residential"]}, recipe("highway", "trunk"), [0]),
        ("my-rivers.gpkg", {"NAME": ["a", "b"]}, recipe("waterway", "river"), [0, 1]),
        ("Highways.gpkg", {"n": [1, 2]}, recipe("highway"), [0, 1]),
    ],
)
def test_a_layer_without_tags_is_taken_by_its_name_and_says_so(tmp_path, name, column, recipe_, found):
    path = write_layer(tmp_path / name, bars(2), GRID.crs, **column)
    run = Run(tmp_path)
    band = run.open(osm_slot(x=recipe_), GRID, VectorLayer(name)).read(GRID.whole).data[0]
    assert [i for i in range(2) if band[5 + 10 * i, 50]] == found
    assert len(run.said) == 1
    assert path.stem in run.said[0]
    assert '"tags"' in run.said[0]


def test_a_layer_that_nobody_understands_counts_for_nothing_and_says_so(tmp_path):
    write_layer(tmp_path / "stuff.gpkg", bars(2), GRID.crs, n=[1, 2])
    run = Run(tmp_path)
    source = run.open(osm_slot(x=recipe("highway")), GRID, VectorLayer("stuff.gpkg"))
    assert not source.read(GRID.whole).data.any()
    assert "highway" in run.said[0]


def test_a_shapefiles_ten_letters_are_enough(tmp_path):
    path = write_layer(tmp_path / "cut.shp", bars(2), GRID.crs, **{"building:levels": ["2", None]})
    assert rows_of(tmp_path, path, recipe("building:levels")) == [0]


def test_credit_is_given_where_the_data_is_openstreetmaps(tmp_path):
    write_layer(tmp_path / "osm.gpkg", bars(1), GRID.crs, osm_id=["7"], highway=["path"])
    write_layer(tmp_path / "own.gpkg", bars(1), GRID.crs, highway=["path"])
    slot = osm_slot(x=recipe("highway"))
    run = Run(tmp_path)
    assert run.open(slot, GRID, VectorLayer("osm.gpkg")).attribution == ("© OpenStreetMap contributors (ODbL)",)
    assert run.open(slot, GRID, VectorLayer("own.gpkg")).attribution == ()
    named = run.open(slot, GRID, VectorLayer("osm.gpkg"), attribution=("© us",))
    assert named.attribution == ("© us", "© OpenStreetMap contributors (ODbL)")
    told = run.open(slot, GRID, VectorLayer("osm.gpkg"), attribution=("© OpenStreetMap contributors", "ODbL 1.0"))
    assert told.attribution == ("© OpenStreetMap contributors", "ODbL 1.0")
    half = run.open(slot, GRID, VectorLayer("osm.gpkg"), attribution=("Map data from OpenStreetMap, cut by us",))
    assert half.attribution == ("Map data from OpenStreetMap, cut by us", "© OpenStreetMap contributors (ODbL)")


def test_swellendams_layers_are_understood_as_they_are(shared_data, tmp_path):
    run = Run(tmp_path, shared_data / "swellendam")
    grid = square_grid("EPSG:4326", 19.0, -33.3, 0.002, 1000)
    slot = osm_slot(
        roads=recipe("highway"), rivers=recipe("waterway"), water=recipe("natural", "water"), towns=recipe("place")
    )
    names = ["rivers.shp", "roads_33S.shp", "water_33S.shp", "places.shp"]
    facts = run.open(slot, grid, *map(VectorLayer, names), unreadable="skip").facts()
    assert facts.details["matched"] == {"roads": 345, "rivers": 12, "water": 6, "towns": 5}
    assert 0.2 < facts.coverage < 0.5
    guesses = {sentence.split("'")[1] for sentence in run.said if "no OSM tags" in sentence}
    assert guesses == {"roads_33S.shp", "water_33S.shp"}
