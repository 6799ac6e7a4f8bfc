"""The part of the window after the press: the step in words, a bar, the log, and the verdict at the end."""

from __future__ import annotations

from typing import Optional

from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QFontDatabase
from qgis.PyQt.QtWidgets import QLabel, QPlainTextEdit, QProgressBar, QVBoxLayout, QWidget

from ...toolbox.scrub import scrubbed
from ...toolbox.setup.words import count_text, step_text
from ..shared.doctor import doctor_text, reasons_text
from ..shared.wording import DOT, tip_text, tr
from .model import SetupModel

#: Lines of the log that are shown.
_LINES = 2000


class ProgressPane(QWidget):
    """Follows the model."""

    def __init__(self, model: SetupModel, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._model = model
        self._text = QLabel(self)
        self._bar = QProgressBar(self)
        self._log = QPlainTextEdit(self)
        self._prepare()
        model.changed.connect(self.refresh)
        model.line_heard.connect(self._on_line)
        self.refresh()

    def refresh(self) -> None:
        """Show how far it is, or how it ended."""
        step = self._model.step
        if step is not None:
            self._text.setText(DOT.join(filter(None, [step_text(step), count_text(step)])))
            self._bar.setValue(round(step.percent))
        elif self._model.installing():
            self._text.setText(tr("Waiting for other tasks of QGIS…"))
            self._bar.setValue(0)
        else:
            self._text.setText(verdict_of(self._model))
            self._text.setToolTip(tip_text(reasons_text(self._model.report)))
        self._bar.setVisible(self._model.installing())

    def clear(self) -> None:
        """Begin a new log."""
        self._log.clear()
        self._text.setToolTip("")

    def show_log(self, shown: bool) -> None:
        """Show the log, or hide it."""
        self._log.setVisible(shown)

    def _prepare(self) -> None:
        self._text.setObjectName("FusionMapperSetupVerdict")
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setWordWrap(True)
        self._bar.setObjectName("FusionMapperSetupBar")
        self._bar.setAccessibleName(tr("How far the engine is set up"))
        self._log.setObjectName("FusionMapperSetupLog")
        self._log.setAccessibleName(tr("Log of the installation"))
        self._log.setReadOnly(True)
        self._log.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._log.setMaximumBlockCount(_LINES)
        self._log.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._log.setPlainText("\n".join(map(scrubbed, self._model.lines)))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self._text, self._bar):
            layout.addWidget(part)
        layout.addWidget(self._log, 1)
        layout.addStretch(0)

    def _on_line(self, line: str) -> None:
        self._log.appendPlainText(scrubbed(line))


def verdict_of(model: SetupModel) -> str:
    """How the last installation ended, in a sentence or two."""
    if model.problem:
        return model.problem
    if model.report:
        return tr("The engine is set up.") + " " + doctor_text(model.report)
    return tr("Nothing was finished; what was downloaded is kept for the next time.")
