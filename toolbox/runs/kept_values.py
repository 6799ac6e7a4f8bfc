"""Processing parameters as plain JSON and back, so that a run can be run again in another session of QGIS.

Layers stand in them by their ids; a text that holds a password or a key is never kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingOutputLayerDefinition,
    QgsProject,
    QgsProperty,
    QgsRectangle,
    QgsReferencedRectangle,
)

from ...inference.errors import RequestError
from ...inference.job import PRODUCTS
from ..layers.crs import crs_of, crs_text
from ..layers.slots import parse_slots
from ..layers.sources import carries_secret

#: Names what an object is; no parameter of ours is a mapping of its own.
_KIND = "qgis"


def encode_parameters(parameters: Mapping[str, object]) -> dict[str, Any]:
    """The parameters as JSON values.

    Raises:
        RequestError: names the parameter that cannot be kept: it holds a secret, or is of a kind that has no JSON.
    """
    return {name: _encoded(name, value) for name, value in parameters.items()}


def decode_parameters(kept: Mapping[str, Any]) -> dict[str, object]:
    """The parameters that `encode_parameters` wrote down.

    Raises:
        RequestError: names the parameter that is not what it says.
    """
    return {name: _decoded(name, value) for name, value in kept.items()}


def layers_in(parameters: Mapping[str, object], project: QgsProject) -> dict[str, str]:
    """Id and name of every layer of the project that the parameters name."""
    ids = {text for value in parameters.values() for text in _texts(value)}
    ids |= {line.layer for line in parse_slots(str(parameters.get("SLOTS") or ""))}
    return {layer.id(): layer.name() for layer in map(project.mapLayer, sorted(ids)) if layer is not None}


def moved(parameters: Mapping[str, object], folder: Path) -> dict[str, object]:
    """The parameters for a run of its own in `folder`: products and run folder go there under the same file names."""
    places = {name.upper(): name for name in PRODUCTS}
    changed: dict[str, object] = {}
    for name, value in parameters.items():
        if name in places and isinstance(value, str) and Path(value).is_absolute():
            changed[name] = str(folder / Path(value).name)
    return {**parameters, **changed, "FOLDER": str(folder)}


def _texts(value: object) -> list[str]:
    if isinstance(value, QgsProcessingFeatureSourceDefinition):
        return [str(value.source.staticValue() or "")]
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


def _encoded(name: str, value: object) -> Any:
    if isinstance(value, (str, Path)):
        return _harmless(name, str(value))
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (list, tuple)):
        return [_encoded(name, item) for item in value]
    for kind, (write, _) in _KINDS.items():
        if type(value).__name__ == kind:
            fields = {key: _encoded(name, part) for key, part in write(value).items()}
            return {_KIND: kind, **fields}
    raise RequestError(f"{name} is a {type(value).__name__}, which cannot be kept for another session.")


def _harmless(name: str, text: str) -> str:
    if carries_secret(text):
        raise RequestError(f"{name} holds a password or a key, which is not kept; choose the layer again.")
    return text


def _decoded(name: str, value: Any) -> object:
    if isinstance(value, list):
        return [_decoded(name, item) for item in value]
    if not isinstance(value, dict):
        return value
    try:
        _, read = _KINDS[value[_KIND]]
        return read(value)
    except (KeyError, TypeError, ValueError, OverflowError) as problem:
        raise RequestError(f"The kept value of {name} is not readable; set the run up again.") from problem


def _write_rectangle(box: QgsReferencedRectangle) -> dict[str, object]:
    return {"bounds": [box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()], "crs": crs_text(box.crs())}


def _read_rectangle(kept: Mapping[str, Any]) -> QgsReferencedRectangle:
    xmin, ymin, xmax, ymax = map(float, kept["bounds"])
    return QgsReferencedRectangle(QgsRectangle(xmin, ymin, xmax, ymax), crs_of(kept["crs"]))


def _write_source(source: QgsProcessingFeatureSourceDefinition) -> dict[str, object]:
    return {"source": source.source.staticValue(), "selected": source.selectedFeaturesOnly}


def _read_source(kept: Mapping[str, Any]) -> QgsProcessingFeatureSourceDefinition:
    return QgsProcessingFeatureSourceDefinition(str(kept["source"]), bool(kept["selected"]))


def _read_destination(kept: Mapping[str, Any]) -> QgsProcessingOutputLayerDefinition:
    return QgsProcessingOutputLayerDefinition(str(kept["sink"]))


_KINDS: dict[str, tuple[Callable[[Any], dict[str, object]], Callable[[Mapping[str, Any]], object]]] = {
    "QgsReferencedRectangle": (_write_rectangle, _read_rectangle),
    "QgsCoordinateReferenceSystem": (lambda crs: {"crs": crs_text(crs)}, lambda kept: crs_of(kept["crs"])),
    "QgsProcessingFeatureSourceDefinition": (_write_source, _read_source),
    "QgsProcessingOutputLayerDefinition": (lambda one: {"sink": one.sink.staticValue()}, _read_destination),
    "QgsProperty": (lambda one: {"value": one.staticValue()}, lambda kept: QgsProperty.fromValue(kept["value"])),
}
