"""EnviroAtlas in the real layout: torchgeo's index becomes places of a comparison, beside published figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio

pytest.importorskip("torch", reason="torch is in the training environment (make setup-train) only")
pytest.importorskip("torchgeo.datasets", reason="torchgeo is not installed (scripts/requirements-experiments.txt)")

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts" / "experiments"
sys.path.insert(0, str(SCRIPTS))

import enviroatlas  # noqa: E402  - torchgeo has to be known to be there
import enviroatlas_sheets  # noqa: E402
from enviroatlas_folder import ENDS, LABELS, TILES, write_enviroatlas  # noqa: E402
from fusion_mapper.inference.errors import RequestError, SourceError  # noqa: E402
from fusion_mapper.inference.learnjob import CompareJob, learnjob_from_dict, to_dict  # noqa: E402
from torchgeo.datasets import EnviroAtlas  # noqa: E402

TRAIN, AUSTIN = "pittsburgh_pa-2010_1m-train", "austin_tx-2012_1m-test"


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return write_enviroatlas(tmp_path_factory.mktemp("enviroatlas"))


@pytest.fixture(scope="module")
def sheet(data, tmp_path_factory) -> enviroatlas_sheets.Sheet:
    tiles = enviroatlas_sheets.find_tiles(data, AUSTIN)
    return enviroatlas_sheets.lay_sheet(AUSTIN, tiles, tmp_path_factory.mktemp("sheets"), None)


def test_the_tiles_of_a_split_are_those_of_the_index(data):
    assert [tile.name for tile in enviroatlas_sheets.find_tiles(data, TRAIN)] == sorted(TILES[TRAIN])


def test_every_layer_is_the_file_of_that_layer(data):
    (tile,) = enviroatlas_sheets.find_tiles(data, "durham_nc-2012_1m-test")
    for layer in enviroatlas_sheets.LAYERS:
        assert tile.files[layer].name == f"3507801_ne_{ENDS[layer]}.tif"
    assert (tile.counts["naip"], tile.counts["prior"], tile.counts["lc"]) == (4, 5, 1)


@pytest.mark.parametrize("layer", enviroatlas_sheets.LAYERS)
def test_a_sheet_shows_every_tile_pixel_by_pixel(data, sheet, layer):
    tiles = enviroatlas_sheets.find_tiles(data, AUSTIN)
    with rasterio.open(sheet.files[layer]) as file:
        shown = file.read()
    for number, tile in enumerate(tiles):
        left = number * (128 + enviroatlas_sheets.GAP)
        with rasterio.open(tile.files[layer]) as file:
            assert np.array_equal(shown[:, :128, left : left + 128], file.read())


def test_between_the_tiles_nothing_is_known(sheet):
    with rasterio.open(sheet.files["naip"]) as file:
        mask = file.dataset_mask()
    assert mask.shape == (128, 128 + enviroatlas_sheets.GAP + 128)
    assert (mask[:, :128] == 255).all()
    assert (mask[:, 128:-128] == 0).all()


def test_a_side_takes_the_centre_of_each_tile(data, tmp_path):
    tiles = enviroatlas_sheets.find_tiles(data, AUSTIN)
    sheet = enviroatlas_sheets.lay_sheet(AUSTIN, tiles, tmp_path, 64)
    with rasterio.open(sheet.files["naip"]) as file, rasterio.open(tiles[0].files["naip"]) as whole:
        assert np.array_equal(file.read()[:, :64, :64], whole.read()[:, 32:96, 32:96])


def test_the_classes_are_the_five_that_torchgeo_knows_by_these_values():
    names = [EnviroAtlas.highres_classes[EnviroAtlas.raw_enviroatlas_to_idx_map[c.value]] for c in enviroatlas.CLASSES]
    assert names == ["Water", "Impervious Surface", "Soil and Barren", "Trees and Forest", "Grass and Herbaceous"]


def test_every_other_value_that_torchgeo_knows_is_unlabelled():
    known = {0, *np.flatnonzero(EnviroAtlas.raw_enviroatlas_to_idx_map)}
    assert {int(value) for value in enviroatlas.UNLABELLED} == known - set(LABELS.tolist())


def test_a_missing_data_set_is_told_in_a_sentence(tmp_path):
    with pytest.raises(RequestError, match="5778193"):
        enviroatlas_sheets.find_tiles(tmp_path, TRAIN)


def test_a_layer_on_other_pixels_is_refused(tmp_path):
    data = write_enviroatlas(tmp_path)
    (roads,) = data.glob("enviroatlas_lotp/durham*test*/*_c_roads.tif")
    with rasterio.open(roads, "r+") as file:
        file.transform = file.transform @ rasterio.Affine.translation(1, 0)
    with pytest.raises(SourceError, match=r"3507801_ne_c_roads\.tif"):
        enviroatlas_sheets.find_tiles(data, "durham_nc-2012_1m-test")


@pytest.fixture(scope="module")
def done(data, tmp_path_factory) -> tuple[subprocess.CompletedProcess, Path]:
    folder = tmp_path_factory.mktemp("run")
    cities = ["--test", "durham_nc-2012_1m", "phoenix_az-2010_1m"]
    short = ["--seeds", "1", "--epochs", "1", "--steps", "2", "--batch", "2", "--chip", "32", "--side", "0"]
    words = [sys.executable, str(SCRIPTS / "enviroatlas.py"), str(data), "--folder", str(folder), *cities, *short]
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(words, capture_output=True, text=True, env=alone), folder


class TestTheScript:
    """Both comparisons of a few steps, judged in two cities of the made-up data set."""

    def test_ends_well(self, done):
        assert done[0].returncode == 0, done[0].stderr

    def test_judges_every_input_in_every_place(self, done):
        lines = [line for line in done[0].stdout.splitlines() if "of the labels" in line]
        heads = [line.split("|")[1].split(",")[0].strip() for line in lines]
        assert heads == ["imagery (layers)", "stack (layers)", "proc-stack (layers)", "stack (shipped-prior)"]
        assert not any("not judged" in line for line in lines)

    def test_tells_the_published_figures_of_the_cities_it_judged(self, done):
        published = [line for line in done[0].stdout.splitlines() if "published: NAIP only" in line]
        assert published == ["| *published: NAIP only, 4 channels* |  | *74.2 / 35.9* | *6.7 / 13.4* |"]

    def test_says_whose_figures_these_are(self, done):
        assert "evaluate_models_enviroatlas.ipynb" in done[0].stdout

    def test_writes_jobs_that_the_engine_reads_back(self, done):
        for comparison in enviroatlas.COMPARISONS:
            data = json.loads((done[1] / f"{comparison.name}.json").read_text())
            assert to_dict(learnjob_from_dict(CompareJob, data)) == data
