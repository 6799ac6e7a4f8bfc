"""``fusion_mapper:stack``: the aligned, fused multi-band raster that a model sees."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Optional

from qgis.core import QgsProcessingContext, QgsProcessingParameterEnum

from ...inference.errors import RequestError
from ...models.card import Card, Slot
from ..layers.matching import Given
from ..models import ModelChoice
from .base import FeedbackListener, tr
from .grid import add_grid, add_reference
from .layers import add_dem, add_imagery, add_osm, add_prior, add_slots, given_layers, ticked
from .model import add_model, given_model, named_models, with_card
from .recipes import DERIVATIVES, OSM_CHANNELS, osm_slot, raster_slot, terrain_slot
from .stacking import Collected, StackingAlgorithm


@dataclass(frozen=True)
class _WithModel:
    """A stack whose card is known only once the engine has read the model."""

    model: ModelChoice
    collected: Collected


class StackAlgorithm(StackingAlgorithm):
    """Writes what the model sees, or layers of one's own choice, as one raster."""

    def name(self) -> str:
        return "stack"

    def displayName(self) -> str:
        return tr("Stack layers on one grid")

    def summary(self) -> str:
        what = tr(
            "Brings imagery, OpenStreetMap channels, terrain and priors onto one grid and writes them as one "
            "multi-band raster with band names, in the layers' own units. With a model the bands are the channels that "
            "it sees; without one, all bands of the imagery and the priors and the channels chosen here."
        )
        return f"{what}\n{named_models()}"

    def example(self) -> str:
        return (
            "--MODEL=landcover-rgb-1m --IMAGERY=ortho.tif --OSM=roads.gpkg --OSM=buildings.gpkg --DEM=srtm.tif "
            "--OUTPUT=stack.tif"
        )

    def tags(self) -> list[str]:
        return tr("align, co-register, resample, fuse, multi-band, osm, dem").split(", ")

    def initAlgorithm(self, configuration: Optional[dict[str, object]] = None) -> None:
        add_model(self, optional=True)
        add_imagery(self)
        add_osm(self)
        names = list(OSM_CHANNELS)
        self._add_choice("CHANNELS", tr("OpenStreetMap channels (without a model)"), names, names)
        add_dem(self)
        self._add_choice("DERIVATIVES", tr("Terrain channels (without a model)"), list(DERIVATIVES), ["elevation"])
        add_prior(self)
        add_reference(self)
        add_grid(self)
        add_slots(self)
        self.add_output(tr("Stack"), tr("A GeoTIFF with one named band for each channel."))

    def collect(self, parameters: dict[str, object], context: QgsProcessingContext) -> object:
        model = given_model(self, parameters, context)
        given = given_layers(self, parameters, context)
        if model is None:
            return self.collected(self._slots(given, parameters, context), given, parameters, context)
        unknown = Card(model.path.stem, (), ())
        return _WithModel(model, self.with_settings(model.card or unknown, given, parameters, context, model.path))

    def make(
        self,
        collected: object,
        parameters: dict[str, object],
        context: QgsProcessingContext,
        listener: FeedbackListener,
    ) -> dict[str, object]:
        if isinstance(collected, _WithModel):
            _, card = with_card(collected.model, listener)
            collected = replace(collected.collected, card=card)
        return super().make(collected, parameters, context, listener)

    def _slots(self, given: Given, parameters: dict[str, object], context: QgsProcessingContext) -> tuple[Slot, ...]:
        if given.bound:
            raise RequestError("SLOTS binds layers to the slots of a model; choose a model, or leave SLOTS empty.")
        slots = []
        if given.imagery:
            slots.append(raster_slot("imagery", given.imagery))
        if given.osm:
            slots.append(osm_slot(ticked(self, parameters, "CHANNELS", context)))
        if given.dem:
            slots.append(terrain_slot(ticked(self, parameters, "DERIVATIVES", context)))
        if given.prior:
            slots.append(raster_slot("prior", given.prior, nearest=True))
        if not slots:
            raise RequestError("There is nothing to stack; choose imagery, OpenStreetMap layers or an elevation model.")
        return tuple(slots)

    def _add_choice(self, name: str, title: str, options: list[str], default: list[str]) -> None:
        self.add(
            QgsProcessingParameterEnum(
                name, title, options, allowMultiple=True, usesStaticStrings=True, optional=True, defaultValue=default
            ),
            tr("One band each. A model brings its own."),
            advanced=True,
        )
