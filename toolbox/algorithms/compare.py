"""``fusion_mapper:compare``: what fusion gains, by strategy and share of the labels, in place and elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingOutputFile,
    QgsProcessingOutputNumber,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterEnum,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from ...inference.errors import Cancelled, RequestError
from ...inference.learnjob import CompareJob
from ..engine.environment import find_trainer
from ..engine.once import Engine
from ..runs.execute import hearer
from ..runs.learn import COMPARING, PRIOR, PlaceRequest, make_place, new_training_folder
from .base import FeedbackListener, tr
from .labels import add_labels, given_classes, given_labels, given_task
from .layers import ticked
from .learning import (
    STRATEGIES,
    WITH_PRIOR,
    TrainingAlgorithm,
    add_details,
    add_folder,
    add_layers_and_labels,
    add_network,
    add_training,
    file_name,
    given_network,
    given_place,
    given_training,
    output_folder_of,
)

#: Ends the parameters of the place that no training sees.
UNSEEN = "_2"


@dataclass(frozen=True)
class _Collected:
    place: PlaceRequest
    unseen: Optional[PlaceRequest]
    job: CompareJob
    """Without its places and its folder, which follow once the layers are staged."""
    folder: Optional[Path]


class CompareAlgorithm(TrainingAlgorithm):
    """Trains strategies on shares of the labels, and judges them."""

    def name(self) -> str:
        return "compare"

    def displayName(self) -> str:
        return tr("Compare fusion strategies")

    def summary(self) -> str:
        return tr(
            "Tells what further layers gain on your own labels: every strategy is trained with every share of the "
            "labels and every seed, and judged on blocks of the same place and on a place that no training saw. One "
            "table and one plot with the spread. These are many trainings: a comparison that is stopped goes on in its "
            "folder."
        )

    def example(self) -> str:
        return (
            "--IMAGERY=scene.tif --OSM=roads.gpkg --DEM=srtm.tif --LABELS=labels.gpkg --FIELD=class "
            "--STRATEGIES=imagery --STRATEGIES=stack --SEEDS=3 --OUTPUT_FOLDER=comparison"
        )

    def tags(self) -> list[str]:
        return tr("experiment, label fraction, few-shot, stack, prior, generalisation, learning curve").split(", ")

    def initAlgorithm(self, configuration: Optional[dict[str, object]] = None) -> None:
        add_layers_and_labels(self)
        self._add_trials()
        add_network(self)
        add_training(self, seed=False)
        self._add_unseen()
        add_details(self, tr("Size of the models' pixels on the ground; that of the imagery when empty."))
        add_folder(self, tr("Keeps the table as it grows; the same comparison goes on in it after a stop."))
        self.addOutput(QgsProcessingOutputFile("TABLE", tr("Table of all trainings")))
        self.addOutput(QgsProcessingOutputFile("PLOT", tr("Plot")))
        self.addOutput(QgsProcessingOutputNumber("COUNT", tr("Number of trainings in the table")))

    def collect(self, parameters: dict[str, object], context: QgsProcessingContext) -> _Collected:
        task = given_task(self, parameters, context)
        strategies = tuple(ticked(self, parameters, "STRATEGIES", context))
        if not strategies:
            raise RequestError("STRATEGIES is empty; tick at least one.")
        place = given_place(self, parameters, context, given_labels(self, parameters, context, task))
        unseen = self._unseen(place, task, parameters, context)
        for one in (place, unseen) if WITH_PRIOR in strategies else ():
            if one is not None and PRIOR not in [slot.name for slot in one.slots]:
                name = "PRIOR" if one is place else f"PRIOR{UNSEEN}"
                raise RequestError(f"The strategy proc-stack needs a coarse class raster; choose it under {name}.")
        job = CompareJob(
            train=(),
            folder="",
            task=task,
            classes=given_classes(self, parameters, context, task),
            strategies=strategies,
            fractions=parse_fractions(self.parameterAsString(parameters, "FRACTIONS", context)),
            seeds=tuple(range(1, self.parameterAsInt(parameters, "SEEDS", context) + 1)),
            network=given_network(self, parameters, context),
            training=given_training(self, parameters, context),
            gsd=place.grid.resolution,
            shuffled=self.parameterAsBool(parameters, "SHUFFLED", context),
        )
        return _Collected(place, unseen, job, output_folder_of(self, parameters, context))

    def make(
        self,
        collected: _Collected,
        parameters: dict[str, object],
        context: QgsProcessingContext,
        listener: FeedbackListener,
    ) -> dict[str, object]:
        folder = collected.folder or new_training_folder(f"compare-{file_name(collected.place.labels.layer.name)}")
        engine = Engine(find_trainer())
        train = make_place(collected.place, folder, engine, listener)
        test = (make_place(collected.unseen, folder, engine, listener),) if collected.unseen else ()
        job = replace(collected.job, train=(train,), test=test, folder=str(folder))
        listener.say(tr("The comparison is kept in {folder}.").format(folder=folder))
        try:
            done = engine.compare(job, folder, hearer(listener, COMPARING), listener.is_cancelled)
        except Cancelled:
            listener.say(
                tr("The comparison goes on when it is started again with OUTPUT_FOLDER={folder}.").format(folder=folder)
            )
            raise
        return {
            "TABLE": done.products["table"],
            "PLOT": done.products["plot"],
            "COUNT": done.report.get("trainings", 0) + done.report.get("found", 0),
            "OUTPUT_FOLDER": str(folder),
        }

    def _add_trials(self) -> None:
        self.add(
            QgsProcessingParameterEnum(
                "STRATEGIES",
                tr("Strategies"),
                STRATEGIES,
                allowMultiple=True,
                usesStaticStrings=True,
                defaultValue=["imagery", "stack"],
            ),
            tr(
                "What is compared: imagery alone, stack (further layers as channels), proc-stack (a hand-made prior), "
                "compress (channels squeezed to a few), and vision transformers: vit, token-fuse with the place on "
                "earth, token-control with a token that knows none."
            ),
        )
        self.add(
            QgsProcessingParameterString("FRACTIONS", tr("Shares of the labels"), defaultValue="1, 0.35, 0.1"),
            tr("Divided by commas, from above 0 to 1; each is a rectangle of the training area, the rest is left out."),
        )
        number = QgsProcessingParameterNumber
        self.add(
            number("SEEDS", tr("Seeds"), number.Type.Integer, defaultValue=3, minValue=1, maxValue=100),
            tr("How often each training is done with another start; the spread is what chance alone does."),
        )
        self.add(
            QgsProcessingParameterBoolean("SHUFFLED", tr("Shuffle further layers"), defaultValue=False),
            tr("The control: further layers are taken from other places of the scene, so that they can tell nothing."),
            advanced=True,
        )

    def _add_unseen(self) -> None:
        vector, raster = QgsProcessing.SourceType.TypeVectorAnyGeometry, QgsProcessing.SourceType.TypeRaster
        self.add(
            QgsProcessingParameterMultipleLayers(
                f"IMAGERY{UNSEEN}", tr("Imagery of an unseen place"), raster, optional=True
            ),
            tr("Of a place that no training sees, with the same bands; without it only blocks in place are judged."),
        )
        self.add(
            QgsProcessingParameterMultipleLayers(
                f"OSM{UNSEEN}", tr("OpenStreetMap layers of the unseen place"), vector, optional=True
            ),
            tr("Vector layers with OpenStreetMap tags."),
        )
        self.add(
            QgsProcessingParameterRasterLayer(f"DEM{UNSEEN}", tr("Elevation model of the unseen place"), optional=True),
            tr("Elevations in metres."),
        )
        self.add(
            QgsProcessingParameterMultipleLayers(
                f"PRIOR{UNSEEN}", tr("Prior of the unseen place"), raster, optional=True
            ),
            tr("A coarse class raster with the same values as that of the training place."),
        )
        add_labels(self, UNSEEN, optional=True)

    def _unseen(
        self, place: PlaceRequest, task: str, parameters: dict[str, object], context: QgsProcessingContext
    ) -> Optional[PlaceRequest]:
        if not any(parameters.get(f"{name}{UNSEEN}") for name in ("IMAGERY", "OSM", "DEM", "PRIOR", "LABELS")):
            return None
        labels = given_labels(self, parameters, context, task, UNSEEN)
        unseen = given_place(self, parameters, context, labels, UNSEEN)
        return replace(unseen, name=f"{unseen.name}, unseen") if unseen.name == place.name else unseen


def parse_fractions(text: str) -> tuple[float, ...]:
    """Shares from above 0 to 1, from a text that divides them by commas, the largest first.

    Raises:
        RequestError: quotes what is no share.
    """
    shares = []
    for part in text.replace(";", ",").split(","):
        try:
            share = float(part)
        except ValueError:
            raise RequestError(
                f"FRACTIONS names '{part.strip()}', which is no number; write it like 1, 0.35."
            ) from None
        if not 0 < share <= 1:
            raise RequestError(f"FRACTIONS names {share:g}; shares lie above 0 and are at most 1.")
        shares.append(share)
    return tuple(sorted(set(shares), reverse=True))
