"""The log of one run: what it said, its warnings, and the engine's own error output, as plain text."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from qgis.PyQt.QtGui import QFontDatabase, QGuiApplication
from qgis.PyQt.QtWidgets import QDialog, QDialogButtonBox, QPlainTextEdit, QVBoxLayout, QWidget

from ...inference.errors import RequestError
from ..shared.background import Background
from ..shared.engine_line import session_text
from ..shared.wording import tr
from .state import Run
from .words import told, when_text

#: Bytes of the engine's log that are shown, from its end.
TAIL = 200_000
#: Pixels.
_SIZE = (620, 420)


class RunLog(QDialog):
    """Shows the log of `run`; stays open beside the map."""

    def __init__(self, run: Run, files: Background, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._run = run
        self._files = files
        self._engine = ""
        self._text = QPlainTextEdit(self)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        self.setObjectName("FusionMapperRunLog")
        self.setWindowTitle(tr("Log of {run}").format(run=run.title))
        self._lay_out()
        self.refresh()

    def refresh(self) -> None:
        """Show what there is by now."""
        self._show()
        self._files.ask(lambda: _tail(self._run.request.folder / "engine.log"), self._on_read)

    def _lay_out(self) -> None:
        self._text.setObjectName("FusionMapperRunLogText")
        self._text.setReadOnly(True)
        self._text.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)
        self._text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._text.setAccessibleName(self.windowTitle())
        copy = self._buttons.addButton(tr("&Copy"), QDialogButtonBox.ButtonRole.ActionRole)
        copy.setObjectName("FusionMapperRunLogCopy")
        copy.setToolTip(tr("Copy the whole log to the clipboard"))
        copy.clicked.connect(self._on_copy)
        self._buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self._text)
        layout.addWidget(self._buttons)
        self.resize(*_SIZE)

    def _show(self) -> None:
        bar = self._text.verticalScrollBar()
        place = bar.value()
        self._text.setPlainText(log_text(self._run, self._engine))
        bar.setValue(place)

    def _on_read(self, text: object) -> None:
        self._engine = str(text)
        self._show()

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self._text.toPlainText())


def log_text(run: Run, engine: str) -> str:
    """The run's log; `engine` is the engine's error output."""
    head = [run.title, tr("Started: {when}").format(when=when_text(run.created)), told(run, notes=False)]
    if run.session is not None:
        head.append(tr("Device: {device}").format(device=session_text(run.session)))
        head.append(run.session.reason)
    head.append(tr("Model: {path}").format(path=run.request.model))
    head.append(tr("Folder: {path}").format(path=run.request.folder))
    if run.project:
        head.append(tr("Project: {path}").format(path=run.project))
    parts = [(tr("Messages"), run.messages), (tr("Notes"), run.warnings), (tr("Engine"), engine.splitlines())]
    blocks = ["\n".join([title, *lines]) for title, lines in parts if lines]
    return "\n\n".join(["\n".join(line for line in head if line), *blocks])


def _tail(path: Path) -> str:
    """The end of a log file; empty where there is none yet."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - TAIL))
            return stream.read().decode("utf-8", "replace").strip()
    except FileNotFoundError:
        return ""
    except OSError as problem:
        raise RequestError(f"{path} cannot be read: {problem.strerror}.") from problem
