"""Finding the layers of the project that a slot is likely to want, by bands, attributes and names.

Only proposals: whether the layers can be used is for `toolbox.matching` to say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional, Union

from qgis.core import QgsMapLayer, QgsProject, QgsRasterLayer, QgsVectorLayer

from ..inference.errors import RequestError
from ..models.card import OsmRecipe, Slot
from ..toolbox.bands import by_name, in_order
from ..toolbox.matching import bands_needed
from ..toolbox.osm_tags import guess_tags, has_tags
from ..toolbox.sources import RasterInput, VectorInput, describe
from .slot_row import SlotRow
from .wording import tr

_ELEVATION = re.compile(r"dem|dsm|dtm|srtm|elev|height|hgt|alos|aster|copernicus|cop30|terrain|relief", re.IGNORECASE)
_COARSE_CLASSES = re.compile(r"cover|nlcd|corine|class|landuse|lulc|prior", re.IGNORECASE)


@dataclass(frozen=True)
class Proposal:
    """Layers for one slot, and why."""

    layers: tuple[QgsMapLayer, ...] = ()
    reason: str = ""


def fill_rows(rows: Sequence[SlotRow]) -> None:
    """Propose layers for the rows that the user has not touched."""
    taken = {layer.id() for row in rows for layer in row.layers()}
    described = _describe_project()
    for row in rows:
        # Vector layers add up, so later ones join; a raster that was found stays.
        if row.by_hand or (row.layers() and row.slot.role != "osm"):
            continue
        free = [(layer, plain) for layer, plain in described if layer.id() not in taken or row.slot.role == "osm"]
        proposal = propose(row.slot, free)
        row.choose(proposal.layers, proposal.reason)
        taken |= {layer.id() for layer in proposal.layers if row.slot.role != "osm"}


Described = Sequence[tuple[QgsMapLayer, Union[RasterInput, VectorInput]]]


def propose(slot: Slot, layers: Described) -> Proposal:
    """The layers that suit the slot best; none where nothing speaks for any."""
    if slot.role == "osm":
        return _propose_vectors([channel.osm for channel in slot.channels if channel.osm], layers)
    rasters = [(layer, plain) for layer, plain in layers if isinstance(plain, RasterInput)]
    ranked = [(_rank(slot, plain), layer) for layer, plain in rasters]
    best = max(ranked, key=lambda entry: entry[0][0], default=None)
    if best is None or best[0][0] == 0:
        return Proposal()
    return Proposal((best[1],), best[0][1])


def _describe_project() -> list[tuple[QgsMapLayer, Union[RasterInput, VectorInput]]]:
    """The project's usable layers, in the order of the layer tree: what lies on top comes first."""
    found = []
    for layer in QgsProject.instance().layerTreeRoot().layerOrder():
        plain = _describe(layer)
        if plain is not None:
            found.append((layer, plain))
    return found


def _describe(layer: QgsMapLayer) -> Optional[Union[RasterInput, VectorInput]]:
    spatial = isinstance(layer, QgsRasterLayer) or (isinstance(layer, QgsVectorLayer) and layer.isSpatial())
    if not spatial or not layer.isValid() or not layer.crs().isValid():
        return None
    try:
        return describe(layer)
    except RequestError:
        return None  # not proposed; when it is chosen by hand, its row says why it cannot be used


def _rank(slot: Slot, raster: RasterInput) -> tuple[int, str]:
    """How much speaks for the raster (0 for nothing), and what."""
    if slot.role == "dem":
        return _rank_by_name(raster, _ELEVATION, tr("A single band, and named like an elevation model"))
    if slot.role == "prior":
        return _rank_by_name(raster, _COARSE_CLASSES, tr("A single band, and named like a class raster"))
    if in_order(bands_needed(slot), raster) is None:
        return 0, ""
    if by_name(slot, [raster]) is not None:
        return 3, tr("Its bands are named or coloured like the model's channels")
    if len(raster.colour_bands) == len(slot.channels) > 1:
        return 2, tr("It has as many bands as the model wants")
    return (1, tr("It has enough bands")) if len(slot.channels) > 1 else (0, "")


def _rank_by_name(raster: RasterInput, pattern: re.Pattern[str], reason: str) -> tuple[int, str]:
    single = len(raster.bands) == 1
    return (2, reason) if single and pattern.search(raster.name) else (0, "")


def _propose_vectors(recipes: Sequence[OsmRecipe], layers: Described) -> Proposal:
    rules = [rule for recipe in recipes for rule in recipe.rules]
    keys = {rule.key for rule in rules}
    fitting, reasons = [], []
    for layer, plain in layers:
        if not isinstance(plain, VectorInput):
            continue
        if has_tags(plain, keys):
            reasons.append(tr("{layer} has OSM attributes").format(layer=layer.name()))
        elif guess_tags(plain, rules):
            reasons.append(tr("{layer} is named like what the model wants").format(layer=layer.name()))
        else:
            continue
        fitting.append(layer)
    return Proposal(tuple(fitting), "\n".join(reasons))
