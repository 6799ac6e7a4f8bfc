"""Lengths and places on the ground of what is given in a layer's own units: degrees, feet, Web Mercator metres."""

from __future__ import annotations

from typing import Optional

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsDistanceArea,
    QgsMapLayer,
    QgsPointXY,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsReferencedRectangle,
)

WGS84 = "EPSG:7030"


def rectangle_size(rectangle: QgsRectangle, crs: QgsCoordinateReferenceSystem) -> tuple[float, float]:
    """Width and height in ground metres through the rectangle's centre, measured on the ellipsoid."""
    measure = QgsDistanceArea()
    measure.setSourceCrs(crs, QgsProject.instance().transformContext())
    measure.setEllipsoid(crs.ellipsoidAcronym() or WGS84)
    center = rectangle.center()
    west, east = QgsPointXY(rectangle.xMinimum(), center.y()), QgsPointXY(rectangle.xMaximum(), center.y())
    south, north = QgsPointXY(center.x(), rectangle.yMinimum()), QgsPointXY(center.x(), rectangle.yMaximum())
    return measure.measureLine(west, east), measure.measureLine(south, north)


def pixel_size(layer: QgsRasterLayer) -> Optional[float]:
    """Mean of a file's pixel width and height in ground metres at its centre; None for rendered services."""
    if layer.providerType() != "gdal" or not layer.isValid() or not layer.crs().isValid():
        return None
    x, y = layer.rasterUnitsPerPixelX(), layer.rasterUnitsPerPixelY()
    center = layer.extent().center()
    pixel = QgsRectangle(center.x() - x / 2, center.y() - y / 2, center.x() + x / 2, center.y() + y / 2)
    width, height = rectangle_size(pixel, layer.crs())
    return (width + height) / 2


def in_crs_of(layer: QgsMapLayer, area: QgsReferencedRectangle) -> Optional[QgsRectangle]:
    """The area's bounding box in the layer's CRS; None where it cannot be carried over."""
    if not layer.isValid() or not layer.crs().isValid():
        return None
    transform = QgsCoordinateTransform(area.crs(), layer.crs(), QgsProject.instance().transformContext())
    try:
        return transform.transformBoundingBox(area)
    except QgsCsException:
        return None
