"""Fusion Mapper: maps made from imagery, OpenStreetMap and elevation by a fusion model.

QGIS, the engine and the tests all import the package, so nothing is imported here: the engine has no QGIS.
"""

from __future__ import annotations


def classFactory(iface):  # QGIS looks the plugin up under this name
    """Return the plugin; ``iface`` is None under ``qgis_process``."""
    from .plugin import FusionMapperPlugin

    return FusionMapperPlugin(iface)
