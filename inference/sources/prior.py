"""PROC-STACK's hand-made prior: a coarse class map and OpenStreetMap turned into probabilities of the label classes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.signal import oaconvolve

from ...models.card import Slot
from ..errors import RequestError, SourceError
from ..grid import Grid, Window
from ..job import Source as SourceSpec
from ..patch import Patch
from . import Context, Facts, Source
from .osm import OsmRasters
from .raster import open_raster

#: The Gaussian ends at so many standard deviations.
TRUNCATE = 4.0
#: Sums of probabilities below this are the rounding of the convolution, not evidence.
_NOTHING = 1e-9


def open_prior(slot: Slot, spec: SourceSpec, grid: Grid, context: Context) -> PriorSource:
    """Open the coarse class raster (`spec.path`, read with nearest) and the vectors that are added (`spec.layers`).

    Raises:
        SourceError: the raster or a layer cannot be read.
        RequestError: the slot has no prior recipe.
    """
    if slot.prior is None:
        raise RequestError(f"The slot '{slot.name}' has no prior recipe.")
    coarse = open_raster(replace(slot, resampling="nearest"), replace(spec, layers=()), grid, context)
    additions: OsmRasters | None = None
    if spec.layers and slot.prior.additions:
        recipes = tuple(addition.osm for addition in slot.prior.additions)
        additions = OsmRasters(recipes, spec, grid, context)
    elif slot.prior.additions:
        context.warn(
            f"The prior '{slot.name}' adds OpenStreetMap, but its source names no layers, so nothing is added."
        )
    return PriorSource(slot, coarse, additions, spec, grid, context)


class PriorSource:
    """A prior slot, open: one probability for each label class, summing to 1; valid where the coarse raster is.

    Method: Rao & Rolf (arXiv 2507.13385), after Rolf et al.'s implicit-posterior: each coarse class, one-hot on the run
    grid, is blurred by a Gaussian (σ in ground metres, ended at 4 σ), multiplied by P(label | coarse class) and
    normalised; then OSM's rasters are added to their labels, and the sum is normalised again. Where nothing is known
    (a coarse value that the card does not list, with no other near), every label is equally likely.
    """

    def __init__(
        self,
        slot: Slot,
        coarse: Source,
        additions: OsmRasters | None,
        spec: SourceSpec,
        grid: Grid,
        context: Context,
    ) -> None:
        recipe = slot.prior
        if recipe is None:
            raise RequestError(f"The slot '{slot.name}' has no prior recipe.")
        self.channels = tuple(channel.name for channel in slot.channels)
        self.attribution = additions.layers.attribution(spec.attribution) if additions else spec.attribution
        self._name = spec.name or slot.name
        self._recipe = recipe
        self._coarse = coarse
        self._additions = additions
        self._grid = grid
        self._warn = context.warn
        order = np.argsort(recipe.coarse)
        self._known = np.array(recipe.coarse, float)[order]
        matrix = np.array(recipe.cooccurrence, float)[order]
        #: For each label, P(label | coarse class) by class, and a last 0 for pixels without a known class.
        self._columns = np.concatenate([matrix, np.zeros((1, matrix.shape[1]))]).T
        self._kernels = tuple(_gaussian(recipe.blur / gsd) for gsd in (grid.gsd[1], grid.gsd[0]))

    def read(self, window: Window) -> Patch:
        """Probabilities (labels × H × W float32) on a window, which may reach beyond the grid."""
        down, across = (len(kernel) // 2 for kernel in self._kernels)
        wide = Window(window.row - down, window.col - across, window.height + 2 * down, window.width + 2 * across)
        coarse = self._coarse.read(wide)
        place = self._places(coarse.data[0], coarse.valid)
        middle = slice(down, down + window.height), slice(across, across + window.width)
        # Label by label, since a fine grid makes the halo much larger than the window.
        data = normalised(np.stack([self._blur(column[place])[middle] for column in self._columns]))
        if self._additions is not None:
            for addition, raster in zip(self._recipe.additions, self._additions.read(window), strict=True):
                data[addition.label] += raster
            data = normalised(data)
        return Patch(data.astype(np.float32), coarse.valid[window.within(wide)], window, self._grid)

    def facts(self) -> Facts:
        """The coarse raster's facts, and how many features each addition found."""
        facts = self._coarse.facts()
        details = dict(facts.details)
        if self._additions is not None:
            details["matched"] = self._additions.survey().matched
        labels = len(self.channels)
        return replace(facts, minimum=(0.0,) * labels, maximum=(1.0,) * labels, details=details)

    def fingerprint(self) -> str:
        """The coarse raster's fingerprint and the vectors', hashed together."""
        parts = [self._coarse.fingerprint()]
        parts += [self._additions.survey().digest] if self._additions is not None else []
        return f"sha256:{hashlib.sha256('|'.join(parts).encode()).hexdigest()}"

    def close(self) -> None:
        """Close the coarse raster and give back the vectors' memory."""
        self._coarse.close()
        if self._additions is not None:
            self._additions.forget()

    def _places(self, values: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """Each pixel's row in the matrix, H×W; the row after the last where there is no known class.

        Blurring each label's probabilities equals blurring every coarse class and multiplying afterwards, since both
        are linear.
        """
        place = np.clip(np.searchsorted(self._known, values), 0, len(self._known) - 1)
        listed = valid & (self._known[place] == values)
        strange = np.unique(values[valid & ~listed])
        if strange.size:
            shown = ", ".join(f"{value:g}" for value in strange[:8])
            self._warn(f"The prior's raster '{self._name}' has values that the model's card does not list ({shown}).")
        return np.where(listed, place, len(self._known))

    def _blur(self, share: np.ndarray) -> np.ndarray:
        down, across = self._kernels
        share = oaconvolve(share, down[:, None], mode="same", axes=0) if len(down) > 1 else share
        return oaconvolve(share, across[None, :], mode="same", axes=1) if len(across) > 1 else share


def normalised(data: np.ndarray) -> np.ndarray:
    """Labels × H × W divided by their sum at each pixel; equal shares where the sum is nothing."""
    data = np.maximum(data, 0.0)
    total = data.sum(axis=0)
    something = total > _NOTHING
    shares = np.full(data.shape, 1.0 / len(data))
    np.divide(data, total, out=shares, where=something)
    return shares


def estimate_cooccurrence(
    labels: np.ndarray, coarse: np.ndarray, label_values: Sequence[int], coarse_values: Sequence[int]
) -> tuple[tuple[float, ...], ...]:
    """P(label | coarse class), counted over the pixels of the *training* place only.

    Counting it in the place that is mapped would leak that place's labels into the prior. Pixels with other values on
    either side do not count. A coarse class that never meets a label gets equal shares.

    Args:
        labels: label values, any shape.
        coarse: coarse class values, of the same shape.
        label_values: label values in the order of the matrix's columns.
        coarse_values: coarse values in the order of its rows.

    Raises:
        SourceError: the arrays differ in shape.
    """
    if labels.shape != coarse.shape:
        raise SourceError(
            f"The labels ({labels.shape}) and the coarse classes ({coarse.shape}) must lie on one grid to be counted."
        )
    rows = []
    for value in coarse_values:
        here = labels[coarse == value]
        counts = np.array([np.count_nonzero(here == label) for label in label_values], float)
        total = counts.sum()
        shares = counts / total if total else np.full(len(counts), 1.0 / len(counts))
        rows.append(tuple(float(share) for share in shares))
    return tuple(rows)


def _gaussian(sigma: float) -> np.ndarray:
    """Weights of a Gaussian of `sigma` pixels, ended at 4 σ and summing to 1; one weight where it is nearly a point."""
    radius = math.floor(TRUNCATE * sigma + 0.5)
    if radius < 1:
        return np.ones(1)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return weights / weights.sum()
