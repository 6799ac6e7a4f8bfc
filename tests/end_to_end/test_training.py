"""Learning in a real QGIS, by real clicks: polygons are drawn, a model is trained on them, maps, and is judged.

The pictures that are taken on the way stay in ``build/screenshots``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest

#: Degrees west of Greenwich and south of the equator, inside what one sees of each class; half a side of a polygon.
PLACES = {
    "forest": ((-56.36344, -1.46608), (-56.36201, -1.46980), (-56.36624, -1.47584), (-56.35740, -1.47050)),
    "village": ((-56.36965, -1.46650), (-56.37144, -1.47151), (-56.37001, -1.47307), (-56.36791, -1.46478)),
    "water": ((-56.35758, -1.46045), (-56.35851, -1.46433), (-56.35528, -1.46449), (-56.36630, -1.45970)),
}
HALF = 2.2e-4
EXTENT = [-56.3745, -1.4807, -56.3507, -1.4580]
FORM = "EvaluateForm"
#: A training of seconds, which still learns to tell water from forest.
QUICK = {"Epochs": 6, "Patience": 0, "Steps": 12, "Batch": 4, "Chip": 32}
#: Seconds that an engine may need on a machine that is busy with other things.
PATIENCE = 240


@dataclass
class Journey:
    """What was seen on the way."""

    drawn: dict = field(default_factory=dict)
    ready: str = ""
    epoch: str = ""
    trained: str = ""
    figures: str = ""
    model: str = ""
    finished: dict = field(default_factory=dict)
    groups: dict = field(default_factory=dict)
    judged: dict = field(default_factory=dict)
    report: str = ""
    cut_off: list = field(default_factory=list)


@pytest.fixture(scope="module")
def journey(qgis, shared_data) -> Journey:
    """One visit: what an analyst does, in order."""
    seen = Journey()
    arrive(qgis, shared_data)
    draw(qgis, seen)
    open_dialog(qgis, seen)
    train(qgis, seen)
    map_with_it(qgis, seen)
    evaluate(qgis, seen)
    return seen


def arrive(qgis, shared_data) -> None:
    folder = shared_data / "amazon_s2"
    layers = [
        [f"{folder / 'trainingPolygons_sen2.gpkg'}", "checked on the ground", "ogr"],
        [f"{folder / 'srtm_sen2.tif'}", "srtm_sen2", "gdal"],
        [f"{folder / 'sen2.tif'}", "sen2", "gdal"],
        ["Polygon?crs=EPSG:4326&field=class:string(20)", "my labels", "memory"],
    ]
    qgis.load(layers, EXTENT)
    qgis.ask("show_bands", name="sen2", bands=[4, 3, 2])
    qgis.wait_for("drawn")


def draw(qgis, seen) -> None:
    """Twelve squares with QGIS's own tool, each with its class typed into the form that QGIS shows."""
    qgis.ask("activate", name="my labels")
    qgis.click("mActionToggleEditing")
    qgis.click("mActionAddFeature")
    for name, places in PLACES.items():
        for x, y in places:
            for across, along in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
                spot = qgis.ask("on_map", x=x + across * HALF, y=y + along * HALF, crs="EPSG:4326")
                qgis.click_at(spot)
            qgis.click_at(spot, button=3)
            qgis.fill_form(name)
    qgis.wait_for("drawn")
    seen.drawn = qgis.ask("features", name="my labels")["counts"]
    qgis.picture("train-1-drawn")


def open_dialog(qgis, seen) -> None:
    qgis.open_dock()
    qgis.click("FusionMapperModelTrain")
    qgis.until("FusionMapperTrainStart", enabled=True)
    qgis.picture("train-2-dialog")
    seen.cut_off = qgis.ask("cut_off", name="FusionMapperTrainDialog")["names"]
    qgis.click("FusionMapperTrainHow", child="collapseButton")
    for name, value in QUICK.items():
        qgis.ask("reveal", name=f"FusionMapperTrain{name}")
        qgis.click(f"FusionMapperTrain{name}")
        qgis.press("ctrl+a")
        qgis.write(str(value))
        qgis.press("Tab")
    qgis.picture("train-3-how")
    seen.cut_off += qgis.ask("cut_off", name="FusionMapperTrainDialog")["names"]
    seen.ready = qgis.ask("state", name="FusionMapperTrainStatus")["text"]


def train(qgis, seen) -> None:
    qgis.click("FusionMapperTrainStart")
    seen.epoch = qgis.until("FusionMapperTrainState", PATIENCE, text="Epoch 4 of 6")["text"]
    qgis.picture("train-4-training")
    seen.cut_off += qgis.ask("cut_off", name="FusionMapperTrainDialog")["names"]
    qgis.until("FusionMapperTrainMap", PATIENCE, shown=True)
    seen.trained = qgis.ask("state", name="FusionMapperTrainState")["text"]
    seen.figures = qgis.ask("state", name="FusionMapperTrainFigures")["text"]
    qgis.picture("train-5-trained")
    seen.cut_off += qgis.ask("cut_off", name="FusionMapperTrainDialog")["names"]


def map_with_it(qgis, seen) -> None:
    qgis.click("FusionMapperTrainMap")
    qgis.click("FusionMapperTrainClose")
    qgis.until("FusionMapperTrainDialog", shown=False)
    seen.model = qgis.ask("state", name="FusionMapperModel")["text"]
    qgis.ask("reveal", name="FusionMapperAreaWhole")
    qgis.click("FusionMapperAreaWhole")
    qgis.until("FusionMapperRunButton", enabled=True)
    qgis.forget_events()
    qgis.click("FusionMapperRunButton")
    seen.finished = qgis.wait_for_end(1)
    qgis.wait_for("drawn")
    qgis.picture("train-6-mapped")
    seen.groups = qgis.ask("tree")["groups"]


def evaluate(qgis, seen) -> None:
    qgis.ask("reveal", name="FusionMapperModelTrain")
    qgis.click("FusionMapperModelTrain")
    qgis.click("FusionMapperTrainEvaluate")
    seen.judged = qgis.ask("processing_form", name=FORM)
    qgis.wait_for("form_ready")
    for parameter, entry in (("LABELS", "checked on the ground"), ("FIELD", "class")):
        qgis.choose_parameter(FORM, parameter, entry)
    qgis.picture("train-7-evaluate")
    qgis.click(FORM, text="Run")
    told = qgis.wait_for("processed", PATIENCE)
    seen.judged.update(told)
    qgis.picture("train-8-evaluated")
    qgis.ask("show_report", path=told["results"]["REPORT"])
    seen.report = qgis.wait_for("page")["text"]
    qgis.picture("train-9-report")


def test_what_was_drawn_is_there_with_its_classes(journey):
    assert journey.drawn == {name: len(places) for name, places in PLACES.items()}


def test_the_dialog_finds_its_layers_and_is_ready(journey):
    assert journey.ready == "Ready to train."


def test_the_curve_and_the_time_left_are_told_meanwhile(journey):
    assert re.match(r"Epoch [45] of 6 · loss \d\.\d{3} · mIoU \d\.\d{3}", journey.epoch)
    assert re.search(r"(\d+ s|\d+ min \d+ s) left$", journey.epoch)


def test_figures_of_the_model_are_shown(journey):
    assert journey.trained.startswith("Trained in ")
    assert re.match(r"mIoU [\d.]+ · accuracy [\d.]+ · on [\d,]+ pixels apart from the training", journey.figures)


def test_the_new_model_is_chosen_and_maps_the_whole_scene(journey):
    assert journey.model == "my labels of sen2"
    assert journey.finished["state"] == "finished"
    (layers,) = journey.groups.values()
    (raster,) = [layer for layer in layers if "values" in layer]
    assert set(raster["values"]) - {255} == {1, 2, 3}
    assert [entry for entry in raster["legend"] if entry in PLACES] == list(PLACES)


def test_it_is_judged_by_other_labels_in_a_report(journey):
    assert journey.judged["algorithm"] == "fusion_mapper:evaluate"
    assert journey.judged["fine"], journey.judged
    assert journey.judged["results"]["OVERALL_ACCURACY"] > 0.5
    assert "against checked on the ground" in journey.report
    assert all(name in journey.report for name in PLACES)


def test_nothing_is_cut_off(journey):
    assert journey.cut_off == []
