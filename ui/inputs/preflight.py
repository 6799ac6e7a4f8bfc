"""Cheap checks of layers against a slot, from what QGIS already knows; the engine looks at the pixels later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Optional

from qgis.core import (
    QgsMapLayer,
    QgsRasterLayer,
    QgsReferencedRectangle,
    QgsVectorLayer,
)

from ...inference.errors import RequestError
from ...models.card import Card, Slot
from ...toolbox.layers.bands import in_order, told_apart
from ...toolbox.layers.matching import bands_needed
from ...toolbox.layers.radiometry import STORED, suggested
from ...toolbox.layers.sources import RasterInput, VectorInput, describe, quick_extent
from ...toolbox.layers.suiting import vector_suits
from ..shared.ground import in_crs_of, pixel_size
from ..shared.wording import metres_text, tr
from .chosen import Chosen

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
    detail: str = ""
    """More, for the tooltip: what only a log would say."""


FITS = Verdict(Level.FITS)


def judge(slot: Slot, card: Card, chosen: Chosen, area: Optional[QgsReferencedRectangle]) -> Verdict:
    """The gravest thing to say about what is chosen for a slot; `area` is what is to be mapped."""
    if not chosen.layers:
        return _nothing_chosen(slot)
    found = [_judge_layer(layer) for layer in chosen.layers]
    if all(verdict.level is not Level.CANNOT for verdict in found):
        found += _judge_usable(slot, card, chosen)
        if area is not None:
            found.append(_judge_coverage(slot, chosen.layers, area))
    return max(found, key=lambda verdict: verdict.level)


def _judge_usable(slot: Slot, card: Card, chosen: Chosen) -> list[Verdict]:
    """What is found of layers that can be opened."""
    try:
        plain = {layer.id(): describe(layer) for layer in chosen.layers}
    except RequestError as problem:
        return [Verdict(Level.CANNOT, str(problem))]
    vectors = [one for one in plain.values() if isinstance(one, VectorInput)]
    found = [_judge_vectors(slot, vectors)] if vectors else []
    for raster in chosen.rasters:
        if not chosen.bands:
            found.append(_judge_bands(slot, plain[raster.id()]))
        found += [_judge_radiometry(slot, chosen, plain[raster.id()]), _judge_resolution(slot, card, raster)]
    return found


def _judge_vectors(slot: Slot, vectors: Sequence[VectorInput]) -> Verdict:
    suitings = [vector_suits(slot, vector) for vector in vectors]
    lost = [(vector, suiting) for vector, suiting in zip(vectors, suitings) if not suiting.suits]
    if not lost:
        return FITS
    text = tr("{layer} is not used. {reason}.").format(layer=lost[0][0].name, reason=lost[0][1].reason)
    useless = slot.role == "osm" and slot.missing == "required" and len(lost) == len(vectors)
    return Verdict(Level.CANNOT if useless else Level.NOTE, text)


def _nothing_chosen(slot: Slot) -> Verdict:
    if slot.missing == "required":
        return Verdict(Level.CANNOT, tr("Choose a layer; the model cannot work without it."))
    return Verdict(Level.NOTE, tr("Optional; mapped without it."))


def _judge_layer(layer: QgsMapLayer) -> Verdict:
    if not layer.isValid():
        text = tr("{layer} cannot be opened; repair its data source or choose another layer.")
        return Verdict(Level.CANNOT, text.format(layer=layer.name()))
    if not layer.crs().isValid():
        text = tr("{layer} has no CRS; set it in the layer's properties.")
        return Verdict(Level.CANNOT, text.format(layer=layer.name()))
    return FITS


def _judge_bands(slot: Slot, raster: RasterInput) -> Verdict:
    """Whether the bands that the channels take are there, and known, where the user named none."""
    needed, has = bands_needed(slot), len(raster.colour_bands)
    names = ", ".join(channel.name for channel in slot.channels)
    if has < needed <= len(raster.all_bands):
        text = tr("{layer} calls a band alpha; if it is one of {names}, say so in Bands…")
        return Verdict(Level.CANNOT, text.format(layer=raster.name, names=names))
    if has < needed:
        text = tr("{layer} has too few bands ({has}); the model needs {names}.")
        return Verdict(Level.CANNOT, text.format(layer=raster.name, has=has, names=names))
    taken = in_order(needed, raster)
    if not taken.guessed or (slot.role in ("imagery", "raster") and told_apart(slot, [raster])):
        return FITS
    if slot.role not in ("imagery", "raster"):
        return Verdict(
            Level.NOTE, tr("{layer} has {has} bands; the first is taken.").format(layer=raster.name, has=has)
        )
    text = tr("Bands {bands} of {has} are taken as {names}; set others in Bands…")
    numbers = ", ".join(str(band) for _, band in taken.bands)
    return Verdict(Level.NOTE, text.format(has=has, bands=numbers, names=names))


def _judge_radiometry(slot: Slot, chosen: Chosen, raster: RasterInput) -> Verdict:
    said = suggested(slot, raster)
    if said is None or chosen.radiometry != STORED:
        return FITS
    text = tr("{reason}. Choose “{radiometry}” in Bands…")
    return Verdict(Level.NOTE, text.format(reason=said.reason, radiometry=tr(said.radiometry.title)))


def _judge_resolution(slot: Slot, card: Card, layer: QgsRasterLayer) -> Verdict:
    wanted = slot.gsd or card.gsd
    size = pixel_size(layer)
    if wanted is None or size is None or slot.role == "prior" or 1 / COARSE < size / wanted < COARSE:
        return FITS
    if size > wanted and slot.role == "dem":
        text = tr("{size} elevation for a model trained with {wanted}; slopes will be smooth.")
    elif size > wanted:
        text = tr("{size} pixels for a model trained with {wanted}; small things cannot be told apart.")
    else:
        text = tr("{size} pixels for a model trained with {wanted}; they will be averaged.")
    return Verdict(Level.NOTE, text.format(size=metres_text(size), wanted=metres_text(wanted)))


def _judge_coverage(slot: Slot, layers: Sequence[QgsMapLayer], area: QgsReferencedRectangle) -> Verdict:
    share = max((covered_share(layer, area) for layer in layers), default=0.0)
    if share > 0 and any(isinstance(layer, QgsVectorLayer) for layer in layers):
        return FITS
    return coverage_verdict(slot, share)


def coverage_verdict(slot: Slot, share: float) -> Verdict:
    """What it means that layers cover this share (0 to 1) of the area."""
    if share >= WHOLE:
        return FITS
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
    """Share (0 to 1) of the area that lies within the layer's bounding box; 1 where that cannot be told at once."""
    extent = quick_extent(layer) if isinstance(layer, QgsVectorLayer) else layer.extent()
    target = in_crs_of(layer, area)
    if extent is None or target is None or target.isEmpty():
        return 1.0
    common = target.intersect(extent)
    return 0.0 if common.isEmpty() else common.area() / target.area()
