"""``evaluate`` from maps and labels on disk to figures: known confusions, other CRSs, fields, values, bad input."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio.raw
import pytest
import rasterio
import shapely
from fusion_mapper.inference.errors import Cancelled, RequestError
from fusion_mapper.inference.events import Event, Failed, Result, Warn, from_line
from fusion_mapper.inference.grid import way_between
from fusion_mapper.inference.job import Source
from fusion_mapper.inference.learning import evaluation_tally, evaluation_truth
from fusion_mapper.inference.learning.evaluate import evaluate_map
from fusion_mapper.inference.learnjob import EvaluateJob, Labels
from fusion_mapper.inference.voice import Voice
from fusion_mapper.models.card import Card, ClassInfo, Output, Tiling
from fusion_mapper.models.embed import embed_card
from onnx.helper import make_node
from onnx_graphs import save_graph
from pyproj import CRS
from rasterio.transform import from_origin
from tiny_models import imagery_slot

pytest.importorskip("matplotlib", reason="the engine's environment is from before plots; run scripts/setup.sh engine")
UTM, WEST, NORTH, PIXEL = "EPSG:32633", 600000, 5000000, 10
SIZE = 100
NAMES = {1: "water", 2: "tree", 3: "grass"}
CLASSES = tuple(ClassInfo(value, name) for value, name in NAMES.items())


def box(row: int, col: int, side: int = 10) -> shapely.Geometry:
    """A square of whole pixels."""
    return shapely.box(
        WEST + col * PIXEL, NORTH - (row + side) * PIXEL, WEST + (col + side) * PIXEL, NORTH - row * PIXEL
    )


def write_vector(path: Path, shapes: list[shapely.Geometry], crs: str = UTM, **columns: list[Any]) -> Path:
    if crs != UTM:
        way = way_between(CRS(UTM), CRS(crs))
        shapes = list(shapely.transform(np.array(shapes), way.transform, interleaved=False))
    values = [np.array(column, object if isinstance(column[0], str) else None) for column in columns.values()]
    pyogrio.raw.write(
        path, shapely.to_wkb(np.array(shapes)), values, list(columns), layer=path.stem, driver="GPKG",
        geometry_type=shapes[0].geom_type, crs=crs,
    )  # fmt: skip
    return path


def write_raster(path: Path, values: np.ndarray, **options: Any) -> Path:
    height, width = values.shape
    place = {"crs": UTM, "transform": from_origin(WEST, NORTH, PIXEL, PIXEL)}
    profile = {"driver": "GTiff", "width": width, "height": height, "count": 1, "dtype": values.dtype, **place}
    with rasterio.open(path, "w", **{**profile, **options}) as file:
        file.write(values, 1)
    return path


def save_brightest(path: Path) -> Card:
    """A network without a weight: the class of a pixel is its brightest band."""
    dims = ["batch", 3, "height", "width"]
    bare = save_graph(path.with_suffix(".bare.onnx"), [make_node("Identity", ["x"], ["y"])], {"x": dims}, {"y": dims})
    head = Output("y", "semantic-segmentation", CLASSES, activation="softmax")
    card = Card(
        path.stem, (imagery_slot(),), (head,), title="Brightest band", notice="for tests alone", tiling=Tiling(64),
        receptive_radius=0,
    )  # fmt: skip
    embed_card(bare, card, path)
    return card


def evaluate(folder: Path, told: list[Event] | None = None, **job: Any) -> dict[str, Any]:
    """The figures; `told` receives the events."""
    voice = Voice((told if told is not None else []).append, lambda: False)
    return evaluate_map(EvaluateJob(folder="out", **job), folder, voice).report


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A map of three classes in bands, with 1 row in 10 of each band called the next class, and nine polygons of it."""
    truth = np.repeat([1, 2, 3], [30, 40, 30])[:, None].repeat(SIZE, 1).astype(np.uint8)
    found = truth.copy()
    found[9::10] = truth[9::10] % 3 + 1
    write_raster(tmp_path / "map.tif", found, nodata=255)
    places = [(row, col) for row in (10, 40, 80) for col in (5, 40, 75)]
    names = [NAMES[int(truth[row, col])] for row, col in places]
    write_vector(tmp_path / "labels.gpkg", [box(*place) for place in places], kind=names)
    return tmp_path


LABELS = Labels("labels.gpkg", field="kind")


def test_a_known_confusion_comes_out_as_it_was_made(scene: Path) -> None:
    """Nine polygons of 100 pixels, of which one row of ten is wrong."""
    figures = evaluate(scene, labels=LABELS, map="map.tif", classes=CLASSES)
    assert figures["confusion"] == [[270, 30, 0], [0, 270, 30], [30, 0, 270]]
    assert (figures["accuracy"], figures["n"], figures["groups"]) == (pytest.approx(0.9), 900, 9)
    assert figures["miou"] == pytest.approx(270 / 330)
    # Each polygon is wrong on just a tenth, so that drawing them anew changes nothing.
    assert figures["accuracy_interval"] == pytest.approx([0.9, 0.9])


def test_areas_are_error_adjusted(scene: Path) -> None:
    """What is mapped as water is water in 9 of 10 pixels, and a tenth of what is mapped as trees is water."""
    figures = evaluate(scene, labels=LABELS, map="map.tif", classes=CLASSES)
    water, tree, grass = figures["classes"]
    assert water["area_ha"] == pytest.approx(0.9 * water["mapped_ha"] + 0.1 * tree["mapped_ha"])
    assert sum(one["area_ha"] for one in (water, tree, grass)) == pytest.approx(
        sum(one["mapped_ha"] for one in (water, tree, grass))
    )
    assert water["area_margin_ha"] > 0


def test_figures_do_not_depend_on_the_windows(scene: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evaluate(scene, labels=LABELS, map="map.tif", classes=CLASSES)
    monkeypatch.setattr(evaluation_tally, "SIDE", 32)
    # As for labels of a large area, which are read with each window.
    monkeypatch.setattr(evaluation_truth, "_AT_ONCE", 0)
    parts = evaluate(scene, labels=LABELS, map="map.tif", classes=CLASSES)
    assert parts["confusion"] == whole["confusion"]
    assert parts["groups"] == whole["groups"]


def test_labels_of_another_crs_meet_the_map(scene: Path) -> None:
    shapes = [box(10, 5), box(40, 40)]
    write_vector(scene / "degrees.gpkg", shapes, crs="EPSG:4326", kind=["water", "tree"])
    figures = evaluate(scene, labels=Labels("degrees.gpkg", field="kind"), map="map.tif", classes=CLASSES)
    assert figures["n"] == 200
    assert [row[:2] for row in figures["confusion"][:2]] == [[90, 10], [0, 90]]


def test_points_are_drawn_one_by_one(scene: Path) -> None:
    points = [shapely.Point(WEST + 55, NORTH - (row + 0.5) * PIXEL) for row in range(SIZE)]
    names = [NAMES[1 if row < 30 else 2 if row < 70 else 3] for row in range(SIZE)]
    write_vector(scene / "points.gpkg", points, kind=names)
    figures = evaluate(scene, labels=Labels("points.gpkg", field="kind"), map="map.tif", classes=CLASSES)
    assert (figures["n"], figures["groups"], figures["labels_kind"]) == (100, 100, "points")
    assert figures["accuracy"] == pytest.approx(0.9)
    low, high = figures["accuracy_interval"]
    assert low < 0.9 < high


def test_a_label_raster_is_matched_by_its_values_and_drawn_in_blocks(scene: Path) -> None:
    truth = np.repeat([1, 2, 3], [30, 40, 30])[:, None].repeat(SIZE, 1).astype(np.uint8)
    write_raster(scene / "truth.tif", truth, nodata=0)
    figures = evaluate(scene, labels=Labels("truth.tif"), map="map.tif", classes=CLASSES)
    assert (figures["n"], figures["accuracy"]) == (SIZE * SIZE, pytest.approx(0.9))
    assert figures["labels_kind"] == "raster"
    assert figures["block_m"] == pytest.approx(80, rel=1e-2)
    assert figures["accuracy_interval"] is not None


def test_classes_that_the_map_lacks_are_left_out_and_told(scene: Path) -> None:
    write_vector(scene / "more.gpkg", [box(10, 5), box(40, 40), box(80, 40)], kind=["water", "tree", "village"])
    told: list[Event] = []
    figures = evaluate(scene, told, labels=Labels("more.gpkg", field="kind"), map="map.tif", classes=CLASSES)
    assert figures["n"] == 200
    sentences = [event.text for event in told if isinstance(event, Warn)]
    assert any("'village' is none of map.tif" in sentence for sentence in sentences)
    assert figures["warnings"] == sentences


def test_values_are_judged_with_bias_and_ranges_by_polygon(tmp_path: Path) -> None:
    truth = np.linspace(0, 99, SIZE)[:, None].repeat(SIZE, 1).astype(np.float32)
    write_raster(tmp_path / "cover.tif", truth + 2)
    rows = range(0, SIZE, 10)
    write_vector(tmp_path / "cover.gpkg", [box(row, 20) for row in rows], cover=[float(row + 4.5) for row in rows])
    figures = evaluate(
        tmp_path, labels=Labels("cover.gpkg", field="cover"), map="cover.tif", task="pixel-regression", units="%"
    )
    assert (figures["n"], figures["groups"]) == (1000, 10)
    assert figures["bias"] == pytest.approx(2, abs=1e-5)
    # Within a polygon of ten rows the map runs from 4.5 below to 4.5 above what the label says.
    assert figures["rmse"] == pytest.approx(np.sqrt(4 + 8.25), abs=1e-4)
    assert figures["r2"] == pytest.approx(1 - 12.25 / np.var(np.repeat(np.arange(10) * 10, 10)), abs=1e-4)
    assert figures["r2_interval"] is not None
    table = list(csv.DictReader((tmp_path / "out" / "figures.csv").open()))
    assert {row["figure"] for row in table} == {"r2", "rmse", "mae", "bias", "n"}


def test_fields_are_judged_by_boundary_and_one_by_one(tmp_path: Path) -> None:
    """Four parcels, of which the map has three; the boundary lies one pixel off."""
    parcels = [box(10, 10, 30), box(10, 60, 30), box(60, 10, 30), box(60, 60, 30)]
    write_vector(tmp_path / "parcels.gpkg", parcels)
    write_vector(tmp_path / "fields.gpkg", parcels[:3])
    found = np.zeros((SIZE, SIZE), np.uint8)
    for row, col in ((10, 10), (10, 60), (60, 10)):
        found[row : row + 30, col : col + 30] = 2
        found[row + 2 : row + 28, col + 2 : col + 28] = 1
    write_raster(tmp_path / "map.tif", found, nodata=255)
    figures = evaluate(
        tmp_path, labels=Labels("parcels.gpkg"), map="map.tif", task="field-boundaries", fields="fields.gpkg"
    )
    assert [row["name"] for row in figures["classes"]] == ["background", "field", "boundary"]
    assert (figures["objects_true"], figures["objects_matched"]) == (4, 3)
    assert (figures["object_precision"], figures["object_recall"]) == (1, pytest.approx(0.75))
    assert figures["over_segmentation"] == pytest.approx(0.25)
    assert figures["boundary_precision"] == pytest.approx(1)
    assert figures["boundary_recall"] == pytest.approx(0.75, abs=0.02)


def test_fields_outside_the_parcels_are_judged_where_the_labels_name_background_alone(tmp_path: Path) -> None:
    """A mapped field beside the only parcel is wrong only if somebody said that there is none."""
    write_vector(tmp_path / "parcels.gpkg", [box(10, 10, 30)])
    write_vector(tmp_path / "known.gpkg", [box(10, 10, 30), box(5, 50, 40)], kind=["field", "background"])
    write_vector(tmp_path / "fields.gpkg", [box(10, 10, 30), box(10, 52, 20)])
    found = np.zeros((SIZE, SIZE), np.uint8)
    for row, col, side in ((10, 10, 30), (10, 52, 20)):
        found[row : row + side, col : col + side] = 2
        found[row + 1 : row + side - 1, col + 1 : col + side - 1] = 1
    write_raster(tmp_path / "map.tif", found, nodata=255)
    told: list[Event] = []
    job = {"map": "map.tif", "task": "field-boundaries", "fields": "fields.gpkg"}
    guessed = evaluate(tmp_path, told, labels=Labels("parcels.gpkg"), **job)
    named = evaluate(tmp_path, labels=Labels("known.gpkg", field="kind"), **job)
    assert (guessed["object_precision"], named["object_precision"]) == (1, 0.5)
    assert (named["objects_true"], named["object_recall"]) == (1, 1)
    assert guessed["confusion"][0] == [0, 0, 0]
    assert any("name no background" in event.text for event in told if isinstance(event, Warn))


def test_labels_outside_the_map_are_refused(scene: Path) -> None:
    write_vector(scene / "far.gpkg", [box(5000, 5), box(5000, 50)], kind=["water", "tree"])
    with pytest.raises(RequestError, match=r"far\.gpkg.*outside"):
        evaluate(scene, labels=Labels("far.gpkg", field="kind"), map="map.tif", classes=CLASSES)


def test_labels_where_the_map_has_no_value_are_refused(scene: Path) -> None:
    blank = np.full((SIZE, SIZE), 255, np.uint8)
    blank[-1] = 1
    write_raster(scene / "blank.tif", blank, nodata=255)
    with pytest.raises(RequestError, match=r"No labelled pixel of 'labels\.gpkg' lies where blank\.tif has a value"):
        evaluate(scene, labels=LABELS, map="blank.tif", classes=CLASSES)


def test_classes_without_a_common_name_or_value_are_refused(scene: Path) -> None:
    with pytest.raises(RequestError, match="share no class by name or value"):
        evaluate(scene, labels=LABELS, map="map.tif")


def test_a_model_is_run_and_its_map_judged(scene: Path) -> None:
    """A model without a single weight that gives the class of the brightest band; its card names the classes."""
    with rasterio.open(scene / "map.tif") as file:
        found, profile = file.read(1), file.profile
    with rasterio.open(scene / "bands.tif", "w", **{**profile, "count": 3, "nodata": None}) as file:
        file.write(np.stack([np.where(found == value, 200, 10) for value in NAMES]).astype(np.uint8))
    card = save_brightest(scene / "brightest.onnx")
    job = {"model": "brightest.onnx", "sources": {"imagery": Source("bands.tif")}, "labels": LABELS}
    figures = evaluate(scene, **job)
    assert figures["confusion"] == [[270, 30, 0], [0, 270, 30], [30, 0, 270]]
    assert (figures["model"], figures["notice"]) == (card.label, card.notice)
    assert figures["model_hash"].startswith("sha256:")
    assert (scene / "out" / "run" / "classes.tif").is_file()


def test_a_model_of_another_task_is_refused(scene: Path) -> None:
    save_brightest(scene / "brightest.onnx")
    job = {"model": "brightest.onnx", "sources": {"imagery": Source("map.tif")}, "task": "pixel-regression"}
    with pytest.raises(RequestError, match=r"does semantic-segmentation, not pixel-regression; change job\.task"):
        evaluate(scene, labels=LABELS, **job)


def test_a_stop_leaves_no_report(scene: Path) -> None:
    job = EvaluateJob(labels=LABELS, folder="out", map="map.tif", classes=CLASSES)
    with pytest.raises(Cancelled):
        evaluate_map(job, scene, Voice(lambda event: None, lambda: True))
    assert not (scene / "out" / "report.html").exists()


@pytest.fixture
def engine(repository_root: Path) -> Callable[[Path], tuple[int, list[Event], str]]:
    """The command line on a job file: exit code, events, standard error."""

    def run(job: Path) -> tuple[int, list[Event], str]:
        done = subprocess.run(
            [sys.executable, str(repository_root / "inference"), "evaluate", str(job)],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        return done.returncode, [from_line(line) for line in done.stdout.splitlines()], done.stderr

    return run


def write_job(folder: Path, **job: Any) -> Path:
    path = folder / "job.json"
    path.write_text(json.dumps({"schema": 1, "folder": "out", **job}))
    return path


def test_the_command_line_writes_report_tables_and_figures(scene: Path, engine: Callable) -> None:
    classes = [{"value": value, "name": name} for value, name in NAMES.items()]
    labels = {"path": "labels.gpkg", "field": "kind"}
    code, events, error = engine(write_job(scene, map="map.tif", labels=labels, classes=classes))
    assert code == 0, error
    result = events[-1]
    assert isinstance(result, Result)
    assert set(result.products) == {"report", "table", "confusion", "areas", "plot", "figures"}
    assert all(Path(path).is_file() for path in result.products.values())
    assert json.loads(Path(result.products["figures"]).read_text())["accuracy"] == pytest.approx(0.9)
    assert not list((scene / "out").glob("*.part"))


def test_the_command_line_answers_a_wrong_request_with_one_sentence(scene: Path, engine: Callable) -> None:
    labels = {"path": "labels.gpkg", "field": "kind"}
    code, events, _ = engine(write_job(scene, map="gone.tif", labels=labels))
    assert code == 2
    assert isinstance(events[-1], Failed)
    assert events[-1].text == "There is no file gone.tif; check the path of the layer."
