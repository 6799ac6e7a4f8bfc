"""What a layer of labels holds: its classes and how many polygons, points or pixels each has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Optional

from qgis.core import (
    NULL,
    QgsColorRampShader,
    QgsFeatureRequest,
    QgsPalettedRasterRenderer,
    QgsRasterDataProvider,
    QgsRasterLayer,
    QgsRectangle,
    QgsSingleBandPseudoColorRenderer,
    QgsVectorLayer,
    QgsVectorLayerFeatureSource,
    QgsWkbTypes,
)

from ...models.card import ClassInfo
from ...models.palette import class_color

#: So many features are counted; of more the rest is not looked at.
MOST_FEATURES = 100_000
#: Pixels of a raster that are looked at; of a larger one a thinned picture.
_MOST_PIXELS = 4_000_000
#: Largest span of whole numbers that a class raster may have.
_MOST_VALUES = 4096

Kind = Literal["polygons", "points", "pixels"]


@dataclass(frozen=True)
class ClassCount:
    """One class of the labels."""

    name: str
    value: Optional[int]
    """Its value where the labels are whole numbers."""
    count: int
    color: str
    """As ``#rrggbb``: the layer's own, else the one that maps will have."""


@dataclass(frozen=True)
class Survey:
    """What was found."""

    kind: Kind
    classes: tuple[ClassCount, ...] = ()
    without: int = 0
    """Polygons or points without a class."""
    numbers: Optional[tuple[float, float]] = None
    """Least and greatest number where the labels are numbers."""
    total: int = 0
    partial: bool = False
    """True where not all features or pixels were looked at."""


def surveyor(layer: object, field: str, band: int = 1) -> Optional[Callable[[], Survey]]:
    """What counts the layer's labels on another thread; None where there is nothing to count. Main thread.

    Args:
        field: attribute of a vector layer.
        band: 1-based band of a raster.
    """
    if isinstance(layer, QgsVectorLayer) and layer.isValid():
        index = layer.fields().lookupField(field)
        source = QgsVectorLayerFeatureSource(layer)
        kind: Kind = "points" if layer.geometryType() == QgsWkbTypes.GeometryType.PointGeometry else "polygons"
        return lambda: _count_features(source, index, kind)
    if isinstance(layer, QgsRasterLayer) and layer.isValid() and layer.providerType() == "gdal":
        provider, named = layer.dataProvider().clone(), _legend(layer)
        return lambda: _count_pixels(provider, band, named)
    return None


def _count_features(source: QgsVectorLayerFeatureSource, index: int, kind: Kind) -> Survey:
    request = QgsFeatureRequest().setFlags(QgsFeatureRequest.Flag.NoGeometry)
    request.setSubsetOfAttributes([index] if index >= 0 else [])
    request.setLimit(MOST_FEATURES + 1)
    counts: Counter[object] = Counter()
    total = without = 0
    for feature in source.getFeatures(request):
        total += 1
        value = feature[index] if index >= 0 else None
        if value is None or value == NULL or str(value).strip() == "":
            without += 1
        else:
            counts[value] += 1
    partial = total > MOST_FEATURES
    return Survey(kind, _classes(counts, {}), without, _span(counts), min(total, MOST_FEATURES), partial)


def _count_pixels(provider: QgsRasterDataProvider, band: int, named: dict[int, tuple[str, str]]) -> Survey:
    pixels = provider.xSize() * provider.ySize()
    sample = 0 if pixels <= _MOST_PIXELS else _MOST_PIXELS
    statistics = provider.bandStatistics(band, 12, QgsRectangle(), sample)  # 12: least and greatest value
    low, high = statistics.minimumValue, statistics.maximumValue
    if not low <= high or high - low >= _MOST_VALUES or low != int(low) or high != int(high):
        return Survey("pixels", numbers=(low, high) if low <= high else None, total=pixels, partial=bool(sample))
    values = range(int(low), int(high) + 1)
    histogram = provider.histogram(band, len(values), low - 0.5, high + 0.5, QgsRectangle(), sample)
    counts = {value: count for value, count in zip(values, histogram.histogramVector) if count}
    return Survey("pixels", _classes(counts, named), 0, (low, high), sum(counts.values()), bool(sample))


def _classes(counts: dict, named: dict[int, tuple[str, str]]) -> tuple[ClassCount, ...]:
    """The classes in the order of their values, or else of their names, coloured as a map of them would be."""
    ordered = sorted(counts, key=lambda value: (not _is_number(value), value if _is_number(value) else str(value)))
    found = []
    for place, key in enumerate(ordered):
        value = int(key) if _is_number(key) and float(key).is_integer() else None
        name, color = named.get(value, ("", "")) if value is not None else ("", "")
        name = name or (str(value) if value is not None else str(key).strip())
        info = ClassInfo(value if value is not None else place + 1, name, color)
        found.append(ClassCount(name, value, counts[key], class_color(info, place)))
    return tuple(found)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _span(values: Iterable[object]) -> Optional[tuple[float, float]]:
    numbers = list(values)
    if not numbers or not all(_is_number(value) for value in numbers):
        return None
    return float(min(numbers)), float(max(numbers))


def _legend(layer: QgsRasterLayer) -> dict[int, tuple[str, str]]:
    """Names and colours that the layer's own style gives to values."""
    renderer = layer.renderer()
    if isinstance(renderer, QgsPalettedRasterRenderer):
        return {int(one.value): (one.label, one.color.name()) for one in renderer.classes()}
    if isinstance(renderer, QgsSingleBandPseudoColorRenderer):
        shader = renderer.shader().rasterShaderFunction() if renderer.shader() else None
        if isinstance(shader, QgsColorRampShader) and shader.colorRampType() == QgsColorRampShader.Type.Exact:
            return {int(one.value): (one.label, one.color.name()) for one in shader.colorRampItemList()}
    return {}
