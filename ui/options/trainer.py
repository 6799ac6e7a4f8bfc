"""The options page's field for training: which Python trains models."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QLabel, QVBoxLayout, QWidget

from ...toolbox.engine.environment import EngineMissing, find_trainer, has_torch
from ..shared.wording import tr


class TrainerField(QWidget):
    """Path of a Python, and under it what is wrong with it."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._file = QgsFileWidget(self)
        self._problem = QLabel(self)
        self._file.setObjectName("FusionMapperTrainerPython")
        self._file.setStorageMode(QgsFileWidget.StorageMode.GetFile)
        self._file.setToolTip(tr("The Python of an environment that also holds torch; models are trained with it"))
        self._file.lineEdit().setAccessibleName(tr("Python for training"))
        self._file.lineEdit().setPlaceholderText(_usual())
        self._file.fileChanged.connect(self._on_changed)
        self._problem.setObjectName("FusionMapperTrainerProblem")
        self._problem.setTextFormat(Qt.TextFormat.PlainText)
        self._problem.setWordWrap(True)
        self._problem.hide()
        self.setFocusProxy(self._file.lineEdit())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self._file)
        layout.addWidget(self._problem)

    def python(self) -> str:
        """The path as it stands in the field."""
        return self._file.filePath().strip()

    def show_python(self, python: str) -> None:
        """Show what is set."""
        self._file.setFilePath(python)
        self._on_changed()

    def problem(self) -> str:
        """Why nothing can be trained with it, in one sentence; empty where all seems well. Starts no process."""
        if not self.python():
            return ""
        path = Path(self.python())
        if not path.is_file():
            return tr("There is no such file.")
        return "" if has_torch(path) else tr("torch is not among its packages, so it trains no models.")

    def _on_changed(self) -> None:
        self._problem.setText(self.problem())
        self._problem.setVisible(bool(self.problem()))


def _usual() -> str:
    """What is used where nothing is set."""
    try:
        return str(find_trainer())
    except EngineMissing:
        return tr("Not set up")
