"""The raster that is judged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from fusion_mapper.inference.errors import RequestError, SourceError
from fusion_mapper.inference.grid import Window
from fusion_mapper.inference.learning.evaluation_map import open_map, survey_values
from fusion_mapper.inference.learning.evaluation_tally import windows_of
from fusion_mapper.inference.sources import Context
from rasterio.transform import from_origin

SIDECAR = """<PAMDataset><PAMRasterBand band="1"><CategoryNames><Category></Category><Category>water</Category>
<Category>tree &amp; shrub</Category></CategoryNames></PAMRasterBand></PAMDataset>"""


def write_map(path: Path, values: np.ndarray, crs: str | None = "EPSG:32633", **options: object) -> Path:
    height, width = values.shape
    place = {"crs": crs, "transform": from_origin(600000, 5000000, 10, 10)} if crs else {}
    options = {"nodata": 255, **options} if values.dtype == np.uint8 else options
    profile = {"driver": "GTiff", "width": width, "height": height, "count": 1, "dtype": values.dtype}
    with rasterio.open(path, "w", **profile, **place, **options) as file:
        file.write(values, 1)
    return path


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(tmp_path, tmp_path, lambda sentence: None)


def test_names_come_from_the_rasters_categories(tmp_path: Path, context: Context) -> None:
    path = write_map(tmp_path / "map.tif", np.array([[1, 2]], np.uint8))
    path.with_name("map.tif.aux.xml").write_text(SIDECAR)
    assert [(info.value, info.name) for info in open_map("map.tif", 1, context).legend] == [
        (1, "water"),
        (2, "tree & shrub"),
    ]


def test_names_and_notice_come_from_the_run_that_made_the_map(tmp_path: Path, context: Context) -> None:
    write_map(tmp_path / "classes.tif", np.array([[1, 2]], np.uint8))
    water = {"value": 1, "name": "water", "color": "#0000ff", "pixels": 1, "area_ha": 1.0, "share": 0.5}
    areas = {"output": "Land cover", "task": "semantic-segmentation", "pixels": 2, "area_ha": 2.0, "nodata_pixels": 0}
    record = {
        "schema": 1, "model": "Starter", "model_hash": "sha256:ab", "files": {"classes": "classes.tif"},
        "areas": [{**areas, "nodata_ha": 0.0, "classes": [water]}],
    }  # fmt: skip
    (tmp_path / "run.json").write_text(json.dumps(record))
    judged = open_map("classes.tif", 1, context)
    assert [(info.value, info.name) for info in judged.legend] == [(1, "water")]
    assert (judged.model, judged.model_hash) == ("Starter", "sha256:ab")


def test_a_record_of_other_files_tells_nothing_of_this_one(tmp_path: Path, context: Context) -> None:
    write_map(tmp_path / "mine.tif", np.array([[1, 2]], np.uint8))
    (tmp_path / "run.json").write_text(json.dumps({"schema": 1, "files": {"classes": "classes.tif"}}))
    assert open_map("mine.tif", 1, context).made is None


def test_hectares_by_value_do_not_depend_on_the_windows(tmp_path: Path, context: Context) -> None:
    values = np.random.default_rng(1).integers(1, 4, (70, 130)).astype(np.uint8)
    write_map(tmp_path / "map.tif", values)
    judged = open_map("map.tif", 1, context)
    whole = survey_values(judged, [judged.grid.whole])
    parts = survey_values(judged, [Window(0, 0, 33, 130), Window(33, 0, 37, 64), Window(33, 64, 37, 66)])
    assert {value: one.pixels for value, one in whole.items()} == {v: int((values == v).sum()) for v in (1, 2, 3)}
    for value, one in whole.items():
        assert parts[value].area == pytest.approx(one.area, rel=1e-9)
    # UTM's scale, 0.9996 on the central meridian, here 100 km east of it (Snyder 1987, p. 61).
    scale = 0.9996 * (1 + 100_000**2 / (2 * 6_371_000**2))
    assert sum(one.area for one in whole.values()) == pytest.approx(70 * 130 * 100 / scale**2, rel=1e-5)


def test_nodata_is_no_class(tmp_path: Path, context: Context) -> None:
    write_map(tmp_path / "map.tif", np.array([[1, 255]], np.uint8))
    judged = open_map("map.tif", 1, context)
    assert list(survey_values(judged, windows_of(judged.grid))) == [1]


def test_whole_numbers_stored_as_floats_are_classes(tmp_path: Path, context: Context) -> None:
    write_map(tmp_path / "map.tif", np.array([[1, np.nan]], np.float32))
    values, valid = open_map("map.tif", 1, context).classes(Window(0, 0, 1, 2))
    assert (values[0, 0], valid.tolist()) == (1, [[True, False]])


def test_measured_values_are_no_classes(tmp_path: Path, context: Context) -> None:
    write_map(tmp_path / "cover.tif", np.array([[1, 2.5]], np.float32))
    judged = open_map("cover.tif", 1, context)
    with pytest.raises(RequestError, match=r"cover\.tif holds measured values such as 2\.5.*pixel-regression"):
        judged.classes(Window(0, 0, 1, 2))


def test_a_window_that_reaches_beyond_the_map_has_no_values_there(tmp_path: Path, context: Context) -> None:
    write_map(tmp_path / "map.tif", np.array([[7, 8], [9, 10]], np.uint8))
    values, valid = open_map("map.tif", 1, context).classes(Window(-1, 1, 3, 3))
    assert values[1:, 0].tolist() == [8, 10]
    assert valid.sum() == 2


def test_a_map_without_a_crs_is_refused(tmp_path: Path, context: Context) -> None:
    write_map(tmp_path / "map.tif", np.array([[1, 2]], np.uint8), crs=None)
    with pytest.raises(SourceError, match=r"map\.tif has no georeference"):
        open_map("map.tif", 1, context)


def test_a_band_that_the_map_lacks_is_named(tmp_path: Path, context: Context) -> None:
    write_map(tmp_path / "map.tif", np.array([[1, 2]], np.uint8))
    with pytest.raises(RequestError, match=r"job\.band is 3, but map\.tif has 1 band"):
        open_map("map.tif", 3, context)


def test_an_empty_map_is_refused(tmp_path: Path, context: Context) -> None:
    write_map(tmp_path / "map.tif", np.full((2, 2), 255, np.uint8))
    judged = open_map("map.tif", 1, context)
    with pytest.raises(RequestError, match="no pixel with a value"):
        survey_values(judged, windows_of(judged.grid))
