"""Widths and buffers are ground metres, whatever the CRS; dilation and softening are what their names say."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from fusion_mapper.inference.job import VectorLayer
from fusion_mapper.inference.sources.osm_burn import to_pixels
from fusion_mapper.models.card import OsmRecipe, TagRule
from osm_sources import Run, osm_slot, recipe, square_grid, write_layer
from pyproj import Geod, Transformer
from scipy import ndimage

WIDTHS = OsmRecipe(
    (
        TagRule("highway", ("motorway",), width=40.0),
        TagRule("highway", ("primary", "secondary"), width=20.0),
        TagRule("highway", (), width=6.0),
    )
)


def crossing(centre, reach):
    """A line to the east and one to the north through a point."""
    x, y = centre
    return shapely.LineString([(x - reach, y), (x + reach, y)]), shapely.LineString([(x, y - reach), (x, y + reach)])


def painted(band):
    """Pixels painted down the middle column and along the middle row, away from the crossing."""
    size = len(band)
    return band[:, size // 4].sum(), band[size // 4].sum()


@pytest.mark.parametrize(("value", "metres"), [("motorway", 40), ("secondary", 20), ("path", 6)])
def test_a_highways_value_gives_its_width(tmp_path, value, metres):
    grid = square_grid("EPSG:32633", 500_000, 5_000_400, 1.0, 800)
    roads = write_layer(
        tmp_path / "roads.gpkg", list(crossing((500_400, 5_000_000), 500)), grid.crs, highway=[value] * 2
    )
    band = Run(tmp_path).open(osm_slot(roads=WIDTHS), grid, VectorLayer(roads.name)).read(grid.whole).data[0]
    # UTM's scale at its central meridian is 0.9996, so 40 m of ground are 39.98 grid metres: the same pixels.
    assert painted(band) == (metres, metres)


@pytest.mark.parametrize(("crs", "pixel"), [("EPSG:4326", 1e-5), ("EPSG:3857", 2.0), ("EPSG:2263", 3.0)])
def test_widths_are_ground_metres_in_degrees_mercator_and_feet(tmp_path, crs, pixel):
    lon, lat = (-73.95, 40.75) if crs == "EPSG:2263" else (18.0, 60.0)
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(lon, lat)
    grid = square_grid(crs, x - 300 * pixel, y + 300 * pixel, pixel, 600)
    roads = write_layer(tmp_path / "roads.gpkg", list(crossing((x, y), 600 * pixel)), crs, highway=["motorway"] * 2)
    band = Run(tmp_path).open(osm_slot(roads=WIDTHS), grid, VectorLayer(roads.name)).read(grid.whole).data[0]
    back = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform
    geod = Geod(ellps="WGS84")
    tall = geod.inv(*back(x, y - 100 * pixel), *back(x, y + 100 * pixel))[2] / 200
    wide = geod.inv(*back(x - 100 * pixel, y), *back(x + 100 * pixel, y))[2] / 200
    down, across = painted(band)
    assert abs(down * tall - 40) <= tall
    assert abs(across * wide - 40) <= wide


def test_a_polygon_grows_by_its_buffer_and_a_point_gets_its_width(tmp_path):
    grid = square_grid("EPSG:32633", 500_000, 5_000_200, 1.0, 200)
    shapes = [shapely.box(500_050, 5_000_050, 500_070, 5_000_060), shapely.Point(500_150, 5_000_150)]
    write_layer(tmp_path / "mixed.gpkg", shapes, grid.crs, building=["yes", "yes"])
    both = recipe("building", buffer=10.0, width=30.0)
    band = Run(tmp_path).open(osm_slot(homes=both), grid, VectorLayer("mixed.gpkg")).read(grid.whole).data[0]
    assert band[:, 60].sum() == 30
    assert band[145].sum() == 40
    assert band[:, 150].sum() == 30


def test_an_invalid_polygon_is_repaired_before_it_grows(tmp_path):
    grid = square_grid("EPSG:32633", 500_000, 5_000_100, 1.0, 100)
    bow_tie = shapely.Polygon([(500_020, 5_000_020), (500_080, 5_000_080), (500_080, 5_000_020), (500_020, 5_000_080)])
    assert not bow_tie.is_valid
    write_layer(tmp_path / "tie.gpkg", [bow_tie], grid.crs, building=["yes"])
    slot = osm_slot(plain=recipe("building"), grown=recipe("building", buffer=5.0))
    plain, grown = Run(tmp_path).open(slot, grid, VectorLayer("tie.gpkg")).read(grid.whole).data
    assert plain.sum() == pytest.approx(1800, rel=0.05)
    assert (grown >= plain).all()
    assert grown[50, 17] == grown[50, 83] == 1
    assert grown[10, 50] == plain[30, 50] == 0


def test_a_strip_narrower_than_a_pixel_stays_whole(tmp_path):
    grid = square_grid("EPSG:32633", 500_000, 5_002_000, 10.0, 200)
    line = shapely.LineString([(500_011, 5_000_023), (501_907, 5_001_511)])
    write_layer(tmp_path / "path.gpkg", [line], grid.crs, highway=["path"])
    slot = osm_slot(roads=WIDTHS)
    band = Run(tmp_path).open(slot, grid, VectorLayer("path.gpkg")).read(grid.whole).data[0]
    assert ndimage.label(band, np.ones((3, 3)))[1] == 1
    assert (band.sum(axis=0) > 0).sum() == 190


def test_dilation_and_softening_are_square_maximum_and_mean(tmp_path):
    grid = square_grid("EPSG:32633", 500_000, 5_000_300, 1.0, 300)
    write_layer(tmp_path / "roads.gpkg", list(crossing((500_150.3, 5_000_140.7), 80)), grid.crs, highway=["path"] * 2)
    slot = osm_slot(plain=recipe("highway"), soft=recipe("highway", dilate=3, soften=9))
    plain, soft = Run(tmp_path).open(slot, grid, VectorLayer("roads.gpkg")).read(grid.whole).data
    thick = ndimage.maximum_filter(plain, 3)
    np.testing.assert_allclose(soft, ndimage.convolve(thick, np.full((9, 9), 1 / 81)), atol=1e-6)


def test_pixel_coordinates_come_from_gdals_inverse(tmp_path):
    grid = square_grid("EPSG:4326", 20.4249, -33.9991, 2.5e-5, 10)
    points = np.array([[20.4249 + 2.5e-5 * 7, -33.9991 - 2.5e-5 * 3]])
    expected = [-20.4249 / 2.5e-5 + points[0, 0] * (1 / 2.5e-5), 33.9991 / -2.5e-5 + points[0, 1] * (1 / -2.5e-5)]
    np.testing.assert_array_equal(to_pixels(grid, points)[0], expected)
