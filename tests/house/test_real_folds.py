"""Folds of the real experiments: what is left out lies in blocks of its own, and every class is left to train on."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pyogrio = pytest.importorskip("pyogrio", reason="needs the engine's environment")
shapely = pytest.importorskip("shapely", reason="needs the engine's environment")

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "experiments"))

from real_folds import blocks_of, folds_of, write_labels  # noqa: E402


def squares(centres: list[tuple[float, float]]) -> np.ndarray:
    return np.array([shapely.box(x - 5, y - 5, x + 5, y + 5) for x, y in centres])


def test_polygons_of_one_block_are_left_out_together() -> None:
    random = np.random.default_rng(3)
    blocks = blocks_of(squares(random.uniform(0, 1000, (200, 2)).tolist()), 100.0)
    folds = folds_of(blocks, random.integers(0, 3, 200), 4)
    assert all(len(set(folds[blocks == block])) == 1 for block in np.unique(blocks))


def test_blocks_are_cells_of_a_lattice_through_the_origin() -> None:
    blocks = blocks_of(squares([(-10, 10), (10, 10), (90, 90), (110, 10)]), 100.0)
    assert len(set(blocks)) == 3
    assert blocks[1] == blocks[2]


def test_a_rare_class_of_two_blocks_trains_whatever_is_left_out() -> None:
    blocks = np.arange(12)
    classes = np.array([0] * 10 + [1] * 2)
    folds = folds_of(blocks, classes, 4)
    for fold in range(4):
        assert set(classes[folds != fold]) == {0, 1}


def test_folds_are_of_like_size() -> None:
    folds = folds_of(np.arange(40), np.repeat([0, 1], 20), 4)
    assert np.bincount(folds).tolist() == [10, 10, 10, 10]


def test_one_fold_for_everything_is_refused() -> None:
    with pytest.raises(ValueError, match="smaller blocks"):
        folds_of(np.arange(4), np.zeros(4, int), 1)


def test_labels_keep_value_block_and_fold(tmp_path: Path) -> None:
    shapes = squares([(0, 0), (200, 0)])
    path = tmp_path / "labels.gpkg"
    write_labels(path, shapes, "EPSG:32633", {"kind": np.array(["a", "b"])}, np.array([0, 1]), np.array([1, 0]))
    meta, _, geometry, columns = pyogrio.raw.read(path, where="fold = 0")
    found = dict(zip(meta["fields"], columns, strict=True))
    assert (found["kind"].tolist(), found["block"].tolist(), found["polygon"].tolist()) == (["b"], [1], [1])
    assert shapely.from_wkb(geometry)[0].equals(shapes[1])
