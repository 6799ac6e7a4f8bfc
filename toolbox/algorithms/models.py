"""``fusion_mapper:models``: the installed models as a table."""

from __future__ import annotations

import csv
import os
from html import escape
from pathlib import Path
from typing import Optional

from qgis.core import (
    QgsFeature,
    QgsFeatureSink,
    QgsField,
    QgsFields,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFileDestination,
)
from qgis.PyQt.QtCore import QVariant

from ...models.card import Card, Slot
from ...models.library import Installed
from ..models import installed_models
from .base import FeedbackListener, FusionAlgorithm, is_chosen, tr

#: Columns, and whether they hold numbers.
COLUMNS = {
    "name": False,
    "title": False,
    "task": False,
    "gsd_m": True,
    "slots": False,
    "classes": False,
    "notice": False,
    "license": False,
    "problem": False,
    "path": False,
}
Row = dict[str, object]


class ModelsAlgorithm(FusionAlgorithm):
    """Lists what ``MODEL`` takes by name."""

    def name(self) -> str:
        return "models"

    def displayName(self) -> str:
        return tr("List the installed models")

    def summary(self) -> str:
        return tr(
            "Lists the models of the library and those that come with the plugin: name, task, ground sampling "
            "distance, slots, classes, and what is wrong with one that cannot be used. The list is printed, and "
            "written as a table where one is asked for."
        )

    def example(self) -> str:
        return "--TABLE=models.csv"

    def tags(self) -> list[str]:
        return tr("onnx, library, card, classes").split(", ")

    def canExecute(self) -> tuple[bool, str]:
        return True, ""  # cards lie beside the models: no engine is needed

    def initAlgorithm(self, configuration: Optional[dict[str, object]] = None) -> None:
        self.add(
            QgsProcessingParameterFileDestination(
                "TABLE", tr("Table"), "CSV (*.csv);;HTML (*.html)", optional=True, createByDefault=False
            ),
            tr("A CSV file for a spreadsheet, or an HTML file to read."),
        )
        self.add(
            QgsProcessingParameterFeatureSink(
                "OUTPUT", tr("Models"), QgsProcessing.SourceType.TypeVector, optional=True, createByDefault=True
            ),
            tr("A table without geometry in the project, or to work on in a model."),
        )
        self.addOutput(QgsProcessingOutputNumber("COUNT", tr("Number of models that can be used")))

    def collect(self, parameters: dict[str, object], context: QgsProcessingContext) -> list[Row]:
        return [_row(model) for model in installed_models()]

    def make(
        self,
        collected: list[Row],
        parameters: dict[str, object],
        context: QgsProcessingContext,
        listener: FeedbackListener,
    ) -> dict[str, object]:
        results: dict[str, object] = {"COUNT": sum(not row["problem"] for row in collected)}
        for row in collected:
            listener.say(_line(row))
        if is_chosen(parameters, "TABLE"):
            path = Path(self.parameterAsFileOutput(parameters, "TABLE", context))
            _write_table(path, collected)
            results["TABLE"] = str(path)
        if is_chosen(parameters, "OUTPUT"):
            results["OUTPUT"] = self._fill_sink(collected, parameters, context)
        return results

    def _fill_sink(self, rows: list[Row], parameters: dict[str, object], context: QgsProcessingContext) -> str:
        fields = QgsFields()
        for name, numeric in COLUMNS.items():
            fields.append(QgsField(name, QVariant.Double if numeric else QVariant.String))
        sink, target = self.parameterAsSink(parameters, "OUTPUT", context, fields)
        if sink is None:
            raise QgsProcessingException(self.invalidSinkError(parameters, "OUTPUT"))
        for row in rows:
            feature = QgsFeature(fields)
            feature.setAttributes([row[name] for name in COLUMNS])
            sink.addFeature(feature, QgsFeatureSink.Flag.FastInsert)
        return target


def _row(model: Installed) -> Row:
    card = model.card
    missing = ", ".join(card.blocking) if card else ""
    return {
        "name": model.name,
        "title": model.label,
        "task": _tasks(card) if card else "",
        "gsd_m": card.gsd if card else None,
        "slots": "; ".join(_slot(slot) for slot in card.slots) if card else "",
        "classes": _classes(card) if card else "",
        "notice": card.notice if card else "",
        "license": card.license if card else "",
        "problem": f"The card does not tell {missing}." if missing else model.problem,
        "path": str(model.path),
    }


def _tasks(card: Card) -> str:
    return ", ".join(dict.fromkeys(output.task for output in card.outputs))


def _slot(slot: Slot) -> str:
    channels = ", ".join(channel.name for channel in slot.channels)
    text = f"{slot.name} ({channels})" if channels else slot.name
    return text if slot.missing == "required" else f"{text}, optional"


def _classes(card: Card) -> str:
    return ", ".join(info.name for output in card.outputs for info in output.classes)


def _line(row: Row) -> str:
    facts = (row["title"], row["task"], f"{row['gsd_m']:g} m" if row["gsd_m"] else "", row["slots"], row["classes"])
    said = " | ".join(str(fact) for fact in facts if fact)
    return f"{row['name']}: {row['problem'] or said}"


def _write_table(path: Path, rows: list[Row]) -> None:
    """Beside the file first, so that no half-written table stands under its name."""
    part = path.with_name(f".{path.name}.part")
    try:
        if path.suffix.lower() == ".html":
            part.write_text(_html(rows), encoding="utf-8")
        else:
            with part.open("w", encoding="utf-8-sig", newline="") as stream:
                writer = csv.DictWriter(stream, list(COLUMNS))
                writer.writeheader()
                writer.writerows(rows)
        os.replace(part, path)
    except OSError as problem:
        part.unlink(missing_ok=True)
        raise QgsProcessingException(f"The table {path} cannot be written: {problem.strerror}.") from problem


def _html(rows: list[Row]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in COLUMNS)
    body = "".join(f"<tr>{''.join(_cell(row[name]) for name in COLUMNS)}</tr>" for row in rows)
    return (
        '<!DOCTYPE html><html><head><meta charset="utf-8"><title>Fusion models</title></head>'
        f'<body><table border="1" cellpadding="4" cellspacing="0"><tr>{head}</tr>{body}</table></body></html>'
    )


def _cell(value: object) -> str:
    return f"<td>{'' if value is None else escape(str(value))}</td>"
