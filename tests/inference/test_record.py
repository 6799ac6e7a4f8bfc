"""What a run records of itself: figures that are right whatever was made, its layers, and no more than it should."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.inference.job import PRODUCTS, job_from_dict
from fusion_mapper.inference.record import RunRecord, read_record
from fusion_mapper.inference.run import run_job
from fusion_mapper.inference.voice import Voice
from fusion_mapper.models.library import STARTERS
from pyproj import Geod

TOWN = [20.5200, -34.0500, 20.5250, -34.0460]


def run(folder: Path, products: dict[str, Any], sources: dict[str, Any], **job: Any) -> RunRecord:
    outputs = {"folder": str(folder), "products": products}
    run_job(job_from_dict({"schema": 1, "sources": sources, "outputs": outputs, **job}), folder, _voice())
    return read_record(folder)


def _voice() -> Voice:
    return Voice(lambda _: None, lambda: False)


@pytest.fixture
def town(shared_data: Path) -> dict[str, Any]:
    """Land cover of a piece of Swellendam."""
    folder = shared_data / "swellendam"
    roads = {"path": str(folder / "training_data.gpkg"), "layer": "roads"}
    return {
        "model": str(STARTERS / "landcover-rgb-1m.onnx"),
        "sources": {
            "imagery": {"path": str(folder / "3420B_2010_328_RGB_LATLNG.tif"), "name": "3420B"},
            "osm": {"layers": [roads]},
        },
        "grid": {"extent": TOWN, "native": True},
        "compute": {"device": "cpu"},
    }


def hectares(path: Path) -> dict[int, float]:
    """Area by value of a raster in degrees, row by row, from geodesic polygons of its pixels."""
    with rasterio.open(path) as file:
        values, t = file.read(1), file.transform
    geod, found = Geod(ellps="WGS84"), {}
    for row, line in enumerate(values):
        north, south = t.f + t.e * row, t.f + t.e * (row + 1)
        x = [t.c, t.c + t.a, t.c + t.a, t.c]
        pixel = abs(geod.polygon_area_perimeter(x, [south, south, north, north])[0]) / 10_000
        for value, count in zip(*np.unique(line, return_counts=True), strict=True):
            found[int(value)] = found.get(int(value), 0.0) + count * pixel
    return found


def test_the_areas_are_those_of_the_map_and_of_the_summary(town: dict[str, Any], tmp_path: Path) -> None:
    record = run(tmp_path, {"classes": None, "summary": None}, **town)
    (figures,) = record.areas
    expected = hectares(tmp_path / "classes.tif")
    assert sum(expected.values()) > 20
    for row in figures.classes:
        assert row.area_ha == pytest.approx(expected.get(row.value, 0.0), rel=1e-6)
    assert figures.nodata_ha == pytest.approx(expected.get(255, 0.0), rel=1e-6)
    assert sum(row.share for row in figures.classes) == pytest.approx(1)
    with (tmp_path / "summary.csv").open(newline="", encoding="utf-8") as file:
        written = [(row["name"], float(row["area_ha"])) for row in csv.DictReader(file)]
    assert [(row.name, row.area_ha) for row in figures.classes] == written[:-1]


@pytest.mark.parametrize("product", ["confidence", "polygons", "probabilities"])
def test_the_figures_do_not_depend_on_what_was_made(town: dict[str, Any], tmp_path: Path, product: str) -> None:
    whole = run(tmp_path / "whole", {"classes": None}, **town)
    other = run(tmp_path / "other", {product: None}, **town)
    assert other.areas == whole.areas
    assert other.files == {product: PRODUCTS[product]}


def test_a_regression_has_its_statistics(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "laos_s2"
    model = STARTERS / "treecover-10m.onnx"
    bands = [path / f"{band}.tif" for band in ("B04", "B03", "B02", "B08")]
    sources = {"imagery": {"stack": [{"path": str(band)} for band in bands], "dn_scale": 0.0001}}
    with rasterio.open(bands[0]) as file:
        left, top = file.transform * (300, 300)
    grid = {"extent": [left, top - 2000, left + 2000, top]}
    record = run(tmp_path, {"regression": None}, sources, model=str(model), grid=grid, compute={"device": "cpu"})
    (figures,) = record.areas
    with rasterio.open(tmp_path / "regression.tif") as file:
        values = file.read(1, masked=True).compressed().astype(float)
    assert figures.statistics["mean"] == pytest.approx(values.mean(), rel=1e-6)
    assert figures.statistics["std"] == pytest.approx(values.std(), rel=1e-5)
    assert (figures.statistics["min"], figures.statistics["max"]) == pytest.approx((values.min(), values.max()))
    assert figures.area_ha == pytest.approx(values.size / 100, rel=2e-3)
    assert (figures.units, figures.classes) == ("%", ())
    assert record.inputs[0].radiometry == "values × 0.0001"


def test_the_record_names_layers_and_model_but_no_place_of_a_source(town: dict[str, Any], tmp_path: Path) -> None:
    elsewhere = tmp_path / "secret-place"
    elsewhere.mkdir()
    original = Path(town["sources"]["imagery"]["path"])
    shutil.copy(original, elsewhere / original.name)
    town["sources"]["imagery"] = {"path": str(elsewhere / original.name)}
    record = run(tmp_path / "run", {"classes": str(tmp_path / "map.tif"), "confidence": None}, **town)
    imagery, osm = record.inputs
    assert (imagery.names, imagery.crs, imagery.dtype) == ((original.name,), "EPSG:4326", "uint8")
    assert imagery.gsd == pytest.approx(2.5, abs=0.3)
    assert osm.names == ("training_data.gpkg:roads",)
    assert osm.features
    assert record.card["name"] == "landcover-rgb-1m"
    assert record.model_hash.startswith("sha256:")
    assert record.files == {"classes": (tmp_path / "map.tif").as_posix(), "confidence": "confidence.tif"}
    assert any("OpenStreetMap" in line for line in record.attribution)
    assert "secret-place" not in (tmp_path / "run" / "run.json").read_text()


def test_a_warning_that_quotes_gdal_names_the_file_alone(shared_data: Path, tmp_path: Path) -> None:
    place = tmp_path / "secret-place"
    place.mkdir()
    for part in (shared_data / "swellendam").glob("water.*"):
        shutil.copy(part, place)
    layers = {"layers": [{"path": str(place / "water.shp"), "tags": {"natural": "water"}}], "unreadable": "skip"}
    imagery = {"path": str(shared_data / "swellendam" / "3420B_2010_328_RGB_LATLNG.tif")}
    model = str(STARTERS / "landcover-rgb-1m.onnx")
    grid = {"extent": TOWN, "native": True}
    record = run(tmp_path / "run", {"classes": None}, {"imagery": imagery, "osm": layers}, model=model, grid=grid)
    assert any("water.shp" in sentence and "cannot be read" in sentence for sentence in record.warnings)
    assert "secret-place" not in (tmp_path / "run" / "run.json").read_text()


def test_a_stack_without_a_model_has_no_figures(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "amazon_s2" / "srtm_sen2.tif"
    slot = {"name": "dem", "role": "dem", "input": "", "channels": [{"name": "slope", "derivative": "slope"}]}
    record = run(tmp_path, {"stack": None}, {"dem": {"path": str(path)}}, slots=[slot])
    assert (record.areas, record.card, record.session) == ((), None, None)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "There is no finished run in"),
        ("{", "is not valid JSON"),
        ("[]", "is not a run's record"),
        ('{"schema": 2}', "has version 2"),
        ('{"schema": 1, "warnings": 3}', "warnings must be a list"),
    ],
)
def test_what_is_no_record_is_refused_in_a_sentence(tmp_path: Path, content: str | None, sentence: str) -> None:
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(RequestError, match=sentence):
        read_record(tmp_path)


def test_a_record_of_an_older_engine_is_read(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"schema": 1, "seconds": 3.5, "machine": "a", "products": {}}))
    record = read_record(tmp_path)
    assert (record.seconds, record.areas, record.card) == (3.5, (), None)
