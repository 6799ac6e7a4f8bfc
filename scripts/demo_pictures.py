"""Draw the demo's maps with their legends, as QGIS shows them: ``demo_pictures.py build/demo`` (QGIS's Python)."""

from __future__ import annotations

import sys
from pathlib import Path

from qgis.core import (
    QgsApplication,
    QgsContrastEnhancement,
    QgsLayoutExporter,
    QgsLayoutItemLabel,
    QgsLayoutItemLegend,
    QgsLayoutItemMap,
    QgsLayoutItemScaleBar,
    QgsLayoutPoint,
    QgsLayoutSize,
    QgsMapLayer,
    QgsMapLayerLegendUtils,
    QgsMultiBandColorRenderer,
    QgsPrintLayout,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsUnitTypes,
)
from qgis.PyQt.QtGui import QFont
from simulate import ROOT, register_package

register_package()

from fusion_mapper.models.card import read_sidecar  # noqa: E402  - the package has to be registered first
from fusion_mapper.toolbox.results.project import open_product  # noqa: E402
from fusion_mapper.toolbox.results.styles import style_layer  # noqa: E402

MAP_SIDE = 115.0
"""Millimetres; four of them and the legend make a picture of 305 × 262 mm."""
GAP = 5.0
TITLE = 12.0
DETAIL = 700
"""Pixels along the side of the enlarged part."""
DPI = 150
PICTURES = (
    ("land_cover", "air/imagery.tif", "landcover-rgbn-1m", {"classes": "classes.tif"}),
    ("fields", "space/imagery_late.tif", "fields-10m", {"fields": "fields.gpkg", "classes": "classes.tif"}),
    ("tree_cover", "space/imagery_early.tif", "treecover-10m", {"regression": "regression.tif"}),
)
"""Folder of the run, picture beside it, model, products: the first is shown enlarged, the last whole."""


def draw(demo: Path, name: str, image: str, model: str, products: dict[str, str]) -> Path:
    """One sheet: picture and map, whole and enlarged, and the legend; answers its path."""
    card = read_sidecar(ROOT / "resources" / "models" / f"{model}.json")
    imagery = _imagery(demo / image)
    maps = []
    for product, file in products.items():
        layer = open_product(str(demo / name / file), product)
        style_layer(layer, product, card)
        if card.outputs[0].units:
            layer.setName(f"{card.outputs[0].title} ({card.outputs[0].units})")
        maps.append(layer)
    project = QgsProject()
    project.setCrs(imagery.crs())
    project.addMapLayers([*maps, imagery])
    layout = QgsPrintLayout(project)
    layout.initializeDefaults()
    page = QgsLayoutSize(2 * MAP_SIDE + 4 * GAP + 55, 2 * MAP_SIDE + 4 * GAP + TITLE)
    layout.pageCollection().page(0).setPageSize(page)
    _label(layout, f"{card.label}: {card.notice}")
    for row, (extent, shown) in enumerate(((imagery.extent(), maps[-1:]), (_detail(imagery), maps[:1]))):
        _map(layout, [imagery], extent, 0, row)
        _scale_bar(layout, _map(layout, shown, extent, 1, row))
    _legend(layout, maps)
    path = demo / f"{name}.png"
    picture = QgsLayoutExporter(layout).renderPageToImage(0, dpi=DPI)
    if not picture.save(str(path)):
        raise SystemExit(f"{path} could not be written.")
    return path


def _imagery(path: Path) -> QgsRasterLayer:
    """The picture in natural colours: one stretch for all bands, between the green one's percentiles."""
    layer = QgsRasterLayer(str(path), "Imagery")
    renderer = QgsMultiBandColorRenderer(layer.dataProvider(), 1, 2, 3)
    low, high = layer.dataProvider().cumulativeCut(2, 0.01, 0.98, layer.extent(), 250_000)
    setters = (renderer.setRedContrastEnhancement, renderer.setGreenContrastEnhancement)
    for band, put in enumerate((*setters, renderer.setBlueContrastEnhancement), start=1):
        stretch = QgsContrastEnhancement(layer.dataProvider().dataType(band))
        stretch.setContrastEnhancementAlgorithm(QgsContrastEnhancement.StretchToMinimumMaximum)
        stretch.setMinimumValue(0.6 * low)
        stretch.setMaximumValue(high)
        put(stretch)
    layer.setRenderer(renderer)
    return layer


def _detail(imagery: QgsRasterLayer) -> QgsRectangle:
    """A square around the scene's middle."""
    side = DETAIL * imagery.rasterUnitsPerPixelX()
    return QgsRectangle.fromCenterAndSize(imagery.extent().center(), side, side)


def _label(layout: QgsPrintLayout, text: str) -> None:
    label = QgsLayoutItemLabel(layout)
    label.setText(text)
    label.setFont(QFont("DejaVu Sans", 12))
    layout.addLayoutItem(label)
    label.attemptMove(QgsLayoutPoint(GAP, GAP))
    label.attemptResize(QgsLayoutSize(2 * MAP_SIDE + 40, TITLE))


def _map(
    layout: QgsPrintLayout, layers: list[QgsMapLayer], extent: QgsRectangle, column: int, row: int
) -> QgsLayoutItemMap:
    item = QgsLayoutItemMap(layout)
    layout.addLayoutItem(item)
    item.attemptMove(QgsLayoutPoint(GAP + column * (MAP_SIDE + GAP), TITLE + GAP + row * (MAP_SIDE + GAP)))
    item.attemptResize(QgsLayoutSize(MAP_SIDE, MAP_SIDE))
    item.setLayers(layers)
    item.setKeepLayerSet(True)
    item.setExtent(extent)
    item.setFrameEnabled(True)
    return item


def _scale_bar(layout: QgsPrintLayout, linked: QgsLayoutItemMap) -> None:
    bar = QgsLayoutItemScaleBar(layout)
    bar.setLinkedMap(linked)
    bar.setUnits(QgsUnitTypes.DistanceMeters)
    bar.applyDefaultSize(QgsUnitTypes.DistanceMeters)
    bar.setNumberOfSegments(1)
    layout.addLayoutItem(bar)
    place = linked.positionWithUnits()
    bar.attemptMove(QgsLayoutPoint(2 * MAP_SIDE + 3 * GAP, place.y() + MAP_SIDE - 16))


def _legend(layout: QgsPrintLayout, layers: list[QgsMapLayer]) -> None:
    legend = QgsLayoutItemLegend(layout)
    legend.setAutoUpdateModel(False)
    root = legend.model().rootGroup()
    root.clear()
    for layer in layers:
        node = root.addLayer(layer)
        count = len(legend.model().layerLegendNodes(node))
        if isinstance(layer, QgsRasterLayer) and count > 1:
            # The first entry of a raster only names its band.
            QgsMapLayerLegendUtils.setLegendNodeOrder(node, list(range(1, count)))
            legend.model().refreshLayerLegend(node)
    layout.addLayoutItem(legend)
    legend.attemptMove(QgsLayoutPoint(2 * MAP_SIDE + 3 * GAP, TITLE + GAP))


def main() -> None:
    """All sheets of a demo."""
    demo = Path(sys.argv[1])
    application = QgsApplication([], True)
    application.initQgis()
    for picture in PICTURES:
        print(f"Picture: {draw(demo, *picture)}")
    application.exitQgis()


if __name__ == "__main__":
    main()
