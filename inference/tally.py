"""What a finished map lacks, in sentences: an empty map, and a layer that was not there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .prepare import Prepared


def tally(valid: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Counts of one block, int64: its mapped pixels, then, for each optional slot, those mapped without its layer.

    Args:
        valid: H×W bool, True where the pixel is mapped.
        missing: optional slots × H × W, 1 where the slot's layer has no value.
    """
    without = (missing.astype(bool) & valid).sum(axis=(1, 2)) if len(missing) else []
    return np.array([valid.sum(), *without], np.int64)


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
