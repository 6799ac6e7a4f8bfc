"""A CRS as text, for files and for the engine, and back."""

from __future__ import annotations

from qgis.core import QgsCoordinateReferenceSystem


def crs_text(crs: QgsCoordinateReferenceSystem) -> str:
    """The authority's code; WKT where there is none, or one that this profile of QGIS alone knows; empty for none."""
    code = crs.authid()
    return crs.toWkt() if not code or code.startswith("USER:") else code


def crs_of(text: str) -> QgsCoordinateReferenceSystem:
    """The CRS that `crs_text` wrote down, or the engine; an invalid one for an empty text."""
    if not text:
        return QgsCoordinateReferenceSystem()
    return QgsCoordinateReferenceSystem.fromWkt(text) if "[" in text else QgsCoordinateReferenceSystem(text)
