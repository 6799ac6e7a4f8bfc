"""Damaged and hostile layers: one sentence, or what is left of them with a warning that counts the lost."""

from __future__ import annotations

import shutil
import struct
import subprocess

import numpy as np
import pytest
import shapely
from fusion_mapper.inference.errors import SourceError
from fusion_mapper.inference.job import VectorLayer
from osm_sources import Run, osm_slot, recipe, square_grid, write_layer, write_osm
from pyogrio import raw

WIDE = square_grid("EPSG:4326", 19.0, -33.3, 0.002, 1000)
DEGREES = square_grid("EPSG:4326", 20.41, -33.99, 1e-4, 2000)
HOMES = osm_slot(homes=recipe("building"))
WATER = osm_slot(water=recipe("natural", "water"), rivers=recipe("waterway"))


@pytest.fixture(scope="module")
def buildings(shared_data):
    """The 4708 buildings of Swellendam and their tags."""
    _, _, shapes, values = raw.read(
        shared_data / "swellendam" / "training_data.gpkg", layer="buildings", columns=["building"]
    )
    return shapely.from_wkb(shapes), values[0]


def spoiled(source, target, first, last):
    """A copy of a file with a stretch (in shares of its size) overwritten."""
    content = bytearray(source.read_bytes())
    start, stop = int(len(content) * first), int(len(content) * last)
    content[start:stop] = b"\xff" * (stop - start)
    target.write_bytes(content)


def found(run, name, slot=HOMES, grid=WIDE, **spec):
    return run.open(slot, grid, VectorLayer(name), **spec).facts().details["matched"]


@pytest.mark.parametrize(("name", "shape"), [("water.shp", 30), ("rivers.shp", 12)])
def test_a_truly_corrupt_shapefile_stops_with_its_shape_named(shared_data, tmp_path, name, shape):
    run = Run(tmp_path, shared_data / "swellendam")
    with pytest.raises(SourceError, match=rf"'{name}' is damaged .*shape {shape}\b.*let unreadable data be skipped"):
        found(run, name, WATER)
    assert run.copies == []


def test_its_readable_features_are_used_where_the_user_says_skip(shared_data, tmp_path):
    run = Run(tmp_path, shared_data / "swellendam")
    assert found(run, "water.shp", WATER, unreadable="skip") == {"water": 31, "rivers": 0}
    assert len(run.said) == 1
    assert run.said[0].startswith("7 of 38 features of 'water.shp' cannot be read and are left out")
    again = Run(tmp_path, shared_data / "swellendam")
    assert found(again, "water.shp", WATER, unreadable="skip")["water"] == 31
    assert again.said == run.said


def test_a_salvaged_copy_never_serves_a_run_that_stops_at_damage(shared_data, tmp_path):
    run = Run(tmp_path, shared_data / "swellendam")
    found(run, "water.shp", WATER, unreadable="skip")
    with pytest.raises(SourceError, match="damaged"):
        found(run, "water.shp", WATER)


def test_an_index_does_not_hide_a_shapefiles_damage(shared_data, tmp_path):
    for part in (shared_data / "swellendam").glob("rivers.*"):
        shutil.copyfile(part, tmp_path / part.name)
    subprocess.run(
        ["ogrinfo", "-q", str(tmp_path / "rivers.shp"), "-sql", "CREATE SPATIAL INDEX ON rivers"], capture_output=True
    )
    assert (tmp_path / "rivers.qix").exists()
    with pytest.raises(SourceError, match="shape 12"):
        found(Run(tmp_path), "rivers.shp", WATER)
    assert found(Run(tmp_path), "rivers.shp", WATER, unreadable="skip")["rivers"] == 12


def test_a_shapefile_cut_short_is_noticed(tmp_path, buildings):
    shapes, tags = buildings
    write_layer(tmp_path / "homes.shp", list(shapes), building=list(tags))
    whole = (tmp_path / "homes.shp").read_bytes()
    (tmp_path / "homes.shp").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match="is damaged"):
        found(Run(tmp_path), "homes.shp")
    run = Run(tmp_path)
    assert 1500 < found(run, "homes.shp", unreadable="skip")["homes"] < 3000
    assert "of 4708 features" in run.said[0]


@pytest.mark.parametrize(("suffix", "first", "last"), [(".gpkg", 0.3, 0.32), (".fgb", 0.5, 0.505)])
def test_what_is_readable_of_a_spoiled_database_is_saved(tmp_path, buildings, suffix, first, last):
    shapes, tags = buildings
    write_layer(tmp_path / f"whole{suffix}", list(shapes), building=list(tags))
    name = f"spoiled{suffix}"
    spoiled(tmp_path / f"whole{suffix}", tmp_path / name, first, last)
    with pytest.raises(SourceError, match=rf"'{name}.*(cannot be read|is damaged)"):
        found(Run(tmp_path), name)
    run = Run(tmp_path)
    details = run.open(HOMES, WIDE, VectorLayer(name), unreadable="skip").facts().details
    # What was overwritten within coordinates can be read, but is no geometry.
    kept, lost = details["matched"]["homes"], 4708 - details["features"]
    assert 4000 < kept == details["features"] - details["dropped"] < 4708
    assert run.said[0].startswith(f"{lost} of 4708 features of '{name}")
    assert [path.suffix for path in sorted((tmp_path / "vectors").iterdir())] == [".fgb", ".json"]


@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".geojson", ".shp"])
@pytest.mark.parametrize("unreadable", ["stop", "skip"])
def test_a_file_cut_anywhere_never_crashes(tmp_path, buildings, suffix, share, unreadable):
    shapes, tags = buildings
    path = write_layer(tmp_path / f"homes{suffix}", list(shapes[:400]), building=list(tags[:400]))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    try:
        matched = found(Run(tmp_path), path.name, unreadable=unreadable)["homes"]
    except SourceError as refusal:
        assert path.name in str(refusal)
        return
    assert unreadable == "skip"
    assert matched < 400


def test_a_cut_extract_is_noticed_though_gdal_streams_it_without_a_word(tmp_path):
    nodes = {i: (20.41 + i * 1e-5, -33.995 - (i % 2) * 1e-4) for i in range(1, 2001)}
    ways = {i: ((i, i + 1), {"building": "yes"}) for i in range(1, 1999)}
    write_osm(tmp_path / "cut.osm", nodes, ways)
    text = (tmp_path / "cut.osm").read_text()
    (tmp_path / "cut.osm").write_text(text[: int(len(text) * 0.8)])
    with pytest.raises(SourceError, match=r"cut\.osm.*damaged"):
        found(Run(tmp_path), "cut.osm")


def test_features_without_a_usable_geometry_are_counted(tmp_path):
    good = shapely.box(20.42, -34.0, 20.43, -33.995)
    shapes = [good, None, shapely.Polygon(), shapely.box(20.42, -34, np.nan, -33.9), good]
    collection = shapely.GeometryCollection([good, shapely.Point(20.5, -34.0), shapely.GeometryCollection([good])])
    with np.errstate(invalid="ignore"):
        write_layer(tmp_path / "odd.geojson", [good, None, shapely.Polygon(), good], building=["yes"] * 4)
        write_layer(tmp_path / "odd.gpkg", [*shapes, collection], building=["yes"] * 6)
    run = Run(tmp_path)
    assert found(run, "odd.geojson") == {"homes": 2}
    assert run.said == ["2 features of 'odd.geojson' have no geometry and are left out."]
    run = Run(tmp_path)
    source = run.open(HOMES, DEGREES, VectorLayer("odd.gpkg"))
    facts = source.facts()
    assert facts.details["matched"] == {"homes": 5}
    plain = write_layer(tmp_path / "plain.gpkg", [good, shapely.Point(20.5, -34.0)], building=["yes"] * 2)
    expected = Run(tmp_path).open(HOMES, DEGREES, VectorLayer(plain.name)).read(DEGREES.whole).data
    np.testing.assert_array_equal(source.read(DEGREES.whole).data, expected)


def test_features_beyond_what_the_projection_can_tell_do_no_harm(tmp_path):
    grid = square_grid("+proj=ortho +lat_0=0 +lon_0=0 +ellps=WGS84 +units=m", 0, 1000, 10.0, 100)
    shapes = [shapely.box(0.001, 0.001, 0.004, 0.004), shapely.box(-170, -80, 170, 80)]
    write_layer(tmp_path / "wide.gpkg", shapes, building=["yes", "yes"])
    run = Run(tmp_path)
    source = run.open(HOMES, grid, VectorLayer("wide.gpkg"))
    assert source.read(grid.whole).data.any()
    assert source.facts().details["dropped"] == 1
    assert run.said == ["1 features of 'wide.gpkg' have no usable geometry and are left out."]


def test_shapes_that_reach_absurdly_far_are_burned_where_they_pass(tmp_path):
    """GDAL counts pixels in 32 bits: what lies beyond must neither wrap around nor take minutes."""
    grid = square_grid("EPSG:32633", 500_000, 5_000_000, 0.1, 300)
    shapes = [
        shapely.box(-1e11, -1e11, 1e11, 4_999_999),
        shapely.LineString([(-1e10, 4_999_999.55), (1e10, 4_999_999.55)]),
        shapely.LineString([(0, 0), (1e300, 1e300)]),
    ]
    write_layer(tmp_path / "far.gpkg", shapes, grid.crs, building=["yes"] * 3)
    run = Run(tmp_path)
    source = run.open(HOMES, grid, VectorLayer("far.gpkg"))
    rows = source.read(grid.whole).data[0]
    assert [i for i in range(300) if rows[i].all()] == [4, *range(10, 300)]
    assert not rows[:4].any()
    assert source.facts().details["dropped"] <= 1


def test_curved_geometries_are_read_as_lines(tmp_path):
    arc = struct.pack("<BII6d", 1, 8, 3, 20.42, -34.0, 20.43, -33.995, 20.44, -34.0)
    columns = [np.array(["yes"], object)]
    path = tmp_path / "arc.gpkg"
    raw.write(str(path), np.array([arc], object), columns, ["building"], layer="arc", driver="GPKG",
              geometry_type="Unknown", crs="EPSG:4326")  # fmt: skip
    band = Run(tmp_path).open(HOMES, DEGREES, VectorLayer(path.name)).read(DEGREES.whole).data[0]
    assert band[50, 200] == 1
    assert band.sum() >= 200
