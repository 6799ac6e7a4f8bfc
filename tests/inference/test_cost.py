"""What the pre-flight says a run will cost, against what real runs take, and on jobs that are not complete yet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyogrio
import pytest
import shapely
from fusion_mapper.inference.check import check_job
from fusion_mapper.inference.duration import seconds_of
from fusion_mapper.inference.errors import Cancelled
from fusion_mapper.inference.events import Progress
from fusion_mapper.inference.job import Area, Compute, GridSpec, Job, Outputs, Source, VectorLayer
from fusion_mapper.inference.kept import Kept
from fusion_mapper.inference.prepare import prepare
from fusion_mapper.inference.run import run_job
from fusion_mapper.inference.sources import Context
from fusion_mapper.inference.voice import Voice
from fusion_mapper.models.library import STARTERS
from tiny_models import imagery_slot, save_pooled

QUIET = Voice(lambda _event: None, lambda: False)
#: Metres in UTM zone 34 south, amid the aerial image.
WEST, SOUTH = 454_000.0, 6_233_500.0


@pytest.fixture
def job(shared_data: Path, tmp_path: Path) -> Job:
    """A small network over 300×300 m of Swellendam, in tiles of 128 pixels."""
    save_pooled(tmp_path / "model.onnx", (imagery_slot(),), gsd=1.0)
    return Job(
        {"imagery": Source(str(shared_data / "swellendam" / "3420B_2010_328_RGB_LATLNG.tif"), (1, 2, 3))},
        Outputs("out", {"classes": None}),
        model="model.onnx",
        grid=GridSpec(crs="EPSG:32734", resolution=1.0, extent=(WEST, SOUTH, WEST + 300, SOUTH + 300)),
    )


def report(job: Job, folder: Path, kept: Kept | None = None, timed: bool = False) -> dict[str, Any]:
    return check_job(job, folder, QUIET, kept, timed).report


def seconds(job: Job, folder: Path, kept: Kept) -> float:
    """The estimate without the look at the layers, which takes another time each time."""
    prepared = prepare(job, folder, print, kept)
    return seconds_of(prepared, Context(folder, prepared.folder, print), kept, lambda: None)


def folder_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def wide(job: Job, side: float) -> Job:
    return replace(job, grid=replace(job.grid, extent=(WEST, SOUTH, WEST + side, SOUTH + side)))


@pytest.mark.parametrize(
    "products",
    [("classes",), ("classes", "polygons", "summary"), ("confidence", "entropy", "probabilities"), ("stack",)],
    ids=lambda names: names[0],
)
def test_a_run_stays_within_the_disk_that_was_told(job: Job, tmp_path: Path, products: tuple[str, ...]) -> None:
    """Looked at whenever a product begins to be written, while all blocks are there."""
    job = replace(job, outputs=Outputs("out", dict.fromkeys(products)))
    sizes = [0]

    def say(event: object) -> None:
        if isinstance(event, Progress) and event.stage == "writing":
            sizes.append(folder_bytes(tmp_path / "out"))

    told = report(job, tmp_path)
    run_job(job, tmp_path, Voice(say, lambda: False))
    # A few kilobytes of plan and headers are no matter of pixels.
    assert max(sizes) <= told["disk"] + 200_000
    assert told["disk"] < 10 * max(sizes)
    assert told["free"] > 2**20


def test_disk_grows_with_the_area_and_with_what_is_made(job: Job, tmp_path: Path) -> None:
    small, large = report(job, tmp_path)["disk"], report(wide(job, 600), tmp_path)["disk"]
    assert large == pytest.approx(4 * small, rel=0.01)
    more = replace(job, outputs=Outputs("out", {"classes": None, "probabilities": None}))
    assert report(more, tmp_path)["disk"] > 10 * small


def test_the_time_is_told_when_asked_for_and_grows_with_the_area(job: Job, tmp_path: Path) -> None:
    kept = Kept()
    job = replace(job, compute=Compute(block=256))
    assert "seconds" not in report(job, tmp_path, kept)
    small, large = seconds(job, tmp_path, kept), seconds(wide(job, 1200), tmp_path, kept)
    # Sixteen times the area; what either takes is measured, so the factor is not.
    assert 2 * small < large
    assert report(job, tmp_path, kept, timed=True)["seconds"] > small


def test_what_was_measured_is_kept_and_told_again(job: Job, tmp_path: Path) -> None:
    """A second measurement would hardly be the same to the last digit."""
    kept = Kept()
    first = seconds(job, tmp_path, kept)
    assert seconds(job, tmp_path, kept) == first
    assert seconds(job, tmp_path, Kept()) != first


def test_an_area_of_few_tiles_takes_less_time(job: Job, tmp_path: Path) -> None:
    kept = Kept()
    job = replace(wide(job, 1600), compute=Compute(tile=128))
    whole = seconds(job, tmp_path, kept)
    corners = [shapely.box(x, SOUTH, x + 60, SOUTH + 60) for x in (WEST, WEST + 1500)]
    wedge = shapely.union_all([*corners, shapely.box(WEST, SOUTH + 1500, WEST + 60, SOUTH + 1560)])
    pyogrio.raw.write(
        tmp_path / "area.gpkg", shapely.to_wkb([wedge]), [], [], crs="EPSG:32734", geometry_type="MultiPolygon"
    )
    job = replace(job, grid=replace(job.grid, area=Area("area.gpkg")))
    assert seconds(job, tmp_path, kept) < whole


def test_a_slot_without_its_layer_does_not_hide_the_others(job: Job, shared_data: Path, tmp_path: Path) -> None:
    """The imagery is still to be chosen; where the map lies is known."""
    roads = VectorLayer(str(shared_data / "swellendam" / "training_data.gpkg"), "roads")
    model = str(STARTERS / "landcover-rgb-1m.onnx")
    found = report(
        replace(wide(job, 1024), model=model, sources={"osm": Source(layers=(roads,))}), tmp_path, timed=True
    )
    assert found["slots"]["imagery"]["verdict"] == "cannot"
    assert found["slots"]["imagery"]["about"] == ["missing"]
    assert found["slots"]["osm"]["facts"]["details"]["features"] > 0
    assert (found["pixels"], found["seconds"]) == (1024**2, None)


def test_a_layer_that_cannot_be_read_is_its_slots_matter(job: Job, shared_data: Path, tmp_path: Path) -> None:
    (tmp_path / "dem.tif").write_text("no raster")
    model = str(STARTERS / "landcover-rgb-1m.onnx")
    job = replace(job, model=model, sources={**job.sources, "dem": Source(str(tmp_path / "dem.tif"))})
    found = report(job, tmp_path)["slots"]
    assert (found["dem"]["verdict"], found["dem"]["about"]) == ("cannot", ["source"])
    assert "dem.tif" in found["dem"]["sentences"][0]
    assert found["imagery"]["verdict"] == "fits"


def test_a_damaged_layer_is_told_apart_by_its_file(job: Job, shared_data: Path, tmp_path: Path) -> None:
    rivers = VectorLayer(str(shared_data / "swellendam" / "rivers.shp"))
    model = str(STARTERS / "landcover-rgb-1m.onnx")
    job = replace(job, model=model, sources={**job.sources, "osm": Source(layers=(rivers,))})
    found = report(job, tmp_path)["slots"]["osm"]
    assert (found["verdict"], found["about"], found["file"]) == ("cannot", ["damage"], "rivers.shp")


def test_a_check_can_be_stopped(job: Job, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        check_job(job, tmp_path, Voice(lambda _event: None, lambda: True), None, True)
