"""Results in the project: one group a run, every layer named, styled and told where it comes from.

For whoever runs ``fusion_mapper:map`` in the background (the dock)::

    parameters = map_parameters(model=path, imagery=layers, osm=layers, dem=layer, products={"classes": None})
    task = QgsProcessingAlgRunnerTask(algorithm, parameters, context, feedback)   # keep `context` and `feedback`
    ...
    add_run_to_project(results, card, run_title(card, "3420B"))                   # when it was executed

`results` is what the algorithm answers: the products' paths under CLASSES, POLYGONS and so on.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Optional, Union

from qgis.core import (
    QgsLayerMetadata,
    QgsLayerTreeGroup,
    QgsMapLayer,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)

from ..models.card import Card
from .products import BY_NAME, PRODUCTS
from .styles import style_layer


def map_parameters(
    model: Union[str, Path],
    imagery: Sequence[QgsMapLayer] = (),
    osm: Sequence[QgsMapLayer] = (),
    dem: Optional[QgsMapLayer] = None,
    prior: Sequence[QgsMapLayer] = (),
    products: Optional[Mapping[str, Optional[str]]] = None,
    **others: object,
) -> dict[str, object]:
    """Parameters of ``fusion_mapper:map``.

    Args:
        products: product name → path, or None for a temporary file; empty lets the model make its natural ones.
        others: further parameters by their names (EXTENT, AREA, RESOLUTION, DEVICE, SLOTS, FOLDER ...).
    """
    destinations = {
        BY_NAME[name].parameter: path or QgsProcessing.TEMPORARY_OUTPUT for name, path in (products or {}).items()
    }
    return {
        "MODEL": str(model),
        "IMAGERY": [layer.id() for layer in imagery],
        "OSM": [layer.id() for layer in osm],
        "PRIOR": [layer.id() for layer in prior],
        "DEM": dem.id() if dem is not None else None,
        **destinations,
        **others,
    }


def run_title(card: Card, place: str = "") -> str:
    """A group's name: ``Land cover, 3420B (14:02)``."""
    subject = f"{card.label}, {place}" if place else card.label
    return f"{subject} ({time.strftime('%H:%M')})"


def add_run_to_project(
    results: Mapping[str, object],
    card: Card,
    title: str,
    project: Optional[QgsProject] = None,
    attribution: Sequence[str] = (),
) -> QgsLayerTreeGroup:
    """Load a run's products into a new group on top of the project's layer tree; main thread.

    Args:
        results: what the algorithm answers, or product name → path.
    """
    project = project or QgsProject.instance()
    group = project.layerTreeRoot().insertGroup(0, title)
    for product in PRODUCTS:
        path = results.get(product.parameter) or results.get(product.name)
        if not isinstance(path, str) or product.kind == "table":
            continue
        layer = open_product(path, product.name)
        finish_layer(layer, product.name, card, attribution)
        project.addMapLayer(layer, False)
        node = group.addLayer(layer)
        node.setItemVisibilityChecked(product.shown)
        node.setExpanded(product.shown)
    return group


def open_product(path: str, product: str) -> QgsMapLayer:
    """The product's file as a layer, under its title."""
    known = BY_NAME[product]
    if known.kind == "raster":
        return QgsRasterLayer(path, known.title, "gdal")
    return QgsVectorLayer(path, known.title, "ogr")


def finish_layer(layer: QgsMapLayer, product: str, card: Card, attribution: Sequence[str] = ()) -> None:
    """Style a result, and say in its metadata what it is, whose model and whose data made it."""
    style_layer(layer, product, card)
    layer.setMetadata(_metadata(product, card, attribution))
    layer.setAttribution("; ".join(attribution))
    layer.triggerRepaint()


def _metadata(product: str, card: Card, attribution: Sequence[str]) -> QgsLayerMetadata:
    metadata = QgsLayerMetadata()
    metadata.setType("dataset")
    metadata.setTitle(f"{card.label}: {BY_NAME[product].title}")
    parts = (
        BY_NAME[product].help,
        card.description,
        card.notice,
        f"Model: {card.name} {card.version}".strip(),
        card.source,
    )
    metadata.setAbstract("\n\n".join(part for part in parts if part))
    metadata.setRights(list(attribution))
    metadata.setLicenses([card.license] if card.license else [])
    metadata.addHistoryItem("Made with Fusion Mapper; the file's own tags name model hash, sources, grid and settings.")
    return metadata


class ProductFinisher(QgsProcessingLayerPostProcessorInterface):
    """Styles one product once Processing has loaded it, and puts it into the run's group.

    Processing keeps only a C++ pointer: `finish_when_loaded` keeps the Python object alive.
    """

    def __init__(self, product: str, card: Card, title: str, attribution: Sequence[str]) -> None:
        super().__init__()
        self._product = product
        self._card = card
        self._title = title
        self._attribution = tuple(attribution)

    def postProcessLayer(
        self, layer: QgsMapLayer, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        finish_layer(layer, self._product, self._card, self._attribution)
        project = context.project()
        node = project.layerTreeRoot().findLayer(layer.id()) if project else None
        if node is None:  # QGIS 3.32 and later puts it into the group by itself, afterwards
            return
        node.setItemVisibilityChecked(BY_NAME[self._product].shown)
        root = project.layerTreeRoot()
        group = root.findGroup(self._title) or root.insertGroup(0, self._title)
        if node.parent() is not group:
            group.insertChildNode(_place(group, self._product), node.clone())
            node.parent().removeChildNode(node)


def finish_when_loaded(
    context: QgsProcessingContext, path: str, product: str, card: Card, title: str, attribution: Sequence[str]
) -> Optional[ProductFinisher]:
    """Have a destination that Processing will load styled; returns the finisher, whose reference the caller keeps."""
    if not context.willLoadLayerOnCompletion(path):
        return None
    details = context.layerToLoadOnCompletionDetails(path)
    finisher = ProductFinisher(product, card, title, attribution)
    details.setPostProcessor(finisher)
    details.name = BY_NAME[product].title
    details.forceName = True
    if hasattr(details, "groupName"):  # since QGIS 3.32
        details.groupName = title
    return finisher


def load_when_done(context: QgsProcessingContext, path: str, product: str, project: QgsProject) -> None:
    """Have Processing load a product for which no destination was chosen; tables are not loaded."""
    if BY_NAME[product].kind != "table":
        details = QgsProcessingContext.LayerDetails(BY_NAME[product].title, project, BY_NAME[product].parameter)
        context.addLayerToLoadOnCompletion(path, details)


def _place(group: QgsLayerTreeGroup, product: str) -> int:
    """Where in the group the product's layer belongs, by the order of `PRODUCTS`."""
    order = [known.title for known in PRODUCTS]
    own = order.index(BY_NAME[product].title)
    names = [child.name() for child in group.children()]
    return sum(1 for name in names if name in order and order.index(name) < own)
