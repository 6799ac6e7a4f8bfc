"""Parcels as labels of fields and their boundaries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from affine import Affine
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.inference.grid import Grid
from fusion_mapper.inference.learning.label_vectors import extent
from fusion_mapper.inference.learning.labels import FIELD_CLASSES, survey_classes
from fusion_mapper.inference.learnjob import Labels
from fusion_mapper.inference.sources import Context
from fusion_mapper.models.card import ClassInfo
from labelled import known, pixels
from layers import PLACE
from osm_sources import write_layer
from scipy import ndimage

UTM = "EPSG:32633"
BACKGROUND, FIELD, BOUNDARY = 0, 1, 2


def parcels(folder: Path, *shapes: shapely.Geometry, **columns: list) -> Labels:
    write_layer(folder / "parcels.gpkg", list(shapes), UTM, **(columns or {"number": list(range(len(shapes)))}))
    return Labels("parcels.gpkg", field="kind" if "kind" in columns else None)


def read(labels: Labels, folder: Path):
    return known(labels, folder, "field-boundaries", FIELD_CLASSES)


def test_a_parcel_has_a_boundary_of_two_pixels_around_its_inside(tmp_path: Path) -> None:
    truth = read(parcels(tmp_path, pixels(12, 20, 10, 12)), tmp_path)
    inside = np.zeros((40, 60), bool)
    inside[12:22, 20:32] = True
    edge = inside & ~ndimage.binary_erosion(inside)
    np.testing.assert_array_equal(truth.values == FIELD, inside & ~edge)
    # One pixel inside of the outline, one outside, whose corners lie 7 m off.
    outer = ndimage.binary_dilation(inside, np.ones((3, 3))) & ~inside
    np.testing.assert_array_equal(truth.values == BOUNDARY, edge | outer)
    assert truth.features == {"field": 1}


def test_beyond_the_ring_around_parcels_nothing_is_known(tmp_path: Path) -> None:
    truth = read(parcels(tmp_path, pixels(12, 20, 10, 12)), tmp_path)
    rows, cols = np.mgrid[0:40, 0:60] + 0.5
    away = np.hypot(np.maximum(np.maximum(12 - rows, rows - 22), 0), np.maximum(np.maximum(20 - cols, cols - 32), 0))
    assert (truth.values[away > 7.1] == -1).all()
    assert (truth.values[(away > 1.1) & (away < 6.9)] == BACKGROUND).all()
    assert truth.warnings == (
        "The labels 'parcels.gpkg' name no background; a ring of 60 m around the parcels is taken for it, and the rest "
        "is unknown.",
    )


def test_the_width_of_the_boundary_can_be_given(tmp_path: Path) -> None:
    parcels(tmp_path, pixels(12, 20, 10, 12))
    truth = read(Labels("parcels.gpkg", width=40.0), tmp_path)
    assert (truth.values[17, 16:26] == [BACKGROUND] * 2 + [BOUNDARY] * 4 + [FIELD] * 4).all()


def test_neighbours_have_one_boundary_between_them(tmp_path: Path) -> None:
    truth = read(parcels(tmp_path, pixels(10, 10, 10, 10), pixels(10, 20, 10, 10)), tmp_path)
    assert (truth.values[15, 12:28] == [FIELD] * 7 + [BOUNDARY] * 2 + [FIELD] * 7).all()


def test_features_that_say_background_take_the_rings_place(tmp_path: Path) -> None:
    shapes = pixels(10, 10, 10, 10), pixels(30, 40, 5, 5), pixels(30, 10, 5, 5)
    truth = read(parcels(tmp_path, *shapes, kind=["maize", "Background", "0"]), tmp_path)
    assert truth.pixels["background"] == 50
    assert truth.values[15, 5] == -1
    assert truth.features == {"field": 1, "background": 2}
    assert truth.warnings == ()


def test_parcels_that_stand_for_not_known_are_left_out(tmp_path: Path) -> None:
    parcels(tmp_path, pixels(10, 10, 10, 10), pixels(10, 40, 10, 10), kind=["maize", "unsure"])
    truth = read(Labels("parcels.gpkg", field="kind", unlabelled=("unsure",)), tmp_path)
    assert truth.features == {"field": 1}
    assert (truth.values[:, 40:] == -1).all()


@pytest.mark.parametrize(
    ("country", "path", "crs"),
    [
        ("at", "inspire_schlaege_2025-1_polygon.gpkg.zip", "EPSG:31287"),
        ("ch", "lwb_nutzungsflaechen_v2_0_lv95.gpkg", "EPSG:2056"),
        ("dk", "Marker_2026.zip", "EPSG:25832"),
    ],
)
def test_parcels_of_several_countries_are_read_zipped_or_not(
    shared_data: Path, tmp_path: Path, country: str, path: str, crs: str
) -> None:
    home = shared_data / "parcels" / country
    anywhere = Grid(crs, PLACE, 1, 1)
    west, south, east, north = extent(Labels(path), anywhere, Context(home, tmp_path, lambda _sentence: None))
    grid = Grid(crs, Affine(100, 0, west, 0, -100, north), int((east - west) / 100) + 1, int((north - south) / 100))
    truth = known(Labels(path, width=5.0), tmp_path, "field-boundaries", FIELD_CLASSES, grid, home)
    assert truth.features["field"] >= 95
    assert truth.pixels["field"] > 0


def test_classes_of_fields_come_in_one_order_whatever_the_job_says(tmp_path: Path) -> None:
    given = ClassInfo(7, "Field"), ClassInfo(9, "boundary"), ClassInfo(3, "background")
    found = survey_classes([Labels("parcels.gpkg")], "field-boundaries", given, tmp_path)
    assert [info.value for info in found] == [3, 7, 9]


def test_other_classes_than_those_of_fields_are_refused(tmp_path: Path) -> None:
    given = ClassInfo(1, "maize"), ClassInfo(2, "wheat")
    with pytest.raises(RequestError, match="classes of field boundaries are called background, field, boundary"):
        survey_classes([Labels("parcels.gpkg")], "field-boundaries", given, tmp_path)
