"""What a trial shows the model: tiles of the map, small where the model takes any size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fusion_mapper.inference.job import job_from_dict
from fusion_mapper.inference.prepare import Prepared, prepare
from fusion_mapper.inference.showing import places, show
from fusion_mapper.inference.sources import Context
from fusion_mapper.models.card import Tiling

MODEL = Path(__file__).resolve().parents[2] / "resources" / "models" / "landcover-rgb-1m.onnx"


@pytest.fixture
def prepared(shared_data: Path, tmp_path: Path) -> Prepared:
    job = {
        "schema": 1,
        "model": str(MODEL),
        "sources": {"imagery": {"path": str(shared_data / "swellendam" / "3420B_2010_328_RGB_LATLNG.tif")}},
        "grid": {"crs": "EPSG:32734", "extent": [454_000, 6_231_000, 456_000, 6_234_000], "resolution": 1.0},
        "compute": {"tile": 640},
        "outputs": {"folder": str(tmp_path / "out"), "products": {"classes": None}},
    }
    return prepare(job_from_dict(job), tmp_path, lambda _: None)


def shown(prepared: Prepared, small: bool = True):
    return show(prepared, Context(prepared.base, prepared.folder, lambda _: None), 1, small)


def test_small_tiles_out_of_the_run_s_own_and_others_to_judge_by(prepared):
    showing = shown(prepared)
    assert showing.side == 384
    assert 4 <= len(showing.judged) == len(showing.seen) <= 8
    pictures = [feed["input"][0] for feed in (*showing.judged, *showing.seen)]
    assert {picture.shape[1:] for picture in pictures} == {(384, 384)}
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)
    np.testing.assert_array_equal(shown(prepared).judged[0]["input"], showing.judged[0]["input"])


def test_tiles_of_the_run_where_a_card_is_to_be_filled_or_the_model_takes_no_other(prepared):
    assert shown(prepared, small=False).side == 640
    fixed = replace(prepared, card=replace(prepared.card, tiling=Tiling(640, fixed=True)))
    assert shown(fixed).side == 640
    endless = replace(prepared, card=replace(prepared.card, receptive_radius=None))
    assert shown(endless).side == 640


def test_a_map_of_one_tile_is_judged_by_what_it_was_quantised_by(prepared, tmp_path):
    job = replace(prepared.job, grid=replace(prepared.job.grid, extent=(454_000, 6_233_000, 454_200, 6_233_200)))
    one = prepare(job, tmp_path, lambda _: None)
    assert len(places(one)) == 1
    showing = shown(one)
    assert len(showing.judged) == 1 and showing.seen == showing.judged
