"""The figures of an evaluation as CSV tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_CLASS_COLUMNS = (
    "class", "value", "labelled_pixels", "mapped_pixels", "users", "users_margin", "producers", "iou", "iou_low",
    "iou_high", "f1", "f1_low", "f1_high", "producers_of_area", "producers_of_area_margin",
)  # fmt: skip
_AREA_COLUMNS = ("class", "value", "mapped_ha", "area_ha", "area_margin_ha", "area_low_ha", "area_high_ha")
_PAIRED = {"iou": ("iou_low", "iou_high"), "f1": ("f1_low", "f1_high"), "area": ("area_low_ha", "area_high_ha")}
#: Lists and dictionaries, which have tables of their own.
_ELSEWHERE = ("classes", "confusion")


def class_table(figures: Mapping[str, Any]) -> bytes:
    """A row a class: labelled and mapped pixels, accuracies, IoU and F1 with their intervals.

    Margins are half the width of a 95 % interval that counts pixels as independent; low and high are the ends of the
    one that draws whole features or blocks.
    """
    return _written(_CLASS_COLUMNS, (_flat(row) for row in figures["classes"]))


def area_table(figures: Mapping[str, Any]) -> bytes:
    """A row a class: hectares that the map shows, error-adjusted hectares, and both intervals."""
    return _written(_AREA_COLUMNS, (_flat(row) for row in figures["classes"]))


def confusion_table(figures: Mapping[str, Any]) -> bytes:
    """Labelled pixels: a row a class of the labels, a column a class of the map."""
    names = [row["name"] for row in figures["classes"]]
    rows = [[name, *counts] for name, counts in zip(names, figures["confusion"], strict=True)]
    return _csv(["labels \\ map", *names], rows)


def figure_table(figures: Mapping[str, Any]) -> bytes:
    """A row a figure, with the ends of its 95 % interval where it has one."""
    rows = []
    for name, value in figures.items():
        if name in _ELSEWHERE or name.endswith("_interval") or isinstance(value, (Mapping, list, tuple)):
            continue
        low, high = figures.get(f"{name}_interval") or (None, None)
        rows.append([name, value, low, high])
    return _csv(["figure", "value", "low", "high"], rows)


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    flat = {"class": row["name"], **row}
    for name, columns in _PAIRED.items():
        flat |= dict(zip(columns, row[f"{name}_interval"] or (None, None), strict=True))
    return flat


def _written(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    return _csv(columns, [[row[name] for name in columns] for row in rows])


def _csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Text that a spreadsheet takes; what is not known is empty, and no name is taken for a formula."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([_cell(one) for one in head])
    writer.writerows([_cell(one) for one in row] for row in rows)
    return stream.getvalue().encode("utf-8")


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str) and value[:1] in "=+-@\t" and not value.lstrip("-").isdigit():
        return f"'{value}"
    return value
