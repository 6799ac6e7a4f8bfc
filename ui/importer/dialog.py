"""The import dialog: what a model file is, the card to complete, a trial, and the copy into the library."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Optional

from qgis.core import QgsSettings
from qgis.gui import QgsFileWidget, QgsMapCanvas
from qgis.PyQt.QtCore import QMimeData, Qt, QTimer, pyqtSignal
from qgis.PyQt.QtGui import QDragEnterEvent, QDropEvent
from qgis.PyQt.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from ...models.card import Card, card_from_dict
from ...toolbox.engine.commands import EngineCommands, IsCancelled, deaf
from ...toolbox.settings import library_folder
from ..shared.engine_task import EngineTask, Question
from ..shared.widgets import ElidedLabel
from ..shared.wording import tip_text, tr
from .card_form import CardForm
from .draft import CardDraft
from .file_facts import FileFacts
from .try_pane import TryPane

_FOLDER_SETTING = "fusion_mapper/dock/model_folder"
#: Milliseconds of quiet after which the engine looks over the card.
_SETTLE = 400
_SIZE = (1080, 670)
#: Pixels that the desktop's frame around a window takes at most.
_TITLE_BAR = 40


class ImportDialog(QDialog):
    """Imports one model file; stays open beside QGIS, so that layers can be added meanwhile.

    Args:
        canvas: the map in whose middle a model is tried.
        engine: the engine that is asked; a cold one for each question when None.
    """

    installed = pyqtSignal(str)
    """A model was installed; its path in the library."""

    def __init__(
        self, canvas: QgsMapCanvas, engine: Optional[EngineCommands] = None, parent: Optional[QWidget] = None
    ) -> None:
        super().__init__(parent)
        self._engine = engine
        self._path = Path()
        self._draft: Optional[CardDraft] = None
        self._reading: Optional[EngineTask] = None
        self._review: Optional[EngineTask] = None
        self._install_task: Optional[EngineTask] = None
        self._stale = False
        self._refused = ""
        self._file = QgsFileWidget(self)
        self._facts = FileFacts(self)
        self.form = CardForm(self)
        self.trial = TryPane(canvas, engine, self)
        self._status = ElidedLabel(self)
        self._busy = QProgressBar(self)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, Qt.Orientation.Horizontal, self)
        self._install = QPushButton(tr("&Install"), self)
        self._next = QPushButton(tr("Show &Next"), self)
        self._settled = QTimer(self)
        self._prepare()
        self._lay_out()
        self._listen()
        self._show_state()

    def open_file(self, path: Path) -> None:
        """Read a model file and offer its card for completion."""
        self._forget()
        self._path = path
        self._show_path(str(path))
        self._facts.say(tr("Reading {name}…").format(name=path.name))
        self._reading = self._ask(tr("Reading {name}").format(name=path.name), partial(_inspect, path))
        self._reading.answered.connect(partial(self._on_read, path))
        self._reading.failed.connect(self._facts.say)
        self._reading.ended.connect(partial(self._on_ended, "_reading", self._reading))
        self._reading.start()
        self._show_state()

    def draft(self) -> Optional[CardDraft]:
        """The card that is being completed; None while no file is read."""
        return self._draft

    def working(self) -> bool:
        """True while the engine is being asked."""
        return any((self._reading, self._review, self._install_task)) or self.trial.working()

    def close_down(self) -> None:
        """Stop asking the engine, and close."""
        self._forget()
        if self._install_task is not None:
            self._install_task.cancel()
        self.close()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped_model(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = dropped_model(event.mimeData())
        if path is not None:
            event.acceptProposedAction()
            self.open_file(path)

    def reject(self) -> None:
        """Close; also what a click on the window's cross comes to."""
        self._settled.stop()
        self.trial.stop()
        super().reject()

    def _prepare(self) -> None:
        self.setObjectName("FusionMapperImportDialog")
        self.setWindowTitle(tr("Import Model"))
        self.setAcceptDrops(True)
        room = self.screen().availableGeometry()
        self.resize(min(_SIZE[0], room.width()), min(_SIZE[1], room.height() - _TITLE_BAR))
        self._file.setObjectName("FusionMapperImportFile")
        self._file.setDialogTitle(tr("Choose a Model"))
        self._file.setFilter(tr("ONNX models (*.onnx)"))
        self._file.setDefaultRoot(QgsSettings().value(_FOLDER_SETTING, "", type=str))
        self._file.lineEdit().setPlaceholderText(tr("Drop an ONNX file (.onnx) here, or choose one"))
        self._status.setObjectName("FusionMapperImportStatus")
        self._busy.setObjectName("FusionMapperImportBusy")
        self._busy.setRange(0, 0)
        self._busy.setTextVisible(False)
        self._busy.setFixedSize(120, 8)
        self._next.setObjectName("FusionMapperImportNext")
        self._next.setToolTip(tr("Goes to the next field that is still open"))
        self._install.setObjectName("FusionMapperImportInstall")
        self._install.setToolTip(tr("Copies the model with its card into the library"))
        self._buttons.addButton(self._install, QDialogButtonBox.ButtonRole.ActionRole)
        self._buttons.button(QDialogButtonBox.StandardButton.Close).setObjectName("FusionMapperImportClose")
        # The Enter key ends what is being typed in a field; it must not install half a card, nor close the dialog.
        for button in (*self._buttons.buttons(), self._next):
            button.setAutoDefault(False)
        self._settled.setSingleShot(True)
        self._settled.setInterval(_SETTLE)

    def _lay_out(self) -> None:
        upper = QSplitter(Qt.Orientation.Horizontal, self)
        upper.addWidget(self._facts)
        upper.addWidget(self.form)
        upper.setSizes([320, 760])
        whole = QSplitter(Qt.Orientation.Vertical, self)
        whole.addWidget(upper)
        whole.addWidget(self.trial)
        whole.setSizes([350, 250])
        for splitter in (upper, whole):
            splitter.setChildrenCollapsible(False)
            splitter.setStretchFactor(0, 1)
        foot = QHBoxLayout()
        foot.addWidget(self._status, 1)
        foot.addWidget(self._next)
        foot.addWidget(self._busy)
        foot.addWidget(self._buttons)
        row = QHBoxLayout()
        title = QLabel(tr("Model &file"), self)
        title.setBuddy(self._file.lineEdit())
        row.addWidget(title)
        row.addWidget(self._file, 1)
        layout = QVBoxLayout(self)
        layout.addLayout(row)
        layout.addWidget(whole, 1)
        layout.addLayout(foot)

    def _listen(self) -> None:
        self._file.fileChanged.connect(self._on_file_changed)
        self._settled.timeout.connect(self._look_over)
        self._install.clicked.connect(self._on_install)
        self._next.clicked.connect(self.form.show_next_open)
        self._buttons.rejected.connect(self.close)
        self.form.refused.connect(self._on_refused)
        self.trial.busy_changed.connect(self._show_state)

    def _ask(self, what: str, question: Question) -> EngineTask:
        return EngineTask(what, question, engine=self._engine)

    def _forget(self) -> None:
        """Leave the file that was open."""
        for task in (self._reading, self._review):
            if task is not None:
                task.answered.disconnect()
                task.failed.disconnect()
                task.cancel()
        self._settled.stop()
        self.trial.clear()
        self.form.clear()
        if self._draft is not None:
            self._draft.deleteLater()
        self._draft, self._stale = None, False

    def _show_path(self, text: str) -> None:
        self._file.blockSignals(True)
        self._file.setFilePath(text)
        self._file.blockSignals(False)

    def _on_file_changed(self, text: str) -> None:
        if text.strip():
            QgsSettings().setValue(_FOLDER_SETTING, str(Path(text).parent))
            self.open_file(Path(text.strip()))

    def _on_read(self, path: Path, answer: tuple[dict[str, Any], Card]) -> None:
        report, card = answer
        self._draft = CardDraft(card, report["remarks"], self)
        self._facts.show_report(path, report, self._draft.stray_remarks())
        self.form.show_draft(self._draft, report["graph"])
        # In a turn of its own, so that neither holds QGIS up for long.
        QTimer.singleShot(0, partial(self._show_trial, self._draft))
        self._draft.changed.connect(self._on_changed)
        self._draft.noted.connect(self._show_state)
        self._look_over()

    def _show_trial(self, draft: CardDraft) -> None:
        if draft is self._draft:
            self.trial.show_draft(draft, self._path)

    def _on_refused(self, sentence: str) -> None:
        self._refused = sentence
        self._show_state()

    def _on_changed(self) -> None:
        self._refused = ""
        self._settled.start()
        self._show_state()

    def _look_over(self) -> None:
        """Have the engine hold the card against the graph; once more afterwards where it changed meanwhile."""
        if self._draft is None:
            return
        if self._review is not None:
            self._stale = True
            return
        self._stale = False
        card = self._draft.card.to_dict()
        self._review = self._ask(tr("Checking the card"), partial(_review, self._path, card))
        self._review.answered.connect(self._draft.set_problems)
        self._review.failed.connect(self._on_review_failed)
        self._review.ended.connect(partial(self._on_ended, "_review", self._review))
        self._review.start()
        self._show_state()

    def _on_review_failed(self, text: str) -> None:
        self._draft.set_problems([{"field": "", "text": text}])

    def _on_ended(self, which: str, task: EngineTask) -> None:
        # Another file may be being read by now.
        if getattr(self, which) is task:
            setattr(self, which, None)
        if which == "_review" and self._stale:
            self._look_over()
        self._show_state()

    def _show_state(self) -> None:
        problem = self._problem()
        self._install.setEnabled(not problem and not self._checking())
        self._next.setVisible(bool(self._draft and self._draft.card.blocking))
        self._busy.setVisible(any((self._reading, self._install_task)))
        self._status.setText(self._refused or problem or self._ready_text())
        self._status.setToolTip(tip_text(self._status.text()))

    def _checking(self) -> bool:
        return self._settled.isActive() or self._review is not None or self._install_task is not None

    def _problem(self) -> str:
        if self._reading is not None:
            return tr("Reading the model…")
        if self._draft is None:
            return tr("Choose a model file.")
        return self._draft.problem()

    def _ready_text(self) -> str:
        if self._install_task is not None:
            return tr("Copying the model into the library…")
        return tr("The card is complete. Try the model, or install it.")

    def _on_install(self) -> None:
        card, library = self._draft.card, library_folder()
        taken = (library / card.name).exists()
        if taken and not self._may_replace(card):
            self.form.model.name_field().setFocus()
            self.form.model.name_field().selectAll()
            return
        what = tr("Installing {name}").format(name=card.label)
        self._install_task = self._ask(what, partial(_install, self._path, library, card, taken))
        self._install_task.answered.connect(self._on_installed)
        self._install_task.failed.connect(self._on_not_installed)
        self._install_task.ended.connect(partial(self._on_ended, "_install_task", self._install_task))
        self._install_task.start()
        self._show_state()

    def _may_replace(self, card: Card) -> bool:
        box = QMessageBox(self)
        box.setObjectName("FusionMapperImportReplace")
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle(tr("Import Model"))
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(tr("A model called {name} is already installed.").format(name=card.name))
        replace = box.addButton(tr("&Replace"), QMessageBox.ButtonRole.DestructiveRole)
        other = box.addButton(tr("&Other Name"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(other)
        box.setEscapeButton(other)
        box.exec()
        return box.clickedButton() is replace

    def _on_installed(self, path: str) -> None:
        self.installed.emit(path)
        self.close()
        self._forget()
        self._show_path("")
        self._facts.clear()
        self._show_state()

    def _on_not_installed(self, text: str) -> None:
        QMessageBox.warning(self, tr("Import Model"), tip_text(text))


def dropped_model(data: Optional[QMimeData]) -> Optional[Path]:
    """The ONNX file among what is dragged; None where there is none, or more than one."""
    urls = data.urls() if data is not None and data.hasUrls() else []
    paths = [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
    models = [path for path in paths if path.suffix.lower() == ".onnx"]
    return models[0] if len(models) == 1 else None


def _inspect(
    path: Path, engine: EngineCommands, folder: Path, is_cancelled: IsCancelled
) -> tuple[dict[str, Any], Card]:
    report = engine.inspect(path, folder, deaf, is_cancelled).report
    return report, card_from_dict(report["card"], path.name)


def _review(
    path: Path, card: dict[str, Any], engine: EngineCommands, folder: Path, is_cancelled: IsCancelled
) -> list[dict[str, str]]:
    return engine.inspect(path, folder, deaf, is_cancelled, card).report["problems"]


def _install(
    path: Path,
    library: Path,
    card: Card,
    replace: bool,
    engine: EngineCommands,
    folder: Path,
    is_cancelled: IsCancelled,
) -> str:
    made = engine.install(path, library, folder, deaf, is_cancelled, card.to_dict(), replace)
    return made.products["model"]
