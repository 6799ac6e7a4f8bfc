"""Regions become polygons that are whole, share their borders and do not depend on blocks."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import shapely
from classmaps import landscape, utm
from fusion_mapper.inference.grid import Grid
from fusion_mapper.inference.sinks import seams
from fusion_mapper.inference.sinks.components import label_equal
from fusion_mapper.inference.sinks.regions import Batch, RegionTracer
from fusion_mapper.inference.sinks.trace import Frame, trace
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasterio.features import rasterize, shapes
from scipy import ndimage

SMALL_MAPS = arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24)), elements=st.integers(0, 2))
#: The cell's side is set anew for every example, so that the fixture's scope does no harm.
PATCHED = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def regions(values: np.ndarray, tolerance: float = 0, nodata: int = 255, grid: Grid | None = None) -> Batch:
    """All regions of a map, from a certainty of 7 in every pixel."""
    tracer = RegionTracer(
        grid or utm(*values.shape),
        lambda window: values[window.row : window.row + window.height, window.col : window.col + window.width],
        lambda window: np.full((window.height, window.width), 7),
        lambda found: found != nodata,
    )
    return Batch(*map(np.concatenate, zip(*tracer.batches(tolerance), strict=True)))


def unframed(labels: np.ndarray) -> Frame:
    height, width = labels.shape
    return Frame(np.zeros(width), np.zeros(width), np.zeros(height), np.zeros(height))


def components(values: np.ndarray, nodata: int = 255) -> dict[int, tuple[int, int]]:
    """Value and size of each 4-connected region by its first pixel, found by SciPy on the whole map."""
    found = {}
    for value in np.unique(values[values != nodata]).tolist():
        labels, _ = ndimage.label(values == value)
        _, first, size = np.unique(labels, return_index=True, return_counts=True)
        background = 1 if (labels == 0).any() else 0
        for pixel, count in zip(first[background:].tolist(), size[background:].tolist(), strict=True):
            found[pixel] = (value, count)
    return found


@PATCHED
@given(values=SMALL_MAPS)
def test_components_are_numbered_by_their_first_pixel(values):
    labels, first = label_equal(values)
    assert dict(zip(first.tolist(), np.bincount(labels.ravel()).tolist(), strict=True)) == {
        pixel: size for pixel, (_, size) in components(values).items()
    }
    assert np.all(np.diff(first) > 0)


@PATCHED
@given(values=SMALL_MAPS)
def test_tracing_turns_pixels_into_a_valid_coverage(values):
    labels, _ = label_equal(values)
    polygons = trace(labels, unframed(labels))
    assert shapely.is_valid(polygons).all()
    assert shapely.coverage_is_valid(polygons)
    assert np.array_equal(shapely.area(polygons), np.bincount(labels.ravel()))
    burnt = rasterize(zip(polygons, range(len(polygons)), strict=True), values.shape, fill=-1, dtype=np.int32)
    assert np.array_equal(burnt, labels)


def test_a_traced_polygon_is_the_one_that_gdal_makes():
    values = landscape(120, 150, 30)
    labels, _ = label_equal(values)
    polygons = trace(labels, unframed(labels))
    for outline, label in shapes(labels):
        assert shapely.equals(shapely.geometry.shape(outline), polygons[int(label)])


@PATCHED
@given(values=SMALL_MAPS, side=st.integers(1, 25))
def test_instances_are_those_of_the_whole_map_whatever_the_cells(monkeypatch, values, side):
    monkeypatch.setattr(seams, "CELL", side)
    found = regions(values, nodata=0)
    counted = dict(
        zip(found.first.tolist(), zip(found.value.tolist(), found.pixels.tolist(), strict=True), strict=True)
    )
    assert counted == components(values, nodata=0)
    assert np.array_equal(found.certainty, 7 * found.pixels)
    assert np.array_equal(shapely.area(found.polygons), found.pixels), "unsimplified, a region's area is its pixels'"
    assert set(shapely.get_type_id(found.polygons)) <= {shapely.GeometryType.POLYGON}


@PATCHED
@given(values=SMALL_MAPS, side=st.integers(1, 25), tolerance=st.sampled_from([0.7, 1, 3, 20]))
def test_a_simplified_map_has_neither_gaps_nor_overlaps(monkeypatch, values, side, tolerance):
    monkeypatch.setattr(seams, "CELL", side)
    polygons = regions(values, tolerance).polygons
    assert shapely.is_valid(polygons).all()
    assert shapely.coverage_is_valid(polygons)
    assert shapely.area(polygons).sum() == values.size
    assert not shapely.is_empty(polygons).any()


@pytest.mark.parametrize("side", [64, 100, 1024])
def test_what_is_simplified_stays_near(monkeypatch, side):
    monkeypatch.setattr(seams, "CELL", side)
    values = landscape(300, 400, 60)
    values[40:90, 100:180] = 255
    raw, simple = regions(values), regions(values, 1.5)
    order, other = np.argsort(raw.first), np.argsort(simple.first)
    apart = shapely.hausdorff_distance(raw.polygons[order], simple.polygons[other])
    assert apart.max() < 4
    assert shapely.get_num_coordinates(simple.polygons).sum() < 0.7 * shapely.get_num_coordinates(raw.polygons).sum()
    assert shapely.coverage_is_valid(simple.polygons)


def test_a_region_that_crosses_many_cells_keeps_its_holes(monkeypatch):
    monkeypatch.setattr(seams, "CELL", 16)
    values = np.zeros((100, 90), np.uint8)
    values[20:24, 10:80] = 1
    values[50:70, 30:31] = 2
    values[52, 40] = 255
    ground = regions(values)
    (holed,) = ground.polygons[ground.value == 0]
    assert sorted(shapely.Polygon(ring).area for ring in holed.interiors) == [1, 20, 280]


def test_a_tolerance_is_in_ground_metres_whatever_the_units():
    values = landscape(200, 200, 40)
    metric = Grid("EPSG:32633", rasterio.Affine(10, 0, 5e5, 0, -10, 5e6), 200, 200)
    equator = Grid("EPSG:4326", rasterio.Affine(10 / 111_319.5, 0, 15, 0, -10 / 110_574.3, 0.01), 200, 200)
    counts = [shapely.get_num_coordinates(regions(values, 25, grid=grid).polygons).sum() for grid in (metric, equator)]
    assert counts[0] == pytest.approx(counts[1], rel=0.02)


def test_only_crossing_pieces_are_held(monkeypatch):
    monkeypatch.setattr(seams, "CELL", 32)
    values = np.zeros((320, 64), np.uint8)
    values[::8] = 1
    held = []
    tracer = RegionTracer(
        utm(320, 64),
        lambda window: values[window.row : window.row + window.height, window.col : window.col + window.width],
        lambda window: np.zeros((window.height, window.width), int),
        lambda found: found == 1,
    )
    for _ in tracer.batches(0):
        held.append(len(tracer._held))
    assert tracer.crossing == 2 * 40, "each stripe crosses once, in two pieces"
    assert max(held) <= 8, "and is let go with its row of cells"


@pytest.mark.parametrize("tolerance", [0, 20])
def test_what_is_held_is_bounded_and_a_cut_region_still_covers_what_it_is(monkeypatch, tolerance):
    monkeypatch.setattr(seams, "CELL", 32)
    values = landscape(320, 320, 30)
    values[::9, ::7] = 9

    def read(window):
        return values[window.row : window.row + window.height, window.col : window.col + window.width]

    most = 400
    tracer = RegionTracer(
        utm(320, 320), read, lambda window: np.full_like(read(window), 7, int), lambda v: v != 255, most
    )
    batches, row_of_cells = [], 10
    for number, batch in enumerate(tracer.batches(tolerance), 1):
        batches.append(batch)
        if number % row_of_cells == 0:
            assert sum(region.vertices for region in tracer._held.values()) == tracer._vertices
    assert tracer.cuts > 0
    assert tracer._vertices == 0
    made = Batch(*map(np.concatenate, zip(*batches, strict=True)))
    assert shapely.is_valid(made.polygons).all()
    assert shapely.coverage_is_valid(made.polygons)
    assert shapely.area(made.polygons).sum() == values.size
    assert len(set(made.first.tolist())) >= len(regions(values, tolerance).first)
    if tolerance == 0:
        burnt = rasterize(zip(made.polygons, made.value.tolist(), strict=True), values.shape, fill=-1, dtype=np.int32)
        np.testing.assert_array_equal(burnt, values)


def test_what_only_hung_together_by_a_part_that_was_cut_off_is_not_lost(monkeypatch):
    """A comb: its teeth run on for many rows of cells after the bar that joins them is gone."""
    monkeypatch.setattr(seams, "CELL", 32)
    values = np.zeros((320, 320), np.uint8)
    values[:16] = 1
    values[:, ::6] = 1

    def read(window):
        return values[window.row : window.row + window.height, window.col : window.col + window.width]

    tracer = RegionTracer(utm(320, 320), read, lambda w: np.full_like(read(w), 7, int), lambda v: v == 1, 300)
    made = Batch(*map(np.concatenate, zip(*tracer.batches(0), strict=True)))
    assert tracer.cuts > 0
    assert shapely.area(made.polygons).sum() == np.count_nonzero(values)
    assert len(set(made.first.tolist())) == len(made.first), "each has a first pixel of its own"
