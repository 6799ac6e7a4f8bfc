"""The map that is judged: a raster file, its grid, and what its values are called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.io import DatasetReader
from rasterio.windows import Window as FileWindow

from ...models.card import Card, ClassInfo, card_from_dict
from ...models.errors import CardError
from ..errors import RequestError, SourceError
from ..grid import Grid, Window
from ..record import RECORD, RunRecord, read_record
from ..sinks.areas import EllipsoidAreas
from ..sources import Context
from ..sources.raster_env import is_network, label
from ..sources.raster_file import open_dataset
from ..sources.raster_place import georeference, wkt

#: Values that a class raster may have; more is a raster of measurements.
MOST_CLASSES = 1000
_CATEGORY = re.compile(r"<Category>(.*?)</Category>|<Category\s*/>", re.DOTALL)
#: Values that span no more than this are counted without being sorted.
_NARROW = 1 << 16


@dataclass(frozen=True)
class JudgedMap:
    """An open map.

    Attributes:
        title: what messages and the report call it; never a folder.
        grid: its own pixels.
        legend: names and colours of values, from the run that made the map or the raster's category names; empty
            where it has none.
        made: the record of the run that made it, None for other maps.
        tags: what the file says of itself.
    """

    dataset: DatasetReader
    band: int
    title: str
    grid: Grid
    legend: tuple[ClassInfo, ...]
    made: RunRecord | None
    tags: dict[str, str]

    @property
    def card(self) -> Card | None:
        """The card of the model that made the map."""
        if self.made is None or not self.made.card:
            return None
        try:
            return card_from_dict(self.made.card)
        except CardError:
            # A record of another version: the map itself is as good.
            return None

    @property
    def notice(self) -> str:
        """What the model's card asks to be shown wherever the model appears."""
        return self.card.notice if self.card else self.tags.get("FUSION_MAPPER_NOTICE", "")

    @property
    def model(self) -> str:
        return (self.made.model if self.made else "") or self.tags.get("FUSION_MAPPER_MODEL", "")

    @property
    def model_hash(self) -> str:
        return (self.made.model_hash if self.made else "") or self.tags.get("FUSION_MAPPER_MODEL_HASH", "")

    @property
    def units(self) -> str:
        return self.dataset.units[self.band - 1] or ""

    @property
    def attribution(self) -> tuple[str, ...]:
        """What the licences of the layers that it was made of ask for."""
        if self.made is not None:
            return self.made.attribution
        return tuple(filter(None, self.tags.get("FUSION_MAPPER_ATTRIBUTION", "").split("; ")))

    def values(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Values as stored, with the file's scale and offset, and where there are any (H×W bool).

        Pixels of `window` beyond the grid have none.

        Raises:
            SourceError: the file is damaged.
        """
        inside = window.clipped(self.grid.height, self.grid.width)
        part = FileWindow(inside.col, inside.row, inside.width, inside.height)
        try:
            values = self.dataset.read(self.band, window=part)
            valid = self.dataset.read_masks(self.band, window=part) > 0
        except rasterio.errors.RasterioError as problem:
            raise SourceError(f"{self.title} cannot be read; the file is damaged.") from problem
        if np.issubdtype(values.dtype, np.floating):
            valid &= np.isfinite(values)
        scale, offset = self.dataset.scales[self.band - 1], self.dataset.offsets[self.band - 1]
        if (scale, offset) != (1.0, 0.0):
            values = values * scale + offset
        beyond = Window(window.row - inside.row, window.col - inside.col, window.height, window.width)
        return _laid_in(values, beyond), _laid_in(valid, beyond)

    def classes(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Class values (int64, H×W) and where there are any (bool).

        Raises:
            RequestError: the values are no whole numbers.
        """
        values, valid = self.values(window)
        if np.issubdtype(values.dtype, np.floating):
            odd = valid & (values != np.round(values))
            if odd.any():
                raise RequestError(
                    f"{self.title} holds measured values such as {values[odd][0]:g}, and a class is a whole number; "
                    "give a class raster, or set the task to pixel-regression."
                )
            values = np.where(valid, values, 0)
        return values.astype(np.int64), valid

    def close(self) -> None:
        self.dataset.close()


def open_map(path: str, band: int, context: Context) -> JudgedMap:
    """Open the raster that is judged.

    Raises:
        SourceError: it cannot be read, or has no CRS or place on the ground.
        RequestError: it has no such band.
    """
    dataset, name = open_dataset(path, context)
    title = label(name)
    try:
        if not 1 <= band <= dataset.count:
            raise RequestError(f"job.band is {band}, but {title} has {dataset.count} band(s).")
        place = georeference(dataset, title)
        if place.transform is None:
            raise SourceError(
                f"{title} is tied to the ground by control points and has no pixel grid; warp it with gdalwarp first."
            )
        grid = Grid(wkt(place.crs), place.transform, place.width, place.height)
        made = _made(Path(name)) if not is_network(name) else None
        legend = _recorded(made, Path(name).name) if made else ()
        return JudgedMap(dataset, band, title, grid, legend or _category_names(dataset, band), made, dataset.tags())
    except RequestError:
        dataset.close()
        raise


@dataclass
class Mapped:
    """How much of a map one value takes."""

    pixels: int = 0
    area: float = 0.0
    """m² on the ellipsoid."""


def survey_values(judged: JudgedMap, windows: Iterable[Window]) -> dict[int, Mapped]:
    """What each class value of the map takes.

    Raises:
        RequestError: there are no values at all, or so many that they cannot be classes.
    """
    areas = EllipsoidAreas(judged.grid)
    found: dict[int, Mapped] = {}
    for window in windows:
        values, valid = judged.classes(window)
        by_row, run = areas.pixels(window)
        for value, count, area in _sums(values[valid], by_row[:, run][valid]):
            mapped = found.setdefault(int(value), Mapped())
            mapped.pixels += int(count)
            mapped.area += float(area)
        if len(found) > MOST_CLASSES:
            raise RequestError(
                f"{judged.title} has more than {MOST_CLASSES} different values, so they are no classes; set the task "
                "to pixel-regression."
            )
    if not found:
        raise RequestError(f"{judged.title} has no pixel with a value; choose another map or band.")
    return found


def _sums(values: np.ndarray, areas: np.ndarray) -> Iterator[tuple[int, int, float]]:
    """Each value that there is, its pixels and the sum of their areas."""
    if not values.size:
        return
    low = int(values.min())
    if int(values.max()) - low < _NARROW:
        present, position = None, values - low
    else:
        present, position = np.unique(values, return_inverse=True)
    pixels, covered = np.bincount(position), np.bincount(position, weights=areas)
    for at in np.flatnonzero(pixels):
        yield int(present[at]) if present is not None else low + int(at), int(pixels[at]), float(covered[at])


def _made(path: Path) -> RunRecord | None:
    """The record of the run whose product this file is."""
    if not (path.parent / RECORD).is_file():
        return None
    try:
        record = read_record(path.parent)
    except RequestError:
        # Some other program's run.json; the raster's own names are left.
        return None
    return record if path.name in record.files.values() else None


def _recorded(record: RunRecord, name: str) -> tuple[ClassInfo, ...]:
    """Classes of the model output that the file shows; a further output's product is called ``<product>:<output>``."""
    product = next((product for product, file in record.files.items() if file == name), "")
    output = product.partition(":")[2]
    figures = [one for one in record.areas if one.classes]
    figures = [one for one in figures if one.output == output] or figures
    return tuple(ClassInfo(row.value, row.name, row.color) for row in figures[0].classes) if figures else ()


def _category_names(dataset: DatasetReader, band: int) -> tuple[ClassInfo, ...]:
    """Names that the raster gives its values, read from GDAL's virtual copy: rasterio has no word for them."""
    with rasterio.MemoryFile(ext=".vrt") as memory:
        rasterio.shutil.copy(dataset, memory.name, driver="VRT")
        text = memory.read().decode("utf-8", "replace")
    own = next((part for part in text.split("<VRTRasterBand ") if f'band="{band}"' in part.partition(">")[0]), "")
    listed = re.search(r"<CategoryNames>(.*?)</CategoryNames>", own, re.DOTALL)
    names = _CATEGORY.findall(listed[1]) if listed else []
    return tuple(ClassInfo(value, unescape(name).strip()) for value, name in enumerate(names) if name.strip())


def _laid_in(values: np.ndarray, at: Window) -> np.ndarray:
    """An array of the window's size with `values` in their place and zeros around them."""
    if values.shape == (at.height, at.width):
        return values
    whole = np.zeros((at.height, at.width), values.dtype)
    whole[-at.row : -at.row + values.shape[0], -at.col : -at.col + values.shape[1]] = values
    return whole
