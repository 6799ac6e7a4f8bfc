"""The model that the project's layers suit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Optional

from qgis.core import QgsMapLayer, QgsRasterLayer

from ...models.card import Card
from ...models.library import Installed
from ..inputs.preselect import Described, propose
from ..inputs.project_layers import described_layers
from ..shared.ground import pixel_size


def fitting_model(models: Sequence[Installed], otherwise: str = "") -> Optional[Installed]:
    """The model whose required slots all find a layer, and whose GSD is nearest to that layer's pixels.

    Where none fits: the one called `otherwise`, else the first, else None; without `otherwise`, None.
    """
    layers = described_layers()
    distances = [(_distance(model.card, layers), model) for model in models if model.card]
    fitting = [(distance, model) for distance, model in distances if distance is not None]
    if fitting:
        return min(fitting, key=lambda pair: pair[0])[1]
    if not otherwise:
        return None
    return next((model for model in models if model.name == otherwise), models[0] if models else None)


def _distance(card: Card, layers: Described) -> Optional[float]:
    """How far (in octaves) the model's GSD is from the pixels of the imagery it would get; None where it cannot run."""
    if card.blocking:
        return None
    found: list[QgsMapLayer] = []
    for slot in card.slots:
        if slot.missing != "required" or slot.role == "location":
            continue
        proposed = propose(slot, [pair for pair in layers if pair[0] not in found]).layers
        if not proposed:
            return None
        found += proposed
    sizes = [pixel_size(layer) for layer in found if isinstance(layer, QgsRasterLayer)]
    size = next((size for size in sizes if size), None)
    return abs(math.log2(size / card.gsd)) if size and card.gsd else 0.0
