"""The options page's row for the environment: what there is, and set up, update, repair, remove."""

from __future__ import annotations

from typing import Optional

from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QHBoxLayout, QLabel, QMessageBox, QPushButton, QVBoxLayout, QWidget

from ...toolbox.setup.state import State, engine_folder, read_stamp
from ...toolbox.setup.words import layer_title, step_text
from ..shared.wording import tr
from .dialog import SetupDialog
from .model import SetupModel


class SetupField(QWidget):
    """Follows the model, and opens the window."""

    def __init__(self, model: SetupModel, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._model = model
        self._text = QLabel(self)
        self._button = QPushButton(self)
        self._remove = QPushButton(tr("&Remove…"), self)
        self._dialog: Optional[SetupDialog] = None
        self._question: Optional[QMessageBox] = None
        self._prepare()
        model.changed.connect(self.refresh)
        model.refresh()

    def refresh(self) -> None:
        """Show how things stand."""
        self._text.setText(_state_text(self._model))
        self._button.setText(_button_text(self._model.state))
        there = self._model.state not in (State.ABSENT, State.BUSY)
        self._remove.setEnabled(there and not self._model.installing())
        self._button.setEnabled(self._model.state is not State.BUSY)

    def _prepare(self) -> None:
        self._text.setObjectName("FusionMapperEnvironmentState")
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setWordWrap(True)
        self._text.setToolTip(str(engine_folder()))
        self._button.setObjectName("FusionMapperEnvironmentSetUp")
        self._remove.setObjectName("FusionMapperEnvironmentRemove")
        self._remove.setToolTip(tr("Deletes the engine's environment; models, runs and maps stay"))
        self._button.clicked.connect(self._on_set_up)
        self._remove.clicked.connect(self._on_remove)
        self.setFocusProxy(self._button)
        row = QHBoxLayout()
        row.addWidget(self._button)
        row.addWidget(self._remove)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self._text)
        layout.addLayout(row)

    def _on_set_up(self) -> None:
        if self._dialog is None:
            self._dialog = SetupDialog(self._model, self)
        self._dialog.ask()

    def _on_remove(self) -> None:
        question = QMessageBox(self)
        question.setObjectName("FusionMapperRemoveEngine")
        question.setIcon(QMessageBox.Icon.Question)
        question.setWindowTitle(tr("Remove the Engine"))
        question.setText(tr("Delete the engine's environment? Models, runs and maps stay; it can be set up again."))
        question.setStandardButtons(QMessageBox.StandardButton.Cancel)
        yes = question.addButton(tr("&Remove"), QMessageBox.ButtonRole.DestructiveRole)
        yes.setObjectName("FusionMapperRemoveEngineYes")
        yes.clicked.connect(self._model.remove)
        # Not exec: nothing waits for the answer.
        question.open()
        self._question = question


def _state_text(model: SetupModel) -> str:
    if model.step is not None:
        return step_text(model.step)
    if model.installing():
        return tr("Waiting for other tasks of QGIS…")
    stamp = read_stamp(engine_folder())
    if model.problem:
        return model.problem
    if model.state in (State.READY, State.OUTDATED) and stamp is not None:
        text = tr("{device}, with training, Python {version}") if stamp.training else tr("{device}, Python {version}")
        told = text.format(device=layer_title(stamp.layer), version=stamp.version)
        if model.state is State.OUTDATED:
            return tr("Set up for another version of Fusion Mapper ({what}).").format(what=told)
        if not model.in_use():
            return tr("Set up ({what}), but the Python named below is used.").format(what=told)
        return tr("Set up ({what}).").format(what=told)
    return {
        State.BUSY: tr("Another QGIS with this profile is setting up the engine."),
        State.UNFINISHED: tr("Setting up was interrupted; what was downloaded is still there."),
        State.BROKEN: tr("Its Python has gone, as it may after an update of QGIS."),
    }.get(model.state, tr("Not set up."))


def _button_text(state: State) -> str:
    return {
        State.UNFINISHED: tr("&Go On…"),
        State.OUTDATED: tr("&Update…"),
        State.READY: tr("&Repair or Change…"),
        State.BROKEN: tr("&Repair…"),
    }.get(state, tr("&Set Up…"))
