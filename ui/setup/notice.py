"""The panel's one sentence and one button where the engine is missing, old or broken."""

from __future__ import annotations

from typing import Optional

from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from ...toolbox.setup.state import State
from ...toolbox.setup.words import count_text, step_text
from ..shared.wording import DOT, tr
from .model import SetupModel


class SetupNotice(QWidget):
    """To be seen only while something is to be done about the engine, or is being done."""

    setup_asked = pyqtSignal()

    def __init__(self, model: SetupModel, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._model = model
        self._text = QLabel(self)
        self._bar = QProgressBar(self)
        self._button = QPushButton(tr("&Set Up Engine…"), self)
        self._prepare()
        model.changed.connect(self.refresh)
        self.refresh()

    def focus_chain(self) -> list[QWidget]:
        """What the Tab key goes through, in order."""
        return [self._button]

    def refresh(self) -> None:
        """Show how things stand."""
        step = self._model.step
        sentence, button = notice_of(self._model)
        if step is not None:
            sentence, button = DOT.join(filter(None, [step_text(step), count_text(step)])), tr("&Show…")
            self._bar.setValue(round(step.percent))
        self._bar.setVisible(step is not None)
        self._text.setText(sentence)
        self._button.setText(button or self._button.text())
        self._button.setVisible(bool(button))
        self.setVisible(bool(sentence))

    def _prepare(self) -> None:
        self.setObjectName("FusionMapperSetupNotice")
        self._text.setObjectName("FusionMapperSetupText")
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        self._text.setWordWrap(True)
        self._bar.setTextVisible(False)
        self._bar.setMaximumHeight(8)
        self._bar.setAccessibleName(tr("How far the engine is set up"))
        self._button.setObjectName("FusionMapperSetupButton")
        self._button.setToolTip(tr("Shows what would be installed, how large and where; nothing is fetched before"))
        self._button.clicked.connect(self.setup_asked)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 4)
        layout.setSpacing(5)
        for part in (self._text, self._bar, self._button):
            layout.addWidget(part)


def notice_of(model: SetupModel) -> tuple[str, str]:
    """The sentence and the button's words; empty where all is well."""
    if model.state is State.BUSY:
        return tr("Another QGIS with this profile is setting up the engine."), ""
    if model.state is State.UNFINISHED:
        return tr("Setting up the engine was interrupted; what was downloaded is still there."), tr("&Go On…")
    if model.state is State.OUTDATED and model.in_use():
        return tr("The engine was set up for another version of Fusion Mapper."), tr("&Update Engine…")
    if model.engine_is_there():
        return "", ""
    if model.state is State.BROKEN:
        return tr("The engine's Python has gone, as it may after an update of QGIS."), tr("&Repair Engine…")
    sentence = tr("Maps are made by an engine in a Python environment of its own, which is not set up yet.")
    return sentence, tr("&Set Up Engine…")
