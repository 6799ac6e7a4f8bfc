"""One block, a pure function of the plan and the block's index: read, run every tile that touches it, merge, encode."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from pyproj import CRS

from .exhaustion import Batch
from .grid import Window, way_between
from .inputs import BlockInputs, read_block, vector_inputs
from .lattice import alignment
from .merge import Merger, make_merger
from .prepare import Prepared, encoded_of
from .sessions import Session
from .sinks.encode import Encoder
from .sinks.summary import counted_of, summary_part
from .sources import Source
from .tally import tally
from .uniform import spread

Tile = tuple[int, int]
#: What stands in the map of missing layers outside the map, where nothing was missed.
_NO_MAP = np.uint8(255)


@dataclass(frozen=True)
class BlockResult:
    """What a block file holds: product arrays and figures of each head (``0.classes``, ``0.figures``), and the stack
    and missing arrays.
    """

    arrays: dict[str, np.ndarray]
    not_finite: int
    """Pixels whose scores were NaN or infinite, and which became nodata."""
    counts: np.ndarray
    """Pixels that are mapped, in all and without each optional layer (`tally`)."""


def compute_block(
    prepared: Prepared,
    index: int,
    sources: Mapping[str, Source],
    session: Session | None,
    batch: Batch,
    checkpoint: Callable[[float], None],
) -> BlockResult:
    """Compute one block.

    `checkpoint` is called before every batch with the share (0 to 1) of the block that is done; what it raises, for
    example Cancelled, ends the block.
    """
    grid, lattice, window = prepared.grid, prepared.lattice, prepared.layout.window(index)
    rows = lattice.touching(window.row, window.row + window.height, grid.height)
    cols = lattice.touching(window.col, window.col + window.width, grid.width)
    region = _region(lattice.span(rows), lattice.span(cols)) if session else window.aligned(alignment(prepared.card))
    inside = _inside(prepared, window)
    if not inside.any():
        return _outside(prepared, window)
    inputs = read_block(prepared.card, sources, grid, window, region, "stack" in prepared.products)
    valid = inputs.valid & inside if prepared.area else inputs.valid
    arrays, counts = _asides(prepared, inputs, valid, inside), tally(valid, inputs.missing)
    if session is None:
        return BlockResult(arrays, 0, counts)
    mergers = _mergers(prepared, window, valid)
    tiles = [
        (lattice.origin(i), lattice.origin(j))
        for i, j in product(rows, cols)
        if _matters(prepared, lattice.origin(i), lattice.origin(j), window, valid)
    ]
    done = 0
    while done < len(tiles):
        checkpoint(done / len(tiles))
        size = batch.size
        group = tiles[done : done + size]
        try:
            answers = session.run(_feed(prepared, inputs, group, sources, size))
        except Exception as problem:  # noqa: BLE001 - runtimes raise classes of their own; other faults are raised again
            batch.shrink(problem, size)
            continue
        _merge(prepared, group, answers, mergers)
        done += len(group)
    faulty = _finish(mergers, arrays)
    _count(prepared, window, arrays)
    return BlockResult(arrays, faulty, counts)


def _outside(prepared: Prepared, window: Window) -> BlockResult:
    """A block without a pixel of the area, for which no layer is read: one pixel of nodata, shown everywhere."""
    nothing = np.zeros((1, 1), bool)
    slots = [slot for slot in prepared.card.slots if slot.layout != "vector"]
    missing = np.zeros((sum(slot.missing != "required" for slot in slots), 1, 1), np.uint8)
    arrays: dict[str, np.ndarray] = {}
    if "stack" in prepared.products:
        arrays["stack"] = np.full((sum(len(s.channels) for s in slots), 1, 1), np.nan, np.float32)
    if "missing" in prepared.products:
        arrays["missing"] = np.full(missing.shape, _NO_MAP)
    if prepared.runs_model:
        _finish(_mergers(prepared, Window(0, 0, 1, 1), nothing), arrays)
    # What is not made of pixels stays as it is.
    shown = {name: spread(array, window) if array.ndim > 1 else array for name, array in arrays.items()}
    _count(prepared, window, shown)
    return BlockResult(shown, 0, tally(nothing, missing))


def _mergers(prepared: Prepared, window: Window, valid: np.ndarray) -> list[Merger]:
    """One for each head."""
    return [
        make_merger(
            prepared.lattice,
            window,
            valid,
            Encoder(output, encoded_of(output, prepared.products), prepared.job.outputs),
        )
        for output in prepared.card.outputs
    ]


def _finish(mergers: list[Merger], arrays: dict[str, np.ndarray]) -> int:
    """Add each head's arrays under its number; answers the number of pixels whose scores were not finite."""
    not_finite = 0
    for number, merger in enumerate(mergers):
        made, faulty = merger.finish()
        not_finite += faulty
        arrays[f"{number}.contrast"] = merger.contrast
        arrays.update({f"{number}.{name}": array for name, array in made.items()})
    return not_finite


def _count(prepared: Prepared, window: Window, arrays: dict[str, np.ndarray]) -> None:
    """Add each head's figures on the block, while its pixels are at hand, as ``0.figures`` (`SummaryPart`)."""
    for number, output in enumerate(prepared.card.outputs if prepared.runs_model else ()):
        values = arrays.get(f"{number}.{counted_of(output)}")
        if values is not None:
            part = summary_part(prepared.grid, prepared.areas, output, window, values)
            arrays[f"{number}.figures"] = part.to_array()


def tile_feed(
    prepared: Prepared, tile: Tile, sources: Mapping[str, Source], batch: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The model's inputs for one tile alone, read for it, as the first of a batch; and which of the tile's pixels are
    mapped (side×side bool).
    """
    region = Window(*tile, prepared.lattice.size, prepared.lattice.size)
    window = region.clipped(prepared.grid.height, prepared.grid.width)
    inputs = read_block(prepared.card, sources, prepared.grid, window, region)
    valid = np.zeros((region.height, region.width), bool)
    valid[window.within(region)] = inputs.valid & _inside(prepared, window)
    return _feed(prepared, inputs, [tile], sources, batch), valid


def _inside(prepared: Prepared, window: Window) -> np.ndarray | np.bool_:
    """Which of a window's pixels lie in the area; True for all of them without one."""
    return prepared.area.read(prepared.grid, window) if prepared.area else np.True_


def _region(rows: tuple[int, int], cols: tuple[int, int]) -> Window:
    return Window(rows[0], cols[0], rows[1], cols[1])


def _asides(
    prepared: Prepared, inputs: BlockInputs, valid: np.ndarray, inside: np.ndarray | np.bool_
) -> dict[str, np.ndarray]:
    """The products that need no model."""
    arrays: dict[str, np.ndarray] = {}
    if inputs.stack is not None:
        arrays["stack"] = np.where(inside, inputs.stack, np.float32(np.nan))
    if "missing" in prepared.products:
        arrays["missing"] = np.where(valid, inputs.missing, _NO_MAP)
    return arrays


def _matters(prepared: Prepared, row: int, col: int, window: Window, valid: np.ndarray) -> bool:
    """False for a tile under whose weight no pixel of the block is valid: it would be computed for nothing."""
    lattice = prepared.lattice
    support = Window(row, col, lattice.size, lattice.size).grown(-lattice.edge)
    inner = Window(support.row - window.row, support.col - window.col, support.height, support.width)
    inner = inner.clipped(window.height, window.width)
    return bool(valid[inner.within(Window(0, 0, window.height, window.width))].any())


def _merge(prepared: Prepared, tiles: list[Tile], answers: Mapping[str, np.ndarray], mergers: list[Merger]) -> None:
    for merger, output in zip(mergers, prepared.card.outputs, strict=True):
        scores = answers[output.name]
        for place, (row, col) in enumerate(tiles):
            merger.add(row, col, scores[place])


def _feed(
    prepared: Prepared, inputs: BlockInputs, tiles: list[Tile], sources: Mapping[str, Source], batch: int
) -> dict[str, np.ndarray]:
    """The model's inputs for a group of tiles, padded with zeros to the full batch."""
    feed = inputs.feed(tiles, prepared.lattice.size, batch)
    if any(slot.layout == "vector" for slot in prepared.card.slots):
        centres = _centres(prepared, tiles)
        for name, values in vector_inputs(prepared.card, sources, centres).items():
            feed[name] = np.concatenate([values, np.zeros((batch - len(tiles), values.shape[1]), np.float32)])
    return feed


def _centres(prepared: Prepared, tiles: list[Tile]) -> np.ndarray:
    """Longitude and latitude (N×2, degrees) of tile centres."""
    half = prepared.lattice.size / 2
    points = [prepared.grid.transform @ (col + half, row + half) for row, col in tiles]
    transformer = way_between(prepared.grid.pyproj_crs, CRS.from_epsg(4326))
    lon, lat = transformer.transform(*np.transpose(points))
    return np.column_stack([lon, lat])
