"""Pictures of a run for its report: the imagery, and the map beside it. Drawn on any thread, from the files alone."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from qgis.core import (
    QgsColorRampShader,
    QgsContrastEnhancement,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCoordinateTransformContext,
    QgsCsException,
    QgsGradientColorRamp,
    QgsMapLayer,
    QgsMapRendererCustomPainterJob,
    QgsMapSettings,
    QgsMultiBandColorRenderer,
    QgsRaster,
    QgsRasterDataProvider,
    QgsRasterLayer,
    QgsRasterShader,
    QgsRectangle,
    QgsSingleBandPseudoColorRenderer,
)
from qgis.PyQt.QtCore import QBuffer, QByteArray, QIODevice, QSize
from qgis.PyQt.QtGui import QColor, QImage, QPainter

from ...inference.job import Source, resolve
from ...inference.record import GridFacts
from ...models.card import Slot
from ..layers.crs import crs_of

#: Pixels of a picture's longer side: sharp on paper at half a page's width, and some hundred kB.
SIDE = 820
#: Share of the values beyond the ends of the contrast, at each side, and pixels looked at for it.
_CUT, _SAMPLE = 0.02, 62500
_PRIMARIES = ("#ff0000", "#00ff00", "#0000ff")


@dataclass(frozen=True)
class View:
    """Where a picture lies and how large it is."""

    crs: QgsCoordinateReferenceSystem
    extent: QgsRectangle
    size: QSize
    context: QgsCoordinateTransformContext


def view_of(grid: GridFacts, context: QgsCoordinateTransformContext) -> View:
    """The run grid as a view in true proportions: degrees are drawn as wide as they are on the ground."""
    crs = crs_of(grid.crs)
    extent = QgsRectangle(*grid.bounds)
    if crs.isGeographic():
        degrees = crs
        lat = max(-85.0, min(85.0, extent.center().y()))
        crs = QgsCoordinateReferenceSystem.fromProj(f"+proj=eqc +lat_ts={lat:.6f} +datum=WGS84 +units=m +no_defs")
        try:
            extent = QgsCoordinateTransform(degrees, crs, context).transformBoundingBox(extent)
        except QgsCsException:
            crs, extent = degrees, QgsRectangle(*grid.bounds)
    scale = SIDE / max(extent.width(), extent.height())
    size = QSize(max(1, round(extent.width() * scale)), max(1, round(extent.height() * scale)))
    return View(crs, extent, size, context)


def picture(layers: Sequence[QgsMapLayer], view: View) -> str:
    """The layers, the first on top, drawn as a PNG in base64."""
    settings = QgsMapSettings()
    settings.setLayers(list(layers))
    settings.setDestinationCrs(view.crs)
    settings.setTransformContext(view.context)
    settings.setExtent(view.extent)
    settings.setOutputSize(view.size)
    settings.setBackgroundColor(QColor("#ffffff"))
    settings.setFlag(QgsMapSettings.Flag.Antialiasing, True)
    image = QImage(view.size, QImage.Format.Format_RGB32)
    image.fill(QColor("#ffffff"))
    painter = QPainter(image)
    QgsMapRendererCustomPainterJob(settings, painter).renderSynchronously()
    painter.end()
    return _png(image)


def imagery_layers(slot: Slot, source: Source, base: Path, view: View) -> list[QgsRasterLayer]:
    """The layers of an imagery slot in natural colours, or in its first bands; empty where they are gone.

    `base` is the folder against which the source's relative paths resolve; the contrast is that of the view.
    """
    paths = [source.path] if source.path else list(source.mosaic)
    places = _positions(slot)
    if paths:
        bands = [source.bands[place] if source.bands else place + 1 for place in places]
        opened = [_open(resolve(path, base)) for path in paths]
        return [_colored(layer, bands, view) for layer in opened if layer and layer.bandCount() >= max(bands)]
    files = _stacked(source, base)
    if not files or max(places) >= len(files):
        return []
    chosen = [files[place] for place in places]
    if len({path for path, _ in chosen}) == 1:
        layer = _open(chosen[0][0])
        return [_colored(layer, [band for _, band in chosen], view)] if layer else []
    return _mixed(chosen, view)


def _positions(slot: Slot) -> list[int]:
    """Channels that stand for red, green and blue: by their names, else the first three, else the first alone."""
    names = [channel.name.lower() for channel in slot.channels]
    if {"red", "green", "blue"} <= set(names):
        return [names.index(name) for name in ("red", "green", "blue")]
    return [0, 1, 2] if len(names) >= 3 else [0, 0, 0]


def _stacked(source: Source, base: Path) -> list[tuple[str, int]]:
    """File and band of each channel of a source whose files follow one another."""
    found: list[tuple[str, int]] = []
    for file in source.stack:
        path = resolve(file.path, base)
        layer = None if file.bands else _open(path)
        bands = file.bands or (range(1, layer.bandCount() + 1) if layer else ())
        found += [(path, band) for band in bands]
    return found


def _open(path: str) -> Optional[QgsRasterLayer]:
    options = QgsRasterLayer.LayerOptions()
    # The contrast is looked up for the bands that are shown alone.
    options.loadDefaultStyle = False
    layer = QgsRasterLayer(path, "imagery", "gdal", options)
    return layer if layer.isValid() else None


def _colored(layer: QgsRasterLayer, bands: Sequence[int], view: View) -> QgsRasterLayer:
    provider = layer.dataProvider()
    renderer = QgsMultiBandColorRenderer(provider, *bands)
    setters = (
        renderer.setRedContrastEnhancement,
        renderer.setGreenContrastEnhancement,
        renderer.setBlueContrastEnhancement,
    )
    for band, set_contrast in zip(bands, setters):
        low, high = _limits(layer, band, view)
        contrast = QgsContrastEnhancement(provider.dataType(band))
        contrast.setMinimumValue(low)
        contrast.setMaximumValue(high)
        contrast.setContrastEnhancementAlgorithm(
            QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum
        )
        set_contrast(contrast)
    renderer.setAlphaBand(_alpha(provider))
    layer.setRenderer(renderer)
    return layer


def _mixed(chosen: Sequence[tuple[str, int]], view: View) -> list[QgsRasterLayer]:
    """Three bands of separate files as the light of three lamps, which adds up to natural colours."""
    layers = []
    for (path, band), color in zip(chosen, _PRIMARIES):
        layer = _open(path)
        if layer is None:
            return []
        low, high = _limits(layer, band, view)
        ends = ((low, QColor("#000000")), (high, QColor(color)))
        shade = QgsColorRampShader(low, high, QgsGradientColorRamp(ends[0][1], ends[1][1]))
        shade.setColorRampItemList([QgsColorRampShader.ColorRampItem(*end) for end in ends])
        shader = QgsRasterShader(low, high)
        shader.setRasterShaderFunction(shade)
        layer.setRenderer(QgsSingleBandPseudoColorRenderer(layer.dataProvider(), band, shader))
        layer.setBlendMode(QPainter.CompositionMode.CompositionMode_Plus)
        layers.append(layer)
    # The lowest covers the white ground.
    layers[-1].setBlendMode(QPainter.CompositionMode.CompositionMode_SourceOver)
    return layers


def _limits(layer: QgsRasterLayer, band: int, view: View) -> tuple[float, float]:
    try:
        there = QgsCoordinateTransform(view.crs, layer.crs(), view.context).transformBoundingBox(view.extent)
    except QgsCsException:
        there = layer.extent()
    within = there.intersect(layer.extent())
    low, high = layer.dataProvider().cumulativeCut(
        band, _CUT, 1 - _CUT, layer.extent() if within.isEmpty() else within, _SAMPLE
    )
    return (low, high) if low < high else (low, low + 1)


def _alpha(provider: QgsRasterDataProvider) -> int:
    alpha = QgsRaster.ColorInterpretation.AlphaBand
    bands = range(1, provider.bandCount() + 1)
    return next((band for band in bands if provider.colorInterpretation(band) == alpha), -1)


def _png(image: QImage) -> str:
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return base64.b64encode(bytes(data)).decode("ascii")
