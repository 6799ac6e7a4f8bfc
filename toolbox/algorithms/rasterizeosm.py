"""``fusion_mapper:rasterizeosm``: vector layers as channels, by a recipe of tags."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsProcessingContext, QgsProcessingParameterEnum, QgsProcessingParameterString

from ...inference.errors import RequestError
from .base import tr
from .grid import add_grid, add_reference
from .layers import add_osm, given_layers, ticked
from .recipes import OSM_CHANNELS, osm_slot
from .stacking import Collected, StackingAlgorithm


class RasterizeOsmAlgorithm(StackingAlgorithm):
    """Writes OpenStreetMap channels as one multi-band raster."""

    def name(self) -> str:
        return "rasterizeosm"

    def displayName(self) -> str:
        return tr("Rasterise OpenStreetMap")

    def summary(self) -> str:
        return tr(
            "Draws roads, waterways, water and buildings, or what a recipe of your own says, from vector layers with "
            "OpenStreetMap tags: one band a channel, 1 where a feature lies and 0 elsewhere, on the grid of a "
            "reference raster or on one that is given by extent, resolution and CRS."
        )

    def example(self) -> str:
        return "--OSM=roads.gpkg --OSM=rivers.gpkg --REFERENCE=ortho.tif --OUTPUT=osm.tif"

    def tags(self) -> list[str]:
        return tr("osm, openstreetmap, rasterize, rasterise, burn, roads, buildings").split(", ")

    def initAlgorithm(self, configuration: Optional[dict[str, object]] = None) -> None:
        add_osm(self, optional=False)
        names = list(OSM_CHANNELS)
        self.add(
            QgsProcessingParameterEnum(
                "CHANNELS",
                tr("Channels"),
                names,
                allowMultiple=True,
                usesStaticStrings=True,
                optional=True,
                defaultValue=names,
            ),
            tr("Predefined channels, drawn as GDAL burns features, without widths."),
        )
        self.add(
            QgsProcessingParameterString("RECIPE", tr("Recipe of your own (JSON)"), multiLine=True, optional=True),
            tr(
                'Channel names with the rules of a model card, for example {"paths": {"rules": [{"key": '
                '"highway", "values": ["path", "footway"], "width": 2}], "soften": 3}}.'
            ),
            advanced=True,
        )
        add_reference(self)
        add_grid(self)
        self.add_output(tr("OpenStreetMap channels"), tr("A GeoTIFF with one named band for each channel."))

    def collect(self, parameters: dict[str, object], context: QgsProcessingContext) -> Collected:
        slot = osm_slot(
            ticked(self, parameters, "CHANNELS", context),
            self.parameterAsString(parameters, "RECIPE", context),
        )
        collected = self.collected((slot,), given_layers(self, parameters, context), parameters, context)
        grid = collected.grid
        if collected.reference is None and not (grid.extent and grid.resolution and grid.crs):
            raise RequestError("The grid is not known; choose a REFERENCE raster, or give EXTENT, RESOLUTION and CRS.")
        return collected
