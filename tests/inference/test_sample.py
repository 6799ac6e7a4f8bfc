"""The sample scene: layers of one place that a starter model takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import rasterio
from fusion_mapper.inference.commands import find_command
from fusion_mapper.inference.errors import Cancelled, RequestError
from fusion_mapper.inference.events import Progress
from fusion_mapper.inference.sample import FILES, RECORD, write_sample
from fusion_mapper.inference.voice import Voice
from pyogrio import list_layers


def quiet(cancelled: bool = False) -> Voice:
    return Voice(lambda _event: None, lambda: cancelled)


def test_the_layers_lie_on_one_another(tmp_path):
    heard = []
    made = write_sample(tmp_path / "sample", Voice(heard.append, lambda: False))
    assert made.report["simulated"]
    assert not made.report["reused"]
    assert [event.done for event in heard if isinstance(event, Progress)] == [0, 1]
    with rasterio.open(made.products["imagery"]) as imagery, rasterio.open(made.products["truth"]) as truth:
        assert imagery.shape == truth.shape == (1024, 1024)
        assert imagery.bounds == truth.bounds
        bounds = rasterio.warp.transform_bounds(imagery.crs, "EPSG:4326", *imagery.bounds)
    with rasterio.open(made.products["dem"]) as dem:
        assert rasterio.coords.disjoint_bounds(dem.bounds, rasterio.coords.BoundingBox(*bounds)) is False
    assert {name for name, _ in list_layers(made.products["osm"])} >= {"roads", "buildings", "waterways", "water"}


def test_a_whole_scene_is_used_again_and_a_broken_one_is_not(tmp_path):
    first = write_sample(tmp_path, quiet())
    before = {file: (tmp_path / file).stat().st_mtime_ns for file in FILES.values()}
    assert write_sample(tmp_path, quiet()).report["reused"]
    assert {file: (tmp_path / file).stat().st_mtime_ns for file in FILES.values()} == before
    (tmp_path / FILES["dem"]).unlink()
    again = write_sample(tmp_path, quiet())
    assert not again.report["reused"]
    assert again.products == first.products
    assert (tmp_path / FILES["dem"]).is_file()


def test_the_engine_knows_the_command(tmp_path):
    made = find_command("sample")({"folder": str(tmp_path)}, quiet())
    assert all(Path(path).parent == tmp_path and Path(path).is_file() for path in made.products.values())
    with pytest.raises(RequestError, match="needs 'folder'"):
        find_command("sample")({}, quiet())


def test_a_cancelled_scene_leaves_nothing(tmp_path):
    with pytest.raises(Cancelled):
        write_sample(tmp_path, quiet(cancelled=True))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "sample").write_text("mine")
    with pytest.raises(RequestError, match="cannot be written into"):
        write_sample(tmp_path / "sample", quiet())
    assert (tmp_path / "sample").read_text() == "mine"


def test_the_record_is_written_last(tmp_path):
    write_sample(tmp_path, quiet())
    newest = max(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert newest.name == RECORD
