"""Training batches for ever: chips around labelled pixels, rare classes more often, varied and with layers left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .augment import Directions, Variation, turned
from .scenes import Scene, is_labelled

#: Labelled pixels of one class in one scene that are remembered as chip centres; more would tell nothing new.
_CENTRES = 50_000


@dataclass(frozen=True)
class Handling:
    """How chips are varied.

    Attributes:
        imagery: channel slices whose brightness is varied.
        optional: channel slices by slot name that a chip may go without.
        dropout: probability of that, for each of them.
        directions: channels that hold directions on the ground.
        variation: how much imagery is varied; None leaves chips as they are, unturned.
    """

    imagery: tuple[slice, ...] = ()
    optional: Mapping[str, slice] | None = None
    dropout: float = 0.0
    directions: tuple[Directions, ...] = ()
    variation: Variation | None = None


@dataclass(frozen=True)
class Batch:
    """N chips: `x` N×C×S×S float32 model inputs, `truth` N×S×S, `lonlat` N×2 float32 degrees of their centres."""

    x: np.ndarray
    truth: np.ndarray
    lonlat: np.ndarray


class Sampler:
    """Draws chips.

    Args:
        inputs: model inputs C×H×W float32, one a scene.
        truths: H×W truth of the training part, one a scene; classes, or a regression's values.
        scenes: the scenes themselves, for their places.
        side: side of a chip in pixels.
        handling: how chips are varied.

    Raises:
        ValueError: no truth has a label.
    """

    def __init__(
        self, inputs: list[np.ndarray], truths: list[np.ndarray], scenes: list[Scene], side: int, handling: Handling
    ) -> None:
        self.inputs, self.truths, self.scenes, self.side, self.handling = inputs, truths, scenes, side, handling
        self._centres = _centres(truths)
        if not self._centres:
            raise ValueError("no labelled pixel to draw chips around")
        sizes = {kind: sum(size for _, _, size in places) for kind, places in self._centres.items()}
        self._kinds = sorted(sizes)
        # The square root of a class's size lies between drawing classes alike and drawing pixels alike.
        weights = np.sqrt([sizes[kind] for kind in self._kinds])
        self._chances = weights / weights.sum()

    def draw(self, count: int, rng: np.random.Generator) -> Batch:
        """`count` chips."""
        kinds = rng.choice(len(self._kinds), count, p=self._chances)
        chips = [self._one(self._kinds[kind], rng) for kind in kinds]
        x, truth, lonlat = (np.stack(parts) for parts in zip(*chips, strict=True))
        return Batch(x, truth, lonlat)

    def _one(self, kind: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        places = self._centres[kind]
        sizes = np.array([size for _, _, size in places], float)
        number, pixels, _ = places[int(rng.choice(len(places), p=sizes / sizes.sum()))]
        height, width = self.truths[number].shape
        row, col = divmod(int(rng.choice(pixels)), width)
        # The labelled pixel may lie anywhere in the chip, so that a network learns no centre.
        corner = np.array([row, col]) - rng.integers(0, self.side, 2)
        row, col = (int(v) for v in np.clip(corner, 0, [height - self.side, width - self.side]))
        rows, cols = slice(row, row + self.side), slice(col, col + self.side)
        lonlat = self.scenes[number].middle(row, col, self.side)[0]
        x, truth = self._varied(self.inputs[number][:, rows, cols].copy(), self.truths[number][rows, cols], rng)
        return x, truth, lonlat

    def _varied(self, x: np.ndarray, truth: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        how = self.handling
        for place in (how.optional or {}).values():
            if rng.random() < how.dropout:
                x[place] = 0.0
        if how.variation is None:
            return x, truth
        for bands in how.imagery:
            x[bands] = how.variation.apply(x[bands], rng)
        return turned(x, truth, int(rng.integers(4)), rng.random() < 0.5, how.directions)


def _centres(truths: list[np.ndarray]) -> dict[int, list[tuple[int, np.ndarray, int]]]:
    """By class: scene number, flat indices of labelled pixels (at most `_CENTRES`), and how many there are in all."""
    found: dict[int, list[tuple[int, np.ndarray, int]]] = {}
    rng = np.random.default_rng(0)
    for number, truth in enumerate(truths):
        flat = truth.ravel()
        kinds = [0] if truth.dtype.kind == "f" else np.unique(flat[flat >= 0])
        for kind in kinds:
            pixels = np.flatnonzero(is_labelled(flat) if truth.dtype.kind == "f" else flat == kind)
            if len(pixels):
                kept = pixels if len(pixels) <= _CENTRES else np.sort(rng.choice(pixels, _CENTRES, replace=False))
                found.setdefault(int(kind), []).append((number, kept, len(pixels)))
    return found
