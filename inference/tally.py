"""What a finished map lacks, in sentences: an empty map, a layer that was not there, tiles that disagree."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..models.card import Output
from .prepare import Prepared

#: Mean difference between tiles from which it is told: in probability, and as a share of a regression's range. Less is
#: arithmetic's noise, or not to be seen on the map.
SEEN = 0.01


def tally(valid: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Counts of one block, int64: its mapped pixels, then, for each optional slot, those mapped without its layer.

    Args:
        valid: H×W bool, True where the pixel is mapped.
        missing: optional slots × H × W, 1 where the slot's layer has no value.
    """
    without = (np.count_nonzero(lost.astype(bool) & valid) for lost in missing)
    return np.array([np.count_nonzero(valid), *without], np.int64)


def doubts(prepared: Prepared, counts: np.ndarray) -> Iterator[str]:
    """Sentences about the summed counts of all blocks."""
    mapped, *without = (int(count) for count in counts)
    slots = [slot for slot in prepared.card.slots if slot.layout != "vector"]
    if mapped == 0:
        needed = " and ".join(f"'{slot.name}'" for slot in slots if slot.missing == "required")
        yield (
            f"The map is empty: no pixel of its extent {'and area ' if prepared.area else ''}has values in the layers "
            f"for {needed or 'its slots'}; check their extents and nodata values, and the extent of the map."
        )
        return
    for slot, lost in zip((slot for slot in slots if slot.missing != "required"), without, strict=True):
        if lost and slot.name in prepared.job.sources:
            share = f"{lost / mapped:.0%}" if lost >= mapped / 100 else "less than 1%"
            yield (
                f"The layer for '{slot.name}' has no values on {share} of the map, which is made there by the model's "
                "rule for a missing layer (the product 'missing' shows where)."
            )


def seams(prepared: Prepared, total: Callable[[str], np.ndarray]) -> Iterator[str]:
    """How far neighbouring tiles disagree, for a model whose tiling cannot be made invisible; little is not told.

    Without a finite receptive radius a pixel's answer depends on the tile around it; what overlaps is blended, and
    its contrast (`Merger.contrast`, summed over the blocks by `total`) says how much there was to blend.
    """
    lattice = prepared.lattice
    several = lattice.count(prepared.grid.height) * lattice.count(prepared.grid.width) > 1
    if prepared.card.receptive_radius is not None or not several:
        return
    for number, output in enumerate(prepared.card.outputs):
        name = output.title or output.name
        apart, pixels = total(f"{number}.contrast")
        if not pixels:
            yield f"The tiles of '{name}' do not overlap, so seams may show; set compute.overlap to blend them."
            continue
        regression = output.task == "pixel-regression"
        difference = apart / pixels * (abs(output.scaling.scale) if regression else 1)
        if difference < _least_seen(output):
            continue
        unit = f" {output.units}".rstrip() if regression else " in probability"
        yield (
            f"The model tells no receptive radius, so the tiles of '{name}' are blended where they overlap; they "
            f"differ there by {difference:.2g}{unit} on average."
        )


def _least_seen(output: Output) -> float:
    """Mean difference between tiles that is worth telling, in the output's units; all of it where no range is known."""
    if output.task != "pixel-regression":
        return SEEN
    low, high = output.range or (0.0, 0.0)
    return SEEN * (high - low)
