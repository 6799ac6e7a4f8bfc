"""The pre-flight catches imagery whose numbers are not those that a model was trained with, on real scenes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fusion_mapper.inference.check import check_job
from fusion_mapper.inference.job import Job, Outputs, RasterFile, Source
from fusion_mapper.inference.voice import Voice
from fusion_mapper.models.card import read_sidecar
from fusion_mapper.models.library import STARTERS

AERIAL = "swellendam/3420B_2010_328_RGB_LATLNG.tif"
LAOS = tuple(f"laos_s2/{name}.tif" for name in ("B04", "B03", "B02", "B08"))
AMAZON, LANDSAT, INN = "amazon_s2/sen2.tif", "loon_lake/landsat.tif", "inn_valley_s2/inference-img.tif"


@pytest.fixture
def imagery_entry(shared_data: Path, tmp_path: Path):
    """The report's entry for the imagery of a starter model."""

    def check(model: str, *files: str, **reading: Any) -> dict[str, Any]:
        slot = read_sidecar(STARTERS / f"{model}.json").slots[0]
        paths = [str(shared_data / file) for file in files]
        place = {"path": paths[0]} if len(paths) == 1 else {"stack": tuple(RasterFile(path) for path in paths)}
        job = Job({slot.name: Source(**place, **reading)}, Outputs(str(tmp_path), {"stack": None}), slots=(slot,))
        return check_job(job, tmp_path, Voice(lambda _event: None, lambda: False)).report["slots"][slot.name]

    return check


@pytest.mark.parametrize(
    ("model", "files", "reading"),
    [
        ("landcover-rgb-1m", (AERIAL,), {"bands": (1, 2, 3)}),
        ("treecover-10m", LAOS, {}),
        ("treecover-10m", (AMAZON,), {"bands": (4, 3, 2, 8), "dn_scale": 1e4}),
        ("fields-10m", (INN,), {"bands": (1, 2, 3, 4)}),
        # With clouds, 24 standard deviations above the mean that the model knows.
        pytest.param("fields-10m", (INN,), {"bands": (5, 6, 7, 8)}, id="clouds"),
    ],
)
def test_numbers_that_suit_the_model_are_not_remarked_on(imagery_entry, model, files, reading) -> None:
    assert "values" not in imagery_entry(model, *files, **reading)["about"]


@pytest.mark.parametrize(
    ("model", "files", "reading"),
    [
        pytest.param("landcover-rgb-1m", (AMAZON,), {"bands": (4, 3, 2)}, id="reflectance for bytes"),
        pytest.param("landcover-rgb-1m", LAOS[:3], {}, id="numbers for bytes"),
        pytest.param("treecover-10m", (AMAZON,), {"bands": (4, 3, 2, 8)}, id="reflectance for numbers"),
        pytest.param("treecover-10m", (AERIAL,), {"bands": (1, 2, 3, 1)}, id="bytes for numbers"),
        pytest.param("treecover-10m", LAOS, {"dn_scale": 1e-4}, id="numbers made reflectance"),
        pytest.param("treecover-10m", (LANDSAT,), {"bands": (1, 2, 3, 4)}, id="Landsat's numbers"),
    ],
)
def test_numbers_of_another_unit_are_remarked_on(imagery_entry, model, files, reading) -> None:
    entry = imagery_entry(model, *files, **reading)
    assert entry["verdict"] == "works"
    assert "was not made for; check the layer's units" in entry["sentences"][entry["about"].index("values")]
