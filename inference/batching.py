"""How many tiles a device is best given at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

from .exhaustion import is_exhaustion

#: Tiles at once, at most: more than so many fill any device.
MOST = 32
#: What a doubling has to gain to be worth its memory.
_GAIN = 1.05

Feed = Mapping[str, np.ndarray]


def fastest_batch(
    run: Callable[[Feed], object],
    tile: Feed,
    checkpoint: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> int:
    """The number of tiles at once, a power of two, beyond which a doubling gains next to nothing or finds no memory.

    Args:
        run: gives a batch to the device.
        tile: the model's inputs for one tile, each with a first axis of one.
        checkpoint: called between batches; what it raises ends the trial.
        clock: answers seconds.

    Raises:
        Exception: what `run` raises, unless the device's memory is exhausted beyond one tile.
    """
    best, rate, size = 1, 0.0, 1
    while size <= MOST:
        checkpoint()
        batch = {name: np.repeat(array[:1], size, axis=0) for name, array in tile.items()}
        try:
            run(batch)
            began = clock()
            run(batch)
        except Exception as problem:
            if size > 1 and is_exhaustion(problem):
                break
            raise
        reached = size / max(clock() - began, 1e-9)
        if reached < rate * _GAIN:
            break
        best, rate, size = size, reached, 2 * size
    return best
