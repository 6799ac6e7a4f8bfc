"""Class maps that look like maps, and the blocks and grids that a run would cut them into."""

from __future__ import annotations

import numpy as np
from affine import Affine
from fusion_mapper.inference.grid import Grid, Window
from fusion_mapper.inference.sinks.mosaic import Mosaic
from scipy import ndimage
from scipy.spatial import cKDTree

NAMES = ("water", "impervious", "barren", "trees & shrubs", "grass")


def landscape(height: int, width: int, patches: int, seed: int = 0, classes: int = 5) -> np.ndarray:
    """A class map (uint8) of warped Voronoi patches: ragged borders, islands and junctions of three and four."""
    rng = np.random.default_rng(seed)
    seeds = cKDTree(rng.random((patches, 2)) * [height, width])
    warp = ndimage.gaussian_filter(rng.standard_normal((2, height, width)), (0, 2, 2)) * 12
    rows, cols = np.mgrid[0:height, 0:width]
    _, nearest = seeds.query(np.c_[(rows + warp[0]).ravel(), (cols + warp[1]).ravel()])
    return rng.integers(0, classes, patches).astype(np.uint8)[nearest].reshape(height, width)


def cut(values: np.ndarray, side: int) -> list[tuple[Window, np.ndarray]]:
    """`values` (h×w or C×h×w) as row-major blocks of at most side × side pixels."""
    height, width = values.shape[-2:]
    return [
        (
            Window(row, col, min(side, height - row), min(side, width - col)),
            values[..., row : row + side, col : col + side],
        )
        for row in range(0, height, side)
        for col in range(0, width, side)
    ]


def utm(height: int, width: int, pixel: float = 1.0) -> Grid:
    return Grid("EPSG:32633", Affine(pixel, 0, 600000, 0, -pixel, 5000000), width, height)


def mosaic(grid: Grid, side: int, **arrays: np.ndarray) -> Mosaic:
    """The arrays as a run would have stored them, in blocks of `side` pixels."""
    blocks = {name: [values for _, values in cut(array, side)] for name, array in arrays.items()}
    windows = [window for window, _ in cut(next(iter(arrays.values())), side)]
    return Mosaic(grid, windows, lambda index, name: blocks[name][index])
