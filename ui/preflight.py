"""Cheap checks of a layer against a slot, from what QGIS already knows; the engine looks at the pixels later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Optional

from qgis.core import (
    QgsCoordinateTransform,
    QgsCsException,
    QgsMapLayer,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsReferencedRectangle,
    QgsVectorLayer,
)

from ..inference.errors import RequestError
from ..models.card import Card, Slot
from ..toolbox.matching import Given, match
from ..toolbox.sources import VectorInput, describe
from .ground import pixel_size
from .wording import metres_text, tr

#: From this ratio on, a layer's resolution differs enough from what the model learned on to be told.
COARSE = 2.0
#: A layer that covers at least this share of the area is taken to cover it.
WHOLE = 0.995


class Level(IntEnum):
    """How well a layer suits its slot."""

    FITS = 0
    NOTE = 1
    CANNOT = 2


@dataclass(frozen=True)
class Verdict:
    """What was found, in one sentence; empty where there is nothing to say."""

    level: Level
    text: str = ""


def judge(slot: Slot, card: Card, layers: Sequence[QgsMapLayer], area: Optional[QgsReferencedRectangle]) -> Verdict:
    """The gravest thing to say about the layers chosen for a slot; `area` is what is to be mapped."""
    if not layers:
        return _nothing_chosen(slot)
    found = [_judge_layer(slot, card, layer) for layer in layers]
    if area is not None:
        found.append(_judge_coverage(slot, layers, area))
    if all(verdict.level is not Level.CANNOT for verdict in found):
        found.append(_judge_fit(slot, card, layers))
    return max(found, key=lambda verdict: verdict.level)


def _judge_fit(slot: Slot, card: Card, layers: Sequence[QgsMapLayer]) -> Verdict:
    """What the toolbox's own matching says of the layers."""
    try:
        plain = [describe(layer) for layer in layers]
        vectors = tuple(layer for layer in plain if isinstance(layer, VectorInput))
        bound = tuple((slot.name, layer, ()) for layer in plain if slot.role == "osm" or layer not in vectors)
        found = match(replace(card, slots=(slot,)), Given(osm=() if slot.role == "osm" else vectors, bound=bound))
    except RequestError as problem:
        return Verdict(Level.CANNOT, str(problem))
    return Verdict(Level.NOTE, " ".join(found.warnings)) if found.warnings else Verdict(Level.FITS)


def _nothing_chosen(slot: Slot) -> Verdict:
    if slot.missing == "required":
        return Verdict(Level.CANNOT, tr("Choose a layer; the model cannot work without it."))
    return Verdict(Level.NOTE, tr("Optional. The map will be made without it."))


def _judge_layer(slot: Slot, card: Card, layer: QgsMapLayer) -> Verdict:
    if not layer.isValid():
        text = tr("{layer} cannot be opened; repair its data source or choose another layer.")
        return Verdict(Level.CANNOT, text.format(layer=layer.name()))
    if not layer.crs().isValid():
        text = tr("{layer} has no CRS; set it in the layer's properties.")
        return Verdict(Level.CANNOT, text.format(layer=layer.name()))
    if isinstance(layer, QgsRasterLayer):
        return max(_judge_bands(slot, layer), _judge_resolution(slot, card, layer), key=lambda v: v.level)
    return Verdict(Level.FITS)


def _judge_bands(slot: Slot, layer: QgsRasterLayer) -> Verdict:
    if slot.role not in ("imagery", "raster") or layer.bandCount() >= len(slot.channels):
        return Verdict(Level.FITS)
    text = tr("{layer} has too few bands ({has}); the model needs {names}.")
    names = ", ".join(channel.name for channel in slot.channels)
    return Verdict(Level.CANNOT, text.format(layer=layer.name(), has=layer.bandCount(), names=names))


def _judge_resolution(slot: Slot, card: Card, layer: QgsRasterLayer) -> Verdict:
    wanted = slot.gsd or card.gsd
    size = pixel_size(layer)
    if wanted is None or size is None or slot.role == "prior" or 1 / COARSE < size / wanted < COARSE:
        return Verdict(Level.FITS)
    if size > wanted and slot.role == "dem":
        text = tr("{size} elevation for a model trained with {wanted}; slopes will be smooth.")
    elif size > wanted:
        text = tr("{size} pixels for a model trained with {wanted}; small things cannot be told apart.")
    else:
        text = tr("{size} pixels for a model trained with {wanted}; they will be averaged.")
    return Verdict(Level.NOTE, text.format(size=metres_text(size), wanted=metres_text(wanted)))


def _judge_coverage(slot: Slot, layers: Sequence[QgsMapLayer], area: QgsReferencedRectangle) -> Verdict:
    share = max((covered_share(layer, area) for layer in layers), default=0.0)
    if share >= WHOLE or (share > 0 and any(isinstance(layer, QgsVectorLayer) for layer in layers)):
        return Verdict(Level.FITS)
    if share == 0 and slot.missing == "required":
        return Verdict(Level.CANNOT, tr("The layer does not touch the area; move the map or choose another layer."))
    if share == 0:
        return Verdict(Level.NOTE, tr("The layer does not touch the area; the map will be made without it."))
    if slot.missing == "required":
        text = tr("The layer covers {share} % of the area; the rest will be empty.")
    else:
        text = tr("The layer covers {share} % of the area; the rest will be mapped without it.")
    return Verdict(Level.NOTE, text.format(share=max(1, int(share * 100))))


def covered_share(layer: QgsMapLayer, area: QgsReferencedRectangle) -> float:
    """Share (0 to 1) of the area that lies within the layer's bounding box; 1 where that cannot be told."""
    target = in_crs_of(layer, area)
    if target is None or target.isEmpty():
        return 1.0
    common = target.intersect(layer.extent())
    return 0.0 if common.isEmpty() else common.area() / target.area()


def in_crs_of(layer: QgsMapLayer, area: QgsReferencedRectangle) -> Optional[QgsRectangle]:
    """The area's bounding box in the layer's CRS; None where it cannot be carried over."""
    if not layer.isValid() or not layer.crs().isValid():
        return None
    transform = QgsCoordinateTransform(area.crs(), layer.crs(), QgsProject.instance().transformContext())
    try:
        return transform.transformBoundingBox(area)
    except QgsCsException:
        return None
