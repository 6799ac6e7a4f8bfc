"""What an empty project is greeted with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from qgis.core import QgsCoordinateReferenceSystem, QgsMapLayer, QgsProject, QgsRasterLayer, QgsRectangle
from qgis.PyQt.QtCore import QElapsedTimer, Qt, QTimer, pyqtSignal
from qgis.PyQt.QtWidgets import QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from ..inference.events import Result
from ..models.library import STARTERS
from ..toolbox.engine.commands import EngineCommands, IsCancelled, deaf
from ..toolbox.sample import add_sample_to_project, sample_folder
from .shared.engine_task import EngineTask
from .shared.wording import seconds_text, tr

#: The starter model that suits the sample scene.
SAMPLE_MODEL = STARTERS / "landcover-rgb-1m.onnx"


class FirstSteps(QWidget):
    """Three sentences and a sample scene; to be seen only while the project has no layers."""

    scene_opened = pyqtSignal(QgsRectangle, QgsCoordinateReferenceSystem, str)
    """The sample scene is in the project: where it lies, and what is to be said of it."""

    def __init__(self, engine: EngineCommands, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self._task: Optional[EngineTask] = None
        self._clock = QElapsedTimer()
        self._layers: Optional[Iterator[QgsMapLayer]] = None
        """Opens the scene's layers, one each time."""
        self._imagery: Optional[tuple[QgsRectangle, QgsCoordinateReferenceSystem]] = None
        self._said = ""
        self._problem = ""
        self._text = QLabel(_greeting(), self)
        self._open = QPushButton(tr("Open a &Simulated Sample Scene"), self)
        self._bar = QProgressBar(self)
        self._state = QLabel(self)
        self._prepare()
        self._lay_out()
        project = QgsProject.instance()
        for signal in (project.layersAdded, project.layersRemoved, project.cleared, project.readProject):
            signal.connect(self._on_project_changed)
        project.cleared.connect(self._stop_loading)
        self._on_project_changed()

    def focus_chain(self) -> list[QWidget]:
        """What the Tab key goes through, in order."""
        return [self._open]

    def open_scene(self) -> None:
        """Have the scene made in the background, and put it into the project."""
        if self.working():
            return
        self._problem = ""
        self._show_working(True)
        self._clock.start()
        self._task = EngineTask(tr("Simulating a sample scene"), _ask_sample, self._engine)
        self._task.answered.connect(self._on_answered)
        self._task.failed.connect(self._on_failed)
        self._task.ended.connect(self._on_ended)
        self._task.start()

    def close_down(self) -> None:
        """Stop asking the engine, and listen to the project no more."""
        project = QgsProject.instance()
        for signal in (project.layersAdded, project.layersRemoved, project.cleared, project.readProject):
            signal.disconnect(self._on_project_changed)
        project.cleared.disconnect(self._stop_loading)
        self._stop_loading()
        if self._task is not None:
            self._task.cancel()

    def working(self) -> bool:
        """True while the scene is being made."""
        return self._task is not None or self._layers is not None

    def _prepare(self) -> None:
        self.setObjectName("FusionMapperFirstSteps")
        self._text.setObjectName("FusionMapperGreeting")
        self._text.setWordWrap(True)
        self._open.setObjectName("FusionMapperOpenSample")
        self._open.setToolTip(tr("Layers of a made-up landscape are put into this project"))
        self._open.clicked.connect(self.open_scene)
        self._bar.setObjectName("FusionMapperSampleProgress")
        self._bar.setAccessibleName(tr("Simulating a sample scene"))
        self._bar.setRange(0, 0)
        self._bar.setTextVisible(False)
        self._bar.setMaximumHeight(8)
        self._state.setObjectName("FusionMapperSampleState")
        self._state.setTextFormat(Qt.TextFormat.PlainText)
        self._state.setWordWrap(True)
        self._show_working(False)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 4)
        layout.setSpacing(5)
        for part in (self._text, self._open, self._bar, self._state):
            layout.addWidget(part)

    def _show_working(self, working: bool) -> None:
        self._open.setEnabled(not working)
        self._bar.setVisible(working)
        self._show_state(tr("Simulating a landscape…") if working else "")

    def _show_state(self, text: str) -> None:
        self._state.setText(text)
        self._state.setVisible(bool(text))

    def _on_answered(self, result: Result) -> None:
        made = seconds_text(self._clock.elapsed() / 1000)
        if result.report.get("reused"):
            said = tr("The simulated scene was there already, and was opened in {time}. Press Run to map it.")
        else:
            said = tr("The scene was simulated in {time}. Press Run to map it.")
        self._said = said.format(time=made)
        group = tr("Simulated sample scene")
        self._layers = add_sample_to_project(result.products, group, QgsProject.instance())
        self._load_next()

    def _load_next(self) -> None:
        """Open one layer, and the next one when the window has done what else it had to do."""
        layer = next(self._layers, None) if self._layers is not None else None
        if layer is None:
            self._end_loading()
            return
        if isinstance(layer, QgsRasterLayer) and self._imagery is None:
            self._imagery = (layer.extent(), layer.crs())
        QTimer.singleShot(0, self._load_next)

    def _stop_loading(self) -> None:
        """Open no more layers: the project that they go to is gone."""
        self._layers = self._imagery = None

    def _end_loading(self) -> None:
        place, self._imagery, self._layers = self._imagery, None, None
        self._show_working(False)
        if place is not None:
            self.scene_opened.emit(*place, self._said)

    def _on_failed(self, problem: str) -> None:
        self._problem = problem

    def _on_ended(self) -> None:
        self._task = None
        if self._layers is None:
            self._show_working(False)
            self._show_state(self._problem)

    def _on_project_changed(self, *_told: object) -> None:
        self.setVisible(not QgsProject.instance().mapLayers())


def _greeting() -> str:
    return " ".join(
        (
            tr("Fusion Mapper makes maps from imagery, OpenStreetMap and elevation together."),
            tr("Add the layers of your place to the project; each finds its slot below by itself."),
            tr("Or see how it works on a simulated scene first."),
        )
    )


def _ask_sample(engine: EngineCommands, folder: Path, is_cancelled: IsCancelled) -> Result:
    return engine.sample(sample_folder(), folder, deaf, is_cancelled)
