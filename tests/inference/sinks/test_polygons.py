"""Polygon layers: attributes, borders, areas, and bytes."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from classmaps import NAMES, landscape, mosaic, utm
from fusion_mapper.inference.errors import Cancelled, RequestError
from fusion_mapper.inference.grid import Grid
from fusion_mapper.inference.job import Outputs
from fusion_mapper.inference.sinks.fields import write_fields
from fusion_mapper.inference.sinks.polygons import PolygonCounts, write_polygons
from fusion_mapper.models.card import ClassInfo, Output
from pyproj import Geod
from scipy import ndimage

JOB = Outputs("out")


def read(path) -> tuple[np.ndarray, dict[str, np.ndarray], dict]:
    meta, _, geometry, fields = pyogrio.raw.read(path)
    return shapely.from_wkb(geometry), dict(zip(meta["fields"].tolist(), fields, strict=True)), meta


def class_map(height: int, width: int, patches: int = 150) -> np.ndarray:
    classes = landscape(height, width, patches)
    classes[100:160, 30:300] = 255
    return classes


def certain(classes: np.ndarray) -> np.ndarray:
    return np.random.default_rng(3).integers(2000, 10_000, classes.shape).astype(np.uint16)


def test_polygons_tell_class_area_and_confidence(tmp_path, land_cover):
    classes = class_map(500, 600)
    certainty = certain(classes)
    blocks = mosaic(utm(500, 600, 10), 256, classes=classes, certainty=certainty)
    counts = write_polygons(tmp_path / "p.gpkg", land_cover, blocks, JOB, {"MODEL": "tiny"})
    polygons, fields, meta = read(tmp_path / "p.gpkg")
    assert counts.written == len(polygons) == sum(ndimage.label(classes == value)[1] for value in range(5))
    assert meta["crs"] == "EPSG:32633"
    assert meta["geometry_type"] == "Polygon"
    assert [NAMES[value] for value in fields["class"]] == fields["name"].tolist()
    assert np.allclose(fields["area_ha"], shapely.area(polygons) / 1e4, rtol=2e-3)
    assert fields["area_ha"].sum() == pytest.approx((classes != 255).sum() / 100, rel=2e-3)
    largest = int(np.argmax(fields["area_ha"]))
    labels, _ = ndimage.label(classes == fields["class"][largest])
    biggest = labels == np.argmax(np.bincount(labels.ravel())[1:]) + 1
    assert fields["confidence"][largest] == pytest.approx(certainty[biggest].mean() / 10_000, abs=1e-4)


def test_neighbours_share_their_borders_in_the_file(tmp_path, land_cover):
    classes = class_map(1300, 1200, 800)
    blocks = mosaic(utm(1300, 1200), 512, classes=classes, certainty=certain(classes))
    counts = write_polygons(tmp_path / "p.gpkg", land_cover, blocks, Outputs("out", simplify=2.0), {})
    polygons, fields, _ = read(tmp_path / "p.gpkg")
    assert counts.crossing > 0
    assert shapely.is_valid(polygons).all()
    assert shapely.coverage_is_valid(polygons)
    assert shapely.is_ccw(shapely.get_exterior_ring(polygons)).all()
    assert shapely.area(polygons).sum() == pytest.approx((classes != 255).sum(), rel=1e-4)
    burnt = rasterio.features.rasterize(
        zip(polygons, fields["class"], strict=True), classes.shape, fill=255, transform=utm(1300, 1200).transform
    )
    assert (burnt == classes).mean() > 0.95


@pytest.mark.parametrize("minimum", [0.0, 400.0])
def test_polygons_are_the_same_to_the_byte_however_the_run_was_cut(tmp_path, land_cover, minimum):
    classes = class_map(1300, 1200, 800)
    certainty = certain(classes)
    written = []
    for side in (300, 512, 2048):
        blocks = mosaic(utm(1300, 1200), side, classes=classes, certainty=certainty)
        write_polygons(tmp_path / "p.gpkg", land_cover, blocks, Outputs("out", minimum_area=minimum), {"A": "b"})
        written.append((tmp_path / "p.gpkg").read_bytes())
    assert written[0] == written[1] == written[2]
    assert [file.name for file in tmp_path.iterdir()] == ["p.gpkg"]


def test_small_patches_are_merged(tmp_path, land_cover):
    classes = class_map(500, 600, 500)
    blocks = mosaic(utm(500, 600), 256, classes=classes, certainty=certain(classes))
    everything = write_polygons(tmp_path / "all.gpkg", land_cover, blocks, Outputs("out", simplify=0.0), {})
    merged = write_polygons(tmp_path / "p.gpkg", land_cover, blocks, Outputs("out", minimum_area=300, simplify=0.0), {})
    polygons, _, _ = read(tmp_path / "p.gpkg")
    assert merged.written < everything.written
    assert shapely.area(polygons).min() >= 299
    assert shapely.area(polygons).sum() == (classes != 255).sum()


def test_sixteen_bit_classes_keep_their_values(tmp_path):
    output = Output("out", "semantic-segmentation", classes=(ClassInfo(7, "low"), ClassInfo(40_000, "high")))
    classes = np.where(landscape(90, 80, 9) > 2, 40_000, 7).astype(np.uint16)
    classes[:20] = 65_535
    blocks = mosaic(utm(90, 80), 64, classes=classes, certainty=certain(classes))
    write_polygons(tmp_path / "p.gpkg", output, blocks, JOB, {})
    _, fields, _ = read(tmp_path / "p.gpkg")
    assert set(zip(fields["class"].tolist(), fields["name"].tolist(), strict=True)) == {(7, "low"), (40_000, "high")}


def test_areas_in_degrees_are_those_on_the_ellipsoid(tmp_path, land_cover):
    grid = Grid("EPSG:4326", Affine(2.5e-5, 0, 20.4, 0, -2.5e-5, -34.0), 200, 100)
    classes = np.zeros((100, 200), np.uint8)
    blocks = mosaic(grid, 64, classes=classes, certainty=certain(classes))
    write_polygons(tmp_path / "p.gpkg", land_cover, blocks, JOB, {})
    (polygon,), fields, _ = read(tmp_path / "p.gpkg")
    assert fields["area_ha"][0] == pytest.approx(
        Geod(ellps="WGS84").geometry_area_perimeter(polygon)[0] / 1e4, rel=1e-6
    )


def test_a_map_of_nodata_makes_an_empty_layer(tmp_path, land_cover):
    classes = np.full((90, 80), 255, np.uint8)
    blocks = mosaic(utm(90, 80), 64, classes=classes, certainty=certain(classes))
    assert write_polygons(tmp_path / "p.gpkg", land_cover, blocks, JOB, {}) == PolygonCounts(0, 0, 0)
    info = pyogrio.read_info(tmp_path / "p.gpkg")
    assert (info["features"], info["fields"].tolist()) == (0, ["class", "name", "area_ha", "confidence"])


def test_the_geopackage_carries_its_metadata(tmp_path, land_cover):
    classes = landscape(90, 80, 9)
    blocks = mosaic(utm(90, 80), 64, classes=classes, certainty=certain(classes))
    write_polygons(tmp_path / "p.gpkg", land_cover, blocks, JOB, {"MODEL": "tiny & new"})
    assert pyogrio.read_info(tmp_path / "p.gpkg")["layer_metadata"]["MODEL"] == "tiny & new"
    with sqlite3.connect(tmp_path / "p.gpkg") as file:
        (dates,) = set(file.execute("SELECT last_change FROM gpkg_contents"))
        assert file.execute("PRAGMA user_version").fetchone() == (10200,)
    assert dates == ("2000-01-01T00:00:00.000Z",)


def test_stopping_between_cells_leaves_no_file(tmp_path, land_cover):
    def stop() -> None:
        raise Cancelled("stopped")

    classes = class_map(500, 600)
    blocks = mosaic(utm(500, 600), 256, classes=classes, certainty=certain(classes))
    for minimum in (0.0, 100.0):
        with pytest.raises(Cancelled):
            write_polygons(tmp_path / "p.gpkg", land_cover, blocks, Outputs("o", minimum_area=minimum), {}, stop)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_and_leaves_nothing(small_disk, land_cover):
    noise = np.random.default_rng(0).integers(0, 5, (250, 300)).astype(np.uint8)
    blocks = mosaic(utm(250, 300), 256, classes=noise, certainty=certain(noise))
    with pytest.raises(RequestError, match="disk is full"):
        write_polygons(small_disk / "p.gpkg", land_cover, blocks, JOB, {})
    assert list(small_disk.iterdir()) == []


def test_a_real_map_at_one_metre(tmp_path, shared_data, land_cover):
    with rasterio.open(shared_data / "swiss_forest" / "TLM5c_2585_1098.tif") as file:
        classes = file.read(1).astype(np.uint8)
    output = replace(land_cover, classes=tuple(ClassInfo(v, f"class {v}") for v in np.unique(classes).tolist()))
    height, width = classes.shape
    blocks = mosaic(utm(height, width), 512, classes=classes, certainty=certain(classes))
    write_polygons(tmp_path / "p.gpkg", output, blocks, Outputs("out", minimum_area=100), {})
    polygons, fields, _ = read(tmp_path / "p.gpkg")
    assert shapely.coverage_is_valid(polygons)
    assert shapely.area(polygons).sum() == height * width
    assert fields["area_ha"].min() > 0.009


def interior(height: int, width: int, patches: int) -> tuple[np.ndarray, np.ndarray]:
    """Fields as the encoder codes them (gaps of a pixel or two between them), and their labels by SciPy."""
    classes = landscape(height, width, patches, classes=200)
    edge = np.zeros(classes.shape, bool)
    edge[1:] |= classes[1:] != classes[:-1]
    edge[:, 1:] |= classes[:, 1:] != classes[:, :-1]
    inside = ~edge & (classes > 40)
    return np.where(inside, certain(classes) + 1, 0).astype(np.uint16), ndimage.label(inside)[0]


def test_fields_are_whole_across_blocks_and_cells(tmp_path):
    code, labels = interior(1200, 1300, 300)
    counts = write_fields(
        tmp_path / "f.gpkg", mosaic(utm(1200, 1300), 256, interior=code), Outputs("o", simplify=0.0), {}
    )
    polygons, fields, _ = read(tmp_path / "f.gpkg")
    _, first, size = np.unique(labels, return_index=True, return_counts=True)
    assert counts.written == labels.max()
    assert counts.crossing > 0
    order = np.argsort(fields["field_id"])
    assert fields["field_id"][order].tolist() == sorted((first[1:] + 1).tolist())
    assert shapely.area(polygons[order]).tolist() == size[1:][np.argsort(first[1:])].tolist()
    means = ndimage.mean((code.astype(float) - 1) / 10_000, labels, np.arange(1, labels.max() + 1))
    assert np.allclose(fields["confidence"][order], means[np.argsort(first[1:])], atol=1e-4)
    assert np.allclose(fields["perimeter_m"], shapely.length(polygons), rtol=1e-3)


def test_simplified_fields_do_not_overlap(tmp_path):
    code, _ = interior(1200, 1300, 300)
    write_fields(tmp_path / "f.gpkg", mosaic(utm(1200, 1300), 256, interior=code), Outputs("o", simplify=3.0), {})
    polygons, _, _ = read(tmp_path / "f.gpkg")
    assert shapely.is_valid(polygons).all()
    one, other = shapely.STRtree(polygons).query(polygons, "intersects")
    pairs = one < other
    assert pairs.any(), "some fields touch, so that they could overlap"
    assert shapely.area(shapely.intersection(polygons[one[pairs]], polygons[other[pairs]])).max() < 1e-6


def test_small_fields_are_dropped_and_counted(tmp_path):
    code, labels = interior(400, 500, 100)
    counts = write_fields(
        tmp_path / "f.gpkg", mosaic(utm(400, 500), 256, interior=code), Outputs("o", minimum_area=200, simplify=0.0), {}
    )
    sizes = np.bincount(labels.ravel())[1:]
    assert counts.written + counts.dropped == sizes.size
    assert counts.dropped == pytest.approx((sizes < 200).sum(), abs=1), "UTM's scale moves the limit by a hair"
