"""Small patches go to the nearest larger neighbour, the same whatever the cells."""

from __future__ import annotations

import numpy as np
import pytest
from classmaps import landscape, utm
from fusion_mapper.inference.grid import Window
from fusion_mapper.inference.sinks import seams
from fusion_mapper.inference.sinks.sieve import sieved
from scipy import ndimage


def sieve(folder, values: np.ndarray, pixels: int, window: Window | None = None) -> np.ndarray:
    grid = utm(*values.shape)

    def read(part: Window) -> np.ndarray:
        return values[part.row : part.row + part.height, part.col : part.col + part.width]

    with sieved(folder / "note.tif", grid, read, 255, pixels, lambda: None) as sieved_map:
        result = sieved_map(window or grid.whole)
    assert list(folder.iterdir()) == []
    return result


def smallest_patch(values: np.ndarray) -> int:
    return min(
        np.bincount(ndimage.label(values == value)[0].ravel())[1:].min()
        for value in np.unique(values[values != 255]).tolist()
    )


def test_no_patch_below_the_minimum_is_left(tmp_path):
    values = landscape(300, 400, 400)
    values[100:140, 50:90] = 255
    result = sieve(tmp_path, values, 200)
    assert smallest_patch(values) < 20
    assert smallest_patch(result) >= 200
    assert np.array_equal(result == 255, values == 255), "nodata stays where it is"


def test_large_patches_only_grow(tmp_path):
    values = landscape(300, 400, 400)
    result = sieve(tmp_path, values, 200)
    for value in range(5):
        labels, count = ndimage.label(values == value)
        large = np.flatnonzero(np.bincount(labels.ravel())[1:] >= 200) + 1
        assert count > large.size
        assert np.all(result[np.isin(labels, large)] == value)


def test_a_patch_is_shared_among_its_neighbours(tmp_path):
    values = np.zeros((9, 12), np.uint8)
    values[:, 6:] = 1
    values[3:5, 4:8] = 2
    expected = np.zeros((9, 12), np.uint8)
    expected[:, 6:] = 1
    assert np.array_equal(sieve(tmp_path, values, 10), expected)


def test_an_island_in_nodata_stays(tmp_path):
    values = np.full((20, 20), 255, np.uint8)
    values[3:5, 3:5] = 1
    assert np.array_equal(sieve(tmp_path, values, 50), values)


@pytest.mark.parametrize("side", [16, 50, 128])
def test_the_outcome_does_not_depend_on_cells(tmp_path, monkeypatch, side):
    values = landscape(200, 260, 300)
    values[50:60, 40:200] = 255
    whole = sieve(tmp_path, values, 150)
    monkeypatch.setattr(seams, "CELL", side)
    assert np.array_equal(sieve(tmp_path, values, 150), whole)
    part = Window(70, 90, 40, 50)
    assert np.array_equal(sieve(tmp_path, values, 150, part), whole[70:110, 90:140])
