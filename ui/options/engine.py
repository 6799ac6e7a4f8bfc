"""The options page's field for the engine: which Python runs it, and a button that tries it."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ...toolbox.engine.environment import EngineMissing, find_engine
from ...toolbox.engine.once import Engine
from ..shared.doctor import doctor_text, reasons_text
from ..shared.engine_line import ask_doctor
from ..shared.engine_task import EngineTask
from ..shared.wording import tr


class EngineField(QWidget):
    """Path of a Python, *Test*, and what the test found."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._file = QgsFileWidget(self)
        self._test = QPushButton(tr("&Test"), self)
        self._answer = QLabel(self)
        self._task: Optional[EngineTask] = None
        self._prepare()
        self._lay_out()

    def python(self) -> str:
        """The path as it stands in the field."""
        return self._file.filePath().strip()

    def show_python(self, python: str) -> None:
        """Show what is set."""
        self._file.setFilePath(python)
        self._file.lineEdit().setPlaceholderText(_usual())
        self._answer.clear()

    def _prepare(self) -> None:
        self._file.setObjectName("FusionMapperEnginePython")
        self._file.setStorageMode(QgsFileWidget.StorageMode.GetFile)
        self._file.setToolTip(tr("The Python of the environment that holds the engine's packages"))
        self._file.lineEdit().setAccessibleName(tr("The engine's Python"))
        self._file.fileChanged.connect(self._answer.clear)
        self._test.setObjectName("FusionMapperEngineTest")
        self._test.setToolTip(tr("Start the engine, and tell its versions and devices"))
        self._test.clicked.connect(self._on_test)
        self._answer.setObjectName("FusionMapperEngineAnswer")
        self._answer.setTextFormat(Qt.TextFormat.PlainText)
        self._answer.setWordWrap(True)
        self.setFocusProxy(self._file.lineEdit())

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self._file, 1)
        row.addWidget(self._test)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(self._answer)

    def _on_test(self) -> None:
        try:
            engine = Engine(Path(self.python()) if self.python() else None)
        except EngineMissing as problem:
            self._answer.setText(str(problem))
            return
        self._test.setEnabled(False)
        self._answer.setText(tr("Starting the engine…"))
        self._task = EngineTask(tr("Testing the engine"), ask_doctor, engine)
        self._task.answered.connect(self._on_answered)
        self._task.failed.connect(self._answer.setText)
        self._task.ended.connect(self._on_ended)
        self.destroyed.connect(self._task.cancel)
        self._task.start()

    def _on_answered(self, report: dict[str, object]) -> None:
        self._answer.setText(doctor_text(report))
        self._answer.setToolTip(reasons_text(report))

    def _on_ended(self) -> None:
        self._task = None
        self._test.setEnabled(True)


def _usual() -> str:
    """What is used where nothing is set."""
    try:
        return str(find_engine())
    except EngineMissing:
        return tr("Not set up")
