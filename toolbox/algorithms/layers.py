"""The parameters in which layers are chosen, and the layers as plain values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional

from qgis.core import (
    QgsMapLayer,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingParameterEnum,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProcessingUtils,
)

from ...inference.errors import RequestError
from ..layers.matching import Given, Layer
from ..layers.radiometry import RADIOMETRIES
from ..layers.slots import SlotLine, parse_radiometry, parse_slots
from ..layers.sources import RasterInput, VectorInput, describe
from ..widgets import ask_with_widget
from .base import FusionAlgorithm, tr

UNREADABLE = ("stop", "skip")


def add_imagery(algorithm: FusionAlgorithm) -> None:
    """IMAGERY: any number of rasters."""
    imagery = QgsProcessingParameterMultipleLayers(
        "IMAGERY", tr("Imagery"), QgsProcessing.SourceType.TypeRaster, optional=True
    )
    algorithm.add(
        ask_with_widget(imagery, "imagery"),
        tr(
            "Raster layers with imagery. Several layers are one mosaic when each has all bands, or one stack when "
            "together they have as many bands as the model takes. A model of two dates takes one layer for each, in "
            "this order."
        ),
    )


def add_training_imagery(algorithm: FusionAlgorithm) -> None:
    """IMAGERY, where no model says yet what it takes."""
    algorithm.add(
        # Optional to QGIS, since the slot lines may bind it too; that there is none is told in our own words.
        QgsProcessingParameterMultipleLayers(
            "IMAGERY", tr("Imagery"), QgsProcessing.SourceType.TypeRaster, optional=True
        ),
        tr(
            "Raster layers with the imagery that the model is to see, with all their bands. Several layers with the "
            "same bands are one mosaic; otherwise their bands follow one another."
        ),
    )


def add_osm(algorithm: FusionAlgorithm, optional: bool = True) -> None:
    """OSM: any number of vector layers."""
    algorithm.add(
        QgsProcessingParameterMultipleLayers(
            "OSM", tr("OpenStreetMap layers"), QgsProcessing.SourceType.TypeVectorAnyGeometry, optional=optional
        ),
        tr(
            "Vector layers with OpenStreetMap tags: roads, waterways, water, buildings. Which features become which "
            "channel follows from their tags, or, where a layer has none, from its name."
        ),
    )


def add_dem(algorithm: FusionAlgorithm, optional: bool = True) -> None:
    """DEM: one raster."""
    algorithm.add(
        QgsProcessingParameterRasterLayer("DEM", tr("Elevation model"), optional=optional),
        tr("Elevations in metres, in any CRS and resolution. Slope and the like are computed from it."),
    )


def add_prior(algorithm: FusionAlgorithm, training: bool = False) -> None:
    """PRIOR: any number of rasters; to learn with, one coarse class raster."""
    text = tr("Coarse class rasters, and other rasters that a model asks for.")
    if training:
        text = tr("A coarse class raster, of which the strategy proc-stack makes a prior; others have no use for it.")
    algorithm.add(
        QgsProcessingParameterMultipleLayers("PRIOR", tr("Priors"), QgsProcessing.SourceType.TypeRaster, optional=True),
        text,
    )


def add_slots(algorithm: FusionAlgorithm) -> None:
    """SLOTS: layers bound to slots by name. RADIOMETRY: how a slot's numbers are read."""
    algorithm.add(
        QgsProcessingParameterString("SLOTS", tr("Layers by slot"), multiLine=True, optional=True),
        tr(
            "For what the choices above cannot settle: one line a layer, slot=layer or slot=layer:bands, for example "
            "imagery_spring=March scene:1,2,3,4. The layer is named by its id, its name or its path; a semicolon "
            "separates lines too."
        ),
        advanced=True,
    )
    algorithm.add(
        QgsProcessingParameterString("RADIOMETRY", tr("Radiometry by slot"), multiLine=True, optional=True),
        tr(
            "For layers whose numbers are not those that the model was trained with: one line a slot, slot=name, for "
            "example imagery=sentinel2. The names are {names}. Without a line, numbers are taken as stored, with the "
            "file's own scale and offset."
        ).format(names=", ".join(one.name for one in RADIOMETRIES)),
        advanced=True,
    )


def add_reading(algorithm: FusionAlgorithm) -> None:
    """What to do with what cannot be read, and how much may be fetched."""
    algorithm.add(
        QgsProcessingParameterEnum(
            "UNREADABLE", tr("Unreadable data"), UNREADABLE, usesStaticStrings=True, defaultValue=UNREADABLE[0]
        ),
        tr("What becomes of features and blocks that cannot be read: stop, or skip them and count them in a warning."),
        advanced=True,
    )
    algorithm.add(
        QgsProcessingParameterNumber(
            "FETCH_LIMIT",
            tr("Limit for map services (million pixels)"),
            QgsProcessingParameterNumber.Type.Double,
            defaultValue=64.0,
            minValue=0.0,
        ),
        tr("No more pixels than this are fetched from a map service (WMS, XYZ, WCS)."),
        advanced=True,
    )


def given_layers(
    algorithm: FusionAlgorithm, parameters: dict[str, object], context: QgsProcessingContext, suffix: str = ""
) -> Given:
    """All layers that were chosen, as plain values; `suffix` is that of the parameters of a further place.

    Raises:
        RequestError: when a layer is broken or is not found.
    """
    return Given(
        imagery=_rasters(_listed(algorithm, parameters, f"IMAGERY{suffix}", context)),
        osm=_vectors(_listed(algorithm, parameters, f"OSM{suffix}", context)),
        dem=_rasters([given_raster(algorithm, parameters, f"DEM{suffix}", context)]),
        prior=_rasters(_listed(algorithm, parameters, f"PRIOR{suffix}", context)),
        bound=tuple(
            _bound(line, context)
            for line in parse_slots(algorithm.parameterAsString(parameters, f"SLOTS{suffix}", context))
        ),
        radiometry=parse_radiometry(algorithm.parameterAsString(parameters, f"RADIOMETRY{suffix}", context)),
    )


def ticked(
    algorithm: FusionAlgorithm, parameters: dict[str, object], name: str, context: QgsProcessingContext
) -> list[str]:
    """The chosen entries of a multiple choice; QGIS itself takes none for the default."""
    if parameters.get(name, name) in ([], (), ""):
        return []
    return algorithm.parameterAsEnumStrings(parameters, name, context)


def given_raster(
    algorithm: FusionAlgorithm, parameters: dict[str, object], name: str, context: QgsProcessingContext
) -> Optional[QgsMapLayer]:
    """The raster layer of a parameter, or None where nothing was chosen."""
    if not parameters.get(name):
        return None
    layer = algorithm.parameterAsRasterLayer(parameters, name, context)
    if layer is None:
        raise RequestError(
            f"{name} is '{parameters[name]}', which is neither a raster layer nor a file that can be read."
        )
    return layer


def _listed(
    algorithm: FusionAlgorithm, parameters: dict[str, object], name: str, context: QgsProcessingContext
) -> list[QgsMapLayer]:
    """The layers of a multiple choice; QGIS itself passes over those that it does not find."""
    value = parameters.get(name)
    for text in value if isinstance(value, (list, tuple)) else ():
        if isinstance(text, str) and QgsProcessingUtils.mapLayerFromString(text, context) is None:
            raise RequestError(f"{name} names '{text}', and there is no such layer, nor a file that can be read.")
    return algorithm.parameterAsLayerList(parameters, name, context)


def _rasters(layers: Iterable[Optional[QgsMapLayer]]) -> tuple[RasterInput, ...]:
    return tuple(describe(layer) for layer in layers if layer is not None)


def _vectors(layers: Iterable[QgsMapLayer]) -> tuple[VectorInput, ...]:
    return tuple(describe(layer) for layer in layers)


def _bound(line: SlotLine, context: QgsProcessingContext) -> tuple[str, Layer, tuple[int, ...]]:
    layer = QgsProcessingUtils.mapLayerFromString(line.layer, context)
    if layer is None:
        raise RequestError(
            f"SLOTS names the layer '{line.layer}' for '{line.slot}', and there is no such layer or file."
        )
    return line.slot, describe(layer), line.bands
