"""The panel's model: one of the installed ones, its card, and the way to more of them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Optional

from qgis.core import QgsSettings
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from ...inference.errors import RequestError
from ...models.library import STARTERS, Installed
from ...toolbox.engine.commands import EngineCommands
from ...toolbox.models import choose_model, installed_models
from ..cards.summary import CardSummary
from ..cards.view import CardView
from ..importer.dialog import ImportDialog
from ..shared.wording import theme_icon, tr
from .fit import fitting_model
from .list import ModelList

_SETTING = "fusion_mapper/dock/model"


class ModelPicker(QWidget):
    """A list of models, with buttons for the chosen one's card and for importing one more.

    Args:
        canvas: the map in whose middle a model is tried while it is imported.
        engine: the engine that is asked.
    """

    model_changed = pyqtSignal()
    train_asked = pyqtSignal()
    """A model is to be trained on labels of one's own."""

    def __init__(
        self, canvas: QgsMapCanvas, engine: Optional[EngineCommands] = None, parent: Optional[QWidget] = None
    ) -> None:
        super().__init__(parent)
        self._canvas = canvas
        self._engine = engine
        self._dialog: Optional[ImportDialog] = None
        self._view: Optional[CardView] = None
        self._opened: list[Installed] = []
        self._combo = ModelList(self)
        self._info = QToolButton(self)
        self._import = QToolButton(self)
        self._train = QToolButton(self)
        self._summary = CardSummary(self)
        self.by_itself = True
        """True until the user chose a model, in this session or an earlier one."""
        self._prepare()
        self._lay_out()
        self._combo.set_models(installed_models())
        self._choose_first()
        self._combo.currentIndexChanged.connect(self._on_index_changed)
        self._combo.activated.connect(self._on_activated)
        self._info.clicked.connect(self.show_card)
        self._import.clicked.connect(partial(self.import_model, None))
        self._train.clicked.connect(self.train_asked)
        self._summary.notice.import_asked.connect(self.import_model)
        self._summary.notice.train_asked.connect(self.train_asked)
        self._show()

    def model(self) -> Optional[Installed]:
        """The chosen model; None as well where its card cannot be read."""
        model = self._combo.current()
        return model if model is not None and model.card is not None else None

    def focus_chain(self) -> list[QWidget]:
        """What the Tab key goes through, in order."""
        return [self._combo, self._info, self._import, self._train, *self._summary.notice.focus_chain()]

    def open_file(self, path: Path) -> None:
        """Choose a model file by the card beside it; one without a card is offered for import."""
        try:
            choice = choose_model(str(path))
        except RequestError as problem:
            self._summary.show_problem(str(problem))
            return
        if choice.card is None:
            self.import_model(choice.path)
            return
        self._select(Installed(choice.path, choice.path.with_suffix(".json"), choice.card))

    def import_model(self, path: Optional[Path] = None) -> ImportDialog:
        """Open the import dialog, with that file where there is one."""
        if self._dialog is None:
            self._dialog = ImportDialog(self._canvas, self._engine, self)
            self._dialog.installed.connect(self._on_installed)
        self._dialog.show()
        self._dialog.raise_()
        self._dialog.activateWindow()
        if path is not None:
            self._dialog.open_file(path)
        return self._dialog

    def show_card(self) -> None:
        """Open the chosen model's card."""
        model = self._combo.current()
        if model is None:
            return
        self._leave_view()
        self._view = CardView(model, self._engine, self)
        self._view.removed.connect(self._on_removed)
        self._view.show()

    def choose_fitting(self) -> None:
        """Choose the model that the project's layers suit best, unless the user chose one."""
        if not self.by_itself:
            return
        model = fitting_model(self._combo.models())
        if model is not None:
            self._combo.setCurrentIndex(self._combo.index_of(model.path))

    def reload(self) -> None:
        """Read the library again, whose folder may be another one; files that were opened stay in the list."""
        chosen = self._combo.current()
        installed = installed_models()
        known = {model.path for model in installed}
        opened = [model for model in self._opened if model.path not in known and model.path.is_file()]
        self._combo.blockSignals(True)
        self._combo.set_models([*installed, *opened])
        self._combo.blockSignals(False)
        if self._combo.current() != chosen:
            self._on_index_changed(self._combo.currentIndex())

    def close_down(self) -> None:
        """Close the dialogs, and stop asking the engine."""
        if self._dialog is not None:
            self._dialog.close_down()
        if self._view is not None:
            self._view.close_down()

    def working(self) -> bool:
        """True while the engine is being asked."""
        return any(part is not None and part.working() for part in (self._dialog, self._view))

    def _select(self, model: Installed) -> None:
        if self._combo.index_of(model.path) < 0:
            self._opened.append(model)
        index = self._combo.put(model)
        self.by_itself = False
        if index == self._combo.currentIndex():
            self._on_index_changed(index)
        self._combo.setCurrentIndex(index)

    def _prepare(self) -> None:
        self._combo.setObjectName("FusionMapperModel")
        self._combo.setAccessibleName(tr("Model"))
        self._combo.setToolTip(tr("The fusion model that makes the map"))
        self._info.setObjectName("FusionMapperModelInfo")
        self._info.setIcon(theme_icon("propertyicons/metadata.svg"))
        self._info.setAutoRaise(True)
        self._info.setAccessibleName(tr("Model card"))
        self._info.setToolTip(tr("The model's card: classes, layers, source, licence"))
        self._import.setText(tr("I&mport…"))
        self._import.setAutoRaise(True)
        self._import.setObjectName("FusionMapperModelImport")
        self._import.setToolTip(tr("Import a model file (.onnx) into the library"))
        self._train.setText(tr("&Train…"))
        self._train.setAutoRaise(True)
        self._train.setObjectName("FusionMapperModelTrain")
        self._train.setToolTip(tr("Train a model on labels of your own"))

    def _lay_out(self) -> None:
        title = QLabel(tr("&Model"), self)
        title.setBuddy(self._combo)
        font = title.font()
        font.setBold(True)
        title.setFont(font)
        head = QHBoxLayout()
        head.addWidget(title, 1)
        head.addWidget(self._info)
        head.addWidget(self._import)
        head.addWidget(self._train)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(head)
        layout.addWidget(self._combo)
        layout.addWidget(self._summary)

    def _choose_first(self) -> None:
        """The remembered model; else one that the layers suit, or the land cover that takes plain aerial pictures."""
        remembered = self._combo.index_of(Path(QgsSettings().value(_SETTING, "", type=str)))
        self.by_itself = remembered < 0
        if remembered >= 0:
            self._combo.setCurrentIndex(remembered)
            return
        model = fitting_model(self._combo.models(), otherwise="landcover-rgb-1m")
        if model is not None:
            self._combo.setCurrentIndex(self._combo.index_of(model.path))

    def _show(self) -> None:
        model = self._combo.current()
        self._info.setEnabled(model is not None)
        if model is None:
            self._summary.show_problem(tr("No model is installed yet; import one."))
        elif model.card is None:
            self._summary.show_problem(model.problem)
        else:
            self._summary.show_card(model.card, starter=model.path.parent == STARTERS)

    def _leave_view(self) -> None:
        if self._view is not None:
            self._view.close_down()
            self._view.deleteLater()
            self._view = None

    def _on_activated(self, _index: int) -> None:
        self.by_itself = False
        self._remember()

    def _remember(self) -> None:
        model = self.model()
        if model is not None and not self.by_itself:
            QgsSettings().setValue(_SETTING, str(model.path))

    def _on_index_changed(self, _index: int) -> None:
        self._remember()
        self._show()
        self.model_changed.emit()

    def _on_installed(self, path: str) -> None:
        self.open_file(Path(path))

    def _on_removed(self, _path: str) -> None:
        self.reload()
