"""Real layers through the whole engine: the stack is what GDAL makes of them, nodata is where the inputs have it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.inference.events import Result
from fusion_mapper.inference.grid import Grid
from fusion_mapper.inference.job import job_from_dict
from fusion_mapper.inference.run import run_job
from fusion_mapper.inference.voice import Voice
from fusion_mapper.models.card import Channel, OsmRecipe, Scaling, Slot, TagRule
from fusion_mapper.models.fields import encode
from osm_sources import gdal_rasterize
from tiny_models import save_pooled
from warp_reference import gdalwarp


def run(folder: Path, **job: Any) -> Result:
    return run_job(job_from_dict({"schema": 1, **job}), folder, Voice(lambda _: None, lambda: False))


def stacked(folder: Path, slots: tuple[Slot, ...], sources: dict[str, Any], **grid: Any) -> tuple[np.ndarray, Grid]:
    """The stack of a run without a model (NaN where nodata), and its grid."""
    outputs = {"folder": str(folder), "products": {"stack": None}}
    result = run(folder, slots=encode(slots), sources=sources, outputs=outputs, grid=grid)
    with rasterio.open(result.products["stack"]) as file:
        values = file.read(masked=True).filled(np.nan)
        return values, Grid(file.crs.to_wkt(), file.transform, file.width, file.height)


PLAIN = Scaling()


def imagery(*bands: str, scaling: Scaling = PLAIN, name: str = "imagery") -> Slot:
    return Slot(name, "imagery", tuple(Channel(band, scaling) for band in bands), "x")


def valid_of(path: Path, bands: int) -> np.ndarray:
    with rasterio.open(path) as file:
        values = file.read(range(1, bands + 1))
        return (file.read_masks(range(1, bands + 1)) > 0).all(axis=0) & np.isfinite(values).all(axis=0)


@pytest.fixture(scope="module")
def swellendam(shared_data: Path) -> Path:
    return shared_data / "swellendam"


def test_swellendam_is_stacked_as_gdal_would(swellendam: Path, tmp_path: Path) -> None:
    """Aerial in degrees, SRTM in UTM at 90 m, OSM: elevation to 1e-3 m, plain OSM channels exactly."""
    slots = (
        imagery("red", "green", "blue"),
        Slot("dem", "dem", (Channel("elevation", derivative="elevation"),), "x", 3),
        Slot(
            "osm",
            "osm",
            (
                Channel("roads", osm=OsmRecipe((TagRule("highway"),))),
                Channel("buildings", osm=OsmRecipe((TagRule("building"),), all_touched=True)),
            ),
            "x",
            4,
        ),
    )
    vectors = swellendam / "training_data.gpkg"
    aerial, srtm = swellendam / "3420B_2010_328_RGB_LATLNG.tif", swellendam / "srtm_41_19.tif"
    layers = [{"path": str(vectors), "layer": name} for name in ("roads", "buildings")]
    values, grid = stacked(
        tmp_path,
        slots,
        {"imagery": {"path": str(aerial), "bands": [1, 2, 3]}, "dem": {"path": str(srtm)}, "osm": {"layers": layers}},
    )
    with rasterio.open(aerial) as file:
        assert (grid.width, grid.height) == (file.width, file.height)
        np.testing.assert_array_equal(
            values[:3][:, file.dataset_mask() > 0], file.read([1, 2, 3])[:, file.dataset_mask() > 0]
        )
    elevation, known = gdalwarp([srtm], grid, tmp_path)
    np.testing.assert_array_equal(np.isfinite(values[3]), known[0])
    assert np.abs(values[3] - elevation[0])[known[0]].max() < 1e-3
    np.testing.assert_array_equal(values[4], gdal_rasterize(vectors, "roads", grid, tmp_path / "r.tif"))
    np.testing.assert_array_equal(values[5], gdal_rasterize(vectors, "buildings", grid, tmp_path / "b.tif", "-at"))


@pytest.mark.parametrize(("unreadable", "lost"), [("stop", None), ("skip", "7 of 38 features of 'water.shp'")])
def test_the_corrupt_water_layer_stops_or_loses_a_counted_few(
    swellendam: Path, tmp_path: Path, unreadable: str, lost: str | None
) -> None:
    slots = (
        imagery("red"),
        Slot("osm", "osm", (Channel("water", osm=OsmRecipe((TagRule("natural", ("water",)),))),), "x", 1),
    )
    sources = {
        "imagery": {"path": str(swellendam / "3420B_2010_328_RGB_LATLNG.tif"), "bands": [1]},
        "osm": {
            "layers": [{"path": str(swellendam / "water.shp"), "tags": {"natural": "water"}}],
            "unreadable": unreadable,
        },
    }
    job = {
        "slots": encode(slots),
        "sources": sources,
        "outputs": {"folder": str(tmp_path / "out"), "products": {"stack": None}},
    }
    if lost is None:
        with pytest.raises(RequestError, match=r"water\.shp"):
            run(tmp_path, **job)
        assert not (tmp_path / "out" / "stack.tif").exists()
    else:
        assert any(lost in warning for warning in run(tmp_path, **job).report["warnings"])


def test_laos_is_one_source_of_twelve_files_at_three_resolutions(shared_data: Path, tmp_path: Path) -> None:
    names = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"]
    files = [shared_data / "laos_s2" / f"{name}.tif" for name in names]
    slot = imagery(*names, scaling=Scaling(1500.0, 1000.0))
    sources = {"imagery": {"stack": [{"path": str(file)} for file in files]}}
    values, grid = stacked(tmp_path / "stack", (slot,), sources)
    assert (grid.width, grid.height) == (1068, 1068)
    for band, file in zip(values, files, strict=True):
        expected, known = gdalwarp([file], grid, tmp_path)
        inside = known[0] & np.isfinite(band)
        assert inside.mean() > 0.99
        np.testing.assert_allclose(band[inside], expected[0][inside], atol=0.5)
    save_pooled(tmp_path / "model.onnx", (slot,), tile=256)
    outputs = {"folder": str(tmp_path / "out"), "products": {"classes": None}}
    result = run(tmp_path, model=str(tmp_path / "model.onnx"), sources=sources, outputs=outputs)
    with rasterio.open(result.products["classes"]) as file:
        np.testing.assert_array_equal(file.read_masks(1) > 0, np.isfinite(values).all(axis=0))


def test_inn_valley_gives_field_polygons_from_two_dates(
    shared_data: Path, repository_root: Path, tmp_path: Path
) -> None:
    """One file holds both dates; each slot takes its four bands."""
    image = shared_data / "inn_valley_s2" / "inference-img.tif"
    sources = {
        "early": {"path": str(image), "bands": [1, 2, 3, 4]},
        "late": {"path": str(image), "bands": [5, 6, 7, 8]},
    }
    outputs = {"folder": str(tmp_path), "products": {"fields": None, "classes": None, "summary": None}}
    model = repository_root / "resources" / "models" / "fields-10m.onnx"
    result = run(tmp_path, model=str(model), sources=sources, outputs=outputs)
    meta, _, wkb, columns = pyogrio.raw.read(result.products["fields"])
    polygons = shapely.from_wkb(wkb)
    assert len(polygons) > 20
    assert shapely.is_valid(polygons).all()
    assert list(meta["fields"]) == ["field_id", "area_ha", "perimeter_m", "confidence"]
    assert len(set(columns[0])) == len(polygons)
    tree = shapely.STRtree(polygons)
    pairs = tree.query(polygons, predicate="overlaps")
    assert pairs.size == 0, "fields do not overlap"
    with rasterio.open(result.products["classes"]) as file:
        outside = file.read_masks(1) == 0
    np.testing.assert_array_equal(outside, ~valid_of(image, 8))


@pytest.mark.parametrize(
    ("file", "bands"), [("amazon_s2/sen2.tif", 12), ("loon_lake/landsat.tif", 4)], ids=["amazon", "loon lake"]
)
def test_a_map_is_nodata_exactly_where_its_imagery_is(shared_data: Path, tmp_path: Path, file: str, bands: int) -> None:
    slot = imagery(*(f"b{i}" for i in range(bands)), scaling=Scaling(0.1, 0.1))
    save_pooled(tmp_path / "model.onnx", (slot,))
    outputs = {"folder": str(tmp_path), "products": {"classes": None, "confidence": None}}
    sources = {"imagery": {"path": str(shared_data / file)}}
    result = run(tmp_path, model=str(tmp_path / "model.onnx"), sources=sources, outputs=outputs)
    expected = valid_of(shared_data / file, bands)
    for product in ("classes", "confidence"):
        with rasterio.open(result.products[product]) as written:
            np.testing.assert_array_equal(written.read_masks(1) > 0, expected)


def test_amazon_with_its_elevation_and_an_area(shared_data: Path, tmp_path: Path) -> None:
    """The labelled polygons as the area: outside them nothing is mapped."""
    place = shared_data / "amazon_s2"
    slots = (
        imagery(*(f"b{i}" for i in range(12)), scaling=Scaling(0.1, 0.1)),
        Slot("dem", "dem", (Channel("slope", Scaling(0, 20), derivative="slope"),), "x", 12, missing="mask_channel"),
    )
    save_pooled(tmp_path / "model.onnx", slots)
    polygons = place / "trainingPolygons_sen2.gpkg"
    result = run(
        tmp_path,
        model=str(tmp_path / "model.onnx"),
        sources={"imagery": {"path": str(place / "sen2.tif")}, "dem": {"path": str(place / "srtm_sen2.tif")}},
        grid={"area": {"path": str(polygons)}},
        outputs={"folder": str(tmp_path), "products": {"classes": None, "missing": None}},
    )
    _, _, wkb, _ = pyogrio.raw.read(polygons)
    area = shapely.union_all(shapely.from_wkb(wkb))
    with rasterio.open(result.products["classes"]) as file:
        mapped = file.read_masks(1) > 0
        rows, cols = np.nonzero(mapped)
        xs, ys = file.transform @ (cols + 0.5, rows + 0.5)
        assert mapped.any()
        assert shapely.contains_xy(area, xs, ys).all()
        cell = abs(file.transform.a * file.transform.e)
    assert mapped.sum() * cell == pytest.approx(area.area, rel=0.1)
