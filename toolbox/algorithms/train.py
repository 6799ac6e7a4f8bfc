"""``fusion_mapper:train``: a fusion model from layers and a few labels."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingOutputFile,
    QgsProcessingOutputHtml,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterEnum,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRange,
    QgsProcessingParameterString,
)

from ...inference.errors import Cancelled, RequestError
from ...inference.events import Result
from ...inference.learnjob import LearnJob
from ...models.trainplan import REGRESSIONS
from ..engine.commands import deaf
from ..engine.environment import find_trainer
from ..engine.once import Engine
from ..models import installed_models, is_removable
from ..runs.execute import hearer
from ..runs.learn import TRAINING, PlaceRequest, make_place, new_training_folder
from ..settings import library_folder
from .base import FeedbackListener, temporary_folder, tr
from .labels import (
    given_classes,
    given_labels,
    given_task,
)
from .layers import ticked
from .learning import (
    PRECISIONS,
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


@dataclass(frozen=True)
class _Collected:
    place: PlaceRequest
    job: LearnJob
    """Without its places and its folder, which follow once the layers are staged."""
    folder: Optional[Path]
    install: bool
    replace: bool


class TrainAlgorithm(TrainingAlgorithm):
    """Trains a fusion model."""

    def name(self) -> str:
        return "train"

    def displayName(self) -> str:
        return tr("Train a fusion model")

    def summary(self) -> str:
        return tr(
            "Learns a model from imagery, OpenStreetMap and an elevation model, and from a few labels: polygons, "
            "points or a class raster. Part of the labelled area, in blocks of its own, is kept for validation; the "
            "best epoch becomes a model in ONNX format with its card, which maps at once. A training that is stopped "
            "goes on in its folder."
        )

    def example(self) -> str:
        return (
            "--IMAGERY=scene.tif --OSM=roads.gpkg --DEM=srtm.tif --LABELS=labels.gpkg --FIELD=class --NAME=my-landcover"
        )

    def tags(self) -> list[str]:
        return tr("deep learning, train, learn, labels, few-shot, land cover, onnx, segmentation").split(", ")

    def initAlgorithm(self, configuration: Optional[dict[str, object]] = None) -> None:
        add_layers_and_labels(self)
        self.add(
            QgsProcessingParameterEnum(
                "STRATEGY", tr("Fusion"), STRATEGIES, usesStaticStrings=True, defaultValue=STRATEGIES[0]
            ),
            tr(
                "How the layers meet in the model. stack: further layers are channels beside the bands. imagery: "
                "imagery alone. proc-stack: a prior made of a coarse class raster is a channel for each class. "
                "compress: further channels squeezed to a few. vit: a vision transformer of the imagery; token-fuse "
                "gives it the place on earth, and token-control a token that knows no place."
            ),
        )
        add_network(self)
        self._add_names()
        add_training(self)
        add_details(self, tr("Size of the model's pixels on the ground; that of the imagery when empty."))
        self._add_results()

    def collect(self, parameters: dict[str, object], context: QgsProcessingContext) -> _Collected:
        task = given_task(self, parameters, context)
        labels = given_labels(self, parameters, context, task)
        strategy = self.parameterAsEnumString(parameters, "STRATEGY", context)
        place = given_place(self, parameters, context, labels)
        if strategy == WITH_PRIOR and "prior" not in [slot.name for slot in place.slots]:
            raise RequestError("The strategy proc-stack needs a coarse class raster; choose it under PRIOR.")
        name = file_name(self.parameterAsString(parameters, "NAME", context).strip() or labels.layer.name)
        job = LearnJob(
            name=name,
            places=(),
            folder="",
            title=self.parameterAsString(parameters, "TITLE", context).strip(),
            task=task,
            classes=given_classes(self, parameters, context, task),
            strategy=strategy,
            network=given_network(self, parameters, context, strategy),
            training=given_training(self, parameters, context),
            gsd=place.grid.resolution,
            units=self.parameterAsString(parameters, "UNITS", context).strip() if task in REGRESSIONS else "",
            range=self._range(parameters, context) if task in REGRESSIONS else None,
            license=self.parameterAsString(parameters, "LICENSE", context).strip(),
            variants=tuple(ticked(self, parameters, "VARIANTS", context)),
        )
        install = self.parameterAsBool(parameters, "INSTALL", context)
        again = self.parameterAsBool(parameters, "REPLACE", context)
        if install and not again:
            _refuse_taken(name)
        return _Collected(place, job, output_folder_of(self, parameters, context), install, again)

    def make(
        self,
        collected: _Collected,
        parameters: dict[str, object],
        context: QgsProcessingContext,
        listener: FeedbackListener,
    ) -> dict[str, object]:
        folder = collected.folder or new_training_folder(collected.job.name)
        engine = Engine(find_trainer())
        place = make_place(_with_wanted(collected, listener), folder, engine, listener)
        job = replace(collected.job, places=(place,), folder=str(folder))
        listener.say(tr("The training is kept in {folder}.").format(folder=folder))
        try:
            done = engine.train(job, folder, hearer(listener, TRAINING), listener.is_cancelled)
        except Cancelled:
            listener.say(
                tr("The training goes on when it is started again with OUTPUT_FOLDER={folder}.").format(folder=folder)
            )
            raise
        model = _install(Path(done.products["model"]), collected, listener)
        return _answer(done, model, folder)

    def _add_names(self) -> None:
        self.add(
            QgsProcessingParameterString("NAME", tr("Name of the model"), optional=True),
            tr("What the model is called, as a file and in the list of models; that of the labels when empty."),
        )
        self.add(
            QgsProcessingParameterString("TITLE", tr("Title of the model"), optional=True),
            tr("What the model is called where there is room for a few words."),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterString("UNITS", tr("Units"), optional=True),
            tr("Of the values of a regression: %, m."),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterRange(
                "RANGE", tr("Range of values"), QgsProcessingParameterNumber.Type.Double, optional=True
            ),
            tr("Least and greatest value of a regression, as in 0,100; those of the labels when empty."),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterString("LICENSE", tr("Licence of the model"), optional=True),
            tr("What you give the model on under, such as CC-BY-4.0; the labels' own terms may bind you."),
            advanced=True,
        )

    def _add_results(self) -> None:
        self.add(
            QgsProcessingParameterEnum(
                "VARIANTS",
                tr("Smaller files too"),
                PRECISIONS,
                allowMultiple=True,
                usesStaticStrings=True,
                optional=True,
                defaultValue=[],
            ),
            tr("Further model files of lower precision, each with its measured loss."),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterBoolean("INSTALL", tr("Add to the list of models"), defaultValue=True),
            tr("Installs the model into the library, where it is found by its name."),
        )
        self.add(
            QgsProcessingParameterBoolean("REPLACE", tr("Replace a model of this name"), defaultValue=False),
            tr("Otherwise a name that is taken in the library is refused."),
            advanced=True,
        )
        add_folder(
            self,
            tr(
                "Keeps the model, its figures and the training's last epoch; a training that was stopped goes on in it "
                "when it is started with the same settings."
            ),
        )
        self.addOutput(QgsProcessingOutputFile("MODEL", tr("Model")))
        self.addOutput(QgsProcessingOutputString("NAME", tr("Name of the model")))
        self.addOutput(QgsProcessingOutputNumber("SCORE", tr("Score on the validation blocks")))
        self.addOutput(QgsProcessingOutputString("METRIC", tr("What the score is")))
        self.addOutput(QgsProcessingOutputString("FIGURES", tr("All figures, as JSON")))
        self.addOutput(QgsProcessingOutputFile("HISTORY", tr("Loss and score of each epoch")))
        self.addOutput(QgsProcessingOutputHtml("REPORT", tr("Report")))

    def _range(self, parameters: dict[str, object], context: QgsProcessingContext) -> Optional[tuple[float, float]]:
        if parameters.get("RANGE") in (None, "", []):
            return None
        low, high = self.parameterAsRange(parameters, "RANGE", context)
        if not low < high:
            raise RequestError(
                f"RANGE is '{parameters['RANGE']}'; write the least and the greatest value, as in 0,100."
            )
        return low, high


def _refuse_taken(name: str) -> None:
    """A training takes long: that its name is taken must be told before."""
    if any(model.name == name and is_removable(model) for model in installed_models()):
        raise RequestError(f"A model '{name}' is installed already; choose another NAME, or set REPLACE.")


def _with_wanted(collected: _Collected, listener: FeedbackListener) -> PlaceRequest:
    """The place without the prior where the strategy has no use for it."""
    place = collected.place
    if collected.job.strategy == WITH_PRIOR or not place.given.prior:
        return place
    name, strategy = place.given.prior[0].name, collected.job.strategy
    listener.warn(f"'{name}' is not used: the strategy {strategy} takes no coarse class raster.")
    slots = tuple(slot for slot in place.slots if slot.name != "prior")
    return replace(place, given=replace(place.given, prior=()), slots=slots)


def _install(model: Path, collected: _Collected, listener: FeedbackListener) -> Path:
    """The model in the library, or where it was made."""
    if not collected.install:
        return model
    listener.progress(99.0, tr("Copying the model into the library"))
    done = Engine().install(
        model, library_folder(), temporary_folder(), deaf, listener.is_cancelled, replace=collected.replace
    )
    listener.say(tr("Installed as '{name}'.").format(name=Path(done.products["model"]).stem))
    return Path(done.products["model"])


def _answer(done: Result, model: Path, folder: Path) -> dict[str, object]:
    report = done.report
    answer: dict[str, object] = {
        "MODEL": str(model),
        "NAME": model.stem,
        "SCORE": report.get("score"),
        "METRIC": report.get("metric", ""),
        "FIGURES": json.dumps(report.get("figures", {}), sort_keys=True),
        "OUTPUT_FOLDER": str(folder),
    }
    for product, output in (("history", "HISTORY"), ("report", "REPORT")):
        if product in done.products:
            answer[output] = done.products[product]
    return answer
