"""``fusion_mapper:evaluate``: what a map, or a model on layers, is worth against reference labels."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional

from qgis.core import (
    QgsCoordinateTransformContext,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorLayer,
)

from ...inference.errors import RequestError
from ...inference.job import Compute, GridSpec, Outputs
from ...inference.learnjob import EvaluateJob, Labels
from ..engine.once import Engine
from ..layers.labels import LabelsInput, stage_labels
from ..layers.matching import Given, match
from ..layers.sources import RasterInput, VectorInput, copied, describe
from ..layers.staging import Stage, stage_raster, stage_vector
from ..models import ModelChoice
from ..runs.execute import Course, RunRequest, hearer, prepare
from .base import FeedbackListener, FusionAlgorithm, is_chosen, temporary_folder, tr
from .compute import add_compute, given_compute
from .grid import add_place, given_grid
from .labels import TASKS, add_classes, add_label_reading, add_labels, add_task, given_classes, given_labels, given_task
from .layers import add_dem, add_imagery, add_osm, add_prior, add_reading, add_slots, given_layers, given_raster
from .model import add_model, given_model, with_card

#: Products of the engine and the parameters that have them written somewhere of one's own.
_FILES = {"report": "REPORT", "table": "TABLE", "plot": "PLOT"}
#: Figures of the engine, and the outputs that hold them.
_NUMBERS = (
    ("accuracy", "OVERALL_ACCURACY", "Overall accuracy"),
    ("miou", "MIOU", "Mean IoU"),
    ("r2", "R2", "R²"),
    ("rmse", "RMSE", "Root mean square error"),
)
#: With a model, which maps first; and of a map.
_WITH_MODEL = Course({"trying": (0.0, 0.0), "mapping": (0.0, 60.0)}, (60.0, 100.0))
_OF_MAP = Course({}, (0.0, 100.0))


@dataclass(frozen=True)
class _Collected:
    labels: LabelsInput
    job: EvaluateJob
    """Without labels, map, sources and folder, which follow once the layers are staged."""
    map: Optional[RasterInput]
    model: Optional[ModelChoice]
    given: Given
    grid: GridSpec
    compute: Compute
    fields: Optional[VectorInput]
    unreadable: str
    max_pixels: int


class EvaluateAlgorithm(FusionAlgorithm):
    """Judges a map by labels."""

    def name(self) -> str:
        return "evaluate"

    def displayName(self) -> str:
        return tr("Evaluate a map or a model")

    def summary(self) -> str:
        return tr(
            "Holds a map, or what a model makes of layers, against reference labels: confusion matrix, overall and "
            "per-class accuracy, IoU and F1; boundaries and objects of fields; R², error and bias of values; and areas "
            "with 95 % confidence intervals after Olofsson et al. (2014). Use labels that no training saw."
        )

    def example(self) -> str:
        return "--MAP=classes.tif --LABELS=reference.gpkg --FIELD=class --REPORT=evaluation.html --TABLE=classes.csv"

    def tags(self) -> list[str]:
        return tr("accuracy, confusion matrix, validation, miou, f1, area estimation, r2, rmse").split(", ")

    def initAlgorithm(self, configuration: Optional[dict[str, object]] = None) -> None:
        self.add(
            QgsProcessingParameterRasterLayer("MAP", tr("Map"), optional=True),
            tr("A raster of classes or values to judge; leave it empty to run a model first."),
        )
        add_model(self, optional=True)
        add_imagery(self)
        add_osm(self)
        add_dem(self)
        add_prior(self)
        add_labels(self)
        add_task(self, optional=True)
        self._add_judging()
        add_place(self, tr("Size of a pixel of the model's map; that of the model when empty."))
        add_slots(self)
        add_compute(self)
        add_label_reading(self)
        add_classes(self, tr("Those of the model's card, or the map's own, when empty."))
        add_reading(self)
        self._add_results()

    def collect(self, parameters: dict[str, object], context: QgsProcessingContext) -> _Collected:
        raster = given_raster(self, parameters, "MAP", context)
        model = given_model(self, parameters, context)
        if (raster is None) == (model is None):
            raise RequestError("Choose either a MAP to judge, or a MODEL with its layers.")
        task = given_task(self, parameters, context) or _task_of(model)
        labels = given_labels(self, parameters, context, task)
        given = given_layers(self, parameters, context)
        if model is not None and model.card is not None:
            match(model.card, given)
        job = EvaluateJob(
            labels=Labels(""),
            folder="",
            title=self.parameterAsString(parameters, "TITLE", context).strip(),
            task=task,
            classes=given_classes(self, parameters, context, task),
            band=self.parameterAsInt(parameters, "MAP_BAND", context),
            units=self.parameterAsString(parameters, "UNITS", context).strip(),
            tolerance=self.parameterAsInt(parameters, "TOLERANCE", context),
            simple_random=self.parameterAsBool(parameters, "SIMPLE_RANDOM", context),
        )
        return _Collected(
            labels=labels,
            job=job,
            map=self._map(describe(raster), parameters, context) if raster is not None else None,
            model=model,
            given=given,
            grid=given_grid(self, parameters, context),
            compute=given_compute(self, parameters, context),
            fields=self._fields(parameters, context),
            unreadable=self.parameterAsEnumString(parameters, "UNREADABLE", context) or "stop",
            max_pixels=int(self.parameterAsDouble(parameters, "FETCH_LIMIT", context) * 1e6),
        )

    def make(
        self,
        collected: _Collected,
        parameters: dict[str, object],
        context: QgsProcessingContext,
        listener: FeedbackListener,
    ) -> dict[str, object]:
        chosen = is_chosen(parameters, "FOLDER")
        folder = (
            Path(self.parameterAsString(parameters, "FOLDER", context)).absolute() if chosen else temporary_folder()
        )
        engine = Engine()
        job = _staged(collected, folder, engine, context.transformContext(), listener)
        course = _OF_MAP if collected.model is None else _WITH_MODEL
        done = engine.evaluate(job, folder, hearer(listener, course), listener.is_cancelled)
        answer = self._written(done.products, parameters, context)
        answer.update(_numbers(done.report))
        return {**answer, "FIGURES": json.dumps(done.report, sort_keys=True), "FOLDER": str(folder)}

    def _add_judging(self) -> None:
        number = QgsProcessingParameterNumber
        self.add(
            QgsProcessingParameterVectorLayer(
                "FIELDS", tr("Mapped fields"), [QgsProcessing.SourceType.TypeVectorPolygon], optional=True
            ),
            tr("Field polygons that belong to the map, for figures by object; a model makes its own."),
        )
        self.add(
            QgsProcessingParameterBoolean("SIMPLE_RANDOM", tr("Labels were drawn at random"), defaultValue=False),
            tr(
                "Whether the labels are a random sample of each mapped class. Where they are not, the report says that "
                "its intervals are too narrow."
            ),
        )
        self.add(
            QgsProcessingParameterString("TITLE", tr("Title of the report"), optional=True),
            tr("What is judged, in a few words."),
            advanced=True,
        )
        self.add(
            QgsProcessingParameterString("UNITS", tr("Units"), optional=True),
            tr("Of the values of a regression: %, m."),
            advanced=True,
        )
        self.add(
            number("MAP_BAND", tr("Band of the map"), number.Type.Integer, defaultValue=1, minValue=1),
            tr("Counted from 1."),
            advanced=True,
        )
        self.add(
            number(
                "TOLERANCE", tr("Tolerance of boundaries (pixels)"), number.Type.Integer, defaultValue=1, minValue=0
            ),
            tr("Within so many pixels a boundary counts as met."),
            advanced=True,
        )

    def _add_results(self) -> None:
        file, folder = QgsProcessingParameterFileDestination, QgsProcessingParameterFolderDestination
        self.add(
            file("REPORT", tr("Report"), tr("HTML files (*.html)"), optional=True, createByDefault=True),
            tr("One page with all figures, plots and what was judged against what; it needs no other file."),
        )
        self.add(
            file("TABLE", tr("Table"), "CSV (*.csv)", optional=True, createByDefault=False),
            tr("The figures of each class, or of the values."),
        )
        self.add(
            file("PLOT", tr("Plot"), "PNG (*.png)", optional=True, createByDefault=False),
            tr("The confusion matrix, or values against reference."),
        )
        self.add(
            folder("FOLDER", tr("Folder"), optional=True, createByDefault=False),
            tr("Keeps everything that is made: report, tables, plot, figures as JSON, and the model's map."),
            advanced=True,
        )
        for _, output, title in _NUMBERS:
            self.addOutput(QgsProcessingOutputNumber(output, tr(title)))
        self.addOutput(QgsProcessingOutputString("FIGURES", tr("All figures, as JSON")))

    def _map(self, judged: RasterInput, parameters: dict[str, object], context: QgsProcessingContext) -> RasterInput:
        if judged.staging is not None and judged.staging.kind == "render":
            raise RequestError(f"MAP is '{judged.name}', a picture from a map service without values; choose a file.")
        band = self.parameterAsInt(parameters, "MAP_BAND", context)
        if band > len(judged.bands):
            raise RequestError(f"MAP_BAND is {band}, and the last band of '{judged.name}' is {len(judged.bands)}.")
        return judged

    def _fields(self, parameters: dict[str, object], context: QgsProcessingContext) -> Optional[VectorInput]:
        if not parameters.get("FIELDS"):
            return None
        layer = self.parameterAsVectorLayer(parameters, "FIELDS", context)
        if layer is None:
            raise RequestError(
                f"FIELDS is '{parameters['FIELDS']}', which is neither a vector layer nor a file that can be read."
            )
        return copied(layer)

    def _written(
        self, products: Mapping[str, str], parameters: dict[str, object], context: QgsProcessingContext
    ) -> dict[str, object]:
        """Paths by parameter; what was asked for elsewhere is copied there."""
        answer: dict[str, object] = {}
        for product, name in _FILES.items():
            if product not in products:
                continue
            answer[name] = products[product]
            if is_chosen(parameters, name):
                answer[name] = self.parameterAsFileOutput(parameters, name, context)
                _copy(Path(products[product]), Path(str(answer[name])))
        return answer


def _task_of(model: Optional[ModelChoice]) -> str:
    """The task of a model's first output; land cover where nothing tells."""
    outputs = model.card.outputs if model is not None and model.card is not None else ()
    return next((output.task for output in outputs if output.task in TASKS), TASKS[0])


def _staged(
    collected: _Collected,
    folder: Path,
    engine: Engine,
    transform: QgsCoordinateTransformContext,
    listener: FeedbackListener,
) -> EvaluateJob:
    """The job, with everything that is no file copied into the folder."""
    stage = Stage(folder / "staged", transform, listener.is_cancelled, listener.say, listener.warn)
    fields = stage_vector(collected.fields, stage).as_layer().path if collected.fields else None
    job = replace(
        collected.job,
        labels=stage_labels(collected.labels, stage).to_labels(),
        folder=str(folder),
        fields=fields,
        compute=collected.compute,
    )
    if collected.map is not None:
        return replace(job, map=stage_raster(collected.map, stage).opened())
    model, card = with_card(collected.model, listener)
    run = RunRequest(
        given=collected.given,
        outputs=Outputs(str(folder)),
        card=card,
        model=model.path,
        grid=collected.grid,
        compute=collected.compute,
        unreadable=collected.unreadable,
        max_pixels=collected.max_pixels,
        transform=transform,
    )
    ready = prepare(run, engine, listener)
    return replace(job, model=str(model.path), sources=dict(ready.sources), grid=ready.grid)


def _copy(source: Path, target: Path) -> None:
    """Beside the target first, so that no half-written file stands under its name."""
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(source, part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _numbers(figures: Mapping[str, Any]) -> dict[str, object]:
    """The outputs that a step of a model can work on; those that the task does not have are left out."""
    return {output: figures[name] for name, output, _ in _NUMBERS if figures.get(name) is not None}
