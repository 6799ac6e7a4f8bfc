"""Results in the project: one group a run, every layer named, styled and told where it comes from.

For whoever runs ``fusion_mapper:map`` in the background (the dock)::

    parameters = map_parameters(model=path, imagery=layers, osm=layers, dem=layer, products={"classes": None})
    task = QgsProcessingAlgRunnerTask(algorithm, parameters, context, feedback)   # keep `context` and `feedback`
    ...
    add_run_to_project(results, card, run_title(card, "3420B"))                   # when it was executed

`results` is what the algorithm answers: the products' paths under CLASSES, POLYGONS and so on.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional, Union

from qgis.core import (
    Qgis,
    QgsLayerTreeGroup,
    QgsLayerTreeLayer,
    QgsMapLayer,
    QgsMessageLog,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)

from ...inference.errors import RequestError
from ...inference.record import RunRecord, read_record
from ...models.card import Card
from ..layers.attribution import set_attribution
from ..products import (
    ATTRIBUTION,
    BY_NAME,
    PRODUCTS,
    made_of,
    output_of,
    parameter_of,
    product_of,
    title_of,
)
from .metadata import result_metadata
from .run_layers import herald, remember_run
from .styles import caption_legend, style_layer

#: Processing holds finishers by C++ pointers, and in a model the algorithm is gone long before they are called: without
#: a reference here the styling would silently vanish. No run loads so many layers that the oldest are still awaited.
_KEPT: deque[ProductFinisher] = deque(maxlen=1024)
#: Output of the algorithm that holds the run's folder.
FOLDER = "FOLDER"
#: Property of a layer tree group that names its run.
_RUN_PROPERTY = "fusion_mapper/run"


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
    """A group's name: ``Land cover, 3420B (14:02)``; what stands behind a comma in the model's own is left out."""
    label = card.label.partition(",")[0]
    subject = f"{label}, {place}" if place else label
    return f"{subject} ({time.strftime('%H:%M')})"


def add_run_to_project(
    results: Mapping[str, object],
    card: Card,
    title: str,
    project: Optional[QgsProject] = None,
) -> QgsLayerTreeGroup:
    """Load a run's products into a new group on top of the project's layer tree; main thread.

    Args:
        results: what the algorithm answers, or product name → path.
    """
    project = project or QgsProject.instance()
    folder = results.get(FOLDER)
    label = run_label(card, title, _credits(results), Path(folder) if isinstance(folder, str) else None)
    group = _group_of(label, project.layerTreeRoot())
    for product, path in made_of(results):
        if product_of(product).kind == "table":
            continue
        layer = open_product(path, product)
        layer.setName(title_of(product, card))
        finish_layer(layer, product, label)
        project.addMapLayer(layer, False)
        # It is shown before it is in the tree, which reads the legend as it comes.
        group.addChildNode(_shown(QgsLayerTreeLayer(layer), product, card))
    return group


def _credits(results: Mapping[str, object]) -> list[str]:
    return [line for line in str(results.get(ATTRIBUTION) or "").split("; ") if line]


def open_product(path: str, product: str) -> QgsMapLayer:
    """The product's file as a layer, under its title."""
    known = product_of(product)
    if known.kind == "raster":
        return QgsRasterLayer(path, known.title, "gdal")
    return QgsVectorLayer(path, known.title, "ogr")


def finish_layer(layer: QgsMapLayer, product: str, label: RunLabel) -> None:
    """Style a result, tell in its metadata what it is and how it was made, and remember its run; main thread."""
    style_layer(layer, product, label.card)
    layer.setMetadata(result_metadata(layer, product, label.card, label.attribution, label.record))
    set_attribution(layer, "; ".join(label.attribution))
    if label.folder is not None:
        remember_run(layer, label.folder, label.record)
    layer.triggerRepaint()
    herald.layer_finished.emit(layer)


@dataclass(frozen=True)
class RunLabel:
    """What the layers of one run have in common."""

    card: Card
    title: str
    attribution: tuple[str, ...] = ()
    folder: Optional[Path] = None
    """The run's folder."""
    record: Optional[RunRecord] = None
    key: str = field(default_factory=lambda: secrets.token_hex(8))
    """Tells two runs of one title and minute apart."""


def run_label(card: Card, title: str, attribution: Sequence[str], folder: Optional[Path]) -> RunLabel:
    """The label of the run in `folder`; its layers are shown even where its record was lost."""
    try:
        record = read_record(folder) if folder else None
    except RequestError as problem:
        QgsMessageLog.logMessage(str(problem), "Fusion Mapper", Qgis.MessageLevel.Warning)
        record = None
    return RunLabel(card, title, tuple(attribution), folder, record)


class ProductFinisher(QgsProcessingLayerPostProcessorInterface):
    """Styles one product once Processing has loaded it, and puts it into the run's group.

    The group is found by a property of its own, since `LayerDetails.groupName` (QGIS 3.32) would join runs of one name.
    """

    def __init__(self, product: str, label: RunLabel) -> None:
        super().__init__()
        self._product = product
        self._label = label

    def postProcessLayer(
        self, layer: QgsMapLayer, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        # Where the project already shows this file, QGIS takes that layer, which still reads what was overwritten.
        layer.reload()
        finish_layer(layer, self._product, self._label)
        layer.setName(title_of(self._product, self._label.card))
        project = context.project()
        node = project.layerTreeRoot().findLayer(layer.id()) if project else None
        if node is not None:
            self._move(node, _group_of(self._label, project.layerTreeRoot()))

    def _move(self, node: QgsLayerTreeLayer, group: QgsLayerTreeGroup) -> None:
        moved = _shown(node.clone(), self._product, self._label.card)
        group.insertChildNode(_place(group, self._product), moved)
        left = node.parent()
        left.removeChildNode(node)
        # The group of the run whose files this one overwrote.
        if left.customProperty(_RUN_PROPERTY) and not left.children():
            left.parent().removeChildNode(left)


def finish_when_loaded(context: QgsProcessingContext, path: str, product: str, label: RunLabel) -> None:
    """Have a destination styled once Processing has loaded it; one that it does not load is left alone."""
    if context.willLoadLayerOnCompletion(path):
        finisher = ProductFinisher(product, label)
        _KEPT.append(finisher)
        context.layerToLoadOnCompletionDetails(path).setPostProcessor(finisher)


def load_when_done(context: QgsProcessingContext, path: str, product: str, project: QgsProject) -> None:
    """Have Processing load a product for which no destination was chosen; tables are not loaded."""
    if product_of(product).kind != "table":
        details = QgsProcessingContext.LayerDetails(product_of(product).title, project, parameter_of(product))
        context.addLayerToLoadOnCompletion(path, details)


def _group_of(label: RunLabel, root: QgsLayerTreeGroup) -> QgsLayerTreeGroup:
    """The run's group, made on top of the layer tree by the first of its layers."""
    for group in root.findGroups():
        if group.customProperty(_RUN_PROPERTY) == label.key:
            return group
    group = root.insertGroup(0, label.title)
    group.setCustomProperty(_RUN_PROPERTY, label.key)
    return group


def _place(group: QgsLayerTreeGroup, product: str) -> int:
    """Where in the group the product's layer belongs, by the order of `PRODUCTS`."""
    order = [known.title for known in PRODUCTS]
    last = order.index(product_of(product).title) + bool(output_of(product))
    # Layers of further outputs are called after both, such as "Map, Crops".
    earlier = order[:last]
    # By position, not by number: QGIS may have put the layer itself, still to be moved, anywhere among the others.
    return max(
        (at + 1 for at, child in enumerate(group.children()) if child.name().partition(", ")[0] in earlier), default=0
    )


def _shown(node: QgsLayerTreeLayer, product: str, card: Card) -> QgsLayerTreeLayer:
    """The layer's node as it is to stand in the tree."""
    caption_legend(node, product, card)
    node.setItemVisibilityChecked(product_of(product).shown)
    node.setExpanded(product_of(product).shown)
    return node
