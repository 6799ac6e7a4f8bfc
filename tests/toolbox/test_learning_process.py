"""Learning under ``qgis_process``: from labels to a model, from the model to a map, from the map to its figures."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from qgis.core import QgsRasterLayer, QgsVectorLayer
from qgis_command import qgis_command

#: A training that takes seconds, and still learns to tell water from forest.
QUICK = ("--EPOCHS=3", "--STEPS=4", "--CHIP=32", "--BATCH=4", "--PATIENCE=0")


@pytest.fixture(scope="module")
def qgis_process(repository_root, tmp_path_factory, engine_python, trainer):
    """Calls qgis_process with the plugin enabled, in a profile of its own; answers its results."""
    call = qgis_command(repository_root, tmp_path_factory.mktemp("profile"))

    def run(name: str, *words: str) -> dict[str, str]:
        done = call("run", f"fusion_mapper:{name}", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return {**dict(re.findall(r"^(\w+):\t(.*)$", done.stdout, re.MULTILINE)), "said": done.stdout}

    return run


@pytest.fixture(scope="module")
def scene(shared_data) -> tuple[str, ...]:
    """Imagery and elevation of a real place."""
    folder = shared_data / "amazon_s2"
    return f"--IMAGERY={folder / 'sen2.tif'}", f"--DEM={folder / 'srtm_sen2.tif'}"


@pytest.fixture(scope="module")
def labels(shared_data) -> tuple[str, ...]:
    """Labelled polygons of that place."""
    return f"--LABELS={shared_data / 'amazon_s2' / 'trainingPolygons_sen2.gpkg'}", "--FIELD=class"


@pytest.fixture(scope="module")
def trained(qgis_process, scene, labels, tmp_path_factory) -> dict[str, str]:
    """A model of few epochs, in the list of models."""
    folder = tmp_path_factory.mktemp("training") / "amazon"
    return qgis_process("train", *scene, *labels, *QUICK, "--NAME=amazon", f"--OUTPUT_FOLDER={folder}")


@pytest.fixture(scope="module")
def mapped(qgis_process, scene, trained, tmp_path_factory) -> Path:
    """The whole scene, mapped by the model's name."""
    path = tmp_path_factory.mktemp("map") / "classes.tif"
    qgis_process("map", f"--MODEL={trained['NAME']}", *scene, f"--CLASSES={path}", f"--SUMMARY={path.parent}/areas.csv")
    return path


def test_a_training_ends_in_a_model_with_its_figures(trained):
    assert Path(trained["MODEL"]).is_file()
    assert (trained["NAME"], trained["METRIC"]) == ("amazon", "mIoU")
    assert 0 <= float(trained["SCORE"]) <= 1
    assert json.loads(trained["FIGURES"])["score"] == pytest.approx(float(trained["SCORE"]), abs=1e-6)
    with Path(trained["HISTORY"]).open() as stream:
        assert [row["epoch"] for row in csv.DictReader(stream)] == ["1", "2", "3"]


def test_each_epoch_is_told(trained):
    assert len(re.findall(r"Epoch \d of 3: loss \d\.\d{3}, mIoU \d\.\d{3}", trained["said"])) == 3


def test_the_new_model_maps_by_its_name(mapped):
    layer = QgsRasterLayer(str(mapped), "classes")
    assert (layer.width(), layer.height()) == (247, 237)
    with (mapped.parent / "areas.csv").open(encoding="utf-8-sig") as stream:
        assert {"dryout", "forest", "village", "water"} <= {row["name"] for row in csv.DictReader(stream)}


def test_the_map_is_evaluated_against_labels(qgis_process, mapped, labels, tmp_path):
    told = qgis_process(
        "evaluate",
        f"--MAP={mapped}",
        *labels,
        f"--REPORT={tmp_path / 'report.html'}",
        f"--TABLE={tmp_path / 'table.csv'}",
    )
    assert 0 < float(told["OVERALL_ACCURACY"]) <= 1
    assert 0 < float(told["MIOU"]) <= 1
    assert "<html" in (tmp_path / "report.html").read_text(encoding="utf-8").lower()
    assert (tmp_path / "table.csv").read_text(encoding="utf-8").count("\n") >= 4


def test_chips_are_cut_with_an_index(qgis_process, scene, labels, tmp_path):
    told = qgis_process("exportchips", *scene, *labels, "--SIZE=64", f"--FOLDER={tmp_path / 'chips'}")
    index = QgsVectorLayer(told["INDEX"], "index", "ogr")
    assert index.isValid()
    assert index.featureCount() == int(float(told["COUNT"])) > 0
    assert len(list((tmp_path / "chips" / "images").glob("*.tif"))) == index.featureCount()


def test_a_comparison_goes_on_in_its_folder(qgis_process, scene, labels, tmp_path):
    words = (*scene, *labels, *QUICK[1:], "--EPOCHS=1", "--STRATEGIES=imagery", f"--OUTPUT_FOLDER={tmp_path}")
    first = qgis_process("compare", *words, "--FRACTIONS=1", "--SEEDS=1")
    before = Path(first["TABLE"]).read_text()
    again = qgis_process("compare", *words, "--FRACTIONS=1", "--SEEDS=1")
    assert Path(again["TABLE"]).read_text() == before
    assert (int(float(again["COUNT"])), Path(again["PLOT"]).is_file()) == (1, True)
