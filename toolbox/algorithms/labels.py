"""The parameters in which labels are chosen, and the labels as plain values."""

from __future__ import annotations

import re
from typing import Union

from qgis.core import (
    QgsMapLayer,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterEnum,
    QgsProcessingParameterField,
    QgsProcessingParameterMapLayer,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
    QgsVectorLayer,
)

from ...inference.errors import RequestError
from ...models.card import ClassInfo
from ...models.trainplan import REGRESSIONS
from ..layers.classes import parse_classes
from ..layers.labels import LabelsInput, labels_of
from ..layers.sources import RasterInput, VectorInput, describe, selected_features
from .base import FusionAlgorithm, tr

#: What can be learned: names as a job has them.
TASKS = ("semantic-segmentation", "field-boundaries", "pixel-regression", "chip-regression")


def add_labels(algorithm: FusionAlgorithm, suffix: str = "", optional: bool = False) -> None:
    """LABELS and FIELD, with `suffix` for a further place."""
    algorithm.add(
        QgsProcessingParameterMapLayer(
            f"LABELS{suffix}",
            tr("Labels") if not suffix else tr("Labels of the unseen place"),
            optional=optional,
            types=[QgsProcessing.SourceType.TypeVectorPolygon, QgsProcessing.SourceType.TypeVectorPoint]
            + [QgsProcessing.SourceType.TypeRaster],
        ),
        tr(
            "What is known on the ground: polygons, points or a class raster, in any CRS, resolution and extent. What "
            "has no label is not known, and is never taken for background."
        ),
    )
    if suffix:
        return
    algorithm.add(
        QgsProcessingParameterField("FIELD", tr("Field with the labels"), None, "LABELS", optional=True),
        tr("The field of polygons or points that holds the class, or the value of a regression. Fields need none."),
    )


def add_task(algorithm: FusionAlgorithm, optional: bool = False) -> None:
    """TASK: what the labels are; an optional one is the model's where there is one."""
    text = tr(
        "semantic-segmentation: classes such as land cover. field-boundaries: parcels and the borders between "
        "them. pixel-regression: a value for each pixel, such as tree cover. chip-regression: one for each tile."
    )
    if optional:
        text += " " + tr("The model's own when empty, and else semantic-segmentation.")
    algorithm.add(
        QgsProcessingParameterEnum(
            "TASK",
            tr("Task"),
            TASKS,
            usesStaticStrings=True,
            optional=optional,
            defaultValue=None if optional else TASKS[0],
        ),
        text,
    )


def add_label_reading(algorithm: FusionAlgorithm) -> None:
    """How labels are read, folded away."""
    algorithm.add(
        QgsProcessingParameterBoolean("SELECTED", tr("Only the selected labels"), defaultValue=False, optional=True),
        tr("Of a vector layer, only the features that are selected are used."),
        advanced=True,
    )
    algorithm.add(
        QgsProcessingParameterString("UNLABELLED", tr("Values without a meaning"), optional=True),
        tr("Values of the labels, divided by commas, that mean not known, besides NULL and nodata: 0, unknown."),
        advanced=True,
    )
    number = QgsProcessingParameterNumber
    algorithm.add(
        number("LABEL_BAND", tr("Band of a label raster"), number.Type.Integer, defaultValue=1, minValue=1),
        tr("Counted from 1."),
        advanced=True,
    )
    algorithm.add(
        number("LABEL_WIDTH", tr("Width (ground metres)"), number.Type.Double, optional=True, minValue=0.0),
        tr(
            "Radius of what a point labels, the pixel that it lies in when empty; for field boundaries, the width of "
            "the boundary, two pixels when empty."
        ),
        advanced=True,
    )


def add_classes(algorithm: FusionAlgorithm, otherwise: str = "") -> None:
    """CLASSES: names, values and colours, folded away; `otherwise` says what counts when nothing is written."""
    text = tr(
        "One class a line: value:name #colour, as in 1:water #2b6cb0, where value and colour may be left out; a "
        "semicolon ends a line too."
    )
    algorithm.add(
        QgsProcessingParameterString("CLASSES", tr("Classes"), multiLine=True, optional=True),
        f"{text} {otherwise or tr('All classes that the labels have when empty.')}",
        advanced=True,
    )


def given_classes(
    algorithm: FusionAlgorithm, parameters: dict[str, object], context: QgsProcessingContext, task: str
) -> tuple[ClassInfo, ...]:
    """The classes as the user named them; none for the labels' own, and for values.

    Raises:
        RequestError: when a line cannot be read.
    """
    if task in REGRESSIONS:
        return ()
    return parse_classes(algorithm.parameterAsString(parameters, "CLASSES", context))


def given_task(algorithm: FusionAlgorithm, parameters: dict[str, object], context: QgsProcessingContext) -> str:
    """The task, as a job has it."""
    return algorithm.parameterAsEnumString(parameters, "TASK", context)


def given_labels(
    algorithm: FusionAlgorithm,
    parameters: dict[str, object],
    context: QgsProcessingContext,
    task: str,
    suffix: str = "",
) -> LabelsInput:
    """The labels for that task.

    Raises:
        RequestError: when no layer was chosen or found, or it cannot hold labels, or lacks the field or band.
        SourceError: when it is broken, or nothing is selected in it.
    """
    name = f"LABELS{suffix}"
    if not parameters.get(name):
        raise RequestError(f"{name} is empty; choose the layer with what is known on the ground.")
    layer = algorithm.parameterAsLayer(parameters, name, context)
    if layer is None:
        raise RequestError(f"{name} is '{parameters[name]}', which is neither a layer nor a file that can be read.")
    width = algorithm.parameterAsDouble(parameters, "LABEL_WIDTH", context) if parameters.get("LABEL_WIDTH") else None
    return labels_of(
        _described(layer, algorithm.parameterAsBool(parameters, "SELECTED", context) and not suffix),
        field=algorithm.parameterAsString(parameters, "FIELD", context).strip(),
        needs_field=task != "field-boundaries",
        band=algorithm.parameterAsInt(parameters, "LABEL_BAND", context) or 1,
        unlabelled=_listed(algorithm.parameterAsString(parameters, "UNLABELLED", context)),
        width=width or None,
    )


def _described(layer: QgsMapLayer, selected: bool) -> Union[RasterInput, VectorInput]:
    if selected and isinstance(layer, QgsVectorLayer):
        return selected_features(layer)
    return describe(layer)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split(r"[,;]", text) if part.strip())
