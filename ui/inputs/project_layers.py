"""The project's layers in the toolbox's plain values."""

from __future__ import annotations

from typing import Optional, Union

from qgis.core import QgsMapLayer, QgsProject, QgsRasterLayer, QgsVectorLayer

from ...inference.errors import RequestError
from ...toolbox.layers.sources import RasterInput, VectorInput, describe

Plain = Union[RasterInput, VectorInput]


def described_layers() -> list[tuple[QgsMapLayer, Plain]]:
    """The project's usable layers, in the order of the layer tree: what lies on top comes first."""
    found = []
    for layer in QgsProject.instance().layerTreeRoot().layerOrder():
        plain = described(layer)
        if plain is not None:
            found.append((layer, plain))
    return found


def described(layer: QgsMapLayer) -> Optional[Plain]:
    """The layer in plain values; None for one that cannot be used, of which its row says why when it is chosen."""
    spatial = isinstance(layer, QgsRasterLayer) or (isinstance(layer, QgsVectorLayer) and layer.isSpatial())
    if not spatial or not layer.isValid() or not layer.crs().isValid():
        return None
    try:
        return describe(layer)
    except RequestError:
        return None
