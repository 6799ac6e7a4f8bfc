"""Every format is read through an index; what has none is converted once."""

from __future__ import annotations

import shutil
import sqlite3
import zipfile

import numpy as np
import pytest
import shapely
from fusion_mapper.inference.errors import SourceError
from fusion_mapper.inference.grid import Window
from fusion_mapper.inference.job import VectorLayer
from fusion_mapper.inference.sources import osm, osm_sheets, vector
from osm_sources import Run, osm_slot, recipe, square_grid, write_layer, write_osm, write_pbf
from pyogrio import raw
from pyproj import Transformer

GRID = square_grid("EPSG:32633", 500_000, 5_000_100, 1.0, 100)
ROADS = osm_slot(roads=recipe("highway"))


def bars(count=3):
    """Horizontal lines that end within pixels, so that a format's rounding does not move them to a neighbour."""
    rows = [5_000_094.4 - 10 * i for i in range(count)]
    return [shapely.LineString([(500_010.3, y), (500_089.6, y)]) for y in rows]


@pytest.fixture
def expected(tmp_path):
    write_layer(tmp_path / "reference.gpkg", bars(), GRID.crs, highway=["path"] * 3)
    return values(Run(tmp_path), "reference.gpkg")


def values(run, name, **layer):
    return run.open(ROADS, GRID, VectorLayer(name, **layer)).read(GRID.whole).data


@pytest.mark.parametrize(("suffix", "converted"), [(".fgb", False), (".shp", True), (".geojson", True)])
def test_each_format_gives_the_same_pixels(tmp_path, expected, suffix, converted):
    crs = GRID.crs if suffix != ".geojson" else "EPSG:4326"
    lines = bars()
    if suffix == ".geojson":
        back = Transformer.from_crs(GRID.crs, crs, always_xy=True).transform
        lines = list(shapely.transform(np.array(lines), back, interleaved=False))
    write_layer(tmp_path / f"roads{suffix}", lines, crs, highway=["path"] * 3)
    run = Run(tmp_path)
    np.testing.assert_array_equal(values(run, f"roads{suffix}"), expected)
    assert bool(run.copies) == converted


def test_zipped_shapefiles_and_geopackages_are_read_where_they_lie(tmp_path, expected):
    folder = tmp_path / "inner"
    folder.mkdir()
    write_layer(folder / "gis_osm_roads_free_1.shp", bars(), GRID.crs, fclass=["path"] * 3)
    write_layer(folder / "gis_osm_a.shp", bars(1), GRID.crs, fclass=["river"])
    with zipfile.ZipFile(tmp_path / "extract-free.shp.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"deep/{file.name}")
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as archive:
        archive.write(tmp_path / "reference.gpkg", "reference.gpkg")
    run = Run(tmp_path)
    np.testing.assert_array_equal(values(run, "extract-free.shp.zip", layer="gis_osm_roads_free_1"), expected)
    np.testing.assert_array_equal(values(run, "one.zip"), expected)


NODES = {i * 10 + j: (15.0 + j * 1e-3, 45.15 - i * 1e-4) for i in range(1, 4) for j in (0, 1)}
WAYS = {
    1: ((10, 11), {"highway": "motorway", "name": "A &quot;1&quot;"}),
    2: ((20, 21), {"odd": "x", "cycleway:left": "lane"}),
    3: ((10, 20, 21, 11, 10), {"building": "yes"}),
    4: ((30, 31), {"waterway": "river"}),
}
EXTRACT = osm_slot(
    roads=recipe("highway"),
    lanes=recipe("cycleway:left"),
    homes=recipe("building"),
    rivers=recipe("waterway", geometry=("line",)),
    trees=recipe("natural", "tree"),
)


def extract_grid():
    x, y = Transformer.from_crs("EPSG:4326", GRID.crs, always_xy=True).transform(15.0, 45.15)
    return square_grid(GRID.crs, x - 10, y + 10, 1.0, 100)


def test_an_osm_extract_is_converted_layer_by_layer_with_its_rare_tags(tmp_path):
    write_osm(tmp_path / "a.osm", NODES, WAYS, {31: {"natural": "tree"}})
    run = Run(tmp_path)
    source = run.open(EXTRACT, extract_grid(), VectorLayer("a.osm"))
    assert source.facts().details["matched"] == {"roads": 1, "lanes": 1, "homes": 1, "rivers": 1, "trees": 1}
    assert all(band.any() for band in source.read(extract_grid().whole).data)
    assert source.attribution == ("© OpenStreetMap contributors (ODbL)",)
    assert run.said == []


def test_a_pbf_extract_reads_like_the_xml_one(tmp_path):
    ways = {
        number: (nodes, {k: v.replace("&quot;", '"') for k, v in tags.items()})
        for number, (nodes, tags) in WAYS.items()
    }
    write_osm(tmp_path / "a.osm", NODES, WAYS)
    write_pbf(tmp_path / "a.osm.pbf", NODES, ways)
    grid = extract_grid()
    xml, pbf = (
        Run(tmp_path).open(EXTRACT, grid, VectorLayer(name)).read(grid.whole).data for name in ("a.osm", "a.osm.pbf")
    )
    assert xml[:4].any(axis=(1, 2)).all()
    np.testing.assert_array_equal(pbf, xml)


def test_a_resumed_run_takes_the_copy_that_is_there(tmp_path, expected):
    write_layer(tmp_path / "roads.shp", bars(), GRID.crs, highway=["path"] * 3)
    run = Run(tmp_path)
    first = run.open(ROADS, GRID, VectorLayer("roads.shp"))
    (copy,) = run.copies
    stamp = copy.stat().st_mtime_ns, copy.stat().st_ino
    again = run.open(ROADS, GRID, VectorLayer("roads.shp"))
    assert (copy.stat().st_mtime_ns, copy.stat().st_ino) == stamp
    assert again.fingerprint() == first.fingerprint()
    assert {path.suffix for path in copy.parent.iterdir()} == {".fgb", ".json"}


def test_a_changed_file_is_converted_anew(tmp_path, expected):
    write_layer(tmp_path / "roads.shp", bars(), GRID.crs, highway=["path"] * 3)
    run = Run(tmp_path)
    before = run.open(ROADS, GRID, VectorLayer("roads.shp")).fingerprint()
    for part in tmp_path.glob("roads.*"):
        part.unlink()
    write_layer(tmp_path / "roads.shp", bars(2), GRID.crs, highway=["path"] * 2)
    after = run.open(ROADS, GRID, VectorLayer("roads.shp"))
    assert after.fingerprint() != before
    assert after.read(GRID.whole).data.sum() < expected.sum()


def test_the_fingerprint_sees_features_and_not_the_files_bytes(tmp_path, expected):
    shutil.copy(tmp_path / "reference.gpkg", tmp_path / "opened.gpkg")
    with sqlite3.connect(tmp_path / "opened.gpkg") as file:
        file.execute("CREATE TABLE layer_styles (name TEXT)")
        file.execute("UPDATE gpkg_contents SET last_change = '2001-01-01T00:00:00.000Z'")
    assert (tmp_path / "opened.gpkg").read_bytes() != (tmp_path / "reference.gpkg").read_bytes()
    write_layer(tmp_path / "retagged.gpkg", bars(), GRID.crs, "reference", highway=["path", "path", "track"])
    write_layer(tmp_path / "reordered.gpkg", bars()[::-1], GRID.crs, "reference", highway=["path"] * 3)
    marks = {
        name: Run(tmp_path).open(ROADS, GRID, VectorLayer(f"{name}.gpkg")).fingerprint()
        for name in ("reference", "opened", "retagged", "reordered")
    }
    assert marks["opened"] == marks["reference"] == marks["reordered"]
    assert marks["retagged"] != marks["reference"]


def many_roads(tmp_path, count=3000):
    rng = np.random.default_rng(7)
    starts = rng.uniform((500_000, 4_990_000), (510_000, 5_000_000), (count, 2))
    lines = [shapely.LineString([start, start + rng.uniform(-150, 150, 2)]) for start in starts]
    write_layer(tmp_path / "many.gpkg", lines, GRID.crs, highway=["path"] * count)
    return square_grid(GRID.crs, 500_000, 5_000_000, 2.0, 5000)


@pytest.fixture
def counts(monkeypatch) -> list[int]:
    """How many features each question to a layer was answered with."""
    counts: list[int] = []
    ask = vector.VectorReader._ask

    def counted(self, *args):
        rows = ask(self, *args)
        counts.append(len(rows.ids))
        return rows

    monkeypatch.setattr(vector.VectorReader, "_ask", counted)
    return counts


def test_a_window_costs_what_lies_on_its_sheet_and_its_neighbours_nothing(tmp_path, counts, monkeypatch):
    monkeypatch.setattr(osm_sheets, "_MOST", 1000)
    source = Run(tmp_path).open(ROADS, many_roads(tmp_path), VectorLayer("many.gpkg"))
    source.read(Window(2200, 2200, 300, 300))
    asked = len(counts)
    assert len(counts) == 2, "the large square has too many, and is given up"
    assert 0 < counts[1] < 800
    source.read(Window(2300, 3000, 800, 700))
    assert len(counts) == asked


def test_a_sparse_layer_is_asked_once_for_a_large_square(tmp_path, counts):
    source = Run(tmp_path).open(ROADS, many_roads(tmp_path), VectorLayer("many.gpkg"))
    source.read(Window(0, 0, 300, 300))
    source.read(Window(2300, 3000, 800, 700))
    assert len(counts) == 1


def test_a_window_on_a_crowded_sheet_costs_its_own_features_only(tmp_path, counts, monkeypatch):
    grid = many_roads(tmp_path)
    spread = Run(tmp_path).open(ROADS, grid, VectorLayer("many.gpkg")).read(Window(2200, 2200, 300, 300))
    counts.clear()
    monkeypatch.setattr(osm_sheets, "_MOST", 100)
    crowded = Run(tmp_path).open(ROADS, grid, VectorLayer("many.gpkg"))
    window = crowded.read(Window(2200, 2200, 300, 300))
    assert 0 < sum(counts) < 400, "two sheets refused, and what lies on a chunk of 1024, of some 3000"
    assert np.array_equal(window.data, spread.data)
    before = len(counts)
    crowded.read(Window(2250, 2250, 100, 100))
    assert len(counts) == before


@pytest.mark.parametrize(("channels", "most"), [(2, 1024), (8, 512)])
def test_rows_of_blocks_burn_every_part_of_a_wide_map_once(tmp_path, monkeypatch, channels, most):
    """Eight channels of 16,000 columns do not fit into the cache in chunks of 1024."""
    many_roads(tmp_path)
    grid = square_grid(GRID.crs, 500_000, 5_000_000, 2.0, 16_000)
    burned: list[Window] = []
    burn = osm.OsmRasters._burn
    monkeypatch.setattr(osm.OsmRasters, "_burn", lambda self, *args: burned.append(args[-1]) or burn(self, *args))
    slot = osm_slot(**{f"roads{number}": recipe("highway") for number in range(channels)})
    source = Run(tmp_path).open(slot, grid, VectorLayer("many.gpkg"))
    for row in range(0, 1024, 512):
        for col in range(0, 16_000, 800):
            source.read(Window(row, col, 512, 800))
    assert len(burned) == len(set(burned))
    assert {window.height for window in burned} == {most}


def test_a_survey_in_small_batches_sees_every_feature_once(tmp_path, monkeypatch):
    grid = many_roads(tmp_path)
    open_again = lambda: Run(tmp_path).open(ROADS, grid, VectorLayer("many.gpkg"))  # noqa: E731
    whole = open_again()
    expected = whole.facts(), whole.fingerprint()
    monkeypatch.setattr(vector, "SURVEY", 100)
    batched = open_again()
    assert (batched.facts(), batched.fingerprint()) == expected
    assert expected[0].details["features"] > 2900


def test_a_grid_across_the_antimeridian_sees_both_sides(tmp_path):
    grid = square_grid("EPSG:4326", 179.9, 0.1, 0.002, 100)
    west = shapely.LineString([(179.95, -0.05), (179.99, -0.05)])
    east = shapely.LineString([(-179.99, -0.05), (-179.95, -0.05)])
    write_layer(tmp_path / "fiji.gpkg", [west, east], "EPSG:4326", highway=["path", "path"])
    band = Run(tmp_path).open(ROADS, grid, VectorLayer("fiji.gpkg")).read(grid.whole).data[0]
    row = np.flatnonzero(band[75])
    assert row.min() < 30 < 70 < row.max()
    utm = square_grid("EPSG:32601", 160_000, 10_000, 100.0, 300)
    band = Run(tmp_path).open(ROADS, utm, VectorLayer("fiji.gpkg")).read(utm.whole).data[0]
    assert len(np.flatnonzero(band.any(axis=0))) > 80


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (VectorLayer("gone.gpkg"), "is not there"),
        (VectorLayer("reference.gpkg", "streets"), "has no layer 'streets'"),
        (VectorLayer("reference.gpkg", where="no such column = 1"), "cannot be read"),
        (VectorLayer("plain.gpkg"), "has no CRS"),
        (VectorLayer("points_elsewhere.gpkg"), "may point at other layers"),
        (VectorLayer("hidden.zip"), "may point at other layers"),
        (VectorLayer("text.txt"), "cannot be read"),
        (VectorLayer("empty.zip"), "holds no vector file"),
        (VectorLayer("broken.zip"), "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(tmp_path, expected, layer, words):
    write_layer(tmp_path / "plain.gpkg", bars(), None, highway=["path"] * 3)
    vrt = '<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>http://localhost/x</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>'
    (tmp_path / "points_elsewhere.gpkg").write_text(vrt)
    with zipfile.ZipFile(tmp_path / "hidden.zip", "w") as archive:
        archive.writestr("deep/roads.gpkg", vrt)
    (tmp_path / "text.txt").write_text("nothing")
    (tmp_path / "broken.zip").write_bytes(b"PK nothing")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("readme.txt", "")
    with pytest.raises(SourceError, match=words) as refusal:
        values(Run(tmp_path), layer.path, layer=layer.layer, where=layer.where)
    assert str(tmp_path) not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_of_several_layers_the_first_is_read_and_the_others_are_named(tmp_path):
    write_layer(tmp_path / "two.gpkg", bars(), GRID.crs, "roads", highway=["path"] * 3)
    write_layer(tmp_path / "more.gpkg", bars(), GRID.crs, "water", waterway=["river"] * 3)
    meta, _, shapes, fields = raw.read(tmp_path / "more.gpkg")
    raw.write(
        str(tmp_path / "two.gpkg"),
        shapes,
        fields,
        list(meta["fields"]),
        layer="water",
        driver="GPKG",
        geometry_type="LineString",
        crs=GRID.crs,
        append=True,
    )
    run = Run(tmp_path)
    assert values(run, "two.gpkg").any()
    assert "water" in run.said[0]
    assert "roads" in run.said[0]
