"""Finding the layers of the project that a slot is likely to want, by bands, attributes and names.

Only proposals: whether the layers can be used is for `toolbox.matching` to say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from qgis.core import QgsMapLayer

from ...models.card import Slot
from ...toolbox.layers.bands import by_name, by_wavelength, companions, in_order
from ...toolbox.layers.matching import bands_needed
from ...toolbox.layers.sources import RasterInput, VectorInput
from ...toolbox.layers.suiting import raster_suits, vector_suits
from ..shared.wording import tr
from .band_dialog import BandSettings
from .project_layers import Plain, described_layers
from .slot_row import SlotRow

_ELEVATION = re.compile(r"dem|dsm|dtm|srtm|elev|height|hgt|alos|aster|copernicus|cop30|terrain|relief", re.IGNORECASE)
_COARSE_CLASSES = re.compile(r"cover|nlcd|corine|class|landuse|lulc|prior", re.IGNORECASE)


Described = Sequence[tuple[QgsMapLayer, Plain]]


@dataclass(frozen=True)
class Proposal:
    """Layers for one slot, and why."""

    layers: tuple[QgsMapLayer, ...] = ()
    reason: str = ""


def fill_rows(rows: Sequence[SlotRow]) -> None:
    """Propose layers for the rows that the user has not touched."""
    taken = {layer.id() for row in rows for layer in row.layers()}
    described = described_layers()
    _share_out([row for row in rows if row.slot.role == "imagery"], described, taken)
    for row in rows:
        # Vector layers add up, so later ones join; a raster that was found stays.
        if row.by_hand or (row.layers() and row.slot.role != "osm"):
            continue
        free = [(layer, plain) for layer, plain in described if layer.id() not in taken or row.slot.role == "osm"]
        proposal = propose(row.slot, free)
        row.choose(proposal.layers, proposal.reason)
        taken |= {layer.id() for layer in row.layers() if row.slot.role != "osm"}


def _share_out(rows: Sequence[SlotRow], layers: Described, taken: set[str]) -> None:
    """One raster that has the bands of several dates after one another goes to the rows of all of them."""
    if len(rows) < 2 or any(row.by_hand or row.layers() for row in rows):
        return
    needed = sum(len(row.slot.channels) for row in rows)
    for layer, plain in layers:
        if isinstance(plain, RasterInput) and len(plain.colour_bands) == needed and plain.id not in taken:
            numbers = [band.number for band in plain.colour_bands]
            for row in rows:
                mine, numbers = numbers[: len(row.slot.channels)], numbers[len(row.slot.channels) :]
                settings = BandSettings(tuple((plain.id, number) for number in mine))
                row.choose([layer], tr("Its bands are those of all dates, one after the other"), settings)
            taken.add(plain.id)
            return


def propose(slot: Slot, layers: Described) -> Proposal:
    """The layers that suit the slot best; none where nothing speaks for any."""
    if slot.role == "osm":
        return _propose_vectors(slot, layers)
    rasters = [plain for _, plain in layers if isinstance(plain, RasterInput)]
    ranked = [(_rank(slot, plain, rasters), layer) for layer, plain in layers if isinstance(plain, RasterInput)]
    best = max(ranked, key=lambda entry: entry[0][0], default=None)
    if best is None or best[0][0] == 0:
        return Proposal()
    return Proposal((best[1],), best[0][1])


def _rank(slot: Slot, raster: RasterInput, others: Sequence[RasterInput]) -> tuple[int, str]:
    """How much speaks for the raster (0 for nothing), and what."""
    if slot.role == "dem":
        return _rank_by_name(raster, _ELEVATION, tr("A single band, and named like an elevation model"))
    if slot.role == "prior":
        return _rank_by_name(raster, _COARSE_CLASSES, tr("A single band, and named like a class raster"))
    if by_name(slot, [raster]) is not None:
        return 4, tr("Its bands are named or coloured like the model's channels")
    if by_wavelength(slot, [raster]) is not None:
        return 4, tr("Its bands have the wavelengths of the model's channels")
    if companions(slot, raster, others):
        return 3, raster_suits(slot, raster, others).reason
    if in_order(bands_needed(slot), raster) is None or len(slot.channels) == 1:
        return 0, ""
    if len(raster.colour_bands) == len(slot.channels):
        return 2, tr("It has as many bands as the model wants")
    return 1, tr("It has enough bands")


def _rank_by_name(raster: RasterInput, pattern: re.Pattern[str], reason: str) -> tuple[int, str]:
    single = len(raster.bands) == 1
    return (2, reason) if single and pattern.search(raster.name) else (0, "")


def _propose_vectors(slot: Slot, layers: Described) -> Proposal:
    found = [(layer, vector_suits(slot, plain)) for layer, plain in layers if isinstance(plain, VectorInput)]
    fitting = [(layer, suiting) for layer, suiting in found if suiting.suits]
    reasons = [tr("{layer}: {reason}").format(layer=layer.name(), reason=suiting.reason) for layer, suiting in fitting]
    return Proposal(tuple(layer for layer, _ in fitting), "\n".join(reasons))
