"""The products of a run: which a model makes, and what they are to a reader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
#: Divides a product's name from the output that it is of, where several outputs of a model make the same product.
_OF = ":"
_OF_CLASSES = ("classes", "polygons", "confidence", "entropy", "probabilities", "summary")
_OF_ALL = ("stack", "missing")


def product_of(name: str) -> Product:
    """The product that a run calls `name`: ``classes``, or ``classes:<output>`` of a model's further outputs."""
    return BY_NAME[name.partition(_OF)[0]]


def output_of(name: str) -> str:
    """Name of the model output that the product is of; empty for the first that makes it."""
    return name.partition(_OF)[2]


def parameter_of(name: str) -> str:
    """Under which name the algorithm answers the product's path."""
    product, _, output = name.partition(_OF)
    return BY_NAME[product].parameter + (_OF + output if output else "")


def title_of(name: str, card: Card) -> str:
    """What the product's layer is called."""
    title, output = product_of(name).title, output_of(name)
    if not output:
        return title
    return f"{title}, {next((one.title for one in card.outputs if one.name == output), '') or output}"


def made_of(answers: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Names and paths of the products in what the algorithm answers (or by their own names), in `PRODUCTS`' order."""
    for product in PRODUCTS:
        for key, path in answers.items():
            known, _, output = key.partition(_OF)
            if known in (product.name, product.parameter) and isinstance(path, str) and path:
                yield product.name + (_OF + output if output else ""), path


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
