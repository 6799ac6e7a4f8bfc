"""Long shapes are burned from what of them lies near, and nobody can tell."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio.features
import shapely
from affine import Affine
from fusion_mapper.inference.sources.vector_near import seen_from
from hypothesis import given, settings
from hypothesis import strategies as st

SIDE = 64
BOX = (100.0, 200.0, 100.0 + SIDE, 200.0 + SIDE)
PLACE = Affine(1.0, 0.0, BOX[0], 0.0, -1.0, BOX[3])


def burned(shapes, all_touched=False):
    there = [shape for shape in shapes if shape is not None]
    if not there:
        return np.zeros((SIDE, SIDE), np.uint8)
    return rasterio.features.rasterize(there, (SIDE, SIDE), transform=PLACE, all_touched=all_touched)


def seen(*shapes):
    return seen_from(BOX, np.array(shapes, object))


@st.composite
def paths(draw, least):
    """Walks of many short steps and some long ones, whole numbers among them, round and through the box."""
    seed, count = draw(st.integers(0, 2**32 - 1)), draw(st.integers(least, 300))
    random = np.random.default_rng(seed)
    start = random.uniform(60, 300, 2)
    steps = random.normal(0, draw(st.sampled_from([2.0, 12.0, 60.0])), (count, 2))
    points = start + np.cumsum(steps, axis=0)
    return np.rint(points) if draw(st.booleans()) else points


@st.composite
def polygons(draw):
    shell = draw(paths(3))
    holes = draw(st.lists(paths(3), max_size=2))
    return shapely.Polygon(shell, holes)


@settings(max_examples=300, deadline=None)
@given(polygons(), st.booleans())
def test_a_polygon_encloses_the_same_pixels(polygon, all_touched):
    np.testing.assert_array_equal(burned(seen(polygon), all_touched), burned([polygon], all_touched))


@settings(max_examples=200, deadline=None)
@given(st.lists(polygons(), min_size=2, max_size=3))
def test_polygons_of_one_feature_stay_one_feature(parts):
    whole = shapely.MultiPolygon(parts)
    near = seen(whole)
    assert near.shape == (1,)
    np.testing.assert_array_equal(burned(near), burned([whole]))


@settings(max_examples=200, deadline=None)
@given(st.lists(paths(2), min_size=1, max_size=3), st.booleans())
def test_lines_cross_the_same_pixels(lines, all_touched):
    line = shapely.MultiLineString([shapely.LineString(points) for points in lines])
    np.testing.assert_array_equal(burned(seen(line), all_touched), burned([line], all_touched))


def test_a_lake_costs_what_of_its_shore_is_seen():
    angles = np.linspace(0, 2 * np.pi, 100_000, endpoint=False)
    lake = shapely.Polygon(np.column_stack([np.cos(angles), np.sin(angles)]) * 5000 + (BOX[0] - 4970, BOX[1]))
    (near,) = seen(lake)
    assert burned([lake]).any()
    assert not burned([lake]).all()
    np.testing.assert_array_equal(burned([near]), burned([lake]))
    inside = shapely.get_num_coordinates(shapely.intersection(lake.boundary, shapely.box(*BOX)))
    assert shapely.get_num_coordinates(near) <= inside + 20


@pytest.mark.parametrize("holes", [(), [shapely.box(*BOX).buffer(300, quad_segs=64).exterior.coords]])
def test_what_surrounds_the_box_still_encloses_it_or_not(holes):
    around = shapely.Polygon(shapely.box(*BOX).buffer(900, quad_segs=64).exterior.coords, holes)
    (near,) = seen(around)
    assert burned([near]).all() == (not holes)
    assert shapely.get_num_coordinates(near) < 25 < shapely.get_num_coordinates(around)


def test_what_bends_round_a_corner_is_not_seen():
    corner = np.array([[x, 0.0] for x in range(0, 400, 10)] + [[400.0, y] for y in range(0, 400, 10)])
    bend = shapely.Polygon([*corner, *(corner + (5, -5))[::-1]])
    (near,) = seen(bend)
    assert not burned([near]).any()


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("count", [1, 2])
def test_a_part_without_a_vertex_is_no_part(place, count):
    """Some writers leave such parts."""
    across = [shapely.LineString(np.column_stack([np.linspace(0, 400, 60), np.full(60, 220.0 + n)])) for n in range(2)]
    parts = across[:count]
    parts.insert(place, shapely.LineString())
    near = seen(shapely.multilinestrings(parts))
    assert burned(near).sum() == count * SIDE
    np.testing.assert_array_equal(burned(near), burned(across[:count]))


def test_a_feature_of_which_nothing_is_seen_is_none():
    far = shapely.Point(0, 0).buffer(50, quad_segs=32)
    nearby = shapely.Point(BOX[0] + 20, BOX[1] + 20).buffer(10, quad_segs=32)
    assert seen(far, nearby).tolist() == [None, nearby]


def test_what_is_near_or_short_is_handed_on_as_it_is():
    nearby = shapely.Point(BOX[0] + 20, BOX[1] + 20).buffer(10, quad_segs=32)
    short = shapely.LineString([(0, 0), (50, 50), (90, 90)])
    point = shapely.Point(130, 230)
    assert all(one is other for one, other in zip(seen(nearby, short, point), (nearby, short, point), strict=True))


@settings(max_examples=100, deadline=None)
@given(paths(30))
def test_a_grown_line_is_the_same_where_its_box_leaves_room(points):
    line, inner = shapely.LineString(points), shapely.box(*BOX).buffer(-12)
    (near,) = seen(line)
    grown, other = (shapely.intersection(shapely.buffer(shape, 8.0), inner) for shape in (near, line))
    assert shapely.area(shapely.symmetric_difference(grown, other)) < 1e-6
