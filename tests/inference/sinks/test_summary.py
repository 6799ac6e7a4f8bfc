"""Figures: areas on the ellipsoid, shares, and quantiles that never needed all values at once."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from affine import Affine
from classmaps import cut, landscape, utm
from fusion_mapper.inference.grid import Grid, Window
from fusion_mapper.inference.sinks.areas import EllipsoidAreas
from fusion_mapper.inference.sinks.summary import SummaryPart, summarise, summary_part, write_summary
from fusion_mapper.models.card import Output
from pyproj import Geod, Transformer
from shapely import box, segmentize


def counted(grid, output, blocks) -> dict:
    """The figures of blocks, each of which is counted by itself and kept as an array."""
    areas = EllipsoidAreas(grid)
    kept = [summary_part(grid, areas, output, window, values).to_array() for window, values in blocks]
    return summarise(grid, output, (SummaryPart.of_array(array, output.range) for array in kept))


def written(tmp_path, grid, output, values, side=128) -> dict:
    write_summary(tmp_path / "summary.csv", counted(grid, output, cut(values, side)))
    return json.loads((tmp_path / "summary.json").read_text())


def test_pixels_areas_and_shares_by_class(tmp_path, land_cover):
    classes = landscape(300, 400, 40)
    classes[:50] = 255
    report = written(tmp_path, utm(300, 400, 10), land_cover, classes)
    for row in report["classes"]:
        assert row["pixels"] == np.count_nonzero(classes == row["value"])
        assert row["area_ha"] == pytest.approx(row["pixels"] / 100, rel=1e-3), "10 m pixels, and UTM's scale"
    assert sum(row["share"] for row in report["classes"]) == pytest.approx(1)
    assert report["nodata"]["pixels"] == 50 * 400
    with (tmp_path / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["water", "impervious", "barren", "trees & shrubs", "grass", "nodata"]
    assert int(rows[3]["pixels"]) == report["classes"][3]["pixels"]


def test_the_whole_earth_has_the_ellipsoids_surface(tmp_path, land_cover):
    grid = Grid("EPSG:4326", Affine(0.5, 0, -180, 0, -0.5, 90), 720, 360)
    report = written(tmp_path, grid, land_cover, np.zeros((360, 720), np.uint8))
    assert report["area_ha"] == pytest.approx(510_065_621.724e2, rel=1e-6)


@pytest.mark.parametrize(
    ("crs", "corner", "pixel"),
    [
        ("EPSG:4326", (20.4, -34.0), 1e-3),
        ("EPSG:3857", (1e6, 8e6), 50),
        ("EPSG:32633", (2e5, 6.7e6), 50),
        ("EPSG:2230", (6.2e6, 1.9e6), 90),
    ],
)
def test_areas_are_those_of_the_geodesic_polygon(crs, corner, pixel):
    grid = Grid(crs, Affine(pixel, 0, corner[0], 0, -pixel, corner[1]), 700, 500)
    areas, run = EllipsoidAreas(grid).pixels(grid.whole)
    outline = segmentize(box(*grid.bounds), pixel)
    x, y = outline.exterior.xy
    lon, lat = Transformer.from_crs(crs, grid.pyproj_crs.geodetic_crs, always_xy=True).transform(x, y)
    expected = abs(grid.pyproj_crs.get_geod().polygon_area_perimeter(lon, lat)[0])
    assert (areas * np.bincount(run)).sum() == pytest.approx(expected, rel=2e-7)
    assert EllipsoidAreas(grid).polygons(np.array([outline]))[0] == pytest.approx(expected, rel=2e-7)


@pytest.mark.parametrize(
    ("crs", "corner", "pixel"),
    [("EPSG:32734", (7e5, 6.2e6), 0.5), ("EPSG:3035", (4.3e6, 3.2e6), 10), ("EPSG:3857", (1e6, 8e6), 10)],
)
def test_a_pixels_area_is_its_own_wherever_the_window_begins(crs, corner, pixel):
    """Pixels for which their neighbours' mean stands too: within the 1e-5 that this may cost."""
    grid = Grid(crs, Affine(pixel, 0, corner[0], 0, -pixel, corner[1]), 600, 500)
    areas = EllipsoidAreas(grid)
    whole, run = areas.pixels(grid.whole)
    window = Window(37, 101, 211, 300)
    part, of = areas.pixels(window)
    np.testing.assert_array_equal(part[:, of], whole[:, run][window.within(grid.whole)])
    for row, col in ((0, 0), (63, 64), (250, 301), (499, 599)):
        alone = areas.polygons(np.array([box(*grid.window_bounds(Window(row, col, 1, 1)))]))[0]
        assert whole[row, run[col]] == pytest.approx(alone, rel=2e-5)


def test_beyond_the_earth_no_row_stands_for_others():
    """Seen from a satellite, whose picture has corners without a place."""
    grid = Grid("+proj=geos +h=35785831 +lon_0=0 +sweep=y", Affine(18_000, 0, -5.4e6, 0, -18_000, 5.4e6), 600, 600)
    areas, run = EllipsoidAreas(grid).pixels(Window(150, 250, 100, 100))
    exact = EllipsoidAreas(grid).polygons(np.array([box(*grid.window_bounds(Window(199, 299, 1, 1)))]))[0]
    assert areas[49, run[49]] == pytest.approx(exact, rel=1e-2), "the mean of a run of 64 such pixels"
    assert len(np.unique(areas[:, 0])) == len(areas)


def test_a_perimeter_is_the_sum_of_its_geodesics():
    grid = Grid("EPSG:4326", Affine(1e-3, 0, 20.4, 0, -1e-3, -34), 700, 500)
    square = box(20.5, -34.2, 20.6, -34.1)
    expected = Geod(ellps="WGS84").line_length(*square.exterior.xy)
    assert EllipsoidAreas(grid).perimeters(np.array([square]))[0] == pytest.approx(expected, rel=1e-9)


def test_a_local_crs_is_measured_in_its_plane(tmp_path, land_cover):
    grid = Grid('LOCAL_CS["site",UNIT["metre",1]]', Affine(2, 0, 0, 0, -2, 0), 300, 100)
    assert written(tmp_path, grid, land_cover, np.zeros((100, 300), np.uint8))["area_ha"] == 12


@pytest.mark.parametrize("span", [None, (-50.0, 150.0)])
def test_distribution_of_a_regression(tmp_path, span):
    values = np.random.default_rng(0).normal(40, 12, (300, 200)).astype(np.float32)
    values[:5] = -9999
    report = written(tmp_path, utm(300, 200), Output("cover", "pixel-regression", units="%", range=span), values)
    real = values[5:].astype(float)
    assert report["mean"] == pytest.approx(real.mean(), rel=1e-6)
    assert report["std"] == pytest.approx(real.std(), rel=1e-6)
    assert (report["min"], report["max"]) == (pytest.approx(real.min()), pytest.approx(real.max()))
    for q in (5, 25, 50, 75, 95):
        assert report[f"p{q}"] == pytest.approx(np.percentile(real, q), abs=0.06)
    assert report["nodata"]["pixels"] == 1000


def test_quantiles_of_negative_and_tiny_values_without_a_range(tmp_path):
    values = np.concatenate([-np.geomspace(1e-6, 1e3, 5000), np.geomspace(1e-6, 1e3, 5000)]).astype(np.float32)
    report = written(tmp_path, utm(100, 100), Output("x", "pixel-regression"), values.reshape(100, 100))
    for q in (5, 25, 75, 95):
        assert report[f"p{q}"] == pytest.approx(np.percentile(values, q), rel=6e-3)


def test_a_map_of_nodata_alone_has_no_figures(tmp_path, land_cover):
    report = written(tmp_path, utm(70, 60), Output("x", "pixel-regression"), np.full((70, 60), -9999, np.float32))
    assert (report["pixels"], report["mean"], report["p50"]) == (0, None, None)
    report = written(tmp_path, utm(70, 60), land_cover, np.full((70, 60), 255, np.uint8))
    assert {row["share"] for row in report["classes"]} == {0}


def test_figures_do_not_depend_on_how_the_map_is_cut(tmp_path, land_cover):
    classes = landscape(300, 400, 40)
    texts = set()
    for side in (64, 100, 512):
        written(tmp_path, utm(300, 400), land_cover, classes, side)
        texts.add((tmp_path / "summary.csv").read_bytes() + (tmp_path / "summary.json").read_bytes())
    assert len(texts) == 1


@pytest.mark.parametrize("value", [255, 2])
def test_a_block_that_shows_one_pixel_everywhere_counts_as_if_it_were_written_out(land_cover, value):
    grid, side = utm(256, 384, 10), 128
    windows = [window for window, _ in cut(np.zeros((256, 384), np.uint8), side)]
    shown = [(window, np.broadcast_to(np.uint8(value), (side, side))) for window in windows]
    full = [(window, np.full((side, side), value, np.uint8)) for window in windows]
    assert counted(grid, land_cover, shown) == counted(grid, land_cover, full)
