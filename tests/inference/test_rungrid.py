"""The run grid: metres are ground metres, the reference's pixels are kept where they may be, and doubts are told."""

from __future__ import annotations

import pytest
from affine import Affine
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.inference.grid import MAX_PIXELS, Grid
from fusion_mapper.inference.job import GridSpec, Source
from fusion_mapper.inference.rungrid import RunGrid, build_grid
from fusion_mapper.models.card import Channel, Slot
from pyproj import CRS, Geod

SLOTS = (Slot("imagery", "imagery", (Channel("red"),), "x"),)
SOURCES = {"imagery": Source(path="ortho.tif", name="Ortho")}
UTM = Grid(CRS.from_epsg(32634).to_wkt(), Affine(0.5, 0, 500000, 0, -0.5, 6200000), 2000, 1000)
DEGREES = Grid(CRS.from_epsg(4326).to_wkt(), Affine(2.5e-5, 0, 20.4, 0, -2.5e-5, -34.0), 1098, 3039)
MERCATOR = Grid(CRS.from_epsg(3857).to_wkt(), Affine(1, 0, 2270000, 0, -1, -4028000), 1000, 1000)


def build(native: Grid | None, /, gsd: float | None = None, **spec: object) -> RunGrid:
    sources = SOURCES if native else {}
    return build_grid(GridSpec(**spec), SLOTS, sources, gsd, lambda _: native, None)  # type: ignore[arg-type]


def ground_size(grid: Grid) -> tuple[float, float]:
    """Geodesic width and height of the pixel at the grid's centre, in metres."""
    from pyproj.transformer import Transformer

    to_degrees = Transformer.from_crs(grid.pyproj_crs, 4326, always_xy=True)
    col, row = grid.width // 2, grid.height // 2
    corner = to_degrees.transform(*(grid.transform @ (col, row)))
    right = to_degrees.transform(*(grid.transform @ (col + 1, row)))
    below = to_degrees.transform(*(grid.transform @ (col, row + 1)))
    geod = Geod(ellps="WGS84")
    return geod.inv(*corner, *right)[2], geod.inv(*corner, *below)[2]


@pytest.mark.parametrize("native", [UTM, DEGREES, MERCATOR], ids=["utm", "degrees", "mercator"])
def test_a_pixel_of_ten_metres_is_ten_metres_of_ground(native: Grid) -> None:
    width, height = ground_size(build(native, gsd=10).grid)
    assert width == pytest.approx(10, rel=2e-3)
    assert height == pytest.approx(10, rel=2e-3)


def test_feet_are_understood() -> None:
    feet = Grid(CRS.from_epsg(2227).to_wkt(), Affine(2, 0, 6000000, 0, -2, 2000000), 500, 500)
    assert feet.mean_gsd == pytest.approx(0.6096, rel=1e-3)
    assert build(feet, gsd=3.048).grid.transform.a == pytest.approx(10, rel=1e-3)


def test_a_reference_within_ten_per_cent_keeps_its_own_pixels() -> None:
    assert build(UTM, gsd=0.53).grid == UTM


def test_native_keeps_the_pixels_whatever_the_model_wants() -> None:
    assert build(UTM, gsd=10, native=True).grid == UTM


def test_an_asked_resolution_is_kept_even_when_near() -> None:
    assert build(UTM, gsd=0.5, resolution=0.52).grid.transform.a == pytest.approx(0.52, rel=1e-3)


def test_an_extent_snaps_outward_to_the_references_pixels() -> None:
    grid = build(UTM, extent=(500010.1, 6199900.2, 500020.3, 6199950.4)).grid
    assert (grid.transform.c - UTM.transform.c) / 0.5 == pytest.approx(20)
    assert grid.bounds == pytest.approx((500010.0, 6199900.0, 500020.5, 6199950.5))


def test_an_extent_in_another_crs_is_covered() -> None:
    grid = build(UTM, extent=(21.0, 55.94, 21.005, 55.945), extent_crs="EPSG:4326").grid
    assert grid.pyproj_crs == CRS.from_epsg(32634)
    assert 300 < (grid.bounds[2] - grid.bounds[0]) < 350


def test_explicit_crs_resolution_and_extent_need_no_reference() -> None:
    grid = build(None, crs="EPSG:32634", resolution=10, extent=(500000, 6000000, 501000, 6000500)).grid
    assert grid.bounds[0] == 500000
    assert grid.bounds[3] == 6000500
    assert (grid.width, grid.height) == (100, 50)


def test_a_large_mismatch_is_told_with_the_number_of_pixels() -> None:
    (sentence,) = build(DEGREES, gsd=0.5).warnings
    assert "'Ortho' has pixels of 2.5" in sentence
    assert "in all" in sentence


def test_a_resolution_that_was_asked_for_needs_no_word() -> None:
    assert build(DEGREES, gsd=0.5, resolution=0.5).warnings == ()


def test_no_mismatch_no_word() -> None:
    assert build(UTM, gsd=0.6).warnings == ()


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"crs": "EPSG:banana"}, "grid.crs"),
        ({"extent": (5, 5, 1, 1)}, "grid.extent"),
        ({"reference": "dem"}, "grid.reference"),
        ({"resolution": -1.0}, "grid.resolution"),
        ({"resolution": 1e-4}, "pixels; check grid.resolution"),
        ({"resolution": 1e-320}, "grid.resolution is .* the finest"),
        ({"extent": (-1e308, 0, 1e308, 1)}, "endless pixels; check grid.resolution"),
        ({"crs": "EPSG:4978"}, "grid.crs is 'WGS 84', which lies on no map"),
        ({"crs": "EPSG:5773"}, "grid.crs is 'EGM96 height', which lies on no map"),
        ({"crs": 'LOCAL_CS["site",UNIT["metre",1]]'}, "grid.crs is 'site', which lies on no map"),
    ],
)
def test_a_wrong_field_is_named(spec: dict[str, object], sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        build(UTM, **spec)


def test_without_any_raster_the_missing_fields_are_named() -> None:
    with pytest.raises(RequestError, match=r"grid\.crs, grid\.resolution and grid\.extent"):
        build(None)


def test_the_ceiling_is_beyond_a_continent() -> None:
    assert MAX_PIXELS > 1e11
