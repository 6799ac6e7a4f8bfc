"""The products of a run: which a model makes, and what they are to a reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..models.card import Card

Kind = Literal["raster", "vector", "table"]
#: Output of ``fusion_mapper:map`` that holds what licences ask to be said, divided by semicolons.
ATTRIBUTION = "ATTRIBUTION"


@dataclass(frozen=True)
class Product:
    """One product: its name in a job, its parameter in the toolbox, and its words."""

    name: str
    kind: Kind
    title: str
    help: str
    shown: bool = False
    """True when the layer is switched on in the layer tree."""

    @property
    def parameter(self) -> str:
        return self.name.upper()


#: In the order in which they lie in the layer tree, the uppermost first.
PRODUCTS = (
    Product("fields", "vector", "Fields", "Field parcels as polygons, each whole across tiles.", True),
    Product("polygons", "vector", "Polygons", "The classes as polygons with their area and mean confidence.", True),
    Product("classes", "raster", "Map", "The class of every pixel.", True),
    Product("regression", "raster", "Map", "The predicted value of every pixel, in the model's units.", True),
    Product("confidence", "raster", "Confidence", "Probability of the class that was chosen, 0 to 1."),
    Product("entropy", "raster", "Entropy", "How undecided the model is, 0 (sure) to 1 (all classes alike)."),
    Product("probabilities", "raster", "Probabilities", "The probability of each class, one band a class."),
    Product("stack", "raster", "Stack", "What the model sees: all channels on one grid, unscaled, with band names."),
    Product("missing", "raster", "Missing layers", "Where the rule for a missing layer stood in, one band a slot."),
    Product("summary", "table", "Summary", "Area and share of each class, or mean and quantiles, as CSV (and JSON)."),
)
BY_NAME = {product.name: product for product in PRODUCTS}
_OF_CLASSES = ("classes", "polygons", "confidence", "entropy", "probabilities", "summary")
_OF_ALL = ("stack", "missing")


def possible_products(card: Card) -> tuple[str, ...]:
    """The products that the model can make; a card without outputs (a stack) only the stack."""
    tasks = {output.task for output in card.outputs}
    names = set(_OF_ALL)
    if "pixel-regression" in tasks:
        names |= {"regression", "summary"}
    if tasks - {"pixel-regression"}:
        names |= set(_OF_CLASSES)
    if "field-boundaries" in tasks:
        names.add("fields")
    return tuple(product.name for product in PRODUCTS if product.name in names)


def natural_products(card: Card) -> tuple[str, ...]:
    """What one expects of the model when nothing is named."""
    tasks = [output.task for output in card.outputs]
    names = {"pixel-regression": "regression", "field-boundaries": "fields", "semantic-segmentation": "classes"}
    return tuple(dict.fromkeys(names[task] for task in tasks)) or ("stack",)
