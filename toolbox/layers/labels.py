"""What is known on the ground: a layer of labels as the engine reads it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional, Union

from ...inference.errors import RequestError
from ...inference.learnjob import Labels
from .sources import RasterInput, VectorInput
from .staging import Stage, stage_raster, stage_vector


@dataclass(frozen=True)
class LabelsInput:
    """A layer of labels in plain values: polygons, points, or a class raster."""

    layer: Union[RasterInput, VectorInput]
    field: Optional[str] = None
    """Attribute that holds the class or the value; vectors only."""
    band: int = 1
    """Band of a raster, counted from 1."""
    unlabelled: tuple[str, ...] = ()
    """Values that mean "not known" besides NULL and nodata."""
    width: Optional[float] = None
    """Ground metres: radius of what a point labels, or width of the boundary class of fields."""

    def to_labels(self) -> Labels:
        """The labels of a job; raises SourceError while the layer is not staged."""
        common = Labels(
            path="", field=self.field, unlabelled=self.unlabelled, width=self.width, name=self.layer.name or None
        )
        if isinstance(self.layer, RasterInput):
            return replace(common, path=self.layer.opened(), band=self.band)
        drawn = self.layer.as_layer()
        return replace(common, path=drawn.path, layer=drawn.layer, where=drawn.where)


def labels_of(
    layer: Union[RasterInput, VectorInput],
    field: str = "",
    needs_field: bool = True,
    band: int = 1,
    unlabelled: tuple[str, ...] = (),
    width: Optional[float] = None,
) -> LabelsInput:
    """The layer's labels.

    Args:
        field: attribute with the class or value of a vector layer; empty for none.
        needs_field: whether a vector layer must have one (field boundaries need none).

    Raises:
        RequestError: when the layer cannot hold labels, or has no such field or band.
    """
    if isinstance(layer, VectorInput):
        _check_vector(layer, field, needs_field)
        return LabelsInput(layer, field or None, unlabelled=unlabelled, width=width)
    if layer.staging is not None and layer.staging.kind == "render":
        raise RequestError(f"'{layer.name}' is a picture from a map service, which holds no labels; choose a file.")
    if band > len(layer.bands):
        raise RequestError(f"The labels '{layer.name}' have no band {band}; the last is {len(layer.bands)}.")
    # What the user called nodata in QGIS is not known, whatever the file says.
    hidden = () if layer.nodata is None else (f"{layer.nodata:g}",)
    return LabelsInput(layer, band=band, unlabelled=tuple(dict.fromkeys((*unlabelled, *hidden))), width=width)


def stage_labels(labels: LabelsInput, stage: Stage) -> LabelsInput:
    """The labels as a file, unsaved edits included.

    Raises:
        SourceError: when the layer cannot be read or the file not written.
        Cancelled: when the user stopped.
    """
    if isinstance(labels.layer, RasterInput):
        return replace(labels, layer=stage_raster(labels.layer, stage))
    return replace(labels, layer=stage_vector(labels.layer, stage))


def _check_vector(layer: VectorInput, field: str, needs_field: bool) -> None:
    if layer.geometry == "line":
        raise RequestError(f"The labels '{layer.name}' are lines; choose polygons, points or a class raster.")
    listed = ", ".join(layer.fields) or "none"
    if field and field not in layer.fields:
        raise RequestError(f"The labels '{layer.name}' have no field '{field}'; their fields are {listed}.")
    if needs_field and not field:
        raise RequestError(f"FIELD is empty; choose the field of '{layer.name}' that holds the labels: {listed}.")
