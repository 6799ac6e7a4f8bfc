"""``fusion_mapper:exportchips``: layers and labels in georeferenced tiles, for training with other tools."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingOutputNumber,
    QgsProcessingOutputVectorLayer,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterNumber,
)

from ...inference.learnjob import ChipsJob
from ..engine.once import Engine
from ..runs.execute import hearer
from ..runs.learn import CUTTING, PlaceRequest, make_place
from .base import FeedbackListener, FusionAlgorithm, tr
from .grid import add_place
from .labels import add_classes, add_label_reading, add_labels, add_task, given_classes, given_labels, given_task
from .layers import add_dem, add_osm, add_reading, add_slots, add_training_imagery
from .learning import given_place


@dataclass(frozen=True)
class _Collected:
    place: PlaceRequest
    job: ChipsJob
    """Without its place and its folder, which follow once the layers are staged."""


class ExportChipsAlgorithm(FusionAlgorithm):
    """Cuts layers and labels into chips."""

    def name(self) -> str:
        return "exportchips"

    def displayName(self) -> str:
        return tr("Export training chips")

    def summary(self) -> str:
        return tr(
            "Brings imagery, OpenStreetMap channels, terrain and labels onto one grid and cuts them into georeferenced "
            "chips, for training with other tools: a folder of images, a folder of labels of the same names, an index "
            "that says where each chip lies and whether it is for training or validation, and a description of the "
            "bands and classes."
        )

    def example(self) -> str:
        return (
            "--IMAGERY=scene.tif --OSM=roads.gpkg --DEM=srtm.tif --LABELS=labels.gpkg --FIELD=class --SIZE=256 "
            "--FOLDER=chips"
        )

    def tags(self) -> list[str]:
        return tr("chips, tiles, patches, data set, training data, labels, export").split(", ")

    def initAlgorithm(self, configuration: Optional[dict[str, object]] = None) -> None:
        usual = ChipsJob((), "")
        number = QgsProcessingParameterNumber
        add_training_imagery(self)
        add_osm(self)
        add_dem(self)
        add_labels(self)
        add_task(self)
        self.add(
            number(
                "SIZE", tr("Chip (pixels)"), number.Type.Integer, defaultValue=usual.size, minValue=16, maxValue=4096
            ),
            tr("Side of a chip."),
        )
        self.add(
            number("STRIDE", tr("Step (pixels)"), number.Type.Integer, optional=True, minValue=1),
            tr("From one chip to the next; chips lie side by side when empty."),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterBoolean("LABELLED", tr("Only chips with labels"), defaultValue=usual.labelled),
            tr("Chips without a single labelled pixel are left out."),
            advanced=True,
        )
        self.add(
            number(
                "VALIDATION",
                tr("Share for validation"),
                number.Type.Double,
                defaultValue=usual.validation,
                minValue=0.05,
                maxValue=0.9,
            ),
            tr("Share of the labelled area, in blocks apart from the rest, that the index marks for validation."),
            advanced=True,
        )
        self.add(
            number("SEED", tr("Seed"), number.Type.Integer, defaultValue=usual.seed, minValue=0),
            tr("The same seed chooses the same blocks."),
            advanced=True,
        )
        add_place(self, tr("Size of the chips' pixels on the ground; that of the imagery when empty."))
        add_slots(self)
        add_label_reading(self)
        add_classes(self)
        add_reading(self)
        self.add(
            QgsProcessingParameterFolderDestination("FOLDER", tr("Folder")), tr("Where the chips and their index go.")
        )
        self.addOutput(QgsProcessingOutputVectorLayer("INDEX", tr("Index of the chips")))
        self.addOutput(QgsProcessingOutputNumber("COUNT", tr("Number of chips")))

    def collect(self, parameters: dict[str, object], context: QgsProcessingContext) -> _Collected:
        task = given_task(self, parameters, context)
        place = given_place(self, parameters, context, given_labels(self, parameters, context, task))
        job = ChipsJob(
            places=(),
            folder="",
            task=task,
            classes=given_classes(self, parameters, context, task),
            size=self.parameterAsInt(parameters, "SIZE", context),
            stride=self.parameterAsInt(parameters, "STRIDE", context) if parameters.get("STRIDE") else None,
            validation=self.parameterAsDouble(parameters, "VALIDATION", context),
            labelled=self.parameterAsBool(parameters, "LABELLED", context),
            seed=self.parameterAsInt(parameters, "SEED", context),
            gsd=place.grid.resolution,
        )
        return _Collected(place, job)

    def make(
        self,
        collected: _Collected,
        parameters: dict[str, object],
        context: QgsProcessingContext,
        listener: FeedbackListener,
    ) -> dict[str, object]:
        folder = Path(self.parameterAsString(parameters, "FOLDER", context)).absolute()
        engine = Engine()
        place = make_place(collected.place, folder, engine, listener)
        job = replace(collected.job, places=(place,), folder=str(folder))
        done = engine.chips(job, folder, hearer(listener, CUTTING), listener.is_cancelled)
        count = done.report.get("count", 0)
        listener.say(tr("{count} chips lie in {folder}.").format(count=count, folder=folder))
        return {"FOLDER": str(folder), "INDEX": done.products["index"], "COUNT": count}
