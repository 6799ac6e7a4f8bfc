"""What run folders hold is counted; only what a run wrote is ever deleted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.inference.job import GridSpec, Job, Outputs, Source
from fusion_mapper.toolbox.engine.once import Engine
from fusion_mapper.toolbox.runs.folder_use import layer_files, layers_inside
from fusion_mapper.toolbox.runs.folders import delete_folder, delete_leftovers, examine, is_run_folder, run_folders
from qgis.core import QgsRasterLayer, QgsVectorLayer


@pytest.fixture
def run_folder(models, shared_data, engine_python, tmp_path) -> Path:
    """The folder of a real, finished run, with copies and blocks as a run of layers that are no files leaves them."""
    folder = tmp_path / "runs" / "20261121-080000-abcdef"
    town = shared_data / "swellendam"
    job = Job(
        sources={"imagery": Source(str(town / "3420B_2010_328_RGB_LATLNG.tif"), bands=(1, 2, 3))},
        outputs=Outputs(str(folder), {"classes": None, "polygons": str(folder / "parcels.gpkg")}),
        model=str(models / "tiny-landcover.onnx"),
        grid=GridSpec(extent=(20.522, -34.049, 20.5245, -34.047), extent_crs="EPSG:4326"),
    )
    Engine(engine_python).run(job, folder, lambda _event: None, lambda: False)
    for name in ("staged/roads-0123456789ab.gpkg", "staged/part-aerial_1-0123456789ab.tif", "blocks/00000000.npz",
                 "blocks/00000000.png", "vectors/roads-0123456789abcdef01234567.fgb"):  # fmt: skip
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x" * 1000)
    return folder


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def test_sizes_are_told_by_kind(run_folder):
    found = examine(run_folder)
    assert found.foreign == ()
    assert (found.sizes["blocks"], found.sizes["copies"], found.leftovers) == (2000, 3000, 5000)
    assert found.sizes["products"] >= (run_folder / "parcels.gpkg").stat().st_size
    assert found.size == sum(path.stat().st_size for path in run_folder.rglob("*") if path.is_file())


def test_leftovers_go_and_results_stay(run_folder):
    before = files(run_folder)
    assert delete_leftovers(run_folder) == 5000
    left = files(run_folder)
    assert {name for name in before if "/" not in name} == left
    assert {"classes.tif", "parcels.gpkg", "plan.json", "run.json"} <= left


def test_the_whole_folder_goes(run_folder):
    size = examine(run_folder).size
    assert delete_folder(run_folder) == size
    assert not run_folder.exists()


@pytest.mark.parametrize("name", ["notes.txt", "staged/mine.gpkg", "classes.qml", "photos/a.jpg"])
def test_a_folder_with_something_else_in_it_stays_whole(run_folder, name):
    (run_folder / name).parent.mkdir(exist_ok=True)
    (run_folder / name).write_text("mine")
    before = files(run_folder)
    with pytest.raises(RequestError, match="which no run wrote"):
        delete_folder(run_folder)
    assert files(run_folder) == before
    delete_leftovers(run_folder)
    assert (run_folder / name).read_text() == "mine"


def test_what_gdal_and_qgis_put_beside_a_product_is_the_run_s(run_folder):
    for name in ("classes.tif.aux.xml", "parcels.gpkg-wal", "parcels.gpkg-shm", "classes.tif.ovr"):
        (run_folder / name).write_text("x")
    assert examine(run_folder).foreign == ()
    delete_folder(run_folder)
    assert not run_folder.exists()


def test_no_link_is_followed(run_folder, tmp_path):
    precious = tmp_path / "precious"
    (precious / "deep").mkdir(parents=True)
    (precious / "00000000.npz").write_text("mine")
    os.symlink(precious / "00000000.npz", run_folder / "blocks" / "00000001.npz")
    os.symlink(precious, run_folder / "vectors" / "roads-0123456789abcdef01234568.fgb")
    with pytest.raises(RequestError, match="no run wrote"):
        delete_folder(run_folder)
    delete_leftovers(run_folder)
    assert (precious / "00000000.npz").read_text() == "mine"
    assert (run_folder / "blocks" / "00000001.npz").is_symlink()


@pytest.mark.parametrize("part", ["staged", "blocks", "vectors"])
def test_a_subfolder_that_is_a_link_is_left_alone(run_folder, tmp_path, part):
    precious = tmp_path / "precious"
    (run_folder / part).rename(precious)
    os.symlink(precious, run_folder / part)
    kept = files(precious)
    delete_leftovers(run_folder)
    with pytest.raises(RequestError, match="no run wrote"):
        delete_folder(run_folder)
    assert files(precious) == kept


def test_a_link_to_a_run_s_folder_is_no_run_s_folder(run_folder, tmp_path):
    link = tmp_path / "link"
    os.symlink(run_folder, link)
    before = files(run_folder)
    with pytest.raises(RequestError, match="no folder of a run"):
        delete_folder(link, remembered=True)
    assert not is_run_folder(link)
    assert files(run_folder) == before


@pytest.mark.parametrize("plan", ["", "{}", "[]", '{"schema": 1, "engine": "gitlab"}', "{" * 9999])
def test_a_stranger_s_plan_makes_no_run_s_folder(tmp_path, plan):
    (tmp_path / "plan.json").write_text(plan)
    (tmp_path / "blocks").mkdir()
    (tmp_path / "blocks" / "00000000.npz").write_text("mine")
    for deed in (delete_folder, delete_leftovers, examine):
        with pytest.raises(RequestError, match="nothing in it was touched"):
            deed(tmp_path)
    assert (tmp_path / "blocks" / "00000000.npz").exists()


def test_a_job_that_writes_elsewhere_makes_no_run_s_folder(run_folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "run.job.json").write_bytes((run_folder / "run.job.json").read_bytes())
    assert not is_run_folder(other)


def test_a_remembered_folder_of_somebody_s_loses_nothing(tmp_path):
    """A record may have been tampered with, or the folder replaced."""
    home = tmp_path / "home"
    for name in ("letter.txt", "staged/photo.jpg", "blocks/a.npz", "vectors/b.fgb"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("mine")
    before = files(home)
    with pytest.raises(RequestError, match="no run wrote"):
        delete_folder(home, remembered=True)
    assert delete_leftovers(home, remembered=True) == 0
    assert files(home) == before


def test_a_run_that_ended_while_its_layers_were_copied_can_be_deleted(tmp_path):
    folder = tmp_path / "run"
    (folder / "staged").mkdir(parents=True)
    (folder / "staged" / "roads-0123456789ab.gpkg").write_text("x")
    delete_folder(folder, remembered=True)
    assert not folder.exists()


@pytest.mark.skipif(os.name == "nt", reason="flock is POSIX's")
def test_a_folder_with_a_run_at_work_is_left_alone(run_folder):
    import fcntl

    before = files(run_folder)
    with (run_folder / "blocks" / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for deed in (delete_folder, delete_leftovers):
            with pytest.raises(RequestError, match="at work"):
                deed(run_folder)
    assert files(run_folder) == before


def test_run_folders_are_found_below_their_parents_and_in_the_history(run_folder, tmp_path):
    stranger = run_folder.parent / "stranger"
    stranger.mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (stranger / "plan.json").write_text(json.dumps({"schema": 1}))
    gone = tmp_path / "gone"
    assert run_folders([run_folder.parent, gone], [elsewhere, gone]) == [elsewhere, run_folder]


def test_layers_that_read_from_a_folder_are_named(project, run_folder, tmp_path):
    layers = [
        QgsRasterLayer(str(run_folder / "classes.tif"), "Map"),
        QgsVectorLayer(f"{run_folder / 'parcels.gpkg'}|layername=polygons", "Polygons", "ogr"),
        QgsVectorLayer("Point", "memory", "memory"),
    ]
    project.addMapLayers(layers, False)
    os.symlink(run_folder.parent, tmp_path / "link")
    found = layer_files(project)
    assert sorted(layers_inside(found, run_folder)) == ["Map", "Polygons"]
    assert sorted(layers_inside(found, tmp_path / "link" / run_folder.name)) == ["Map", "Polygons"]
    assert layers_inside(found, Path(f"{run_folder}-2")) == []
