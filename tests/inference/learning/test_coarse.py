"""The matrix of a hand-made prior, against one worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.inference.grid import Grid, Window
from fusion_mapper.inference.job import Source, VectorLayer
from fusion_mapper.inference.learning.coarse import prior_slot
from fusion_mapper.inference.learning.scene import Scene, corners_of
from fusion_mapper.inference.sources import Context, open_source
from fusion_mapper.models.card import Card, ClassInfo, Output, card_from_dict
from layers import PLACE, place_grid, write

GRID = place_grid(4, 6)
CLASSES = (ClassInfo(1, "water"), ClassInfo(2, "built-up"), ClassInfo(3, "tree"))
#: 11 above, 41 below, and a corner of nodata.
COARSE = np.array([[11] * 6, [11] * 6, [41] * 6, [41] * 5 + [0]], np.uint8)
TRUTH = np.array([[0, 0, 0, 0, -1, -1], [0, 0, 1, 2, -1, -1], [2, 2, 2, 2, 2, -1], [2, 2, -1, -1, -1, 1]], np.int16)


def scene_on(grid: Grid = GRID) -> Scene:
    shape = (grid.height, grid.width)
    nothing = np.zeros((1, *shape), np.float32)
    return Scene("here", grid, nothing, nothing > 0, np.zeros(shape, np.int16), {}, {}, corners_of(grid), (), ())


def prior(folder: Path, truth: np.ndarray = TRUTH, source: Source | None = None, classes=CLASSES, grid: Grid = GRID):
    write(folder / "coarse.tif", COARSE[None], nodata=0)
    source = source or Source("coarse.tif")
    return prior_slot("prior", classes, [scene_on(grid)], [truth], [source], folder, folder)


def test_shares_are_counted_with_one_pixel_beforehand(tmp_path: Path) -> None:
    """Under 11 lie 6 water, 1 built-up and 1 tree; under 41 lie 7 tree; the pixel on nodata does not count."""
    slot = prior(tmp_path)
    assert slot.prior.coarse == (11, 41)
    assert slot.prior.cooccurrence[0] == pytest.approx((7 / 11, 2 / 11, 2 / 11))
    assert slot.prior.cooccurrence[1] == pytest.approx((1 / 10, 1 / 10, 8 / 10))
    assert [channel.name for channel in slot.channels] == ["water", "built-up", "tree"]
    assert (slot.role, slot.missing, slot.prior.additions) == ("prior", "fill", ())


def test_labels_that_do_not_train_do_not_count(tmp_path: Path) -> None:
    training = np.where(np.arange(6) < 2, TRUTH, np.int16(-1))
    assert prior(tmp_path, training).prior.cooccurrence[0] == pytest.approx((5 / 7, 1 / 7, 1 / 7))


def test_a_coarse_raster_of_larger_pixels_is_read_with_the_nearest(tmp_path: Path) -> None:
    fine = Grid(GRID.crs, PLACE @ PLACE.scale(0.5), 12, 8)
    truth = TRUTH.repeat(2, 0).repeat(2, 1)
    assert prior(tmp_path, truth, grid=fine).prior.cooccurrence[0] == pytest.approx((25 / 35, 5 / 35, 5 / 35))


def test_several_training_places_are_counted_together(tmp_path: Path) -> None:
    prior(tmp_path)
    source = Source("coarse.tif")
    slot = prior_slot("prior", CLASSES, [scene_on()] * 2, [TRUTH] * 2, [source] * 2, tmp_path, tmp_path)
    assert slot.prior.cooccurrence[0] == pytest.approx((13 / 19, 3 / 19, 3 / 19))


def test_openstreetmap_is_added_to_the_classes_whose_names_say_so(tmp_path: Path) -> None:
    source = Source("coarse.tif", layers=(VectorLayer("osm.gpkg"),))
    keys = [(a.label, a.osm.rules[0].key) for a in prior(tmp_path, source=source).prior.additions]
    assert keys == [(0, "waterway"), (0, "natural"), (1, "highway"), (1, "building")]


def test_nothing_is_added_where_no_name_says_so(tmp_path: Path) -> None:
    source = Source("coarse.tif", layers=(VectorLayer("osm.gpkg"),))
    strangers = ClassInfo(1, "pine"), ClassInfo(2, "oak"), ClassInfo(3, "beech")
    assert prior(tmp_path, source=source, classes=strangers).prior.additions == ()


def test_a_name_that_merely_holds_such_a_word_is_none(tmp_path: Path) -> None:
    # "Broadleaf" holds "road".
    source = Source("coarse.tif", layers=(VectorLayer("osm.gpkg"),))
    classes = ClassInfo(1, "broadleaf"), ClassInfo(2, "Waterbodies"), ClassInfo(3, "roads, paved")
    keys = [(a.label, a.osm.rules[0].key) for a in prior(tmp_path, source=source, classes=classes).prior.additions]
    assert keys == [(1, "waterway"), (1, "natural"), (2, "highway"), (2, "building")]


def test_the_slot_is_one_that_the_engine_reads_and_a_card_holds(tmp_path: Path) -> None:
    slot = prior(tmp_path)
    card = Card("m", (slot,), (Output("output", "semantic-segmentation", CLASSES),))
    assert card_from_dict(card.to_dict()) == card
    source = open_source(slot, Source("coarse.tif"), GRID, Context(tmp_path, tmp_path, lambda _sentence: None))
    try:
        patch = source.read(Window(0, 0, 4, 6))
    finally:
        source.close()
    assert patch.data.sum(0) == pytest.approx(np.ones((4, 6)))
    assert not patch.valid[3, 5]


def test_a_regression_has_no_prior(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="proc-stack needs classes"):
        prior(tmp_path, classes=())


def test_labels_beside_the_coarse_raster_are_refused(tmp_path: Path) -> None:
    away = place_grid(4, 6, PLACE @ PLACE.translation(100, 0))
    with pytest.raises(RequestError, match="No training label lies on the coarse class raster 'prior'"):
        prior(tmp_path, grid=away)
