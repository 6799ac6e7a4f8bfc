"""The right half of the training dialog: the curve, how far the training is, and what came of it."""

from __future__ import annotations

from typing import Optional

from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from ...inference.events import Epoch
from ..shared.widgets import BriefLabel, heading, make_small
from ..shared.wording import DOT, count_text, seconds_text, tip_text, tr, whole_seconds_text
from .curve import Curve
from .figures import FiguresView, read_figures
from .work import TrainingState, TrainingWork

#: Lines for what the engine warns of; all of it is in the tooltip.
_WARNING_LINES = 3


class TrainingWatch(QWidget):
    """Watches one training after the other."""

    map_asked = pyqtSignal()
    """The model that was trained is to map."""
    evaluate_asked = pyqtSignal()

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self.curve = Curve(self)
        self._work: Optional[TrainingWork] = None
        self._warnings: list[str] = []
        self._title = heading("", self)
        self._state = QLabel(self)
        self._bar = QProgressBar(self)
        self._warning = BriefLabel(_WARNING_LINES, self)
        self.figures = FiguresView(self)
        self._map = QPushButton(tr("&Map with This Model"), self)
        self._evaluate = QPushButton(tr("E&valuate…"), self)
        self._prepare()
        self._lay_out()
        self._map.clicked.connect(self.map_asked)
        self._evaluate.clicked.connect(self.evaluate_asked)
        self._show()

    def focus_chain(self) -> list[QWidget]:
        """What the Tab key goes through, in order."""
        return [self._map, self._evaluate]

    def follow(self, work: TrainingWork, anew: bool = True) -> None:
        """Watch this training; one that goes on keeps the curve of before."""
        self._work, self._warnings = work, []
        if anew:
            self.curve.clear()
        work.epoch_heard.connect(self.curve.add)
        work.stage_told.connect(self._on_stage)
        work.warning_told.connect(self._on_warning)
        work.state_changed.connect(self._show)
        self._on_stage(tr("Starting the engine…"))
        self._show()

    def _prepare(self) -> None:
        self._title.setTextFormat(Qt.TextFormat.PlainText)
        self._state.setObjectName("FusionMapperTrainState")
        self._state.setWordWrap(True)
        self._state.setTextFormat(Qt.TextFormat.PlainText)
        self._bar.setObjectName("FusionMapperTrainProgress")
        self._bar.setAccessibleName(tr("Epochs of the training"))
        self._bar.setTextVisible(False)
        self._bar.setMaximumHeight(8)
        self._warning.setObjectName("FusionMapperTrainWarnings")
        make_small(self._warning)
        self._map.setObjectName("FusionMapperTrainMap")
        self._map.setToolTip(tr("Chooses the model in the panel, where Run makes the map"))
        self._evaluate.setObjectName("FusionMapperTrainEvaluate")
        self._evaluate.setToolTip(
            tr("Judges the model by reference labels, in a report; take labels that it has not learned from")
        )
        for button in (self._map, self._evaluate):
            button.setAutoDefault(False)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addWidget(self._title)
        layout.addWidget(self.curve, 1)
        layout.addWidget(self._bar)
        layout.addWidget(self._state)
        layout.addWidget(self._warning)
        layout.addWidget(self.figures)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self._map)
        row.addWidget(self._evaluate)
        layout.addLayout(row)

    def _on_stage(self, text: str) -> None:
        # With the first epoch the curve tells more than words do.
        if self._work is not None and not (self._work.epochs and self._work.active):
            self._state.setText(text)

    def _on_warning(self, text: str) -> None:
        if text not in self._warnings:
            self._warnings.append(text)
            self._show()

    def _show(self) -> None:
        work = self._work
        finished = work is not None and work.state is TrainingState.FINISHED
        self._map.setVisible(finished)
        self._evaluate.setVisible(finished)
        self._title.setText(work.request.name if work else "")
        self._warning.setText(" ".join(self._warnings))
        self._warning.setToolTip(tip_text("\n".join(self._warnings)))
        self._warning.setVisible(bool(self._warnings))
        self._bar.setVisible(work is not None and work.active)
        for part in (self._title, self._state):
            part.setVisible(work is not None)
        self.figures.show_figures(read_figures(str(work.results.get("FIGURES", ""))) if finished else None)
        if work is None:
            return
        self._show_progress(work)
        if not work.active:
            self.curve.end()
        text = state_text(work, self.curve.epochs(), self.curve.best())
        if text:
            self._state.setText(text)

    def _show_progress(self, work: TrainingWork) -> None:
        epochs = self.curve.epochs()
        going = work.state is TrainingState.RUNNING and work.epochs and epochs
        # Without an end in sight the bar goes to and fro.
        self._bar.setRange(0, epochs[-1].total if going else 0)
        self._bar.setValue(epochs[-1].index if going else 0)


def state_text(work: TrainingWork, epochs: list[Epoch], best: Optional[Epoch]) -> str:
    """How the training stands, in one line; empty while only the engine's stage is known."""
    state = work.state
    if state is TrainingState.RUNNING:
        return progress_text(epochs[-1], best) if work.epochs and epochs else ""
    if state is TrainingState.FAILED:
        return work.sentence
    texts = {
        TrainingState.STOPPING: tr("Stopping; the best epoch so far becomes the model…"),
        TrainingState.CANCELLING: tr("Cancelling…"),
    }
    if state is TrainingState.CANCELLED:
        count = count_text(len(epochs), tr("1 epoch"), tr("{count} epochs"))
        text = tr("Cancelled after {epochs}, which are kept: Resume goes on from there.")
        return text.format(epochs=count) if epochs else tr("Cancelled before the first epoch was done.")
    if state is TrainingState.FINISHED:
        text = tr("Trained in {time}. The model is in the list of models; these are its figures.")
        return text.format(time=seconds_text(work.seconds))
    return texts[state]


def progress_text(epoch: Epoch, best: Optional[Epoch]) -> str:
    """How far it is, its last numbers and how long it takes."""
    parts = [
        tr("Epoch {index} of {total}").format(index=epoch.index, total=epoch.total),
        tr("loss {number}").format(number=f"{epoch.loss:.3f}"),
        f"{epoch.metric} {epoch.score:.3f}",
    ]
    if best is not None and best.index != epoch.index:
        parts.append(tr("best {number} in epoch {index}").format(number=f"{best.score:.3f}", index=best.index))
    if epoch.remaining is not None:
        parts.append(tr("{time} left").format(time=whole_seconds_text(epoch.remaining)))
    return DOT.join(parts)
