"""How long a run will take, from the time that one batch and one window take on the live session and the layers."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Callable

import numpy as np

from ..models.fields import encode
from .choice import open_as_known
from .cost import written_by
from .grid import Window
from .inputs import read_block
from .kept import Kept, Opened
from .lattice import alignment
from .prepare import Prepared
from .sessions import tile_shapes
from .sources import Context
from .workers import cores, worker_count

#: Seconds a pixel to write a class raster, one float band, and polygons, on one core of 2023.
_CLASS_SECONDS, _FLOAT_SECONDS, _VECTOR_SECONDS = 6e-8, 2e-7, 6e-7
_FLOAT = np.dtype(np.float32).itemsize
#: Longest side of the window whose reading is timed. A smaller one would be mostly halo, a larger one take too long.
_SIDE = 768
#: Cells along a tile's side, and along the longest side of the grid, at which the share of an area is counted.
_CELLS, _MOST_CELLS = 8, 2048


def seconds_of(prepared: Prepared, context: Context, kept: Kept, checkpoint: Callable[[], None]) -> float:
    """Seconds from the first block to the last product; what is measured for it is `kept`.

    On a CPU every worker reads and runs the model on cores of its own, so their times add up; on a GPU, at which they
    take turns, the longer one counts.
    `checkpoint` is called between measurements; what it raises ends them.
    """
    reading, writing = _reading_seconds(prepared, context, kept), _writing_seconds(prepared)
    if not prepared.runs_model or prepared.model is None:
        return reading + writing
    checkpoint()
    opened = open_as_known(prepared, kept)
    checkpoint()
    running = _batches(prepared, opened.batch) * _batch_seconds(prepared, opened)
    shared = opened.session.info.device.startswith("CPU")
    return (running / _at_once(prepared) + reading if shared else max(running, reading)) + writing


def _at_once(prepared: Prepared) -> int:
    """Blocks that make headway at the same time."""
    return min(worker_count(prepared.job.compute), cores(), prepared.layout.count)


def _reading_seconds(prepared: Prepared, context: Context, kept: Kept) -> float:
    """All blocks with their halos; those outside an area are not read."""
    a_pixel = kept.reading(_layers_key(prepared), lambda: _measure_reading(prepared, context))
    rows, cols = _along(prepared, prepared.layout.height), _along(prepared, prepared.layout.width)
    pixels = sum(span for span, _ in rows) * sum(span for span, _ in cols)
    return _area_share(prepared, prepared.layout.side) * pixels * a_pixel / _at_once(prepared)


def _writing_seconds(prepared: Prepared) -> float:
    written = written_by(prepared)
    rasters = sum(
        _CLASS_SECONDS * raster.bytes if raster.categorical else _FLOAT_SECONDS * raster.bytes / _FLOAT
        for raster in written.rasters
    )
    return prepared.grid.width * prepared.grid.height * (rasters + written.vectors * _VECTOR_SECONDS)


def _along(prepared: Prepared, length: int) -> list[tuple[int, int]]:
    """Pixels that are read and tiles that are run for each block along one side of the grid, halo included."""
    side, lattice = prepared.layout.side, prepared.lattice
    tiles = [lattice.touching(start, min(start + side, length), length) for start in range(0, length, side)]
    return [(lattice.span(touched)[1], len(touched)) for touched in tiles]


def _batches(prepared: Prepared, batch: int) -> float:
    """Batches that all blocks need; tiles outside an area are left out."""
    rows = Counter(tiles for _, tiles in _along(prepared, prepared.layout.height))
    cols = Counter(tiles for _, tiles in _along(prepared, prepared.layout.width))
    return _area_share(prepared, prepared.lattice.step) * sum(
        n * m * math.ceil(high * wide / batch) for high, n in rows.items() for wide, m in cols.items()
    )


def _area_share(prepared: Prepared, step: int) -> float:
    """Share of the squares of `step` pixels in which the area has a pixel, looked at on a coarser grid."""
    if prepared.area is None:
        return 1.0
    grid = prepared.grid
    ratio = max(step // _CELLS, math.ceil(max(grid.width, grid.height) / _MOST_CELLS), 1)
    coarse = grid.coarser(ratio)
    inside = prepared.area.read(coarse, coarse.whole)
    side = max(step // ratio, 1)
    padded = np.pad(inside, [(0, -size % side) for size in inside.shape])
    tiles = padded.reshape(padded.shape[0] // side, side, padded.shape[1] // side, side).any(axis=(1, 3))
    # An area smaller than a cell is still one square.
    return float(max(tiles.mean(), 1 / tiles.size))


def _batch_seconds(prepared: Prepared, opened: Opened) -> float:
    """Time of one batch, measured once a session; not of its first run, in which memory is laid out."""
    if opened.batch_seconds is None:
        shapes = tile_shapes(prepared.card, opened.batch, prepared.lattice.size)
        feed = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        opened.session.run(feed)
        opened.batch_seconds = _timed(lambda: opened.session.run(feed))
    return opened.batch_seconds


def _measure_reading(prepared: Prepared, context: Context) -> float:
    """Seconds a pixel to read the middle of the grid."""
    window = _middle(prepared, _SIDE)
    # Opened anew: whoever has looked at these layers before has left pixels in their caches.
    sources = prepared.open_sources(context)
    try:
        seconds = _timed(lambda: read_block(prepared.card, sources, prepared.grid, window, window))
    finally:
        for source in sources.values():
            source.close()
    return seconds / (window.height * window.width)


def _layers_key(prepared: Prepared) -> str:
    """What the time of reading depends on."""
    grid = prepared.grid
    pixel = [f"{size:.3g}" for size in grid.gsd]
    about = (encode(prepared.job.sources), prepared.card.name, grid.crs, pixel, prepared.layout.side)
    return json.dumps(about, sort_keys=True, default=str)


def _middle(prepared: Prepared, side: int) -> Window:
    grid = prepared.grid
    height, width = min(side, grid.height), min(side, grid.width)
    window = Window((grid.height - height) // 2, (grid.width - width) // 2, height, width)
    return window.aligned(alignment(prepared.card))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
