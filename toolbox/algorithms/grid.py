"""The parameters that say where and how finely to map."""

from __future__ import annotations

from typing import Optional

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterCrs,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
)

from ...inference.errors import RequestError
from ...inference.job import GridSpec
from ..layers.crs import crs_text
from ..layers.sources import RasterInput, VectorInput, describe, selected_features
from .base import FusionAlgorithm, tr
from .layers import given_raster


def add_grid(algorithm: FusionAlgorithm) -> None:
    """Extent, area, resolution, CRS, and whether to keep the layer's own pixels."""
    algorithm.add(
        QgsProcessingParameterExtent("EXTENT", tr("Extent"), optional=True),
        tr("What the result covers; the whole of the reference or of the first raster layer when empty."),
    )
    algorithm.add(
        QgsProcessingParameterFeatureSource(
            "AREA", tr("Area"), [QgsProcessing.SourceType.TypeVectorPolygon], optional=True
        ),
        tr("Polygons outside which the result is nodata: a layer, or what is selected in it."),
    )
    algorithm.add(
        QgsProcessingParameterNumber(
            "RESOLUTION",
            tr("Resolution (ground metres)"),
            QgsProcessingParameterNumber.Type.Double,
            optional=True,
            minValue=0.0,
        ),
        tr(
            "Size of a pixel on the ground in metres, in any CRS; that of the model or, without one, of the raster "
            "layer when empty."
        ),
    )
    algorithm.add(
        QgsProcessingParameterCrs("CRS", tr("CRS of the result"), optional=True),
        tr("That of the reference or of the first raster layer when empty."),
        advanced=True,
    )
    algorithm.add(
        QgsProcessingParameterBoolean("NATIVE", tr("Keep the layer's own pixels"), defaultValue=False, optional=True),
        tr("The result lies on the pixels of the first raster layer, whatever resolution the model was trained with."),
        advanced=True,
    )


def add_place(algorithm: FusionAlgorithm, resolution: str) -> None:
    """EXTENT, RESOLUTION and CRS, folded away: where to look for labels, and how finely; `resolution` is its help."""
    algorithm.add(
        QgsProcessingParameterExtent("EXTENT", tr("Extent"), optional=True),
        tr("Only what lies in it is used; the whole of the imagery when empty."),
        advanced=True,
    )
    algorithm.add(
        QgsProcessingParameterNumber(
            "RESOLUTION",
            tr("Resolution (ground metres)"),
            QgsProcessingParameterNumber.Type.Double,
            optional=True,
            minValue=0.0,
        ),
        resolution,
        advanced=True,
    )
    algorithm.add(
        QgsProcessingParameterCrs("CRS", tr("CRS of the pixels"), optional=True),
        tr("That of the imagery when empty."),
        advanced=True,
    )


def add_reference(algorithm: FusionAlgorithm) -> None:
    """REFERENCE: a raster whose pixels the result takes over."""
    algorithm.add(
        QgsProcessingParameterRasterLayer("REFERENCE", tr("Reference raster"), optional=True),
        tr("A raster on whose pixels the result lies."),
    )


def given_grid(algorithm: FusionAlgorithm, parameters: dict[str, object], context: QgsProcessingContext) -> GridSpec:
    """The grid as asked for, without area and reference."""
    crs = algorithm.parameterAsCrs(parameters, "CRS", context)
    resolution = (
        algorithm.parameterAsDouble(parameters, "RESOLUTION", context) if parameters.get("RESOLUTION") else None
    )
    return GridSpec(
        resolution=resolution or None,
        native=algorithm.parameterAsBool(parameters, "NATIVE", context),
        crs=crs_text(crs) if crs.isValid() else None,
        **_extent(algorithm, parameters, context),
    )


def given_area(
    algorithm: FusionAlgorithm, parameters: dict[str, object], context: QgsProcessingContext
) -> Optional[VectorInput]:
    """The area's polygons, or None."""
    value, selected = _area_layer(parameters.get("AREA"), context)
    if not value:
        return None
    layer = algorithm.parameterAsVectorLayer({"AREA": value}, "AREA", context)
    if layer is None:
        raise RequestError(f"AREA is '{value}', which is neither a vector layer nor a file that can be read.")
    area = selected_features(layer) if selected else describe(layer)
    if area.geometry not in ("polygon", ""):
        raise RequestError(f"The area layer '{area.name}' has {area.geometry}s; choose a layer of polygons.")
    return area


def _area_layer(value: object, context: QgsProcessingContext) -> tuple[object, bool]:
    """What names the layer, and whether only its selected features count."""
    if not isinstance(value, QgsProcessingFeatureSourceDefinition):
        return value, False
    # QGIS 3.32 added a filter, and a limit came before; neither means anything for an area.
    if getattr(value, "filterExpression", "") or value.featureLimit > 0:
        raise RequestError("AREA has a filter or limit of its own; filter the layer or select its features instead.")
    layer, _ = value.source.valueAsString(context.expressionContext())
    return layer, value.selectedFeaturesOnly


def given_reference(
    algorithm: FusionAlgorithm, parameters: dict[str, object], context: QgsProcessingContext
) -> Optional[RasterInput]:
    """The reference raster, or None."""
    layer = given_raster(algorithm, parameters, "REFERENCE", context)
    if layer is None:
        return None
    reference = describe(layer)
    if not all(reference.size):
        raise RequestError(
            f"The reference '{reference.name}' is a map service without pixels of its own; choose a file."
        )
    return reference


def _extent(
    algorithm: FusionAlgorithm, parameters: dict[str, object], context: QgsProcessingContext
) -> dict[str, object]:
    if not parameters.get("EXTENT"):
        return {}
    extent = algorithm.parameterAsExtent(parameters, "EXTENT", context)
    if extent.isNull() or extent.isEmpty():
        raise RequestError("EXTENT is empty; give xmin,xmax,ymin,ymax and the CRS in brackets.")
    crs = algorithm.parameterAsExtentCrs(parameters, "EXTENT", context)
    corners = extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()
    return {"extent": corners, "extent_crs": crs_text(crs) if crs.isValid() else None}
