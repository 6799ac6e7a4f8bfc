"""Which labels train and which ones judge: spatial blocks, never random pixels.

Neighbouring pixels are nearly copies of one another, so figures from random pixels flatter (Roberts et al. 2017,
Ecography 40:913-929). Labels are therefore kept together in units: a labelled patch of one class that is no larger than
a block is one unit, larger ones are cut along a lattice of blocks. A unit goes as a whole into one of the two parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .scenes import is_labelled, masked

#: Blocks of this side in pixels are tried in turn until every class lies in at least `_ENOUGH` units.
_SIDES = (256, 128, 64, 32, 16)
_ENOUGH = 4
#: Share of a unit's labels that a class needs to count as being there.
_PRESENT = 0.02


@dataclass(frozen=True)
class Split:
    """The truths of all scenes in two parts.

    Attributes:
        training: one H×W truth a scene, unlabelled outside the training part.
        validation: likewise.
        block: side of a block in pixels.
        alone: indices of classes whose labels lie in a single unit, which trains; nothing judges them.
    """

    training: list[np.ndarray]
    validation: list[np.ndarray]
    block: int
    alone: tuple[int, ...]


def split_truths(
    truths: list[np.ndarray], share: float, rng: np.random.Generator, block: int | None = None, gap: int = 2
) -> Split:
    """Keep about `share` of every class's labels for validation.

    Args:
        truths: one H×W truth a scene (see `Scene.truth`).
        share: share from 0 to 1.
        rng: decides between units that serve equally well.
        block: side of a block in pixels; None takes the largest for which every class lies in four units.
        gap: training labels within so many pixels of a validation label are left out.
    """
    side, units, counts = _units(truths, block)
    chosen, alone = _choose(counts, share, rng)
    training, validation = [], []
    for truth, numbers in zip(truths, units, strict=True):
        held = chosen[numbers] & (numbers > 0)
        near = ndimage.binary_dilation(held, np.ones((2 * gap + 1,) * 2, bool)) if gap and held.any() else held
        validation.append(masked(truth, held))
        training.append(masked(truth, is_labelled(truth) & ~near))
    return Split(training, validation, side, alone)


def rectangle(truths: list[np.ndarray], fraction: float, rng: np.random.Generator, tries: int = 64) -> list[np.ndarray]:
    """The truths within a rectangle of `fraction` of each scene: the spatial subsets of the paper's protocol.

    Of several rectangles at random the one is taken whose labels come nearest to that share and hold most classes.
    """
    if fraction >= 1:
        return truths
    return [_rectangle(truth, fraction, rng, tries) for truth in truths]


def _rectangle(truth: np.ndarray, fraction: float, rng: np.random.Generator, tries: int) -> np.ndarray:
    height, width = truth.shape
    known = is_labelled(truth)
    total, kinds = max(int(known.sum()), 1), len(np.unique(_indices(truth)[known]))
    best: tuple[float, np.ndarray] | None = None
    for _ in range(tries):
        stretch = np.exp(rng.uniform(-0.5, 0.5))
        rows = int(np.clip(round(height * np.sqrt(fraction) * stretch), 1, height))
        cols = int(np.clip(round(height * width * fraction / rows), 1, width))
        top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - cols + 1))
        kept = np.zeros(truth.shape, bool)
        kept[top : top + rows, left : left + cols] = True
        inside = known & kept
        found = len(np.unique(_indices(truth)[inside]))
        badness = abs(inside.sum() / total / fraction - 1) + (kinds - found)
        if best is None or badness < best[0]:
            best = float(badness), kept
    return masked(truth, best[1]) if best else truth


def _indices(truth: np.ndarray) -> np.ndarray:
    """Class indices; a regression has one class."""
    return np.where(is_labelled(truth), 0, -1) if truth.dtype.kind == "f" else truth


def _units(truths: list[np.ndarray], block: int | None) -> tuple[int, list[np.ndarray], np.ndarray]:
    """Block side; unit numbers (1 upward, 0 unlabelled) of every scene; labels by unit (row 0 empty) and class."""
    for side in (block,) if block else _SIDES:
        units, counts = _numbered(truths, side)
        present = counts > _PRESENT * np.maximum(counts.sum(1, keepdims=True), 1)
        classes = counts.sum(0) > 0
        if (present[:, classes].sum(0) >= _ENOUGH).all():
            break
    return side, units, counts


def _numbered(truths: list[np.ndarray], side: int) -> tuple[list[np.ndarray], np.ndarray]:
    units, first = [], 0
    classes = max((int(_indices(truth).max()) for truth in truths), default=0) + 1
    tables = [np.zeros((1, classes), np.int64)]
    for truth in truths:
        indices = _indices(truth)
        numbers = np.zeros(truth.shape, np.int64)
        for part in _patches(indices, side):
            numbers[part] = first = first + 1
        units.append(numbers)
        here = np.zeros((first + 1, classes), np.int64)
        known = indices >= 0
        np.add.at(here, (numbers[known], indices[known]), 1)
        tables.append(here[sum(len(table) for table in tables) :])
    return units, np.concatenate(tables)


def _patches(indices: np.ndarray, side: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Row and column indices of each unit's pixels: patches of one class, the large ones cut by blocks."""
    height, width = indices.shape
    left = indices >= 0
    for value in np.unique(indices[left]):
        labels, _ = ndimage.label(indices == value)
        for number, box in enumerate(ndimage.find_objects(labels), start=1):
            if max(box[0].stop - box[0].start, box[1].stop - box[1].start) > side:
                continue
            if _is_crowded(indices, box, value):
                continue
            rows, cols = np.nonzero(labels[box] == number)
            rows, cols = rows + box[0].start, cols + box[1].start
            left[rows, cols] = False
            yield rows, cols
    for top in range(0, height, side):
        for west in range(0, width, side):
            rows, cols = np.nonzero(left[top : top + side, west : west + side])
            if len(rows):
                yield rows + top, cols + west


def _is_crowded(indices: np.ndarray, box: tuple[slice, slice], value: int) -> bool:
    """Whether labels of other classes lie right beside the patch: a label raster of everything is cut by blocks."""
    rows, cols = (slice(max(part.start - 1, 0), part.stop + 1) for part in box)
    around = indices[rows, cols]
    return bool(((around >= 0) & (around != value)).any())


def _choose(counts: np.ndarray, share: float, rng: np.random.Generator) -> tuple[np.ndarray, tuple[int, ...]]:
    """Which units judge (bool by unit number), rarest class first; and the classes that lie in one unit alone."""
    chosen = np.zeros(len(counts), bool)
    taken = np.zeros(counts.shape[1])
    totals = counts.sum(0)
    alone = []
    for index in np.argsort(totals):
        having = np.nonzero(counts[:, index] > 0)[0]
        if len(having) == 0:
            continue
        if len(having) == 1:
            alone.append(int(index))
            chosen[having] = False
            continue
        for unit in rng.permutation(having):
            if taken[index] >= share * totals[index] or chosen[having].sum() >= len(having) - 1:
                break
            if not chosen[unit] and _helps(counts[unit], taken, totals, share, index):
                chosen[unit] = True
                taken += counts[unit]
    return chosen, tuple(alone)


def _helps(unit: np.ndarray, taken: np.ndarray, totals: np.ndarray, share: float, index: int) -> bool:
    """Whether the unit brings the class towards its share without taking most of any class's labels."""
    after = taken + unit
    there = unit > 0
    spared = (after[there] <= np.maximum(0.6, 2 * share) * totals[there]).all()
    return bool(spared or (taken[index] == 0 and (after[there] < totals[there]).all()))
