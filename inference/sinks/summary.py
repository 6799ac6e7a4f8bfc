"""Figures of a map: area by class, or the distribution of a regressed value, as CSV with JSON beside it."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np

from ...models.card import Output
from ..grid import Grid, Window
from .areas import EllipsoidAreas
from .distribution import Distribution, distribution_of
from .staging import staged
from .values import class_values, value_nodata

#: Areas are summed as whole numbers of this share of a nominal pixel: whole numbers add up alike in any order.
_AREA_STEPS = 2**24


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


def summary_part(grid: Grid, areas: EllipsoidAreas, output: Output, window: Window, values: np.ndarray) -> SummaryPart:
    """Count one block of ``classes`` (or of ``regression``), h×w, that lies at `window`."""
    position = _positions(output, values)
    counts = max(len(output.classes), 1) + 1
    pixel_area, run = areas.pixels(window)
    whole_area = np.rint(pixel_area * (_AREA_STEPS / _nominal(grid))).astype(np.int64)
    place = np.arange(window.height)[:, np.newaxis] * pixel_area.shape[1] + run
    table = np.bincount((place * counts + position).ravel(), minlength=pixel_area.size * counts)
    table = table.reshape(pixel_area.size, counts)
    valid = values[position != counts - 1] if output.task == "pixel-regression" else values[:0]
    return SummaryPart(
        _counter(table.sum(axis=0)),
        _counter((table * whole_area.reshape(-1, 1)).sum(axis=0)),
        distribution_of(valid, output.range),
    )


def summarise(grid: Grid, output: Output, blocks: Iterable[tuple[Window, np.ndarray]]) -> dict[str, Any]:
    """A head's figures as JSON values (`summary_report`), counted block by block.

    Areas are on the ellipsoid (`EllipsoidAreas`); shares are of the area that is not nodata. Regression: mean and
    standard deviation are over pixels; quantiles are right to 1/4096 of the card's range, or to 0.1 % of the value
    where the card has none.

    Args:
        grid: the run grid.
        output: the head's card.
        blocks: the blocks of ``classes``, or of ``regression``, in block order.
    """
    areas = EllipsoidAreas(grid)
    parts = (summary_part(grid, areas, output, window, values) for window, values in blocks)
    return summary_report(grid, output, reduce(add, parts, SummaryPart()))


def write_summary(path: Path, report: Mapping[str, Any]) -> None:
    """Write what `summarise` answered as CSV, and as JSON with the same name and the suffix ``.json``.

    Raises:
        RequestError: where the files cannot be written.
    """
    with staged(path) as folder:
        (folder / path.name).write_text(_csv(report), encoding="utf-8", newline="\n")
        text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        (folder / path.with_suffix(".json").name).write_text(text, encoding="utf-8", newline="\n")


def summary_report(grid: Grid, output: Output, part: SummaryPart) -> dict[str, Any]:
    """The figures as JSON values; the rows carry pixels and hectares, nodata stands apart."""
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


def _positions(output: Output, values: np.ndarray) -> np.ndarray:
    """Position of each pixel's class; the number of classes (regression: 1) for nodata."""
    if output.task == "pixel-regression":
        return (values == np.float32(value_nodata(output))).astype(np.int64)
    lookup = np.full(np.iinfo(values.dtype).max + 1, len(output.classes), np.int64)
    lookup[class_values(output)] = np.arange(len(output.classes))
    return lookup[values]


def _counter(counts: np.ndarray) -> Counter[int]:
    """Python's own whole numbers, which do not overflow; the last is nodata's."""
    *classes, nodata = counts.tolist()
    return Counter({**dict(enumerate(classes)), -1: nodata})


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
