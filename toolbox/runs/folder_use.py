"""Which layers of a project read files of a folder; main thread for the layers, any thread for the comparison."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from qgis.core import QgsProject, QgsProviderRegistry

#: A layer's name and its file.
LayerFile = tuple[str, str]


def layer_files(project: QgsProject) -> list[LayerFile]:
    """Name and file of every layer that has one; nothing is opened."""
    registry = QgsProviderRegistry.instance()
    decoded = [
        (layer.name(), registry.decodeUri(layer.providerType(), layer.source()).get("path"))
        for layer in project.mapLayers().values()
    ]
    return [(name, path) for name, path in decoded if path]


def layers_inside(files: Sequence[LayerFile], folder: Path) -> list[str]:
    """Names of the layers whose file lies in the folder, by whatever links."""
    inside = os.path.normcase(os.path.realpath(folder)) + os.sep
    return [name for name, path in files if os.path.normcase(os.path.realpath(path)).startswith(inside)]
