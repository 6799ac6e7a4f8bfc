"""From patches to the arrays that a model takes: scaling, filling, stacking, and reflection beyond the grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..models.card import Card, Slot
from .grid import Grid, Window
from .lattice import reflected
from .patch import Patch
from .sources import Source


@dataclass(frozen=True)
class BlockInputs:
    """What the tiles of one block are cut from.

    Attributes:
        card: whose slots they are.
        patches: slot → what its layer holds on `region`, in the slot's own pixels; None where it has no layer.
        region: the run-grid rectangle that the patches cover; it may reach beyond the grid.
        valid: bool on the block's own window, False where a required layer is nodata.
        missing: optional slots × h × w uint8 on the block's own window, 1 where the missing-layer rule applied.
        stack: unscaled values (channels × h × w) on the block's own window with NaN for nodata, when asked for.
    """

    card: Card
    patches: Mapping[str, Patch | None]
    region: Window
    valid: np.ndarray
    missing: np.ndarray
    stack: np.ndarray | None
    _rooms: dict[tuple[int, int], dict[str, np.ndarray]] = field(default_factory=dict, repr=False)

    def feed(self, tiles: Sequence[tuple[int, int]], size: int, batch: int) -> dict[str, np.ndarray]:
        """The model's raster inputs, N×C×h×w (or N×C×T×h×w) float32, for tiles of `size` run-grid pixels.

        Tiles are given by the row and column of their first pixel. Where they are fewer than `batch`, zeros follow.
        The arrays are good until the next call, which fills them anew: memory that was touched before is written to in
        half the time.
        """
        feed = self._room(size, batch)
        for array in feed.values():
            array[len(tiles) :] = 0
        for slot in self.card.slots:
            if slot.layout == "vector":
                continue
            target = feed[slot.input] if slot.layout == "NCHW" else feed[slot.input][:, :, slot.time]
            patch = self.patches[slot.name]
            for place, tile in enumerate(tiles):
                _lay(slot, self._cut(slot, tile, size), patch is not None and patch.whole, target[place])
        return feed

    def _room(self, size: int, batch: int) -> dict[str, np.ndarray]:
        """Arrays for a batch; what no slot writes to stays zero."""
        if (size, batch) not in self._rooms:
            self._rooms.clear()
            shapes = {
                name: (batch, channels, *([dates] if dates else []), size // ratio, size // ratio)
                for name, (channels, dates, ratio) in input_shapes(self.card).items()
            }
            self._rooms[size, batch] = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        return dict(self._rooms[size, batch])

    def _cut(self, slot: Slot, tile: tuple[int, int], size: int) -> tuple[np.ndarray, np.ndarray] | None:
        """A tile's share of the slot's patch: values and validity."""
        patch = self.patches[slot.name]
        if patch is None:
            return None
        top = (tile[0] - self.region.row) // slot.grid_ratio
        left = (tile[1] - self.region.col) // slot.grid_ratio
        side = size // slot.grid_ratio
        rows, cols = slice(top, top + side), slice(left, left + side)
        return patch.data[:, rows, cols], patch.valid[rows, cols]


def input_shapes(card: Card) -> dict[str, tuple[int, int, int]]:
    """ONNX input name → channels, dates (0 where the layout has no time axis), grid ratio."""
    shapes: dict[str, tuple[int, int, int]] = {}
    for slot in card.slots:
        if slot.layout == "vector":
            continue
        channels, dates, _ = shapes.get(slot.input, (0, 0, 1))
        dates = max(dates, slot.time + 1) if slot.layout == "NCTHW" else 0
        shapes[slot.input] = (max(channels, slot.offset + slot.width), dates, slot.grid_ratio)
    return shapes


def read_block(
    card: Card, sources: Mapping[str, Source], grid: Grid, window: Window, region: Window, with_stack: bool = False
) -> BlockInputs:
    """Read every slot once on `region` (mirrored at the grid's edges)."""
    valid = np.ones((window.height, window.width), bool)
    patches: dict[str, Patch | None] = {}
    missing = []
    stack = []
    for slot in card.slots:
        if slot.layout == "vector":
            continue
        patch = patches[slot.name] = _read_slot(slot, sources.get(slot.name), grid, region)
        here = _on_window(patch.valid if patch else None, slot.grid_ratio, region, window)
        if slot.missing == "required":
            valid &= here
        else:
            missing.append(~here)
        if with_stack:
            stack.append(_unscaled(slot, patch, here, region, window))
    absent = np.array(missing, np.uint8).reshape(len(missing), *valid.shape)
    return BlockInputs(card, patches, region, valid, absent, np.concatenate(stack) if stack else None)


def vector_inputs(card: Card, sources: Mapping[str, Source], lonlat: np.ndarray) -> dict[str, np.ndarray]:
    """ONNX input name → N×D float32 for slots of layout ``vector``, evaluated at N tile centres (N×2 lon, lat)."""
    inputs: dict[str, np.ndarray] = {}
    for slot in card.slots:
        if slot.layout != "vector":
            continue
        source = sources.get(slot.name)
        if source is None:
            inputs[slot.input] = np.full((len(lonlat), len(slot.channels)), slot.fill, np.float32)
            continue
        values = np.stack([source.vector(lon, lat) for lon, lat in lonlat])  # type: ignore[attr-defined]
        inputs[slot.input] = scale(slot, values.T[:, :, None])[:, :, 0].T
    return inputs


def scale(slot: Slot, data: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Source values (C×H×W) in the model's units: ``(clip(x, minimum, maximum) - offset) / scale`` for each channel.

    float32, into `out` where it is given.
    """
    scaled = np.empty(data.shape, np.float32) if out is None else out
    for values, target, channel in zip(data, scaled, slot.channels, strict=True):
        rule = channel.scaling
        if rule.minimum is not None or rule.maximum is not None:
            values = np.clip(values.astype(np.float32, copy=False), rule.minimum, rule.maximum)
        if rule.offset == 0 and rule.scale == 1:
            target[...] = values
        elif rule.offset == 0:
            np.multiply(values, np.float32(1 / rule.scale), out=target, casting="same_kind")
        else:
            np.subtract(values, np.float32(rule.offset), out=target, casting="same_kind")
            target *= np.float32(1 / rule.scale)
    return scaled


def _read_slot(slot: Slot, source: Source | None, grid: Grid, region: Window) -> Patch | None:
    if source is None:
        return None
    ratio = slot.grid_ratio
    own = grid.coarser(ratio)
    rows = reflected(region.row // ratio, region.height // ratio, own.height)
    cols = reflected(region.col // ratio, region.width // ratio, own.width)
    window = Window(int(rows.min()), int(cols.min()), int(np.ptp(rows)) + 1, int(np.ptp(cols)) + 1)
    patch = source.read(window)
    if (window.height, window.width) == (len(rows), len(cols)):
        return patch
    return Patch(
        _mirrored(patch.data, rows - window.row, cols - window.col),
        _mirrored(patch.valid, rows - window.row, cols - window.col),
        window,
        own,
    )


def _mirrored(array: np.ndarray, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
    """Rows and columns of an array (…×h×w), as `reflected` names them: runs of neighbours, forward and backward."""
    for axis, index in ((-2, rows), (-1, cols)):
        runs = np.split(index, np.flatnonzero(np.diff(index, 2)) + 2) if len(index) > 2 else [index]
        if any(len(run) > 1 and abs(run[1] - run[0]) != 1 for run in runs):
            array = array.take(index, axis)
            continue
        array = np.concatenate([_run(array, axis, run) for run in runs], axis)
    return array


def _run(array: np.ndarray, axis: int, run: np.ndarray) -> np.ndarray:
    """Neighbouring places along an axis, in either direction: a view, which is copied much faster than by index."""
    first, last = int(run[0]), int(run[-1])
    part = slice(first, last + 1) if first <= last else slice(first, last - 1 if last else None, -1)
    return array[(..., part) if axis == -1 else (..., part, slice(None))]


def _lay(slot: Slot, cut: tuple[np.ndarray, np.ndarray] | None, whole: bool, target: np.ndarray) -> None:
    """Write the slot's scaled channels, and its mask channel, into its share of a tile (C×h×w).

    `cut` holds values and validity; `whole` says that all is valid.
    """
    count = len(slot.channels)
    share = target[slot.offset : slot.offset + count]
    if cut is None:
        share[...] = slot.fill
        return
    values, valid = cut
    scale(slot, values, share)
    if not whole:
        share[:, ~valid] = slot.fill
    if slot.missing == "mask_channel":
        target[slot.offset + count] = valid


def _on_window(valid: np.ndarray | None, ratio: int, region: Window, window: Window) -> np.ndarray:
    if valid is None:
        return np.zeros((window.height, window.width), bool)
    return _refine(valid, ratio)[window.within(region)]


def _refine(array: np.ndarray, ratio: int) -> np.ndarray:
    return array if ratio == 1 else array.repeat(ratio, axis=-2).repeat(ratio, axis=-1)


def _unscaled(slot: Slot, patch: Patch | None, valid: np.ndarray, region: Window, window: Window) -> np.ndarray:
    if patch is None:
        return np.full((len(slot.channels), window.height, window.width), np.nan, np.float32)
    rows, cols = window.within(region)
    return np.where(valid, _refine(patch.data, slot.grid_ratio)[:, rows, cols], np.float32(np.nan))
