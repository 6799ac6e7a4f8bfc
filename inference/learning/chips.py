"""``chips``: layers and labels cut into georeferenced tiles, for training with other tools.

The folder reads as the field's own data sets do: ``images/NAME.tif`` (float32, the stack in the sources' units, NaN for
nodata), ``labels/NAME.tif`` (class values, or a regression's values), ``index.geojson`` (where each chip lies, and to
which part it belongs) and ``chips.json`` (bands, classes, attribution).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from pyproj import CRS

from ...models.card import Slot
from ...models.files import write_atomically
from ...models.readers.defaults import safe_name
from ...models.training.blocks import split_truths
from ...models.training.scenes import is_labelled
from ..alone import alone_in
from ..errors import RequestError
from ..events import Progress, Result
from ..grid import Grid, Window, way_between
from ..job import resolve
from ..learnjob import ChipsJob
from ..sinks.whole import check_whole
from ..version import ENGINE_VERSION
from ..voice import Voice, Warnings
from .material import Material, Wanted, gather

INDEX, FACTS = "index.geojson", "chips.json"
IMAGES, LABELS = "images", "labels"
#: Nodata of class labels; 65535 where a class has a value above 254.
_NODATA, _WIDE_NODATA = 255, 65535


@dataclass(frozen=True)
class _Chip:
    name: str
    place: int
    window: Window
    part: str
    """``train`` or ``validation``; labels of the other part are left out of the chip."""
    labelled: float
    """Share of the chip's pixels that have a label."""


def export_chips(job: ChipsJob, base: Path, voice: Voice) -> Result:
    """Write the chips of all places.

    Returns:
        The product ``index``; in the report the ``count`` of chips, and how many of them are for ``train`` and
        ``validation``.

    Raises:
        RequestError: names the layer, label or field that is wrong, or the folder that cannot be written.
        Cancelled: the user stopped it; chips written so far stay, without an index.

    Chips that an earlier export left in the folder are deleted: of another split, they would mix the parts.
    """
    warnings = Warnings(voice.say)
    folder = Path(resolve(job.folder, base))
    with alone_in(folder, warnings.tell):
        wanted = Wanted(job.task, job.slots, job.classes, job.gsd, "")
        material = gather(wanted, job.places, base, folder, voice, warnings)
        try:
            return _Export(job, material, folder, voice).write(warnings)
        except (OSError, rasterio.errors.RasterioIOError) as problem:
            # rasterio says "see previous exception", where GDAL's own words are.
            said = str(problem.__cause__ or problem).rstrip(".")
            sentence = f"The chips cannot be written into {folder}: {said}; is there room on the disk?"
            raise RequestError(sentence) from problem


class _Export:
    def __init__(self, job: ChipsJob, material: Material, folder: Path, voice: Voice) -> None:
        self.job, self.material, self.folder, self.voice = job, material, folder, voice
        self.bands = [f"{s.name}: {c.name}" for s in material.slots for c in s.channels]

    def write(self, warnings: Warnings) -> Result:
        rng = np.random.default_rng(self.job.seed)
        parts = split_truths(self.material.truths, self.job.validation, rng, self.job.size)
        truths = {"train": parts.training, "validation": parts.validation}
        if parts.alone and self.job.validation:
            names = self.material.names
            listed = ", ".join(names[index] for index in parts.alone if index < len(names)) or "the labels"
            warnings.tell(f"All labels of {listed} lie in one place: their chips train, and none is for validation.")
        chips = list(self._chips(truths))
        if not chips:
            raise RequestError(
                f"No chip of {self.job.size} pixels holds a label; make them smaller (size), or allow chips without."
            )
        _forget_earlier(self.folder)
        for name in (IMAGES, LABELS):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        for number, chip in enumerate(chips):
            self.voice.checkpoint()
            if number % 10 == 0:
                self.voice.say(Progress(number, len(chips), "writing chips"))
            self._write(chip, truths)
        write_atomically(self.folder / FACTS, _json(self._facts()))
        write_atomically(self.folder / INDEX, _json(self._index(chips)))
        self.voice.say(Progress(len(chips), len(chips), "writing chips"))
        counts = {part: sum(chip.part == part for chip in chips) for part in truths}
        report = {"count": len(chips), **counts, "warnings": warnings.told}
        return Result({"index": str((self.folder / INDEX).absolute())}, report)

    def _chips(self, truths: dict[str, list[np.ndarray]]) -> Iterator[_Chip]:
        size, step = self.job.size, self.job.stride or self.job.size
        for place, (scene, stem) in enumerate(zip(self.material.scenes, self._stems(), strict=True)):
            height, width = scene.truth.shape
            for row in _starts(height, size, step):
                for col in _starts(width, size, step):
                    window = Window(row, col, min(size, height), min(size, width))
                    rows, cols = window.within(scene.grid.whole)
                    counts = {part: int(is_labelled(all_[place][rows, cols]).sum()) for part, all_ in truths.items()}
                    found = [part for part, count in counts.items() if count]
                    for part in found if found or self.job.labelled else ["train"]:
                        name = f"{stem}_{row:05d}_{col:05d}_{part}"
                        yield _Chip(name, place, window, part, counts[part] / (window.height * window.width))

    def _stems(self) -> list[str]:
        """How the places' chips are called; names that are one on a disk are numbered."""
        stems = [safe_name(scene.name) for scene in self.material.scenes]
        folded = [stem.casefold() for stem in stems]
        return [stem if folded.count(stem.casefold()) == 1 else f"{stem}_{i}" for i, stem in enumerate(stems, start=1)]

    def _write(self, chip: _Chip, truths: dict[str, list[np.ndarray]]) -> None:
        scene = self.material.scenes[chip.place]
        rows, cols = chip.window.within(scene.grid.whole)
        stack = np.where(scene.valid[:, rows, cols], scene.values[:, rows, cols], np.float32(np.nan))
        _write_raster(self.folder / IMAGES / f"{chip.name}.tif", stack, scene.grid, chip.window, np.nan, self.bands)
        labels, nodata = self._labels(truths[chip.part][chip.place][rows, cols])
        path = self.folder / LABELS / f"{chip.name}.tif"
        _write_raster(path, labels[None], scene.grid, chip.window, nodata, ["label"])

    def _labels(self, truth: np.ndarray) -> tuple[np.ndarray, float]:
        classes = self.material.classes
        if not classes:
            return truth.astype(np.float32), float("nan")
        values = np.array([info.value for info in classes])
        wide = values.max() > 254
        nodata = _WIDE_NODATA if wide else _NODATA
        labels = np.where(truth < 0, nodata, values[truth.clip(min=0)])
        return labels.astype(np.uint16 if wide else np.uint8), nodata

    def _facts(self) -> dict[str, Any]:
        material = self.material
        return {
            "engine": ENGINE_VERSION,
            "task": self.job.task,
            "bands": [_band(slot, i) for slot in material.slots for i in range(len(slot.channels))],
            "classes": [{"value": c.value, "name": c.name, "color": c.color} for c in material.classes],
            "size": self.job.size,
            "stride": self.job.stride or self.job.size,
            "gsd": round(material.gsd, 6),
            "split": "by spatial blocks; a chip holds the labels of its own part only",
            "attribution": list(dict.fromkeys(text for scene in material.scenes for text in scene.attribution)),
        }

    def _index(self, chips: list[_Chip]) -> dict[str, Any]:
        """GeoJSON (RFC 7946): longitude and latitude, outlines counter-clockwise."""
        features = [
            {
                "type": "Feature",
                "geometry": _outline(self.material.scenes[chip.place].grid, chip.window),
                "properties": {
                    "name": chip.name,
                    "image": f"{IMAGES}/{chip.name}.tif",
                    "labels": f"{LABELS}/{chip.name}.tif",
                    "place": self.material.scenes[chip.place].name,
                    "part": chip.part,
                    "labelled": round(chip.labelled, 6),
                },
            }
            for chip in chips
        ]
        return {"type": "FeatureCollection", "features": features}


def _starts(length: int, size: int, step: int) -> list[int]:
    """Where chips begin along a side; the last one ends at its end, so that no label beyond the last step is lost."""
    last = max(length - size, 0)
    return sorted({*range(0, last + 1, step), last})


def _forget_earlier(folder: Path) -> None:
    """Delete the chips that the folder's index lists, and the index, first of all."""
    try:
        listed = json.loads((folder / INDEX).read_bytes())["features"]
        names = [str(feature["properties"]["name"]) for feature in listed]
    except (OSError, ValueError, KeyError, TypeError):
        return
    (folder / INDEX).unlink()
    for name in names:
        for kind in (IMAGES, LABELS):
            (folder / kind / f"{Path(name).name}.tif").unlink(missing_ok=True)


def _write_raster(path: Path, values: np.ndarray, grid: Grid, window: Window, nodata: float, names: list[str]) -> None:
    part = path.with_name(f"{path.stem}.part.tif")
    profile = {
        "driver": "GTiff",
        "count": len(values),
        "height": window.height,
        "width": window.width,
        "dtype": values.dtype,
        "crs": grid.crs,
        "transform": Affine(*grid.window_transform(window)[:6]),
        "nodata": nodata,
        "compress": "deflate",
        "interleave": "band",
    }
    try:
        with rasterio.open(part, "w", **profile) as raster:
            raster.write(values)
            for band, name in enumerate(names, start=1):
                raster.set_band_description(band, name)
        check_whole(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _outline(grid: Grid, window: Window) -> dict[str, Any]:
    left, bottom, right, top = grid.window_bounds(window)
    ring = [(left, bottom), (right, bottom), (right, top), (left, top), (left, bottom)]
    lon, lat = way_between(grid.pyproj_crs, CRS.from_epsg(4326)).transform(*zip(*ring, strict=True))
    points = [[round(x, 7), round(y, 7)] for x, y in zip(lon, lat, strict=True)]
    return {"type": "Polygon", "coordinates": [points]}


def _band(slot: Slot, number: int) -> dict[str, Any]:
    return {"slot": slot.name, "role": slot.role, "name": slot.channels[number].name}


def _json(data: dict[str, Any]) -> bytes:
    return json.dumps(data, indent=1, ensure_ascii=False).encode()
