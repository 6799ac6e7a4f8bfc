"""From a result layer, or a run, to its summary and report; the layers keep the way through the project file."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Optional

from qgis.core import Qgis, QgsMapLayer, QgsMapLayerType, QgsProject
from qgis.gui import QgisInterface
from qgis.PyQt.QtCore import QObject, QUrl
from qgis.PyQt.QtGui import QDesktopServices
from qgis.PyQt.QtWidgets import QAction

from ...inference.errors import FusionMapperError, RequestError
from ...inference.record import RunRecord, read_record
from ...toolbox.results.report import write_report
from ...toolbox.results.run_layers import figures_of, herald, is_result, run_folder_of
from ..shared.errand_task import Errand, ErrandTask
from ..shared.wording import LOG_TAG, theme_icon, tr
from .summary_panel import SummaryPanel

_KINDS = (QgsMapLayerType.RasterLayer, QgsMapLayerType.VectorLayer)


class ResultDesk(QObject):
    """Opens summaries and reports, and offers them in the context menus of result layers."""

    def __init__(self, iface: QgisInterface, parent: Optional[QObject] = None) -> None:
        super().__init__(parent)
        self._iface = iface
        self._tasks: set[ErrandTask] = set()
        self._panels: dict[Path, SummaryPanel] = {}
        self._closed = False
        self._actions = (
            self._action("Summary", tr("Show Summary"), "mActionSum.svg", self._on_summary),
            self._action("Report", tr("Open Report"), "mActionFilePrint.svg", self._on_report),
        )
        for action in self._actions:
            for kind in _KINDS:
                iface.addCustomActionForLayerType(action, LOG_TAG, kind, False)
        for layer in QgsProject.instance().mapLayers().values():
            self._offer(layer)
        QgsProject.instance().layersAdded.connect(self._on_layers_added)
        herald.layer_finished.connect(self._offer)

    def show_summary(self, folder: Path, kept: Optional[RunRecord] = None) -> None:
        """Show the figures of the run in `folder`, beside the map; at once where they are open already.

        Where the folder is gone, what a layer `kept` of them is shown.
        """
        if folder in self._panels:
            self._bring_forward(folder)
            return
        self._start(
            tr("Reading the summary"), lambda _: _record(folder, kept), lambda record: self._show(folder, record)
        )

    def open_report(self, folder: Path) -> None:
        """Write the report of the run in `folder` anew, and open it in the browser."""
        context = QgsProject.instance().transformContext()
        self._start(
            tr("Writing the report"),
            lambda is_cancelled: write_report(folder, None, context, is_cancelled),
            self._open,
        )

    def working(self) -> bool:
        """True while something is read or written."""
        return bool(self._tasks)

    def close_down(self) -> None:
        """Take everything out of QGIS again."""
        self._closed = True
        QgsProject.instance().layersAdded.disconnect(self._on_layers_added)
        herald.layer_finished.disconnect(self._offer)
        for action in self._actions:
            # One call for each kind of layer.
            while self._iface.removeCustomActionForLayerType(action):
                continue
            action.deleteLater()
        for panel in list(self._panels.values()):
            panel.close()
        for task in list(self._tasks):
            task.cancel()

    def _action(self, name: str, text: str, icon: str, deed: Callable[[], None]) -> QAction:
        action = QAction(theme_icon(icon), text, self._iface.mainWindow())
        action.setObjectName(f"FusionMapperLayer{name}")
        action.triggered.connect(lambda: deed())
        return action

    def _on_summary(self) -> None:
        layer = self._iface.activeLayer()
        if is_result(layer):
            self.show_summary(run_folder_of(layer), figures_of(layer))

    def _on_report(self) -> None:
        layer = self._iface.activeLayer()
        if is_result(layer):
            self.open_report(run_folder_of(layer))

    def _on_layers_added(self, layers: list[QgsMapLayer]) -> None:
        for layer in layers:
            self._offer(layer)

    def _offer(self, layer: QgsMapLayer) -> None:
        if is_result(layer):
            for action in self._actions:
                self._iface.addCustomActionForLayer(action, layer)

    def _start(self, description: str, errand: Errand, answer: Callable[[object], object]) -> None:
        task = ErrandTask(description, errand)
        self._tasks.add(task)
        task.answered.connect(lambda found: None if self._closed else answer(found))
        task.failed.connect(self._say)
        task.ended.connect(lambda: self._tasks.discard(task))
        task.start()

    def _show(self, folder: Path, record: RunRecord) -> None:
        if folder in self._panels:
            # It was asked for twice before it was read.
            self._bring_forward(folder)
            return
        if not record.areas:
            self._say(tr("This run made no map of a model, so there is nothing to sum up."))
            return
        panel = SummaryPanel(folder, record, self._iface.mainWindow())
        panel.report_asked.connect(self.open_report)
        panel.save_asked.connect(self._save)
        panel.destroyed.connect(lambda: self._panels.pop(folder, None))
        self._panels[folder] = panel
        panel.show()

    def _bring_forward(self, folder: Path) -> None:
        self._panels[folder].raise_()
        self._panels[folder].activateWindow()

    def _open(self, path: Path) -> None:
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(path))):
            self._say(tr("No program of this system opens the report; it is {path}.").format(path=path))

    def _save(self, path: Path, text: str) -> None:
        # The mark at the front tells spreadsheets that it is UTF-8.
        self._start(tr("Saving the table"), lambda _: _write(path, text), lambda _: None)

    def _say(self, sentence: str) -> None:
        if not self._closed:
            self._iface.messageBar().pushMessage(LOG_TAG, escape(sentence, quote=False), Qgis.MessageLevel.Warning)


def _record(folder: Path, kept: Optional[RunRecord]) -> RunRecord:
    try:
        return read_record(folder)
    except RequestError:
        if kept is None:
            raise
        return kept


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8-sig", newline="")
    except OSError as problem:
        sentence = tr("{path} cannot be written: {reason}.").format(path=path, reason=problem.strerror)
        raise FusionMapperError(sentence) from problem
