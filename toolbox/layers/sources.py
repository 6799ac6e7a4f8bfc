"""QGIS layers as the engine's sources.

`describe_raster` and `describe_vector` read a layer where it lives (the main thread) into plain values that a task may
carry off. A layer is given to the engine as it is when it is a file that GDAL opens by the same path, with nothing said
of it that QGIS alone knows; everything else carries a `staging` order, which `staging.py` fulfils in the background.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Optional, Union

from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
    QgsFields,
    QgsMapLayer,
    QgsProviderRegistry,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
    QgsVectorLayerFeatureSource,
    QgsWkbTypes,
)

from ...inference.errors import SourceError
from ...inference.job import Area, RasterFile, VectorLayer
from ..scrub import carries_secret
from .attribution import attribution_of
from .file_facts import Items, file_items, wavelength

_IMAGE_TYPES = (Qgis.DataType.ARGB32, Qgis.DataType.ARGB32_Premultiplied)
#: Formats that keep a layer's extent in their header; of others (GeoJSON, .osm) all features would be read.
_QUICK_EXTENT = ("GPKG", "ESRI Shapefile", "FlatGeobuf", "MapInfo File", "Memory storage")
_GEOMETRY = {
    QgsWkbTypes.GeometryType.PointGeometry: "point",
    QgsWkbTypes.GeometryType.LineGeometry: "line",
    QgsWkbTypes.GeometryType.PolygonGeometry: "polygon",
}


@dataclass(frozen=True)
class Band:
    """One band of a raster layer, 1-based."""

    number: int
    name: str
    """What the file calls it, without QGIS's "Band 1"; often empty."""
    color: str
    """GDAL's colour interpretation in lower case (``red``, ``alpha``, ``undefined``...)."""
    wavelength: Optional[float] = None
    """Centre in micrometres, where the file tells."""


@dataclass(frozen=True)
class RasterOrder:
    """How to make a file of a raster that the engine cannot open by itself.

    ``render`` draws an image (WMS, XYZ) on the run grid; ``copy`` writes the values of a raster that only QGIS can
    read; ``stamp`` lays the CRS that the user chose in QGIS over a file, without copying it.
    """

    kind: Literal["render", "copy", "stamp"]
    provider: str
    uri: str
    """May hold credentials: kept in memory, never written."""


@dataclass(frozen=True)
class RasterInput:
    """A raster layer in plain values."""

    id: str
    name: str
    path: Optional[str]
    """What the engine opens; None until it is staged."""
    bands: tuple[Band, ...]
    crs: QgsCoordinateReferenceSystem
    extent: QgsRectangle
    size: tuple[int, int]
    """Columns and rows; (0, 0) for a map service, which has none."""
    nodata: Optional[float] = None
    ignore_mask: bool = False
    attribution: tuple[str, ...] = ()
    staging: Optional[RasterOrder] = None
    scale_tag: float = 1.0
    """The first band's own scale, which the engine applies."""
    offset_tag: float = 0.0
    metadata: tuple[tuple[str, str], ...] = ()
    """GDAL's metadata of the file."""

    @property
    def colour_bands(self) -> tuple[Band, ...]:
        """The bands that hold values: all but alpha. An image to be drawn will have red, green and blue."""
        return tuple(band for band in self.all_bands if band.color != "alpha")

    @property
    def all_bands(self) -> tuple[Band, ...]:
        """The bands that may be named. GDAL calls the fourth of four byte bands alpha, whatever it holds."""
        if self.staging is not None and self.staging.kind == "render":
            return tuple(Band(number, color, color) for number, color in enumerate(("red", "green", "blue"), 1))
        return self.bands

    def part(self, numbers: tuple[int, ...]) -> RasterFile:
        """The layer's file as one part of a stack; raises SourceError while it is not staged."""
        return RasterFile(self.opened(), numbers)

    def opened(self) -> str:
        """The path; raises SourceError while it is not staged."""
        return _staged(self.path, self.name)


@dataclass(frozen=True)
class VectorInput:
    """A vector layer in plain values."""

    id: str
    name: str
    path: Optional[str]
    """What the engine opens; None until it is staged."""
    layer: Optional[str]
    where: Optional[str]
    fields: tuple[str, ...]
    geometry: str
    """``point``, ``line``, ``polygon``, or empty for mixed ones."""
    crs: QgsCoordinateReferenceSystem
    extent: Optional[QgsRectangle] = None
    """None where asking for it would make a server count, or a file be read whole."""
    attribution: tuple[str, ...] = ()
    staging: Optional[VectorOrder] = None

    def as_layer(self, tags: Optional[dict[str, str]] = None) -> VectorLayer:
        """One vector layer of an OSM source; `tags` hold for all its features."""
        return VectorLayer(_staged(self.path, self.name), self.layer, self.where, tags or {})

    def as_area(self) -> Area:
        """The layer's polygons as the area to map."""
        return Area(_staged(self.path, self.name), self.layer, self.where)


def _staged(path: Optional[str], name: str) -> str:
    if path is None:
        raise SourceError(f"The layer '{name}' is not a file; it has to be staged before the engine reads it.")
    return path


@dataclass(frozen=True)
class VectorOrder:
    """The features to write to a GeoPackage: a snapshot that another thread may read, unsaved edits included."""

    features: QgsVectorLayerFeatureSource
    fields: QgsFields
    geometry: QgsWkbTypes.Type
    """Of the written layer."""
    chosen: Optional[tuple[int, ...]] = None
    """Ids of the only features that are written; None writes all."""


def describe(layer: QgsMapLayer) -> Union[RasterInput, VectorInput]:
    """The layer in plain values.

    Raises:
        SourceError: when the layer is broken, has no CRS, or is of a kind that no model takes.
    """
    if not layer.isValid():
        raise SourceError(f"The layer '{layer.name()}' cannot be read; repair its source or leave it out.")
    if isinstance(layer, QgsVectorLayer) and not layer.isSpatial():
        raise SourceError(f"The layer '{layer.name()}' is a table without geometries; leave it out.")
    # Its file may name one; but then the user took it away, and a guess would put the layer anywhere.
    if not layer.crs().isValid():
        raise SourceError(f"The layer '{layer.name()}' has no CRS; set it in the layer's properties.")
    if isinstance(layer, QgsRasterLayer):
        return describe_raster(layer)
    if isinstance(layer, QgsVectorLayer):
        return describe_vector(layer)
    raise SourceError(f"The layer '{layer.name()}' is neither raster nor vector; leave it out.")


def describe_raster(layer: QgsRasterLayer) -> RasterInput:
    """A raster layer in plain values; main thread."""
    provider = layer.dataProvider()
    order = _raster_order(layer)
    metadata, of_bands = file_items(layer)
    numbers = range(1, layer.bandCount() + 1)
    raster = RasterInput(
        id=layer.id(),
        name=layer.name(),
        path=None if order else _absolute(layer.source()),
        bands=tuple(_band(layer, number, of_bands.get(number, ())) for number in numbers),
        crs=layer.crs(),
        extent=layer.extent(),
        size=(provider.xSize(), provider.ySize()),
        attribution=_attribution(layer),
        staging=order,
        scale_tag=provider.bandScale(1),
        offset_tag=provider.bandOffset(1),
        metadata=metadata,
    )
    return _with_nodata(raster, layer)


def describe_vector(layer: QgsVectorLayer) -> VectorInput:
    """A vector layer in plain values; main thread."""
    path, name, where = _file_of(layer)
    order = None if path else VectorOrder(QgsVectorLayerFeatureSource(layer), layer.fields(), layer.wkbType())
    return VectorInput(
        id=layer.id(),
        name=layer.name(),
        path=path,
        layer=name,
        where=where,
        fields=tuple(layer.fields().names()),
        geometry=_GEOMETRY.get(layer.geometryType(), ""),
        crs=layer.crs(),
        extent=quick_extent(layer),
        attribution=_attribution(layer),
        staging=order,
    )


def quick_extent(layer: QgsVectorLayer) -> Optional[QgsRectangle]:
    """The layer's extent, where it is known without reading features, which would hold up QGIS's window."""
    quick = layer.dataProvider().storageType() in _QUICK_EXTENT and not layer.subsetString()
    return layer.extent() if quick else None


def selected_features(layer: QgsVectorLayer) -> VectorInput:
    """The features that are selected in the layer, in plain values; main thread.

    Raises:
        SourceError: when none is selected, or as `describe` does.
    """
    whole = describe(layer)
    if not layer.selectedFeatureCount():
        raise SourceError(f"No feature of '{layer.name()}' is selected; select some or take the whole layer.")
    ids = tuple(sorted(layer.selectedFeatureIds()))
    order = VectorOrder(QgsVectorLayerFeatureSource(layer), layer.fields(), layer.wkbType(), ids)
    # Under an id of its own: the whole layer may be staged for the same run.
    return replace(
        whole, id=f"{whole.id}, selected", path=None, layer=None, where=None,
        extent=layer.boundingBoxOfSelected(), staging=order,
    )  # fmt: skip


def copied(layer: QgsVectorLayer) -> VectorInput:
    """The layer in plain values, to be written to a GeoPackage of its own whatever it is; main thread.

    Raises:
        SourceError: as `describe` does.
    """
    order = VectorOrder(QgsVectorLayerFeatureSource(layer), layer.fields(), layer.wkbType())
    return replace(describe(layer), path=None, layer=None, where=None, staging=order)


def _raster_order(layer: QgsRasterLayer) -> Optional[RasterOrder]:
    source, provider = _absolute(layer.source()), layer.dataProvider()
    if layer.providerType() == "gdal" and _engine_opens(source):
        stamped = layer.crs().isValid() and layer.crs() != provider.crs()
        return RasterOrder("stamp", "gdal", source) if stamped else None
    image = provider.dataType(1) in _IMAGE_TYPES
    return RasterOrder("render" if image else "copy", layer.providerType(), source)


def _engine_opens(source: str) -> bool:
    """Whether GDAL in another process finds the same data under the same words."""
    if carries_secret(source) or "|" in source or source.startswith("/vsimem/"):
        return False
    return source.startswith(("/vsi", "http://", "https://")) or os.path.exists(source)


def _absolute(source: str) -> str:
    """A path as the engine finds it, which runs in another folder; anything but a file's path stays as it is."""
    return str(Path(source).absolute()) if os.path.exists(source) else source


def _band(layer: QgsRasterLayer, number: int, items: Items) -> Band:
    name = re.sub(r"^Band 0*\d+\s*[:(]?\s*", "", layer.bandName(number)).rstrip(")")
    color = layer.dataProvider().colorInterpretationName(number).lower()
    return Band(number, name, color, wavelength(items, name))


def _with_nodata(raster: RasterInput, layer: QgsRasterLayer) -> RasterInput:
    """The nodata that the user set in QGIS: one value in place of the file's own, or the file's own switched off."""
    provider = layer.dataProvider()
    numbers = range(1, layer.bandCount() + 1)
    values = {
        entry.min() for number in numbers for entry in provider.userNoDataValues(number) if entry.min() == entry.max()
    }
    off = any(provider.sourceHasNoDataValue(band) and not provider.useSourceNoDataValue(band) for band in numbers)
    return replace(raster, nodata=values.pop() if len(values) == 1 else None, ignore_mask=off)


def _file_of(layer: QgsVectorLayer) -> tuple[Optional[str], Optional[str], Optional[str]]:
    """Path, layer name and filter as the engine reads them, or three times None for what has to be staged."""
    nothing = None, None, None
    source = layer.source()
    parts = QgsProviderRegistry.instance().decodeUri(layer.providerType(), source)
    if layer.providerType() != "ogr" or _changed_in_qgis(layer) or parts.get("geometryType"):
        return nothing
    path = source.split("|")[0]
    if not _engine_opens(path) or carries_secret(source.split("|subset=")[0]):
        return nothing
    name = parts.get("layerName") or None
    if name is None and parts.get("layerId"):
        name = _name_of(parts["layerId"], layer)
    return _absolute(path), name, layer.subsetString() or None


def _name_of(number: int, layer: QgsVectorLayer) -> Optional[str]:
    """The name behind a ``layerid``; the provider lists it as ``number!!::!!name!!::!!count...``."""
    listed = [entry.split("!!::!!") for entry in layer.dataProvider().subLayers()]
    return next((entry[1] for entry in listed if entry[0] == str(number)), None)


def _changed_in_qgis(layer: QgsVectorLayer) -> bool:
    """Unsaved edits, joined or computed fields, another CRS: things that the file does not know."""
    fields = layer.fields()
    origins = {fields.fieldOrigin(index) for index in range(fields.count())}
    return (
        layer.isModified()
        or bool(origins & {QgsFields.FieldOrigin.OriginJoin, QgsFields.FieldOrigin.OriginExpression})
        or layer.crs() != layer.dataProvider().crs()
    )


def _attribution(layer: QgsMapLayer) -> tuple[str, ...]:
    metadata = layer.metadata()
    said = [*metadata.rights(), *metadata.licenses(), attribution_of(layer)]
    return tuple(dict.fromkeys(text.strip() for text in said if text.strip()))
