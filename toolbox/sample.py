"""The simulated sample scene in the project: its layers, named, styled and told to be simulated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from qgis.core import (
    QgsFillSymbol,
    QgsLayerMetadata,
    QgsLayerTreeGroup,
    QgsLineSymbol,
    QgsMapLayer,
    QgsProject,
    QgsRasterLayer,
    QgsSingleSymbolRenderer,
    QgsSymbol,
    QgsVectorLayer,
)

from .settings import data_folder

#: Layers of the OSM extract from top to bottom: name in the file, title, and whether it is shown from the start.
_OSM = (
    ("roads", "Roads", True),
    ("buildings", "Buildings", True),
    ("waterways", "Waterways", True),
    ("water", "Water", True),
    ("landuse", "Land use", False),
)
_LINES = {"roads": ("#ffd166", "0.5"), "waterways": ("#4cc9f0", "0.5")}
_OUTLINES = {"buildings": "#ff9f6e", "water": "#4cc9f0", "landuse": "#b7e4a0"}
_ABOUT = (
    "Simulated: a landscape that a program made up, to try Fusion Mapper on. It shows no real place, and figures that "
    "were found on it say nothing of real ones."
)


def sample_folder() -> Path:
    """Where the scene is kept once it was made."""
    return data_folder() / "sample"


def add_sample_to_project(products: Mapping[str, str], group_title: str, project: QgsProject) -> Iterator[QgsMapLayer]:
    """Load the scene into a group of its own, the lines on top, the elevation below and hidden; main thread.

    Each step of the iterator opens one layer, so that whoever asks can let the window breathe in between.

    Args:
        products: what the engine's ``sample`` answers: the paths of imagery, osm and dem.
    """
    group = project.layerTreeRoot().insertGroup(0, group_title)
    for name, title, shown in _OSM:
        layer = QgsVectorLayer(f"{products['osm']}|layername={name}", title, "ogr")
        # A landscape without a lake has no layer of lakes.
        if layer.isValid():
            layer.setRenderer(QgsSingleSymbolRenderer(_symbol(name)))
            yield _add(layer, group, shown, project)
    yield _add(QgsRasterLayer(products["imagery"], "Aerial image", "gdal"), group, True, project)
    yield _add(QgsRasterLayer(products["dem"], "Elevation", "gdal"), group, False, project)


def _add(layer: QgsMapLayer, group: QgsLayerTreeGroup, shown: bool, project: QgsProject) -> QgsMapLayer:
    layer.setName(f"{layer.name()} (simulated)")
    metadata = QgsLayerMetadata()
    metadata.setType("dataset")
    metadata.setTitle(layer.name())
    metadata.setAbstract(_ABOUT)
    metadata.setLicenses(["CC0-1.0"])
    metadata.addHistoryItem("Simulated by Fusion Mapper.")
    metadata.setCrs(layer.crs())
    layer.setMetadata(metadata)
    project.addMapLayer(layer, False)
    node = group.addLayer(layer)
    node.setItemVisibilityChecked(shown)
    node.setExpanded(False)
    return layer


def _symbol(name: str) -> QgsSymbol:
    if name in _LINES:
        color, width = _LINES[name]
        return QgsLineSymbol.createSimple({"line_color": color, "line_width": width, "capstyle": "round"})
    outline = {"style": "no", "outline_color": _OUTLINES[name], "outline_width": "0.3"}
    return QgsFillSymbol.createSimple(outline)
