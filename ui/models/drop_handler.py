"""Model files that are dropped on QGIS."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

from qgis.gui import QgsCustomDropHandler


class ModelDropHandler(QgsCustomDropHandler):
    """Takes ONNX files, and leaves all others to QGIS."""

    def __init__(self, open_model: Callable[[Path], object]) -> None:
        super().__init__()
        self._open_model = open_model

    def customUriProviderKey(self) -> str:
        return "fusion_mapper"

    def handleFileDrop(self, file: str) -> bool:
        path = Path(file)
        if path.suffix.lower() != ".onnx" or not path.is_file():
            return False
        self._open_model(path)
        return True
