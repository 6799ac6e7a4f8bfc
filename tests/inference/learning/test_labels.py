"""Polygons and points as labels: which pixels they label, and what is said of those that label nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from affine import Affine
from fusion_mapper.inference.errors import RequestError, SourceError
from fusion_mapper.inference.grid import Grid, way_between
from fusion_mapper.inference.learnjob import Labels
from fusion_mapper.models.card import ClassInfo
from labelled import CLASSES, GRID, centre, known, pixels, where
from layers import PLACE
from osm_sources import gdal_rasterize, grid_of, write_layer
from pyproj import CRS

UTM = "EPSG:32633"
LAYER = Labels("drawn.gpkg", field="kind")


def draw(folder: Path, *features: tuple[shapely.Geometry, object], crs: str = UTM) -> Labels:
    shapes, kinds = zip(*features, strict=True)
    write_layer(folder / "drawn.gpkg", list(shapes), crs, kind=list(kinds))
    return LAYER


def test_polygons_label_the_pixels_that_gdal_rasterize_burns(shared_data: Path, tmp_path: Path) -> None:
    home = shared_data / "amazon_s2"
    grid, layer = grid_of(home / "sen2.tif"), "trainingPolygons_sen2"
    classes = tuple(ClassInfo(i, name) for i, name in enumerate(("dryout", "forest", "village", "water"), 1))
    truth = known(Labels(f"{layer}.gpkg", field="class"), tmp_path, classes=classes, grid=grid, base=home)
    for index, info in enumerate(classes):
        chosen = ("-where", f"class = '{info.name}'")
        burned = gdal_rasterize(home / f"{layer}.gpkg", layer, grid, tmp_path / f"{index}.tif", *chosen)
        assert burned.sum() == truth.pixels[info.name] > 200
        np.testing.assert_array_equal(truth.values == index, burned == 1)
    assert sum(truth.features.values()) == 25
    assert truth.warnings == ()


def test_pixels_that_nobody_labelled_are_unknown(tmp_path: Path) -> None:
    truth = known(draw(tmp_path, (pixels(2, 3, 2, 1), "water"), (pixels(8, 8, 1, 1), "forest")), tmp_path)
    assert where(truth, 0) == {(2, 3), (3, 3)}
    assert where(truth, 1) == {(8, 8)}
    assert (truth.values == -1).sum() == 40 * 60 - 3
    assert (truth.pixels, truth.features) == ({"water": 2, "forest": 1}, {"water": 1, "forest": 1})


def test_labels_of_another_crs_land_on_the_same_pixels(tmp_path: Path) -> None:
    way = way_between(CRS(UTM), CRS("EPSG:3035"))
    moved = shapely.transform(pixels(4, 4, 6, 6), way.transform, interleaved=False)
    truth = known(draw(tmp_path, (moved, "water"), crs="EPSG:3035"), tmp_path)
    assert where(truth, 0) == {(row, col) for row in range(4, 10) for col in range(4, 10)}


def test_names_are_matched_whatever_their_case_and_values_after_them(tmp_path: Path) -> None:
    truth = known(draw(tmp_path, (pixels(0, 0, 1, 1), " WATER "), (pixels(5, 5, 1, 1), "5")), tmp_path)
    assert truth.pixels == {"water": 1, "forest": 1}


def test_numbers_are_matched_to_values_though_they_are_stored_with_a_point(tmp_path: Path) -> None:
    truth = known(draw(tmp_path, (pixels(0, 0, 1, 1), 1.0), (pixels(5, 5, 1, 1), 5.0)), tmp_path)
    assert truth.pixels == {"water": 1, "forest": 1}


def test_null_and_what_stands_for_not_known_label_nothing(tmp_path: Path) -> None:
    draw(tmp_path, (pixels(0, 0, 1, 1), "water"), (pixels(5, 5, 1, 1), "cloud"), (pixels(9, 9, 1, 1), None))
    truth = known(Labels("drawn.gpkg", field="kind", unlabelled=("Cloud",)), tmp_path)
    assert truth.pixels == {"water": 1, "forest": 0}
    assert truth.warnings == ()


def test_values_that_are_no_class_are_counted_and_named(tmp_path: Path) -> None:
    labels = draw(tmp_path, (pixels(0, 0, 1, 1), "water"), (pixels(5, 5, 1, 1), "road"), (pixels(9, 9, 1, 1), "road"))
    truth = known(labels, tmp_path)
    assert truth.warnings == ("2 labels of 'drawn.gpkg' say 'road', which is none of the classes; they are left out.",)


def test_where_classes_contradict_one_another_nothing_is_known(tmp_path: Path) -> None:
    truth = known(draw(tmp_path, (pixels(0, 0, 4, 4), "water"), (pixels(2, 0, 4, 4), "forest")), tmp_path)
    assert (truth.values[2:4, :4] == -1).all()
    assert truth.pixels == {"water": 8, "forest": 8}
    assert truth.warnings == (
        "8 pixels lie in labels of 'drawn.gpkg' that overlap and contradict one another; they are left out.",
    )


def test_a_contradiction_between_two_labels_that_agree_is_seen(tmp_path: Path) -> None:
    layers = [(pixels(0, 0, 4, 4), "water"), (pixels(1, 1, 1, 1), "forest"), (pixels(0, 0, 4, 4), "water")]
    truth = known(draw(tmp_path, *layers), tmp_path)
    assert truth.values[1, 1] == -1
    assert truth.pixels == {"water": 15, "forest": 0}


def test_labels_that_agree_may_overlap(tmp_path: Path) -> None:
    truth = known(draw(tmp_path, *[(pixels(0, 0, 4, 4), "water")] * 3), tmp_path)
    assert truth.pixels["water"] == 16
    assert truth.warnings == ()


def test_polygons_that_hold_no_centre_are_counted_and_those_beside_the_grid_are_not(tmp_path: Path) -> None:
    sliver, beside = pixels(3, 3, 0.3, 0.3), pixels(0, -20, 30, 10)
    truth = known(draw(tmp_path, (pixels(9, 9, 2, 2), "water"), (sliver, "water"), (beside, "water")), tmp_path)
    assert truth.warnings == ("1 labels of 'drawn.gpkg' hold the centre of no pixel and label nothing.",)


def test_grids_higher_than_a_strip_are_labelled_as_one(tmp_path: Path) -> None:
    grid = Grid(UTM, PLACE, 8, 3000)
    shape = shapely.box(500_000, 5_000_000 - 25_000, 500_050, 5_000_000 - 5_000)
    truth = known(draw(tmp_path, (shape, "water")), tmp_path, grid=grid)
    assert truth.pixels["water"] == 2000 * 5
    assert (truth.values[500:2500, :5] == 0).all()


def test_an_invalid_polygon_is_repaired(tmp_path: Path) -> None:
    left, top = PLACE @ (0, 0)
    bow = shapely.Polygon([(left, top), (left + 100, top - 100), (left + 100, top), (left, top - 100)])
    assert known(draw(tmp_path, (bow, "water")), tmp_path).pixels["water"] > 40


def test_real_parcels_with_invalid_outlines_are_all_read(shared_data: Path, tmp_path: Path) -> None:
    home = shared_data / "swellendam"
    grid = Grid("EPSG:32733", Affine(200, 0, 969_680, 0, -200, 6_250_060), 343, 270)
    truth = known(Labels("farms_33S.shp"), tmp_path, "field-boundaries", grid=grid, base=home)
    assert truth.features == {"field": 2008}


def test_points_label_their_pixel(tmp_path: Path) -> None:
    truth = known(draw(tmp_path, (centre(3, 4), "water"), (centre(7, 7), "forest")), tmp_path)
    assert (where(truth, 0), where(truth, 1)) == ({(3, 4)}, {(7, 7)})


def test_points_with_a_width_label_a_disc_of_that_radius(tmp_path: Path) -> None:
    draw(tmp_path, (centre(20, 20), "water"))
    truth = known(Labels("drawn.gpkg", field="kind", width=25.0), tmp_path)
    rows, cols = np.mgrid[0:40, 0:60]
    assert (truth.values == 0).sum() == (np.hypot(rows - 20, cols - 20) * 10 <= 25).sum() == 21


def test_a_disc_is_round_on_the_ground_though_the_grid_is_in_degrees(tmp_path: Path) -> None:
    grid = Grid("EPSG:4326", Affine(1e-4, 0, 15, 0, -1e-4, 60), 100, 100)
    draw(tmp_path, (shapely.Point(15.00505, 59.99495), "water"), crs="EPSG:4326")
    truth = known(Labels("drawn.gpkg", field="kind", width=100.0), tmp_path, grid=grid)
    rows, cols = np.nonzero(truth.values == 0)
    height, width = np.ptp(rows) + 1, np.ptp(cols) + 1
    # A degree of longitude is half as long as one of latitude at 60° north: 200 m are 18 pixels down, 36 across.
    assert (height, width) == (17, 35)


def test_points_that_disagree_within_one_pixel_label_nothing(tmp_path: Path) -> None:
    beside = shapely.transform(centre(3, 4), lambda points: points + 2.0)
    truth = known(draw(tmp_path, (centre(3, 4), "water"), (beside, "forest")), tmp_path)
    assert (truth.values == -1).all()


def test_values_of_a_regression_stand_on_their_polygons(shared_data: Path, tmp_path: Path) -> None:
    home = shared_data / "loon_lake"
    labels = Labels("vri2023.gpkg", layer="main", field="CROWN_CLOSURE")
    truth = known(labels, tmp_path, "pixel-regression", (), grid_of(home / "landsat.tif"), home)
    found = truth.values[np.isfinite(truth.values)]
    assert truth.values.dtype == np.float32
    assert truth.pixels == {"all": found.size}
    assert found.size > 40_000
    assert 0 <= found.min() < found.max() <= 100


def test_values_of_a_regression_may_stand_for_not_known(tmp_path: Path) -> None:
    draw(tmp_path, (pixels(0, 0, 1, 1), 7.5), (pixels(5, 5, 1, 1), -99.0))
    truth = known(Labels("drawn.gpkg", field="kind", unlabelled=("-99",)), tmp_path, "pixel-regression", ())
    assert truth.values[0, 0] == 7.5
    assert np.isfinite(truth.values).sum() == 1


def test_a_filter_chooses_labels(tmp_path: Path) -> None:
    draw(tmp_path, (pixels(0, 0, 1, 1), "water"), (pixels(5, 5, 1, 1), "forest"))
    truth = known(Labels("drawn.gpkg", field="kind", where="kind = 'forest'"), tmp_path)
    assert truth.pixels == {"water": 0, "forest": 1}


def test_coordinates_that_are_wrongly_called_degrees_are_placed_by_the_crs_that_is_given(
    shared_data: Path, tmp_path: Path
) -> None:
    home = shared_data / "nebraska"
    grid = grid_of(home / "sample_geotiff_custom_proj.tif")
    wrong, right = "geotiff_custom_proj_labels.geojson", "nebraska_fields_5070like.gpkg"
    told = known(Labels(wrong, crs=grid.crs), tmp_path, "field-boundaries", grid=grid, base=home)
    corrected = known(Labels(right), tmp_path, "field-boundaries", grid=grid, base=home)
    np.testing.assert_array_equal(told.values, corrected.values)
    assert told.features == {"field": 19}


def test_a_layer_without_a_crs_is_placed_by_the_one_that_is_given(tmp_path: Path) -> None:
    write_layer(tmp_path / "bare.shp", [pixels(2, 3, 2, 1)], None, kind=["water"])
    with pytest.raises(SourceError, match=r"'bare' of 'bare\.shp' has no CRS"):
        known(Labels("bare.shp", field="kind"), tmp_path)
    assert known(Labels("bare.shp", field="kind", crs=UTM), tmp_path).pixels["water"] == 2


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (Labels("drawn.gpkg", field="species"), r"have no field 'species'; their fields are kind\."),
        (Labels("drawn.gpkg", layer="elsewhere", field="kind"), "no layer 'elsewhere'"),
        (Labels("absent.gpkg", field="kind"), r"'absent\.gpkg' is not there"),
        (Labels("drawn.gpkg", field="kind", crs="EPSG:0"), "'EPSG:0', is not understood"),
        (Labels("drawn.gpkg", field="kind", name="My labels", where="kindly = 1"), "My labels"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, labels: Labels, sentence: str) -> None:
    draw(tmp_path, (pixels(0, 0, 1, 1), "water"))
    with pytest.raises((RequestError, SourceError), match=sentence):
        known(labels, tmp_path)


def test_lines_are_refused(tmp_path: Path) -> None:
    labels = draw(tmp_path, (shapely.LineString([PLACE @ (0, 0), PLACE @ (9, 9)]), "water"))
    with pytest.raises(RequestError, match="hold lines; label with polygons or points"):
        known(labels, tmp_path)


def test_text_where_a_regression_needs_numbers_is_refused(tmp_path: Path) -> None:
    labels = draw(tmp_path, (pixels(0, 0, 1, 1), "dense"))
    with pytest.raises(RequestError, match="holds 'dense', which is no number"):
        known(labels, tmp_path, "pixel-regression", ())


def test_a_layer_that_lies_elsewhere_labels_nothing(tmp_path: Path) -> None:
    truth = known(draw(tmp_path, (pixels(500, 500, 5, 5), "water")), tmp_path, classes=CLASSES, grid=GRID)
    assert truth.pixels == {"water": 0, "forest": 0}
