"""What the three algorithms without a model's run share: one raster product, its grid, and the layers stacked in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from qgis.core import QgsProcessingContext, QgsProcessingParameterRasterDestination

from ...inference.job import Compute, GridSpec, Outputs
from ...models.card import Card, Slot
from ..layers.matching import Given, match
from ..layers.sources import RasterInput, VectorInput
from ..runs.execute import RunRequest, refuse_elsewhere
from .base import FeedbackListener, FusionAlgorithm, temporary_folder
from .compute import add_compute, given_compute
from .grid import given_area, given_grid, given_reference
from .layers import add_reading

#: The one destination.
OUTPUT = "OUTPUT"


@dataclass(frozen=True)
class Collected:
    """One stack to be made, in plain values."""

    card: Card
    given: Given
    grid: GridSpec
    area: Optional[VectorInput]
    reference: Optional[RasterInput]
    compute: Compute
    unreadable: str
    max_pixels: int
    model: Optional[Path] = None


class StackingAlgorithm(FusionAlgorithm):
    """Writes aligned channels as one raster."""

    def add_output(self, title: str, text: str) -> None:
        """The settings that all share, and the raster that is written."""
        add_compute(self, model=False)
        add_reading(self)
        self.add(QgsProcessingParameterRasterDestination(OUTPUT, title), text)

    def collected(
        self, slots: tuple[Slot, ...], given: Given, parameters: dict[str, object], context: QgsProcessingContext
    ) -> Collected:
        """The request for these slots."""
        card = Card("stack", slots, (), title=self.displayName())
        return self.with_settings(card, given, parameters, context)

    def with_settings(
        self,
        card: Card,
        given: Given,
        parameters: dict[str, object],
        context: QgsProcessingContext,
        model: Optional[Path] = None,
    ) -> Collected:
        """Grid, compute and reading settings around a card and its layers, checked against each other.

        Of a model that the engine has yet to read, the card is still without slots, and nothing is checked.
        """
        grid = given_grid(self, parameters, context)
        if card.slots:
            refuse_elsewhere(card, match(card, given).bindings, grid, context.transformContext())
        return Collected(
            card=card,
            given=given,
            grid=grid,
            area=given_area(self, parameters, context),
            reference=given_reference(self, parameters, context),
            compute=given_compute(self, parameters, context),
            unreadable=self.parameterAsEnumString(parameters, "UNREADABLE", context),
            max_pixels=int(self.parameterAsDouble(parameters, "FETCH_LIMIT", context) * 1e6),
            model=model,
        )

    def make(
        self,
        collected: Collected,
        parameters: dict[str, object],
        context: QgsProcessingContext,
        listener: FeedbackListener,
    ) -> dict[str, object]:
        path = str(Path(self.parameterAsOutputLayer(parameters, OUTPUT, context)).absolute())
        request = RunRequest(
            given=collected.given,
            outputs=Outputs(str(temporary_folder()), {"stack": path}),
            card=collected.card,
            model=collected.model,
            grid=collected.grid,
            area=collected.area,
            reference=collected.reference,
            compute=collected.compute,
            unreadable=collected.unreadable,
            max_pixels=collected.max_pixels,
            transform=context.transformContext(),
        )
        done = self.run_engine(request, listener)
        return {OUTPUT: done.products["stack"]}
