"""``fusion_mapper:report``: a finished run as one HTML page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
)

from ...inference.record import read_record
from ..results.report import REPORT, write_report
from .base import FeedbackListener, FusionAlgorithm, is_chosen, tr


@dataclass(frozen=True)
class _Collected:
    folder: Path
    path: Path


class ReportAlgorithm(FusionAlgorithm):
    """Writes the report of a run."""

    def name(self) -> str:
        return "report"

    def displayName(self) -> str:
        return tr("Report of a run")

    def summary(self) -> str:
        return tr(
            "Writes a finished run as one HTML page: pictures of the imagery and the map, areas by class in hectares, "
            "inputs, model, settings, notes and attribution. The page needs no network and no other file, and can be "
            "sent on or printed as it is."
        )

    def example(self) -> str:
        return "--FOLDER=landcover-run --REPORT=landcover.html"

    def tags(self) -> list[str]:
        return tr("html, summary, areas, hectares, statistics, documentation").split(", ")

    def canExecute(self) -> tuple[bool, str]:
        # QGIS draws it; the engine is not needed.
        return True, ""

    def initAlgorithm(self, configuration: Optional[dict[str, object]] = None) -> None:
        self.add(
            QgsProcessingParameterFile("FOLDER", tr("Run folder"), QgsProcessingParameterFile.Behavior.Folder),
            tr("The folder of a run that has ended: the one with run.json in it."),
        )
        self.add(
            QgsProcessingParameterFileDestination(
                "REPORT", tr("Report"), tr("HTML files (*.html)"), optional=True, createByDefault=False
            ),
            tr("The page to write; report.html in the run's folder when empty."),
        )
        self.addOutput(QgsProcessingOutputNumber("AREA_HA", tr("Mapped area (ha)")))

    def collect(self, parameters: dict[str, object], context: QgsProcessingContext) -> _Collected:
        folder = Path(self.parameterAsFile(parameters, "FOLDER", context)).absolute()
        read_record(folder)
        chosen = is_chosen(parameters, "REPORT")
        path = Path(self.parameterAsFileOutput(parameters, "REPORT", context)).absolute() if chosen else folder / REPORT
        return _Collected(folder, path)

    def make(
        self,
        collected: _Collected,
        parameters: dict[str, object],
        context: QgsProcessingContext,
        listener: FeedbackListener,
    ) -> dict[str, object]:
        path = write_report(collected.folder, collected.path, context.transformContext(), listener.is_cancelled)
        listener.say(tr("The report is in {path}.").format(path=path))
        areas = read_record(collected.folder).areas
        return {"REPORT": str(path), "AREA_HA": areas[0].area_ha if areas else 0.0}
