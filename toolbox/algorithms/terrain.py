"""``fusion_mapper:terrain``: elevation, slope and the like on any grid, in ground units."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsProcessingContext, QgsProcessingParameterEnum, QgsProcessingParameterNumber

from ..layers.matching import Given
from .base import tr
from .grid import add_grid, add_reference
from .layers import add_dem, given_layers, ticked
from .recipes import DERIVATIVES, terrain_slot
from .stacking import Collected, StackingAlgorithm


class TerrainAlgorithm(StackingAlgorithm):
    """Writes terrain derivatives as one multi-band raster."""

    def name(self) -> str:
        return "terrain"

    def displayName(self) -> str:
        return tr("Terrain channels")

    def summary(self) -> str:
        return tr(
            "Computes elevation, slope, aspect (as sine and cosine), hillshade, topographic position and roughness in "
            "ground metres, on the grid of a reference raster or of the elevation model, as a fusion model sees them."
        )

    def example(self) -> str:
        return "--DEM=srtm.tif --DERIVATIVES=elevation --DERIVATIVES=slope --REFERENCE=ortho.tif --OUTPUT=terrain.tif"

    def tags(self) -> list[str]:
        return tr("dem, elevation, slope, aspect, hillshade, tpi, roughness").split(", ")

    def initAlgorithm(self, configuration: Optional[dict[str, object]] = None) -> None:
        add_dem(self, optional=False)
        self.add(
            QgsProcessingParameterEnum(
                "DERIVATIVES",
                tr("Derivatives"),
                DERIVATIVES,
                allowMultiple=True,
                usesStaticStrings=True,
                defaultValue=list(DERIVATIVES[:1]),
            ),
            tr("One band each, in this order."),
        )
        self.add(
            QgsProcessingParameterNumber(
                "RADIUS",
                tr("Radius of topographic position (ground metres)"),
                QgsProcessingParameterNumber.Type.Double,
                optional=True,
                minValue=0.0,
            ),
            tr("The eight neighbours when empty."),
            advanced=True,
        )
        add_reference(self)
        add_grid(self)
        self.add_output(tr("Terrain"), tr("A GeoTIFF with one named band for each derivative."))

    def collect(self, parameters: dict[str, object], context: QgsProcessingContext) -> Collected:
        radius = self.parameterAsDouble(parameters, "RADIUS", context) if parameters.get("RADIUS") else None
        slot = terrain_slot(ticked(self, parameters, "DERIVATIVES", context), radius)
        given = Given(dem=given_layers(self, parameters, context).dem)
        return self.collected((slot,), given, parameters, context)
