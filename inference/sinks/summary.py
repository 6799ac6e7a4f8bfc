"""Figures of a map: area by class, or the distribution of a regressed value, as CSV with JSON beside it."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise
from operator import add
from pathlib import Path
from typing import Any

import numpy as np

from ...models.card import Output
from ..grid import Grid, Window
from ..uniform import is_spread
from .areas import EllipsoidAreas
from .distribution import Distribution, distribution_of
from .staging import staged
from .values import class_values, value_nodata

#: Areas are summed as whole numbers of this share of a nominal pixel: whole numbers add up alike in any order.
_AREA_STEPS = 2**24
#: Classes up to which all are looked for; of more, only those that occur in a block.
_FEW = 16
#: Rows that are counted in one byte.
_MOST = 128
#: Rows that a run has to have in the mean to be worth a call of its own.
_WORTH = 8


@dataclass(frozen=True)
class SummaryPart:
    """What one block, or the sum of several, adds to a head's summary."""

    pixels: Counter[int] = field(default_factory=Counter)
    """Pixels by position of the class (regression: 0 for a value); -1 for nodata."""
    area: Counter[int] = field(default_factory=Counter)
    """The same as area, in the nominal pixel's `_AREA_STEPS`."""
    values: Distribution = Distribution()

    def __add__(self, other: SummaryPart) -> SummaryPart:
        return SummaryPart(self.pixels + other.pixels, self.area + other.area, self.values + other.values)

    def to_array(self) -> np.ndarray:
        """As float64, which holds the whole numbers of a block exactly; see `of_array`."""
        counts = [(position, self.pixels[position], self.area[position]) for position in sorted(self.pixels)]
        return np.concatenate([[len(counts)], np.ravel(counts), self.values.to_array()])

    @staticmethod
    def of_array(array: np.ndarray, span: tuple[float, float] | None) -> SummaryPart:
        """What `to_array` answered for a head whose values lie in `span`, where that is known."""
        end = 1 + 3 * int(array[0])
        counts = array[1:end].reshape(-1, 3).astype(np.int64).tolist()
        pixels = Counter({position: count for position, count, _ in counts})
        area = Counter({position: size for position, _, size in counts})
        return SummaryPart(pixels, area, Distribution.of_array(array[end:], span))


def counted_of(output: Output) -> str:
    """The array of a head that its figures are counted in."""
    return "regression" if output.task == "pixel-regression" else "classes"


def summary_part(grid: Grid, areas: EllipsoidAreas, output: Output, window: Window, values: np.ndarray) -> SummaryPart:
    """Count one block of ``classes`` (or of ``regression``), h×w, that lies at `window`."""
    pixel_area, run = areas.pixels(window)
    whole_area = np.rint(pixel_area * (_AREA_STEPS / _nominal(grid))).astype(np.int64)
    starts, bands = np.flatnonzero(np.diff(run, prepend=-1)), _bands(whole_area)
    pixels: Counter[int] = Counter()
    area: Counter[int] = Counter()
    # A block that shows one pixel everywhere is counted by its corner.
    alike = is_spread(values)
    for position, where in _where(output, values[:1, :1] if alike else values):
        if alike:
            found = np.outer(np.diff(bands), np.diff(starts, append=values.shape[1])) * int(where[0, 0])
        else:
            found = _counts(where, bands, starts)
        pixels[position], area[position] = int(found.sum()), int((found * whole_area[bands[:-1]]).sum())
    valid = values[values != np.float32(value_nodata(output))] if output.task == "pixel-regression" else values[:0]
    return SummaryPart(pixels, area, distribution_of(valid, output.range))


def summarise(grid: Grid, output: Output, parts: Iterable[SummaryPart]) -> dict[str, Any]:
    """A head's figures as JSON values, from its blocks' (`summary_part`), in block order; nodata stands apart.

    Areas are on the ellipsoid (`EllipsoidAreas`); shares are of the area that is not nodata. Regression: mean and
    standard deviation are over pixels; quantiles are right to 1/4096 of the card's range, or to 0.1 % of the value
    where the card has none.
    """
    part = reduce(add, parts, SummaryPart())
    head: dict[str, Any] = {"schema": 1, "output": output.title or output.name, "task": output.task}
    nodata = {"pixels": part.pixels[-1], "area_ha": _hectares(grid, part.area[-1])}
    mapped = sum(area for position, area in part.area.items() if position >= 0)
    if output.task == "pixel-regression":
        covered = {"pixels": part.pixels[0], "area_ha": _hectares(grid, mapped)}
        return {**head, "units": output.units, **covered, "nodata": nodata, **part.values.figures()}
    rows = [
        {
            "value": info.value,
            "name": info.name,
            "pixels": part.pixels[position],
            "area_ha": _hectares(grid, part.area[position]),
            "share": _rounded(part.area[position] / mapped) if mapped else 0.0,
        }
        for position, info in enumerate(output.classes)
    ]
    return {**head, "area_ha": _hectares(grid, mapped), "classes": rows, "nodata": nodata}


def write_summary(path: Path, report: Mapping[str, Any]) -> None:
    """Write what `summarise` answered as CSV, and as JSON with the same name and the suffix ``.json``.

    Raises:
        RequestError: where the files cannot be written.
    """
    with staged(path) as folder:
        (folder / path.name).write_text(_csv(report), encoding="utf-8", newline="\n")
        text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        (folder / path.with_suffix(".json").name).write_text(text, encoding="utf-8", newline="\n")


def _where(output: Output, values: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Each class that occurs, by position, with its pixels (h×w bool); nodata as -1; in regression all else as 0."""
    if output.task == "pixel-regression":
        lost = values == np.float32(value_nodata(output))
        yield from ((-1, lost), (0, ~lost))
        return
    position = {value: place for place, value in enumerate(class_values(output).tolist())}
    found = np.flatnonzero(np.bincount(values.ravel(), minlength=1)) if len(position) > _FEW else [*position, None]
    lost = np.ones(values.shape, bool)
    for value in found:
        if value in position:
            where = values == value
            lost ^= where
            yield position[value], where
    yield -1, lost


def _bands(areas: np.ndarray) -> np.ndarray:
    """The first row of each run of rows with equal areas (h×runs), of `_MOST` at most, and the end of the last; every
    row where nothing is gained by runs.
    """
    height = len(areas)
    changes = np.flatnonzero((areas[1:] != areas[:-1]).any(axis=1)) + 1
    bands = np.union1d(changes, [*range(0, height, _MOST), height])
    return bands if len(bands) <= height // _WORTH else np.arange(height + 1)


def _counts(where: np.ndarray, bands: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Pixels (h×w bool) in each run of rows and of columns, in which all have one area: bands×runs uint32."""
    rows = where.view(np.uint8)
    if len(bands) <= len(rows):
        # Bytes of several rows are added ten times as fast as those along one.
        rows = np.stack([rows[top:end].sum(axis=0, dtype=np.uint8) for top, end in pairwise(bands)])
    return np.add.reduceat(rows, starts, axis=1, dtype=np.uint32)


def _nominal(grid: Grid) -> float:
    return grid.gsd[0] * grid.gsd[1]


def _hectares(grid: Grid, steps: int) -> float:
    return _rounded(steps / _AREA_STEPS * _nominal(grid) / 10_000)


def _rounded(value: float) -> float:
    """To seven significant digits: more would be noise of the sums."""
    return float(f"{value:.7g}") if math.isfinite(value) else 0.0


def _csv(report: Mapping[str, Any]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if "classes" in report:
        columns = ("value", "name", "pixels", "area_ha", "share")
        writer.writerow(columns)
        writer.writerows([row[column] for column in columns] for row in report["classes"])
        writer.writerow(["", "nodata", report["nodata"]["pixels"], report["nodata"]["area_ha"], ""])
        return text.getvalue()
    writer.writerow(("figure", "value"))
    writer.writerows(
        (name, value) for name, value in report.items() if not isinstance(value, dict) and name != "schema"
    )
    writer.writerow(("nodata_pixels", report["nodata"]["pixels"]))
    writer.writerow(("nodata_area_ha", report["nodata"]["area_ha"]))
    return text.getvalue()
