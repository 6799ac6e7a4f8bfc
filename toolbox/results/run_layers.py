"""How a result layer remembers its run, so that a project that is opened again finds it.

A layer keeps where its run's folder lies as seen from its own file. QGIS itself looks after the layer's path, so that a
project that was moved along with its files, or is opened on another machine, finds the run as it finds the layer.
Beside it the layer keeps the run's figures: the folder of a run that named none is gone when QGIS ends.
"""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Optional

from qgis.core import QgsMapLayer, QgsProviderRegistry
from qgis.PyQt.QtCore import QObject, pyqtSignal

from ...inference.errors import RequestError
from ...inference.record import RunRecord, figures_alone, record_from_dict

_FOLDER = "fusion_mapper/run_folder"
_FIGURES = "fusion_mapper/figures"


class ResultHerald(QObject):
    """Tells of layers that have just become results; Processing styles them after the project has told of them."""

    layer_finished = pyqtSignal(QgsMapLayer)


#: The one of this QGIS.
herald = ResultHerald()


def remember_run(layer: QgsMapLayer, folder: Path, record: Optional[RunRecord]) -> None:
    """Keep in the layer where its run's folder is, and what came out."""
    if record is not None:
        layer.setCustomProperty(_FIGURES, json.dumps(dataclasses.asdict(figures_alone(record))))
    base = _base(layer)
    try:
        place = Path(os.path.relpath(folder, base)).as_posix() if base else str(folder)
    except ValueError:
        # Another drive of Windows, from which no relative path leads.
        place = str(folder)
    layer.setCustomProperty(_FOLDER, place)


def is_result(layer: Optional[QgsMapLayer]) -> bool:
    """Whether the layer came out of a run."""
    return layer is not None and bool(layer.customProperty(_FOLDER))


def run_folder_of(layer: QgsMapLayer) -> Optional[Path]:
    """The folder of the layer's run, whether or not it is still there; None for a layer that is no result."""
    place = layer.customProperty(_FOLDER)
    if not place:
        return None
    return Path(os.path.normpath((_base(layer) or Path()) / str(place)))


def figures_of(layer: QgsMapLayer) -> Optional[RunRecord]:
    """What the layer itself keeps of its run's record; None where it keeps nothing, or nothing that can be read."""
    try:
        return record_from_dict(json.loads(str(layer.customProperty(_FIGURES) or "{}")), layer.name())
    except (ValueError, AttributeError, RequestError):
        return None


def _base(layer: QgsMapLayer) -> Optional[Path]:
    """The folder of the layer's file."""
    path = QgsProviderRegistry.instance().decodeUri(layer.providerType(), layer.source()).get("path")
    return Path(path).absolute().parent if path else None
