"""How results look: classes by the card's names and colours, values by a ramp."""

from __future__ import annotations

from typing import Optional, Union

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsColorRamp,
    QgsColorRampLegendNodeSettings,
    QgsColorRampShader,
    QgsFeatureRenderer,
    QgsFillSymbol,
    QgsGradientColorRamp,
    QgsLayerTreeLayer,
    QgsMapLayer,
    QgsMapLayerLegendUtils,
    QgsPalettedRasterRenderer,
    QgsRasterBandStats,
    QgsRasterLayer,
    QgsRasterRenderer,
    QgsRasterShader,
    QgsRendererCategory,
    QgsSingleBandPseudoColorRenderer,
    QgsSingleSymbolRenderer,
    QgsStyle,
)
from qgis.PyQt.QtGui import QColor

from ...models.card import Card, Output
from ...models.palette import class_color
from ..products import output_of, product_of

#: Pixels that a ramp's range is looked up from where the card names none; read from the overviews.
_SAMPLE = 62500
#: Steps of a ramp's legend.
_STEPS = 5
#: Products from 0 to 1 and their ramps; of probabilities, the first class is shown.
_SHARES = {"confidence": "viridis", "entropy": "magma", "probabilities": "viridis"}
#: The tasks whose head a product is of.
_TASKS = {
    "classes": ("semantic-segmentation", "field-boundaries"),
    "polygons": ("semantic-segmentation", "field-boundaries"),
    "fields": ("field-boundaries",),
    "regression": ("pixel-regression",),
}
#: Column of the class value in polygons.
CLASS_COLUMN = "class"


def style_layer(layer: QgsMapLayer, product: str, card: Card) -> None:
    """Give a result its look; a product without one (the stack) keeps QGIS's own."""
    renderer = _renderer(layer, product_of(product).name, _output(product, card))
    if renderer is not None:
        layer.setRenderer(renderer)


def _renderer(
    layer: QgsMapLayer, product: str, output: Optional[Output]
) -> Union[QgsRasterRenderer, QgsFeatureRenderer, None]:
    if product in _SHARES:
        return value_renderer(layer, (0.0, 1.0), ramp_named(_SHARES[product]))
    if product == "missing":
        return missing_renderer(layer)
    if output is None:
        return None
    if product == "classes":
        return class_renderer(layer, output)
    if product == "polygons":
        return polygon_renderer(output)
    if product == "fields":
        return parcel_renderer(output)
    return value_renderer(layer, _range(layer, output), ramp_named(output.ramp), output.units)


def _output(product: str, card: Card) -> Optional[Output]:
    """The model output that the product is of; None where it shows none of its own."""
    tasks, named = _TASKS.get(product_of(product).name, ()), output_of(product)
    fitting = (output for output in card.outputs if output.task in tasks and named in ("", output.name))
    return next(fitting, None)


def class_renderer(layer: QgsRasterLayer, output: Output) -> QgsPalettedRasterRenderer:
    """One entry a class, with its value, colour and name."""
    classes = [
        QgsPalettedRasterRenderer.Class(info.value, QColor(class_color(info, index)), info.name)
        for index, info in enumerate(output.classes)
    ]
    return QgsPalettedRasterRenderer(layer.dataProvider(), 1, classes)


def missing_renderer(layer: QgsRasterLayer) -> QgsPalettedRasterRenderer:
    """Where the first optional layer was missing; where it was there, nothing."""
    classes = [QgsPalettedRasterRenderer.Class(1, QColor("#d55e00"), "Missing")]
    return QgsPalettedRasterRenderer(layer.dataProvider(), 1, classes)


def caption_legend(node: QgsLayerTreeLayer, product: str, card: Card) -> None:
    """Head a raster's legend with what it shows, in place of QGIS's "Band 1: ... (Palette)"."""
    layer = node.layer()
    if not isinstance(layer, QgsRasterLayer) or product == "stack":
        return
    output = _output(product, card)
    text = (output.title or output.name) if output else layer.dataProvider().generateBandName(1).partition(": ")[2]
    if text:
        QgsMapLayerLegendUtils.setLegendNodeUserLabel(node, 0, text)


def polygon_renderer(output: Output) -> QgsCategorizedSymbolRenderer:
    """One category a class; polygons are drawn with a thin outline of the same hue, so that neighbours stay apart."""
    categories = []
    for index, info in enumerate(output.classes):
        color = QColor(class_color(info, index))
        symbol = QgsFillSymbol.createSimple(
            {"color": color.name(), "outline_color": color.darker(150).name(), "outline_width": "0.15"}
        )
        symbol.setOpacity(0.7)
        categories.append(QgsRendererCategory(info.value, symbol, info.name))
    return QgsCategorizedSymbolRenderer(CLASS_COLUMN, categories)


def parcel_renderer(output: Output) -> QgsSingleSymbolRenderer:
    """Every parcel lightly filled in the field class's colour and outlined in that of the boundaries."""
    colors = {info.value: QColor(class_color(info, index)) for index, info in enumerate(output.classes)}
    fill, outline = colors[output.field], colors[output.boundary]
    symbol = QgsFillSymbol.createSimple(
        {
            "color": f"{fill.red()},{fill.green()},{fill.blue()},60",
            "outline_color": outline.name(),
            "outline_width": "0.35",
        }
    )
    return QgsSingleSymbolRenderer(symbol)


def value_renderer(
    layer: QgsRasterLayer, limits: tuple[float, float], ramp: QgsColorRamp, units: str = ""
) -> QgsSingleBandPseudoColorRenderer:
    """An interpolated ramp between two values, its legend labelled with the units."""
    low, high = limits
    shade = QgsColorRampShader(low, high, ramp.clone())
    shade.setColorRampType(QgsColorRampShader.Type.Interpolated)
    if units:
        legend = QgsColorRampLegendNodeSettings()
        legend.setSuffix(f" {units}")
        shade.setLegendSettings(legend)
    shade.setColorRampItemList(
        [
            QgsColorRampShader.ColorRampItem(value, ramp.color(step / (_STEPS - 1)), f"{value:g} {units}".strip())
            for step in range(_STEPS)
            for value in (low + (high - low) * step / (_STEPS - 1),)
        ]
    )
    shader = QgsRasterShader(low, high)
    shader.setRasterShaderFunction(shade)
    renderer = QgsSingleBandPseudoColorRenderer(layer.dataProvider(), 1, shader)
    renderer.setClassificationMin(low)
    renderer.setClassificationMax(high)
    return renderer


def ramp_named(name: str) -> QgsColorRamp:
    """QGIS's ramp of that name in any spelling of case; viridis where there is none."""
    style = QgsStyle.defaultStyle()
    names = {known.lower(): known for known in style.colorRampNames()}
    for wanted in (name.lower(), "viridis"):
        if wanted in names:
            return style.colorRamp(names[wanted])
    # A profile without QGIS's styles (a bare qgis_process): viridis at three points.
    return QgsGradientColorRamp.create({"color1": "#440154", "color2": "#fde725", "stops": "0.5;#21918c"})


def _range(layer: QgsRasterLayer, output: Output) -> tuple[float, float]:
    if output.range is not None:
        return output.range
    wanted = QgsRasterBandStats.Stats.Min | QgsRasterBandStats.Stats.Max
    found = layer.dataProvider().bandStatistics(1, wanted, layer.extent(), _SAMPLE)
    low, high = found.minimumValue, found.maximumValue
    return (low, high) if low < high else (low, low + 1.0)
