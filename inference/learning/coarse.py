"""PROC-STACK's hand-made prior, estimated from the training labels and any coarse class raster."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...models.card import Channel, ClassInfo, PriorAddition, PriorRecipe, Slot
from ...models.training.recipes import RECIPES
from ..errors import RequestError
from ..job import Source
from ..sources import Context
from ..sources.raster import open_raster
from .scene import Scene

#: Pixels that every pair of coarse class and label is given beforehand, so that nothing is held impossible for want of
#: labels (Laplace's rule).
_BEFOREHAND = 1.0
#: Which OpenStreetMap layers are added to which label, by how words in the label's name begin.
_ADDED = (
    (("water", "river", "lake"), ("waterways", "water")),
    (("impervious", "built", "building", "urban", "road", "developed", "village"), ("roads", "buildings")),
)


def prior_slot(
    name: str,
    classes: tuple[ClassInfo, ...],
    scenes: Sequence[Scene],
    truths: Sequence[np.ndarray],
    sources: Sequence[Source],
    base: Path,
    folder: Path,
) -> Slot:
    """The prior's slot with P(label | coarse class), counted over the training labels alone.

    Counting labels that judge, or those of another place, would leak them into the prior. Where a source names vector
    layers, OpenStreetMap's water, roads and buildings are added to labels whose names say so (Rao & Rolf, arXiv
    2507.13385).

    Args:
        name: of the slot, and of the sources.
        classes: the label classes.
        scenes: the training places.
        truths: H×W training labels of each.
        sources: the coarse class raster of each, perhaps with vector layers.
        base: folder against which relative paths resolve.
        folder: where converted copies of layers go.

    Raises:
        RequestError: the task has no classes, or no label lies on the coarse rasters.
    """
    if not classes:
        raise RequestError("The strategy proc-stack needs classes; a regression has none.")
    counts: dict[int, np.ndarray] = {}
    for scene, truth, source in zip(scenes, truths, sources, strict=True):
        coarse = _read(name, source, scene, base, folder)
        _count(coarse, truth, len(classes), counts)
    if not counts:
        raise RequestError(f"No training label lies on the coarse class raster '{name}'; check where it lies.")
    order = tuple(sorted(counts))
    rows = (counts[value] + _BEFOREHAND for value in order)
    matrix = tuple(tuple(float(share) for share in row / row.sum()) for row in rows)
    additions = _additions(classes) if any(source.layers for source in sources) else ()
    recipe = PriorRecipe(order, matrix, additions=additions)
    text = "coarse class map" + (" and OpenStreetMap" if additions else "")
    channels = tuple(Channel(info.name) for info in classes)
    return Slot(name, "prior", channels, "input", missing="fill", prior=recipe, description=text)


def _read(name: str, source: Source, scene: Scene, base: Path, folder: Path) -> np.ndarray:
    """H×W float32 of coarse values, NaN for nodata."""
    slot = Slot(name, "raster", (Channel("class"),), "input", resampling="nearest")
    spec = Source(path=source.path, bands=source.bands, mosaic=source.mosaic, nodata=source.nodata, name=source.name)
    raster = open_raster(slot, spec, scene.grid, Context(base, folder, lambda _sentence: None))
    try:
        patch = raster.read(scene.grid.whole)
    finally:
        raster.close()
    return np.where(patch.valid, patch.data[0], np.float32(np.nan))


def _count(coarse: np.ndarray, truth: np.ndarray, classes: int, counts: dict[int, np.ndarray]) -> None:
    known = (truth >= 0) & np.isfinite(coarse)
    for value in np.unique(coarse[known]):
        found = np.bincount(truth[known & (coarse == value)], minlength=classes)
        counts[int(value)] = counts.get(int(value), 0) + found


def _additions(classes: tuple[ClassInfo, ...]) -> tuple[PriorAddition, ...]:
    found = []
    for words, layers in _ADDED:
        label = next((i for i, info in enumerate(classes) if _speaks_of(info.name, words)), None)
        if label is not None:
            found += [PriorAddition(label, RECIPES[layer]) for layer in layers]
    return tuple(found)


def _speaks_of(name: str, beginnings: tuple[str, ...]) -> bool:
    """Whether a word of the name begins so: "broadleaf" holds "road", and is none."""
    return any(word.startswith(beginnings) for word in re.findall(r"[^\W\d_]+", name.lower()))
