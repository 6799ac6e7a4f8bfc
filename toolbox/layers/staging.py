"""Makes files of the layers that the engine cannot open by itself; runs in the background.

Everything is written beside its final name first, into the run's folder. What was staged there by an earlier run of the
same folder is used again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional
from xml.etree.ElementTree import Element, ElementTree, SubElement  # nosec B405  # written here, never parsed

from qgis.core import (
    NULL,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCoordinateTransformContext,
    QgsCsException,
    QgsFeature,
    QgsFeatureRequest,
    QgsField,
    QgsFields,
    QgsRasterBlockFeedback,
    QgsRasterFileWriter,
    QgsRasterLayer,
    QgsRasterPipe,
    QgsRasterProjector,
    QgsRectangle,
    QgsVectorFileWriter,
)
from qgis.PyQt.QtCore import QVariant

from ...inference.errors import Cancelled, SourceError
from ..cancelling import cancelled_with
from .sources import RasterInput, VectorInput

#: Pixels that are asked of a map service, or copied, at most (64 million), unless the user allows more.
MAX_PIXELS = 64 * 10**6
_DATA_TYPES = {
    1: "Byte", 2: "UInt16", 3: "Int16", 4: "UInt32", 5: "Int32", 6: "Float32", 7: "Float64"
}  # fmt: skip
#: Columns' names that a GeoPackage keeps for itself.
_RESERVED = ("fid", "geom")


@dataclass(frozen=True)
class PixelGrid:
    """The run's north-up grid, as the engine's ``check`` answers it."""

    crs: QgsCoordinateReferenceSystem
    extent: QgsRectangle
    columns: int
    rows: int


@dataclass(frozen=True)
class Stage:
    """Where staged files go and who listens."""

    folder: Path
    transform: QgsCoordinateTransformContext
    is_cancelled: Callable[[], bool]
    say: Callable[[str], None]
    warn: Callable[[str], None]
    max_pixels: int = MAX_PIXELS

    def path(self, name: str, ending: str, *key: object) -> Path:
        """The file's name in the folder; what it is made from is part of the name."""
        self.folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(json.dumps(key, default=str).encode()).hexdigest()[:12]
        plain = "".join(letter if letter.isalnum() else "_" for letter in name)[:40]
        return self.folder / f"{plain}-{digest}{ending}"


def stage_vector(vector: VectorInput, stage: Stage, within: Optional[PixelGrid] = None) -> VectorInput:
    """The vector layer as a GeoPackage: all its features, or those near a grid.

    Raises:
        SourceError: when the layer cannot be read or the file not written.
        Cancelled: when the user stopped.
    """
    if vector.staging is None:
        return vector
    target = stage.path(vector.name, ".gpkg", vector.id, *(vector.staging.chosen or ()))
    part = target.with_name(f"part-{target.name}")
    count = _write_features(vector, part, stage, within)
    os.replace(part, target)
    stage.say(f"{count} features of '{vector.name}' were copied for the engine.")
    return replace(vector, path=str(target), layer="features", where=None, staging=None)


def stage_raster(raster: RasterInput, stage: Stage, grid: Optional[PixelGrid] = None) -> RasterInput:
    """The raster layer as a file; `grid` is needed for what is rendered.

    Raises:
        SourceError: when it is too large, or cannot be read or written.
        Cancelled: when the user stopped.
    """
    order = raster.staging
    if order is None:
        return raster
    if order.kind == "stamp":
        return _stamp(raster, stage)
    if grid is None and order.kind == "render":
        raise SourceError(f"The layer '{raster.name}' is drawn on the run's grid, which is not known yet.")
    return _render(raster, stage, grid) if order.kind == "render" else _copy(raster, stage, grid)


def _render(raster: RasterInput, stage: Stage, grid: PixelGrid) -> RasterInput:
    """Draw a map service's image on the grid, reprojected exactly, as four bands (red, green, blue, alpha)."""
    _refuse_too_many(raster, grid.columns * grid.rows, stage)
    stage.warn(
        f"'{raster.name}' is drawn from a map service ({grid.columns} × {grid.rows} pixels); "
        "its provider's terms say whether you may derive maps from it."
    )
    place = (grid.crs.toWkt(), grid.extent.toString(12), grid.columns, grid.rows)
    target = stage.path(raster.name, ".tif", raster.id, *place)
    if not target.exists():
        _write_raster(raster, target, stage, grid)
    return replace(raster, path=str(target), staging=None)


def _copy(raster: RasterInput, stage: Stage, near: Optional[PixelGrid]) -> RasterInput:
    """Write the values of a raster that only QGIS can read, on its own pixels, as far as the grid needs them."""
    columns, rows = raster.size
    if not (columns and rows):
        raise SourceError(f"The layer '{raster.name}' does not say its size in pixels; save it as a GeoTIFF first.")
    own = PixelGrid(raster.crs, raster.extent, columns, rows)
    part = _clipped(own, near, stage.transform) if near else own
    _refuse_too_many(raster, part.columns * part.rows, stage)
    target = stage.path(raster.name, ".tif", raster.id, part.extent.toString(12))
    _write_raster(raster, target, stage, part)
    return replace(raster, path=str(target), staging=None)


def _refuse_too_many(raster: RasterInput, pixels: int, stage: Stage) -> None:
    if pixels > stage.max_pixels:
        raise SourceError(
            f"'{raster.name}' would be fetched with {pixels / 1e6:,.0f} million pixels, and the limit is "
            f"{stage.max_pixels / 1e6:,.0f}; choose a smaller extent, a coarser resolution or a higher limit."
        )


def _clipped(own: PixelGrid, near: PixelGrid, context: QgsCoordinateTransformContext) -> PixelGrid:
    """The part of a raster's own grid that lies within the run's grid, with a margin of eight pixels."""
    wide, high = own.extent.width() / own.columns, own.extent.height() / own.rows
    needed = transformed(near.extent, near.crs, own.crs, context)
    left = max(int((needed.xMinimum() - own.extent.xMinimum()) / wide) - 8, 0)
    right = min(int((needed.xMaximum() - own.extent.xMinimum()) / wide) + 8, own.columns)
    top = max(int((own.extent.yMaximum() - needed.yMaximum()) / high) - 8, 0)
    bottom = min(int((own.extent.yMaximum() - needed.yMinimum()) / high) + 8, own.rows)
    if left >= right or top >= bottom:
        return PixelGrid(own.crs, own.extent, own.columns, own.rows)
    x, y = own.extent.xMinimum() + left * wide, own.extent.yMaximum() - top * high
    extent = QgsRectangle(x, y - (bottom - top) * high, x + (right - left) * wide, y)
    return PixelGrid(own.crs, extent, right - left, bottom - top)


def _write_raster(raster: RasterInput, target: Path, stage: Stage, grid: PixelGrid) -> None:
    # Opened here, in the thread that reads it: providers are bound to one.
    layer = QgsRasterLayer(raster.staging.uri, raster.name, raster.staging.provider)
    if not layer.isValid():
        raise SourceError(f"The layer '{raster.name}' cannot be opened again; is its server there?")
    part = target.with_name(f"part-{target.name}")
    feedback = QgsRasterBlockFeedback()
    with cancelled_with(stage.is_cancelled, feedback):
        code = _writer(part).writeRaster(
            _pipe(layer, grid, stage), grid.columns, grid.rows, grid.extent, grid.crs, stage.transform, feedback
        )
    if stage.is_cancelled():
        part.unlink(missing_ok=True)
        raise Cancelled("The run was cancelled.")
    if code != QgsRasterFileWriter.WriterError.NoError:
        part.unlink(missing_ok=True)
        raise SourceError(f"The layer '{raster.name}' could not be copied for the engine (writer error {int(code)}).")
    if feedback.errors():
        stage.warn(f"'{raster.name}' answered with {len(feedback.errors())} errors; what it left out is nodata.")
    os.replace(part, target)


def _writer(path: Path) -> QgsRasterFileWriter:
    writer = QgsRasterFileWriter(str(path))
    writer.setOutputFormat("GTiff")
    writer.setCreateOptions(["COMPRESS=DEFLATE", "TILED=YES", "BIGTIFF=IF_SAFER"])
    return writer


def _pipe(layer: QgsRasterLayer, grid: PixelGrid, stage: Stage) -> QgsRasterPipe:
    """Provider (and renderer for an image), then the projector; the values and colours as they are."""
    pipe = QgsRasterPipe()
    pipe.set(layer.dataProvider().clone())
    if layer.bandCount() == 1 and layer.renderer() is not None and layer.renderer().type() == "singlebandcolordata":
        pipe.set(layer.renderer().clone())
    if layer.crs() != grid.crs:
        projector = QgsRasterProjector()
        projector.setCrs(layer.crs(), grid.crs, stage.transform)
        projector.setPrecision(QgsRasterProjector.Precision.Exact)
        pipe.insert(pipe.size(), projector)
    return pipe


def _stamp(raster: RasterInput, stage: Stage) -> RasterInput:
    """A virtual raster that says the CRS which the user chose in QGIS, over the file as it is."""
    layer = QgsRasterLayer(raster.staging.uri, raster.name, "gdal")
    target = stage.path(raster.name, ".vrt", raster.id, raster.crs.toWkt())
    part = target.with_name(f"part-{target.name}")
    ElementTree(_virtual(raster, layer)).write(part, encoding="utf-8")
    os.replace(part, target)
    stage.say(f"'{raster.name}' is read in the CRS that it has in QGIS, {raster.crs.userFriendlyIdentifier()}.")
    return replace(raster, path=str(target), staging=None)


def _virtual(raster: RasterInput, layer: QgsRasterLayer) -> Element:
    provider, extent = layer.dataProvider(), layer.extent()
    columns, rows = provider.xSize(), provider.ySize()
    root = Element("VRTDataset", rasterXSize=str(columns), rasterYSize=str(rows))
    SubElement(root, "SRS").text = raster.crs.toWkt()
    geo = (extent.xMinimum(), extent.width() / columns, 0.0, extent.yMaximum(), 0.0, -extent.height() / rows)
    SubElement(root, "GeoTransform").text = ", ".join(repr(value) for value in geo)
    for band in raster.bands:
        kind = _DATA_TYPES.get(int(provider.sourceDataType(band.number)), "Float64")
        node = SubElement(root, "VRTRasterBand", dataType=kind, band=str(band.number))
        SubElement(node, "ColorInterp").text = band.color.title()
        if provider.sourceHasNoDataValue(band.number):
            SubElement(node, "NoDataValue").text = repr(provider.sourceNoDataValue(band.number))
        SubElement(node, "Offset").text = repr(provider.bandOffset(band.number))
        SubElement(node, "Scale").text = repr(provider.bandScale(band.number))
        source = SubElement(node, "SimpleSource")
        SubElement(source, "SourceFilename", relativeToVRT="0").text = raster.staging.uri
        SubElement(source, "SourceBand").text = str(band.number)
    return root


def transformed(
    extent: QgsRectangle,
    source: QgsCoordinateReferenceSystem,
    target: QgsCoordinateReferenceSystem,
    context: QgsCoordinateTransformContext,
) -> QgsRectangle:
    """The extent in another CRS; raises SourceError where it has no place there."""
    if source == target or not source.isValid() or not target.isValid():
        return extent
    try:
        return QgsCoordinateTransform(source, target, context).transformBoundingBox(extent)
    except QgsCsException:
        raise SourceError(
            f"The extent cannot be transformed from {source.userFriendlyIdentifier()} to "
            f"{target.userFriendlyIdentifier()}; choose another CRS."
        ) from None


def _write_features(vector: VectorInput, path: Path, stage: Stage, within: Optional[PixelGrid]) -> int:
    fields, convert = _columns(vector.staging.fields)
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName, options.layerName = "GPKG", "features"
    kind = vector.staging.geometry
    writer = QgsVectorFileWriter.create(str(path), fields, kind, vector.crs, stage.transform, options)
    if writer.hasError() != QgsVectorFileWriter.WriterError.NoError:
        raise SourceError(f"The layer '{vector.name}' could not be copied for the engine: {writer.errorMessage()}.")
    count = 0
    for feature in vector.staging.features.getFeatures(_request(vector, stage, within)):
        if stage.is_cancelled():
            raise Cancelled("The run was cancelled.")
        written = QgsFeature(fields)
        written.setGeometry(feature.geometry())
        written.setAttributes(convert(feature.attributes()))
        if not writer.addFeature(written):
            raise SourceError(f"A feature of '{vector.name}' could not be copied: {writer.errorMessage()}.")
        count += 1
    del writer  # closes the file
    return count


def _request(vector: VectorInput, stage: Stage, within: Optional[PixelGrid]) -> QgsFeatureRequest:
    request = QgsFeatureRequest()
    if within is not None:
        extent = transformed(within.extent, within.crs, vector.crs, stage.transform)
        # Wide roads and blurred priors reach into the grid from outside.
        request.setFilterRect(extent.buffered(0.1 * max(extent.width(), extent.height())))
    if vector.staging.chosen is not None:
        request.setFilterFids(list(vector.staging.chosen))
    return request


def _columns(fields: QgsFields) -> tuple[QgsFields, Callable[[list], list]]:
    """The columns that a GeoPackage takes, and what turns a feature's attributes into them.

    Maps (PostGIS hstore) become OSM's ``other_tags`` text, lists a text.
    """
    columns = QgsFields()
    for field in fields:
        name = f"{field.name()}_" if field.name().lower() in _RESERVED else field.name()
        if field.type() == QVariant.Map:
            name = "other_tags" if fields.lookupField("other_tags") < 0 else name
        plain = field.type() not in (QVariant.Map, QVariant.List, QVariant.StringList)
        columns.append(QgsField(name, field.type() if plain else QVariant.String))
    return columns, lambda values: [_plain(value) for value in values]


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return ",".join(f'"{_escape(key)}"=>"{_escape(item)}"' for key, item in value.items() if item != NULL)
    if isinstance(value, (list, tuple)):
        return ";".join(str(item) for item in value)
    return value


def _escape(text: object) -> str:
    return str(text).replace("\\", "\\\\").replace('"', '\\"')
