"""A run's figures in words and tables: what the summary window, the clipboard and the report show."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Union

from qgis.PyQt.QtCore import QCoreApplication, QDateTime, QLocale, Qt

from ...inference.record import Figures, RunRecord
from ...models.card import Card, card_from_dict

Cell = Union[str, float]


def tr(text: str) -> str:
    """The text in the user's language."""
    return QCoreApplication.translate("FusionMapperReport", text)


def card_of(record: RunRecord) -> Card:
    """The card of the run's model; one without outputs for a run without a model.

    Raises:
        CardError: where the record's card is none.
    """
    if record.card is None:
        return Card("stack", (), (), title=tr("Stack"))
    return card_from_dict(record.card, "card")


def record_title(record: RunRecord) -> str:
    """What the run is called: the model, and the first of its layers."""
    label = record.model or tr("Stack")
    first = next((name for facts in record.inputs for name in facts.names), "")
    return f"{label}, {first}" if first else label


def finished_text(record: RunRecord) -> str:
    """When the run ended, in the user's own time."""
    moment = QDateTime.fromString(record.finished, Qt.DateFormat.ISODate).toLocalTime()
    return QLocale().toString(moment, QLocale.FormatType.ShortFormat) if moment.isValid() else ""


def hectares_text(hectares: float) -> str:
    """Hectares with as many decimals as one reads."""
    return tr("{number} ha").format(number=number_text(hectares))


def number_text(value: float) -> str:
    """A figure to about three digits, as the user writes numbers."""
    size = abs(value)
    decimals = 0 if size >= 1000 or size == 0 else 1 if size >= 100 else 2 if size >= 0.1 else 4
    return QLocale().toString(float(value), "f", decimals)


def share_text(share: float) -> str:
    """A share of 0 to 1 in percent."""
    return tr("{number} %").format(number=QLocale().toString(share * 100, "f", 1))


def statistic_title(name: str) -> str:
    """What a figure of a distribution is called."""
    titles = {
        "mean": tr("Mean"),
        "std": tr("Standard deviation"),
        "min": tr("Lowest"),
        "max": tr("Highest"),
        "p50": tr("Median"),
    }
    return titles.get(name) or tr("{number}th percentile").format(number=name[1:])


def statistics_of(figures: Figures) -> list[tuple[str, float]]:
    """Titles and figures of a regression; none where all is nodata."""
    return [(statistic_title(name), value) for name, value in figures.statistics.items() if value is not None]


def table_of(figures: Figures) -> list[list[Cell]]:
    """The figures as a table with its heads, unrounded: classes with nodata last, or the distribution."""
    if not figures.classes:
        unit = f" ({figures.units})" if figures.units else ""
        rows: list[list[Cell]] = [[title + unit, value] for title, value in statistics_of(figures)]
        areas: list[list[Cell]] = [[tr("Mapped (ha)"), figures.area_ha], [tr("Nodata (ha)"), figures.nodata_ha]]
        return [[tr("Figure"), tr("Value")], *rows, *areas]
    heads: list[Cell] = [tr("Value"), tr("Class"), tr("Pixels"), tr("Hectares"), tr("Share")]
    rows = [[row.value, row.name, row.pixels, row.area_ha, row.share] for row in figures.classes]
    return [heads, *rows, ["", tr("Nodata"), figures.nodata_pixels, figures.nodata_ha, ""]]


def clipboard_text(table: Sequence[Sequence[Cell]]) -> str:
    """The table as a spreadsheet takes it from the clipboard: tabs, and numbers as the system's programs write them.

    A spreadsheet reads what is pasted by the system's locale: 12.5 would become a date where decimals have a comma.
    """
    locale = QLocale.system()
    locale.setNumberOptions(QLocale.NumberOption.OmitGroupSeparator)

    def text(cell: Cell) -> str:
        if isinstance(cell, float):
            return locale.toString(cell, "g", 7)
        return " ".join(str(cell).split())

    return "\n".join("\t".join(text(cell) for cell in row) for row in table) + "\n"


def csv_text(table: Sequence[Sequence[Cell]]) -> str:
    """The table as CSV for any program: commas, and points for decimals."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table)
    return text.getvalue()
