"""QGIS's layers as sources for the slots of a model: described, matched, staged."""
