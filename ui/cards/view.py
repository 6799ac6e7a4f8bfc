"""The card of one model, to read; from here the model is exported or removed."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Optional

from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QLabel,
    QMessageBox,
    QPushButton,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from ...inference.errors import RequestError
from ...models.library import Installed
from ...toolbox.engine.commands import EngineCommands, IsCancelled, deaf
from ...toolbox.models import is_removable, remove_model
from ..shared.engine_task import EngineTask
from ..shared.wording import tr
from .html import card_html


class CardView(QDialog):
    """Shows a model's card."""

    removed = pyqtSignal(str)
    """The model of that path is gone."""

    def __init__(
        self, model: Installed, engine: Optional[EngineCommands] = None, parent: Optional[QWidget] = None
    ) -> None:
        super().__init__(parent)
        self._model = model
        self._engine = engine
        self._task: Optional[EngineTask] = None
        self._page = QTextBrowser(self)
        self._state = QLabel(self)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, Qt.Orientation.Horizontal, self)
        self._export = QPushButton(tr("&Export…"), self)
        self._remove = QPushButton(tr("&Remove…"), self)
        self._prepare()
        layout = QVBoxLayout(self)
        layout.addWidget(self._page, 1)
        layout.addWidget(self._state)
        layout.addWidget(self._buttons)

    def export_to(self, folder: Path) -> None:
        """Copy the model with its card, and a STAC MLM item beside it, into that folder; in the background."""
        if self._task is not None:
            return
        self._say(tr("Copying the model…"))
        what = tr("Exporting {name}").format(name=self._model.label)
        self._task = EngineTask(what, partial(_export, self._model.path, folder), engine=self._engine)
        self._task.answered.connect(self._on_exported)
        self._task.failed.connect(self._say)
        self._task.ended.connect(self._on_ended)
        self._export.setEnabled(False)
        self._task.start()

    def working(self) -> bool:
        """True while the model is being copied."""
        return self._task is not None

    def close_down(self) -> None:
        """Stop asking the engine, and close."""
        if self._task is not None:
            self._task.cancel()
        self.close()

    def _prepare(self) -> None:
        self.setObjectName("FusionMapperCardView")
        self.setWindowTitle(tr("Model: {name}").format(name=self._model.label))
        self.resize(520, 560)
        self._page.setObjectName("FusionMapperCardPage")
        self._page.setAccessibleName(tr("Model card"))
        self._page.setHtml(card_html(self._model))
        self._state.setObjectName("FusionMapperCardState")
        self._state.setTextFormat(Qt.TextFormat.PlainText)
        self._state.setWordWrap(True)
        self._state.hide()
        self._export.setObjectName("FusionMapperModelExport")
        self._export.setToolTip(tr("Copies the model with its card inside, and a STAC MLM item beside it"))
        self._export.setEnabled(self._model.card is not None)
        self._remove.setObjectName("FusionMapperModelRemove")
        self._remove.setToolTip(tr("Deletes the model from the library"))
        self._buttons.addButton(self._export, QDialogButtonBox.ButtonRole.ActionRole)
        if is_removable(self._model):
            self._buttons.addButton(self._remove, QDialogButtonBox.ButtonRole.ActionRole)
        else:
            self._remove.hide()  # the box of buttons shows whatever it holds
        for button in self._buttons.buttons():
            button.setAutoDefault(False)
        self._export.clicked.connect(self._on_export)
        self._remove.clicked.connect(self._on_remove)
        self._buttons.rejected.connect(self.close)

    def _say(self, text: str) -> None:
        self._state.setText(text)
        self._state.setVisible(bool(text))

    def _on_export(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, tr("Export Model to Folder"))
        if folder:
            self.export_to(Path(folder))

    def _on_exported(self, path: str) -> None:
        self._say(tr("Copied to {path}, with a STAC MLM item beside it.").format(path=path))

    def _on_ended(self) -> None:
        self._task = None
        self._export.setEnabled(True)

    def _on_remove(self) -> None:
        box = QMessageBox(self)
        box.setObjectName("FusionMapperModelRemoveQuestion")
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle(tr("Remove Model"))
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(tr("Delete {name} from the library? Maps made with it stay.").format(name=self._model.label))
        delete = box.addButton(tr("&Delete"), QMessageBox.ButtonRole.DestructiveRole)
        box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
        box.exec()
        if box.clickedButton() is not delete:
            return
        try:
            remove_model(self._model)
        except RequestError as problem:
            self._say(str(problem))
            return
        self.removed.emit(str(self._model.path))
        self.close()


def _export(path: Path, target: Path, engine: EngineCommands, folder: Path, is_cancelled: IsCancelled) -> str:
    return engine.export(path, target, folder, deaf, is_cancelled).products["model"]
