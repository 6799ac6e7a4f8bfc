"""Products never land on one another, on what the run reads, or where they cannot be; told before the run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fusion_mapper.inference.destinations import destinations
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.inference.job import Area, GridSpec, Job, Outputs, RasterFile, Source, VectorLayer


def job(**products: str | None) -> Job:
    sources = {
        "imagery": Source(path="ortho.tif"),
        "tiles": Source(mosaic=("a.tif", "b.tif")),
        "bands": Source(stack=(RasterFile("B02.tif"),)),
        "osm": Source(layers=(VectorLayer("roads.gpkg"),)),
    }
    return Job(sources, Outputs("out", products), grid=GridSpec(area=Area("area.gpkg")))


def places(folder: Path, **products: str | None) -> dict[str, Path]:
    return destinations(job(**products), folder, products)


def test_products_have_default_names_and_may_lie_anywhere(tmp_path: Path) -> None:
    found = places(
        tmp_path, classes=None, confidence="new/ü/c.TIFF", polygons="p.gpkg", summary=str(tmp_path / "s.csv")
    )
    assert found["classes"] == tmp_path / "out" / "classes.tif"
    assert found["confidence"] == tmp_path / "new" / "ü" / "c.TIFF"
    assert found["summary"] == tmp_path / "s.csv"


@pytest.mark.parametrize(
    ("product", "path", "sentence"),
    [
        ("classes", "ortho.tif", "which the run reads"),
        ("classes", "out/../b.tif", "which the run reads"),
        ("classes", "B02.tif", "which the run reads"),
        ("polygons", "roads.gpkg", "which the run reads"),
        ("fields", "area.gpkg", "which the run reads"),
        ("classes", "classes", "is a .tif"),
        ("classes", "c.png", "is a .tif"),
        ("polygons", "p.shp", "is a .gpkg"),
        ("summary", "s.json", "is a .csv"),
        ("classes", "/vsimem/c.tif", "no place on this machine"),
        ("classes", "https://example.org/c.tif", "no place on this machine"),
    ],
)
def test_a_path_that_cannot_hold_its_product_is_refused(tmp_path: Path, product: str, path: str, sentence: str) -> None:
    with pytest.raises(RequestError, match=rf"outputs\.products\.{product}.*{sentence}"):
        places(tmp_path, **{product: path})


def test_a_link_to_an_input_is_the_input(tmp_path: Path) -> None:
    (tmp_path / "ortho.tif").write_bytes(b"pixels")
    os.link(tmp_path / "ortho.tif", tmp_path / "other.tif")
    with pytest.raises(RequestError, match="which the run reads"):
        places(tmp_path, classes="other.tif")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "out" / "classes.tif").mkdir(parents=True)
    with pytest.raises(RequestError, match="which is a folder"):
        places(tmp_path, classes=None)


def test_two_products_in_one_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"confidence and outputs\.products\.classes"):
        places(tmp_path, classes="x.tif", confidence="out/../x.tif")


def test_an_address_is_no_run_folder(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"outputs\.folder is 'https"):
        destinations(Job({}, Outputs("https://example.org/out")), tmp_path, {"classes": None})
