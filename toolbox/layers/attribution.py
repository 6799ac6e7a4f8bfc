"""What a layer asks to be credited: QGIS 3.38 moved it to the layer's server properties, and warns of the old place."""

from __future__ import annotations

from typing import Union

from qgis.core import QgsMapLayer, QgsMapLayerServerProperties


def attribution_of(layer: QgsMapLayer) -> str:
    """The layer's credit line; empty where it has none."""
    return _holder(layer).attribution()


def set_attribution(layer: QgsMapLayer, text: str) -> None:
    """Give the layer its credit line."""
    _holder(layer).setAttribution(text)


def _holder(layer: QgsMapLayer) -> Union[QgsMapLayer, QgsMapLayerServerProperties]:
    properties = layer.serverProperties()
    return properties if hasattr(properties, "setAttribution") else layer
