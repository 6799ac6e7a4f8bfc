"""Stacks of simulated scenes, read by the engine's own sources, so that training and mapping see the same."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import rasterio
from fusion_mapper.inference.grid import Grid, Window
from fusion_mapper.inference.job import Source, VectorLayer
from fusion_mapper.inference.sources import Context, open_source
from fusion_mapper.models.card import Slot
from fusion_mapper.models.simulation.write import Scene, write_scene
from fusion_mapper.models.training.chips import Stack
from fusion_mapper.models.training.starters import Starter

_OSM_LAYERS = ("roads", "buildings", "waterways", "water", "landuse")
_WINDOW = 512


def make_scene(folder: Path, size: int, gsd: float, region: int, seed: int) -> Scene:
    """Write the layers of a simulated scene into a folder of its own."""
    return write_scene(folder / f"{gsd:g}m-region{region}-seed{seed}", size, gsd, region, seed)


def read_stack(starter: Starter, scene: Scene) -> Stack:
    """All slots of a starter on the grid of the scene's truth, in source units, with the truth.

    Classes become indices from 0, percent become shares between 0 and 1.
    """
    grid, truth = _grid_and_truth(getattr(scene, starter.truth))
    context = Context(base=scene.folder, folder=scene.folder / "run", warn=_warn)
    context.folder.mkdir(exist_ok=True)
    parts = [_read_slot(slot, _spec(starter, slot, scene), grid, context) for slot in starter.card.slots]
    values, valid = (np.concatenate(part) for part in zip(*parts, strict=True))
    if starter.regression:
        return Stack(values, valid, (truth / 100).astype(np.float32))
    first = starter.card.outputs[0].classes[0].value
    return Stack(values, valid, truth.astype(np.int8) - first)


def _warn(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _grid_and_truth(path: Path) -> tuple[Grid, np.ndarray]:
    with rasterio.open(path) as raster:
        return Grid(raster.crs.to_wkt(), raster.transform, raster.width, raster.height), raster.read(1)


def _spec(starter: Starter, slot: Slot, scene: Scene) -> Source:
    if slot.role == "osm":
        layers = tuple(VectorLayer(str(scene.osm), name) for name in _OSM_LAYERS)
        return Source(layers=layers)
    if slot.role == "dem":
        return Source(path=str(scene.dem))
    attribute, bands = starter.layers[slot.name]
    return Source(path=str(getattr(scene, attribute)), bands=bands)


def _read_slot(slot: Slot, spec: Source, grid: Grid, context: Context) -> tuple[np.ndarray, np.ndarray]:
    """Values and validity, each C×H×W."""
    values = np.zeros((len(slot.channels), grid.height, grid.width), np.float32)
    valid = np.zeros(values.shape, bool)
    source = open_source(slot, spec, grid, context)
    try:
        for row in range(0, grid.height, _WINDOW):
            for col in range(0, grid.width, _WINDOW):
                window = Window(row, col, _WINDOW, _WINDOW).clipped(grid.height, grid.width)
                patch = source.read(window)
                place = (slice(None), *window.within(grid.whole))
                values[place], valid[place] = patch.data, patch.valid
    finally:
        source.close()
    return values, valid
