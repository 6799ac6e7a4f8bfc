"""Polygons in folds by spatial blocks, and the label layers that the folds are left out of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyogrio
import shapely

#: Fields that every prepared label layer has besides its own.
FIELDS = ("block", "fold", "polygon")


def blocks_of(shapes: np.ndarray, side: float) -> np.ndarray:
    """Number of the lattice block, `side` units wide, that each polygon's centroid lies in; counted from 0."""
    centroids = shapely.centroid(shapes)
    cells = np.stack([shapely.get_y(centroids), shapely.get_x(centroids)], axis=1) // side
    return np.unique(cells, axis=0, return_inverse=True)[1].ravel()


def folds_of(blocks: np.ndarray, classes: np.ndarray, folds: int) -> np.ndarray:
    """The fold of each polygon: blocks go whole into the fold that has least of their classes so far.

    Args:
        blocks: block of each polygon, from 0.
        classes: class of each polygon, from 0.
        folds: how many; each is left out once.

    Raises:
        ValueError: a class of several blocks would lie in one fold alone, so that nothing could train it.
    """
    table = np.zeros((blocks.max() + 1, classes.max() + 1))
    np.add.at(table, (blocks, classes), 1)
    shares = table / table.sum(0)
    of_block = np.zeros(len(table), int)
    loads = np.zeros((folds, table.shape[1]))
    for block in np.argsort(-shares.max(1), kind="stable"):
        there = table[block] > 0
        fold = int(np.lexsort((loads.sum(1), loads[:, there].sum(1)))[0])
        of_block[block] = fold
        loads[fold] += shares[block]
    for index in np.flatnonzero((table > 0).sum(0) > 1):
        if loads[:, index].max() > 0.999:
            raise ValueError(f"All blocks of class {index} lie in one fold; take smaller blocks or other folds.")
    return of_block[blocks]


def write_labels(
    path: Path, shapes: np.ndarray, crs: str, columns: dict[str, np.ndarray], blocks: np.ndarray, folds: np.ndarray
) -> None:
    """A GeoPackage with the polygons, their values, and the block, the fold and the number of each."""
    numbers = np.arange(len(shapes))
    data = {**columns, **dict(zip(FIELDS, (blocks, folds, numbers), strict=True))}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    pyogrio.raw.write(
        path,
        shapely.to_wkb(shapes),
        [np.asarray(values) for values in data.values()],
        list(data),
        layer="labels",
        geometry_type="Unknown",
        crs=crs,
        driver="GPKG",
    )
