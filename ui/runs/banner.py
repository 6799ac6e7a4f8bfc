"""The run's item in QGIS's message bar: progress with Cancel and Details, then how it ended. It only listens."""

from __future__ import annotations

from html import escape
from typing import Optional

from qgis.core import Qgis
from qgis.gui import QgsMessageBar, QgsMessageBarItem
from qgis.PyQt.QtCore import QObject, pyqtBoundSignal, pyqtSignal
from qgis.PyQt.QtWidgets import QProgressBar, QPushButton, QWidget

from ..shared.wording import LOG_TAG, tr
from .model import Run, RunModel, RunState
from .words import brief_text

#: Seconds for which a run that went well is announced.
ANNOUNCE = 8
#: Pixels; the text beside it says more.
PROGRESS_WIDTH = 90


class RunBanner(QObject):
    """Keeps one item for the run that is running, and announces how runs end."""

    summary_asked = pyqtSignal(int)
    report_asked = pyqtSignal(int)
    details_asked = pyqtSignal(int)

    def __init__(self, model: RunModel, bar: QgsMessageBar, parent: Optional[QObject] = None) -> None:
        super().__init__(parent)
        self._model = model
        self._bar = bar
        self._item: Optional[QgsMessageBarItem] = None
        self._progress: Optional[QProgressBar] = None
        self._number: Optional[int] = None
        model.run_changed.connect(self._on_run_changed)
        model.run_ended.connect(self._on_run_ended)

    def close_down(self) -> None:
        """Take the item out of the bar, and listen no more."""
        self._model.run_changed.disconnect(self._on_run_changed)
        self._model.run_ended.disconnect(self._on_run_ended)
        self._take_out()

    def _on_run_changed(self, number: int) -> None:
        run = self._model.run(number)
        if run.state is not RunState.RUNNING:
            return
        if self._number != number:
            self._take_out()
            self._put_in(run)
        if self._item is not None:
            self._item.setText(brief_text(run))
            self._progress.setValue(int(run.percent))

    def _on_run_ended(self, number: int) -> None:
        if self._number == number:
            self._take_out()
        run = self._model.run(number)
        if run.state is RunState.FAILED:
            self._announce(run, run.sentence, Qgis.MessageLevel.Critical, 0)
        elif run.state is RunState.FINISHED:
            self._announce(run, brief_text(run), Qgis.MessageLevel.Success, ANNOUNCE)

    def _put_in(self, run: Run) -> None:
        # Without a title: stage and time left need the room on a small screen.
        item = self._bar.createMessage(brief_text(run))
        item.setObjectName("FusionMapperBanner")
        self._progress = QProgressBar(item)
        self._progress.setObjectName("FusionMapperBannerProgress")
        self._progress.setRange(0, 100)
        self._progress.setFixedWidth(PROGRESS_WIDTH)
        cancel = QPushButton(tr("Cancel"), item)
        cancel.setObjectName("FusionMapperBannerCancel")
        number = run.number
        cancel.clicked.connect(lambda: self._model.cancel(number))
        for part in (self._progress, cancel, self._details_button(number, item)):
            item.layout().addWidget(part)
        # The user may close the item at any time; the run goes on without it.
        item.destroyed.connect(self._on_item_destroyed)
        self._item, self._number = item, number
        self._bar.pushWidget(item, Qgis.MessageLevel.Info)

    def _announce(self, run: Run, text: str, level: Qgis.MessageLevel, seconds: int) -> None:
        went_well = run.state is RunState.FINISHED
        # Without a title beside its three buttons, which a small screen has no room for.
        item = (
            self._bar.createMessage(text) if went_well else self._bar.createMessage(LOG_TAG, escape(text, quote=False))
        )
        if went_well:
            for name, text, asked in (
                ("Summary", tr("Summary"), self.summary_asked),
                ("Report", tr("Report"), self.report_asked),
            ):
                item.layout().addWidget(self._button(name, text, asked, run.number, item))
        item.layout().addWidget(self._details_button(run.number, item))
        self._bar.pushWidget(item, level, seconds)

    def _details_button(self, number: int, parent: QWidget) -> QPushButton:
        return self._button("Details", tr("Details"), self.details_asked, number, parent)

    def _button(self, name: str, text: str, asked: pyqtBoundSignal, number: int, parent: QWidget) -> QPushButton:
        button = QPushButton(text, parent)
        button.setObjectName(f"FusionMapperBanner{name}")
        button.clicked.connect(lambda: asked.emit(number))
        return button

    def _take_out(self) -> None:
        item, self._item = self._item, None
        self._progress = None
        self._number = None
        if item is not None:
            item.destroyed.disconnect(self._on_item_destroyed)
            self._bar.popWidget(item)

    def _on_item_destroyed(self) -> None:
        self._item = None
        self._progress = None
