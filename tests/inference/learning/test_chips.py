"""``chips`` on the Amazon scene: tiles where they belong, labels of one part each, and nothing lost."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio.raw
import pytest
import rasterio
import shapely
from fusion_mapper.inference.errors import Cancelled, RequestError
from fusion_mapper.inference.events import Event, Result, Warn
from fusion_mapper.inference.job import Source
from fusion_mapper.inference.learning.chips import export_chips
from fusion_mapper.inference.learnjob import ChipsJob, Labels, Place, learnjob_from_dict, to_dict
from fusion_mapper.inference.voice import Voice
from fusion_mapper.models.card import ClassInfo

SIZE = 64


@pytest.fixture
def amazon(shared_data: Path) -> Place:
    folder = shared_data / "amazon_s2"
    sources = {"imagery": Source(path=str(folder / "sen2.tif")), "dem": Source(path=str(folder / "srtm_sen2.tif"))}
    return Place("amazon", sources, Labels(str(folder / "trainingPolygons_sen2.gpkg"), field="class"))


def export(folder: Path, *places: Place, told: list[Event] | None = None, **job: Any) -> Result:
    voice = Voice((told if told is not None else []).append, lambda: False)
    return export_chips(ChipsJob(places, "out", **{"size": SIZE, **job}), folder, voice)


def opened(folder: Path, kind: str) -> dict[str, rasterio.DatasetReader]:
    return {path.stem: rasterio.open(path) for path in sorted((folder / "out" / kind).glob("*.tif"))}


def on_the_scene(chips: dict[str, rasterio.DatasetReader], place: Place, part: str = "") -> np.ndarray:
    """H×W: how often each pixel of the imagery is labelled by the chips of one part, or of both."""
    with rasterio.open(place.sources["imagery"].path) as scene:
        counts = np.zeros(scene.shape, int)
        for name, chip in chips.items():
            if name.endswith(part):
                row, col = (round(value) for value in rasterio.transform.rowcol(
                    scene.transform, chip.bounds.left, chip.bounds.top, op=lambda value: value
                ))  # fmt: skip
                counts[row : row + chip.height, col : col + chip.width] += chip.read(1) != chip.nodata
    return counts


def test_images_hold_the_values_of_their_window(amazon: Place, tmp_path: Path) -> None:
    export(tmp_path, amazon)
    with rasterio.open(amazon.sources["imagery"].path) as scene:
        for chip in opened(tmp_path, "images").values():
            window = rasterio.windows.from_bounds(*chip.bounds, scene.transform).round_offsets().round_lengths()
            np.testing.assert_array_equal(chip.read(range(1, 13)), scene.read(window=window))
            assert chip.transform.almost_equals(scene.window_transform(window), 1e-9)


def test_an_image_and_its_labels_lie_on_one_grid(amazon: Place, tmp_path: Path) -> None:
    export(tmp_path, amazon)
    images, labels = opened(tmp_path, "images"), opened(tmp_path, "labels")
    assert images.keys() == labels.keys()
    for name, image in images.items():
        assert (image.crs, image.transform, image.shape) == (labels[name].crs, labels[name].transform, (SIZE, SIZE))


def test_bands_are_named_by_slot_and_channel(amazon: Place, tmp_path: Path) -> None:
    export(tmp_path, amazon)
    image = next(iter(opened(tmp_path, "images").values()))
    assert image.descriptions[:2] == ("imagery: B1", "imagery: B2")
    assert image.descriptions[-2:] == ("dem: slope", "dem: topographic position")


def test_no_labelled_pixel_is_in_chips_of_both_parts(amazon: Place, tmp_path: Path) -> None:
    export(tmp_path, amazon)
    labels = opened(tmp_path, "labels")
    train, validation = (on_the_scene(labels, amazon, part) > 0 for part in ("_train", "_validation"))
    assert train.any() and validation.any()
    assert not (train & validation).any()


def test_without_validation_every_label_is_in_a_chip(amazon: Place, tmp_path: Path) -> None:
    """Also those beyond the last whole step: 237 × 247 pixels are no multiple of 64."""
    export(tmp_path, amazon, validation=0.0)
    with rasterio.open(amazon.sources["imagery"].path) as scene:
        _, _, shapes, _ = pyogrio.raw.read(amazon.labels.path)
        known = rasterio.features.rasterize(shapely.from_wkb(shapes), scene.shape, transform=scene.transform) > 0
    np.testing.assert_array_equal(on_the_scene(opened(tmp_path, "labels"), amazon) > 0, known)


def test_label_values_are_those_of_chips_json(amazon: Place, tmp_path: Path) -> None:
    export(tmp_path, amazon)
    facts = json.loads((tmp_path / "out" / "chips.json").read_text())
    values = {info["value"]: info["name"] for info in facts["classes"]}
    assert values == {1: "dryout", 2: "forest", 3: "village", 4: "water"}
    found = {int(v) for chip in opened(tmp_path, "labels").values() for v in np.unique(chip.read(1))}
    assert found == {1, 2, 3, 4, 255}


def test_the_index_says_where_chips_lie_and_to_which_part_they_belong(amazon: Place, tmp_path: Path) -> None:
    report = export(tmp_path, amazon).report
    meta, _, outlines, columns = pyogrio.raw.read(tmp_path / "out" / "index.geojson")
    fields = dict(zip(meta["fields"], columns, strict=True))
    images = opened(tmp_path, "images")
    assert set(fields["name"]) == set(images)
    assert [int((fields["part"] == part).sum()) for part in ("train", "validation")] == [
        report["train"],
        report["validation"],
    ]
    for name, outline in zip(fields["name"], shapely.from_wkb(outlines), strict=True):
        assert outline.bounds == pytest.approx(tuple(images[name].bounds), abs=1e-6)
        assert outline.exterior.is_ccw


def test_a_chip_larger_than_the_scene_is_the_scene(amazon: Place, tmp_path: Path) -> None:
    export(tmp_path, amazon, size=4096)
    images = opened(tmp_path, "images")
    assert set(images) == {"amazon_00000_00000_train", "amazon_00000_00000_validation"}
    assert {image.shape for image in images.values()} == {(237, 247)}


def test_windows_without_labels_are_made_where_they_are_wanted(amazon: Place, tmp_path: Path) -> None:
    """8 × 8 windows of 32 pixels cover the scene; a window with labels of both parts counts twice."""
    labelled = {name.rpartition("_")[0] for name in _names(export(tmp_path, amazon, size=32))}
    everything = {name.rpartition("_")[0] for name in _names(export(tmp_path, amazon, size=32, labelled=False))}
    assert labelled < everything
    assert len(everything) == 64


def test_two_places_of_one_name_keep_their_chips_apart(amazon: Place, tmp_path: Path) -> None:
    alone = export(tmp_path, amazon, validation=0.0).report["count"]
    report = export(tmp_path, amazon, replace(amazon, name="Amazon"), validation=0.0).report
    assert report["count"] == len(opened(tmp_path, "images")) == 2 * alone


def test_a_name_cannot_lead_out_of_the_folder(amazon: Place, tmp_path: Path) -> None:
    export(tmp_path, replace(amazon, name="../../elsewhere"))
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


def test_chips_of_an_earlier_export_do_not_stay_and_other_files_do(amazon: Place, tmp_path: Path) -> None:
    export(tmp_path, amazon, size=32)
    (tmp_path / "out" / "images" / "mine.tif").touch()
    names = _names(export(tmp_path, amazon))
    assert {path.stem for path in (tmp_path / "out" / "images").iterdir()} == {*names, "mine"}


def test_a_class_in_one_place_alone_is_told(amazon: Place, tmp_path: Path) -> None:
    told: list[Event] = []
    labels = replace(amazon.labels, where="\"class\" = 'water' OR fid = (SELECT min(fid) FROM trainingPolygons_sen2)")
    export(tmp_path, replace(amazon, labels=labels), told=told)
    sentences = [event.text for event in told if isinstance(event, Warn)]
    assert any("lie in one place" in sentence for sentence in sentences)


def test_values_of_a_regression_are_written_as_they_are(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "loon_lake"
    labels = Labels(str(folder / "vri2023.gpkg"), layer="main", field="CROWN_CLOSURE")
    export(
        tmp_path, Place("lake", {"imagery": Source(path=str(folder / "landsat.tif"))}, labels), task="pixel-regression"
    )
    values = np.concatenate([chip.read(1).ravel() for chip in opened(tmp_path, "labels").values()])
    values = values[np.isfinite(values)]
    assert (values == np.round(values)).all()
    assert 0 <= values.min() < values.max() <= 100


def test_class_values_above_a_byte_are_written_wide(amazon: Place, tmp_path: Path) -> None:
    names = ("dryout", "forest", "village", "water")
    classes = tuple(ClassInfo(value, name) for value, name in zip((300, 1, 2, 255), names, strict=True))
    export(tmp_path, amazon, classes=classes)
    chips = opened(tmp_path, "labels").values()
    assert {chip.nodata for chip in chips} == {65535}
    assert {int(v) for chip in chips for v in np.unique(chip.read(1))} == {1, 2, 255, 300, 65535}


def test_a_class_without_labels_is_refused(amazon: Place, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"'desert' has no label in 'trainingPolygons_sen2\.gpkg'"):
        export(tmp_path, amazon, classes=(ClassInfo(1, "forest"), ClassInfo(2, "desert")))


def test_a_folder_that_is_a_file_is_refused(amazon: Place, tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(RequestError, match="out cannot be written"):
        export(tmp_path, amazon)


def test_a_file_in_the_way_of_the_images_is_told(amazon: Place, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "images").touch()
    with pytest.raises(RequestError, match=r"The chips cannot be written into .*out"):
        export(tmp_path, amazon)


def test_a_full_disk_is_one_sentence_and_leaves_no_half_chip(
    amazon: Place, tmp_path: Path, repository_root: Path
) -> None:
    """A limit on the size of files stands in for the disk."""
    resource = pytest.importorskip("resource", reason="limits on a process's files are Unix's")
    (tmp_path / "job.json").write_text(json.dumps(to_dict(ChipsJob((amazon,), "out", size=SIZE))))
    command = [sys.executable, str(repository_root / "inference"), "chips", str(tmp_path / "job.json")]
    limit = (40_000, resource.RLIM_INFINITY)
    done = subprocess.run(
        command, capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )  # fmt: skip
    assert done.returncode == 2
    assert "The chips cannot be written into" in json.loads(done.stdout.splitlines()[-1])["text"]
    assert list((tmp_path / "out" / "images").iterdir()) == []


def test_a_stop_leaves_no_index(amazon: Place, tmp_path: Path) -> None:
    written: list[Event] = []

    def cancelled() -> bool:
        return any(getattr(event, "stage", "") == "writing chips" for event in written)

    with pytest.raises(Cancelled):
        export_chips(ChipsJob((amazon,), "out", size=SIZE), tmp_path, Voice(written.append, cancelled))
    assert not (tmp_path / "out" / "index.geojson").exists()


def test_the_command_line_makes_the_same_chips(amazon: Place, tmp_path: Path, repository_root: Path) -> None:
    expected = export(tmp_path, amazon)
    (tmp_path / "job.json").write_text(json.dumps(to_dict(ChipsJob((amazon,), "again", size=SIZE))))
    command = [sys.executable, str(repository_root / "inference"), "chips", str(tmp_path / "job.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1])["report"]["count"] == expected.report["count"]
    assert {path.name for path in (tmp_path / "again" / "images").iterdir()} == {
        path.name for path in (tmp_path / "out" / "images").iterdir()
    }


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"size": 8}, "job.size"),
        ({"stride": 0}, "job.stride"),
        ({"validation": 2}, "job.validation"),
        ({"places": []}, "job.places"),
        ({"classes": [{"value": 1, "name": "a"}, {"value": 1, "name": "b"}]}, "job.classes"),
        ({"classes": [{"value": 70000, "name": "a"}]}, "job.classes"),
        ({"slots": [{"name": "a", "role": "imagery", "channels": [], "input": "x"}]}, r"job.slots\[0\]"),
    ],
)
def test_a_wrong_job_is_one_sentence_that_names_the_field(amazon: Place, changes: dict, field: str) -> None:
    job = {**to_dict(ChipsJob((amazon,), "out")), **changes}
    with pytest.raises(RequestError, match=field):
        learnjob_from_dict(ChipsJob, job)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sources": {"imagery": {"path": "a.tif", "bands": [0]}}}, "sources.imagery.bands"),
        ({"sources": {"imagery": {"path": "a.tif", "mosaic": ["b.tif"]}}}, "sources.imagery"),
        ({"labels": {"path": ""}}, "labels.path"),
        ({"labels": {"path": "a.gpkg", "width": -1}}, "labels.width"),
        ({"labels": {"path": "a.tif", "band": 0}}, "labels.band"),
    ],
)
def test_a_wrong_place_is_named_by_its_number(changes: dict, field: str) -> None:
    good = {"name": "a", "sources": {"imagery": {"path": "a.tif"}}, "labels": {"path": "a.gpkg"}}
    job = {"schema": 1, "folder": "out", "places": [good, {**good, **changes}]}
    with pytest.raises(RequestError, match=rf"job.places\[1\].{field}"):
        learnjob_from_dict(ChipsJob, job)


def _names(result: Result) -> set[str]:
    index = json.loads(Path(result.products["index"]).read_text())
    return {feature["properties"]["name"] for feature in index["features"]}
