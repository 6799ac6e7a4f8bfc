"""Choosing the model: one of the installed ones, or a file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Optional

from qgis.core import QgsSettings
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ..inference.errors import RequestError
from ..models.card import Card
from ..models.library import Installed
from ..toolbox.engine import Engine, IsCancelled
from ..toolbox.models import ModelChoice, choose_model
from .card_summary import CardSummary
from .engine_task import EngineTask
from .layer_choice import keep_narrow
from .wording import tr

_SETTING = "fusion_mapper/dock/model"
_FOLDER_SETTING = "fusion_mapper/dock/model_folder"


class ModelPicker(QWidget):
    """A list of models with a button for one more; shows the chosen one's card."""

    model_changed = pyqtSignal()

    def __init__(self, installed: Sequence[Installed], parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._models: list[Installed] = []
        self._task: Optional[EngineTask] = None
        self._combo = QComboBox(self)
        self._browse = QPushButton(tr("&Browse…"), self)
        self._summary = CardSummary(self)
        self._prepare()
        self._lay_out()
        for model in installed:
            self._add(model)
        self._choose_remembered()
        self._combo.currentIndexChanged.connect(self._on_index_changed)
        self._browse.clicked.connect(self._on_browse)
        self._show()

    def model(self) -> Optional[Installed]:
        """The chosen model; None as well where its card cannot be read."""
        model = self._current()
        return model if model is not None and model.card is not None else None

    def focus_chain(self) -> list[QWidget]:
        """What the Tab key goes through, in order."""
        return [self._combo, self._browse]

    def open_file(self, path: Path) -> None:
        """Choose a model file: by the card beside it, else by what the engine reads from the model itself."""
        try:
            choice = choose_model(str(path))
        except RequestError as problem:
            self._summary.show_problem(str(problem))
            return
        if choice.card is not None:
            self._open(choice.path, choice.card)
        else:
            self._ask_engine(choice)

    def close_down(self) -> None:
        """Stop asking the engine."""
        if self._task is not None:
            self._task.cancel()

    def working(self) -> bool:
        """True while the engine is being asked."""
        return self._task is not None

    def _open(self, path: Path, card: Card) -> None:
        known = [model.path for model in self._models]
        index = known.index(path) if path in known else self._add(Installed(path, path.with_suffix(".json"), card))
        self._combo.setCurrentIndex(index)

    def _ask_engine(self, choice: ModelChoice) -> None:
        if self._task is not None:
            return
        what = tr("Reading {name}…").format(name=choice.path.name)
        self._summary.show_problem(what)
        self._task = EngineTask(what, partial(_read_card, choice))
        self._task.answered.connect(partial(self._open, choice.path))
        self._task.failed.connect(self._summary.show_problem)
        self._task.ended.connect(self._on_task_ended)
        self._task.start()

    def _on_task_ended(self) -> None:
        self._task = None

    def _current(self) -> Optional[Installed]:
        index = self._combo.currentIndex()
        return self._models[index] if 0 <= index < len(self._models) else None

    def _prepare(self) -> None:
        self._combo.setObjectName("FusionMapperModel")
        self._combo.setAccessibleName(tr("Model"))
        self._combo.setToolTip(tr("The fusion model that makes the map"))
        keep_narrow(self._combo)
        self._browse.setObjectName("FusionMapperModelBrowse")
        self._browse.setToolTip(tr("Choose a model file (.onnx) from a folder"))

    def _lay_out(self) -> None:
        title = QLabel(tr("&Model"), self)
        title.setBuddy(self._combo)
        row = QHBoxLayout()
        row.addWidget(title)
        row.addWidget(self._combo, 1)
        row.addWidget(self._browse)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row)
        layout.addWidget(self._summary)

    def _add(self, model: Installed) -> int:
        self._models.append(model)
        self._combo.addItem(model.label)
        return self._combo.count() - 1

    def _choose_remembered(self) -> None:
        remembered = QgsSettings().value(_SETTING, "", type=str)
        for index, model in enumerate(self._models):
            if str(model.path) == remembered:
                self._combo.setCurrentIndex(index)

    def _show(self) -> None:
        model = self._current()
        if model is None:
            self._summary.show_problem(tr("No model is installed yet; choose a model file with Browse…"))
        elif model.card is None:
            self._summary.show_problem(model.problem)
        else:
            self._summary.show_card(model.card)

    def _on_index_changed(self, _index: int) -> None:
        model = self.model()
        if model is not None:
            QgsSettings().setValue(_SETTING, str(model.path))
        self._show()
        self.model_changed.emit()

    def _on_browse(self) -> None:
        folder = QgsSettings().value(_FOLDER_SETTING, "", type=str)
        name, _ = QFileDialog.getOpenFileName(self, tr("Choose a Model"), folder, tr("ONNX models (*.onnx)"))
        if name:
            QgsSettings().setValue(_FOLDER_SETTING, str(Path(name).parent))
            self.open_file(Path(name))


def _read_card(choice: ModelChoice, engine: Engine, folder: Path, is_cancelled: IsCancelled) -> Card:
    """The card that the engine reads from a model; on the task's thread."""
    return choice.read_card(engine, folder, is_cancelled)
