"""The panel: from a model and the layers on the map to a run. It puts its parts together and listens to them."""

from __future__ import annotations

from functools import partial
from html import escape
from pathlib import Path
from typing import Optional

from qgis.core import QgsCoordinateReferenceSystem, QgsProject, QgsRectangle
from qgis.gui import QgisInterface, QgsDockWidget
from qgis.PyQt.QtCore import Qt, QTimer
from qgis.PyQt.QtGui import QShowEvent
from qgis.PyQt.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from ..toolbox.engine.warm import WarmEngine
from ..toolbox.results.project import add_run_to_project
from .area.picker import AreaPicker
from .dock_tools import DockTools
from .first_steps import SAMPLE_MODEL, FirstSteps
from .inputs.engine_check import EngineCheck
from .inputs.preflight import Verdict
from .inputs.preselect import fill_rows
from .inputs.slot_list import SlotList
from .models.picker import ModelPicker
from .options.page import PAGE
from .preview.bar import PreviewButton, PreviewLine
from .preview.live_blocks import LiveBlocks
from .preview.preview import Preview, PreviewState
from .request import make_request
from .results.desk import ResultDesk
from .results.picker import ResultPicker
from .runs.actions import RunActions
from .runs.banner import RunBanner
from .runs.list import RunList
from .runs.model import RunModel, RunRequest, RunState
from .setup.dialog import SetupDialog
from .setup.model import SetupModel
from .setup.notice import SetupNotice
from .shared.engine_line import EngineLine
from .shared.farewell import wait_until
from .shared.widgets import BriefLabel, ColumnScroll, WheelGuard, heading
from .shared.wording import tip_text, tr
from .training.desk import TrainingDesk

#: Milliseconds of quiet after which changes of map, layers and choices are looked at together.
SETTLE = 120
#: Lines for why a run cannot be started; more would push the panel's choices away.
REASON_LINES = 2


class FusionDock(QgsDockWidget):
    """Choose a model, a layer for each of its slots, an area and results; run, watch, cancel."""

    def __init__(self, iface: QgisInterface, parent: Optional[QWidget] = None) -> None:
        super().__init__(tr("Fusion Mapper"), parent)
        self.setObjectName("FusionMapperDock")
        self._iface = iface
        self.warm = WarmEngine()
        self.setup = SetupModel(self)
        self._setup_notice = SetupNotice(self.setup, self)
        self._setup_dialog = SetupDialog(self.setup, iface.mainWindow())
        self.first_steps = FirstSteps(self.warm, self)
        self.tools = DockTools(self)
        self.runs = RunModel(self)
        self.model = ModelPicker(iface.mapCanvas(), self.warm, self)
        self.slots = SlotList(self)
        self.area = AreaPicker(iface.mapCanvas(), self)
        self.results = ResultPicker(self)
        self._reason = BriefLabel(REASON_LINES, self)
        self.preview = Preview(iface.mapCanvas(), self.warm, self)
        self._preview_line = PreviewLine(self.preview, self)
        self._preview_button = PreviewButton(self.preview, self)
        self._run = QPushButton(tr("&Run"), self)
        self.live_blocks = LiveBlocks(self.runs, iface.mapCanvas(), self)
        self._run_list = RunList(self.runs, self)
        self.run_actions = RunActions(self.runs, self)
        self.result_desk = ResultDesk(iface, self)
        self.training = TrainingDesk(iface, self)
        self.engine = EngineLine(self.warm, self)
        self.check = EngineCheck(self.warm, self)
        self._banner = RunBanner(self.runs, iface.messageBar(), self)
        self._settled = QTimer(self)
        self._wheel = WheelGuard(self)
        self._unmatched = True
        self._closed = False
        self._prepare()
        self._lay_out()
        self._listen()
        self._on_model_changed()

    def close_down(self) -> None:
        """End all runs and the engine with them, and listen no more; called when the plugin is unloaded."""
        if self._closed:
            return
        self._closed = True
        self._settled.stop()
        QgsProject.instance().layersAdded.disconnect(self._on_layers_added)
        self.runs.close_down()
        self.engine.close_down()
        self.setup.close_down()
        self._setup_dialog.deleteLater()
        self.check.close_down()
        self.model.close_down()
        self.first_steps.close_down()
        self._banner.close_down()
        self.area.close_down()
        self.live_blocks.close_down()
        self.preview.close_down()
        self.run_actions.close_down()
        self.result_desk.close_down()
        self.training.close_down()
        self.warm.close_down()
        self._wait_for_tasks()
        self.check.let_go()
        self.runs.let_go()
        self.training.let_go()

    def take_settings(self) -> None:
        """Follow the options, which may have been changed."""
        self.model.reload()
        self.results.options.take_settings()
        self.live_blocks.take_settings()
        self.setup.refresh()
        self.engine.ask_again()
        self._settled.start()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.setup.refresh()
        self.engine.ask()
        self._settled.start()

    def _prepare(self) -> None:
        self._run.setObjectName("FusionMapperRunButton")
        self._run.setDefault(True)
        self._reason.setObjectName("FusionMapperReason")
        self._reason.setTextFormat(Qt.TextFormat.PlainText)
        self._settled.setSingleShot(True)
        self._settled.setInterval(SETTLE)

    def _lay_out(self) -> None:
        choices = QWidget(self)
        upper = QVBoxLayout(choices)
        upper.setContentsMargins(6, 6, 6, 2)
        upper.setSpacing(5)
        for part in (self._setup_notice, self.first_steps, self.model):
            upper.addWidget(part)
        for title, part in ((tr("Inputs"), self.slots), (tr("Area"), self.area), (tr("Results"), self.results)):
            upper.addWidget(heading(title, choices))
            upper.addWidget(part)
        upper.addStretch(1)
        scroll = ColumnScroll(choices, self)
        scroll.setObjectName("FusionMapperChoices")
        whole = QWidget(self)
        layout = QVBoxLayout(whole)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(scroll, 1)
        layout.addLayout(self._foot())
        self.setWidget(whole)

    def _foot(self) -> QVBoxLayout:
        foot = QVBoxLayout()
        foot.setContentsMargins(6, 0, 6, 4)
        foot.setSpacing(4)
        buttons = QHBoxLayout()
        buttons.addWidget(self._preview_button)
        buttons.addWidget(self._run)
        for part in (self._reason, self._preview_line):
            foot.addWidget(part)
        foot.addLayout(buttons)
        foot.addWidget(self._run_list)
        last = QHBoxLayout()
        last.addWidget(self.engine, 1)
        last.addWidget(self.tools)
        foot.addLayout(last)
        return foot

    def _listen(self) -> None:
        self.model.model_changed.connect(self._on_model_changed)
        self.model.train_asked.connect(self.training.open)
        self.training.model_asked.connect(self._on_model_asked)
        self.slots.choice_changed.connect(self._settled.start)
        self.area.area_changed.connect(self._settled.start)
        self.results.results_changed.connect(self._settled.start)
        self.engine.engine_changed.connect(self._settled.start)
        self._setup_notice.setup_asked.connect(self._setup_dialog.ask)
        self.setup.engine_going.connect(self.warm.let_go)
        self.setup.engine_changed.connect(self.engine.ask_again)
        self.first_steps.scene_opened.connect(self._on_scene_opened)
        self.tools.options_asked.connect(self._on_options_asked)
        self.check.verdicts_changed.connect(self._on_checked)
        self.check.report_changed.connect(self.area.show_report)
        self.check.failed.connect(self.slots.show_trouble)
        self._settled.timeout.connect(self._on_settled)
        self.results.options.blocks_toggled.connect(self.live_blocks.set_shown)
        self._run.clicked.connect(self._on_run)
        self._preview_button.preview_asked.connect(self._on_preview)
        self.preview.preview_changed.connect(self._on_preview_changed)
        self.runs.run_ended.connect(self._on_run_ended)
        self.runs.event_heard.connect(self._on_event_heard)
        self.run_actions.follow(self._run_list)
        self.run_actions.add_asked.connect(self._on_add_asked)
        self.run_actions.trouble.connect(self._on_trouble)
        self._banner.details_asked.connect(self.run_actions.show_log)
        for part in (self.run_actions, self._banner):
            part.summary_asked.connect(self._on_summary_asked)
            part.report_asked.connect(self._on_report_asked)
        QgsProject.instance().layersAdded.connect(self._on_layers_added)

    def _on_model_changed(self) -> None:
        model = self.model.model()
        card = model.card if model else None
        self.preview.clear()
        self.slots.show_card(card)
        self.results.show_card(card)
        self._wheel.protect(self)
        self._set_tab_order()
        self._unmatched = True
        self._on_settled()

    def _on_model_asked(self, path: str) -> None:
        """Choose a model that was trained, and show the panel with which it maps."""
        self.model.open_file(Path(path))
        self.show()
        self.raise_()

    def _set_tab_order(self) -> None:
        parts = (self._setup_notice, self.first_steps, self.model, self.slots, self.area, self.results)
        chain = [widget for part in parts for widget in part.focus_chain()]
        chain += [*self._preview_line.focus_chain(), self._preview_button]
        chain += [self._run, *self._run_list.focus_chain(), *self.tools.focus_chain()]
        for first, second in zip(chain, chain[1:]):
            QWidget.setTabOrder(first, second)

    def _on_scene_opened(self, extent: QgsRectangle, crs: QgsCoordinateReferenceSystem, said: str) -> None:
        self.model.open_file(SAMPLE_MODEL)
        self._iface.messageBar().pushInfo(tr("Fusion Mapper"), said)
        # Not yet: QGIS itself takes its CRS and view from the first layers, once they are all in.
        QTimer.singleShot(0, partial(self._look_at, extent, crs))

    def _look_at(self, extent: QgsRectangle, crs: QgsCoordinateReferenceSystem) -> None:
        QgsProject.instance().setCrs(crs)
        self._iface.mapCanvas().setDestinationCrs(crs)
        self._iface.mapCanvas().setExtent(extent)
        self._iface.mapCanvas().refresh()

    def _on_options_asked(self) -> None:
        self._iface.showOptionsDialog(self._iface.mainWindow(), PAGE)

    def _on_layers_added(self, _layers: object) -> None:
        # Not here: they are told before they are in the layer tree.
        self._unmatched = True
        self._settled.start()

    def _on_settled(self) -> None:
        if self._unmatched:
            self._unmatched = False
            self.model.choose_fitting()
            fill_rows(self.slots.rows())
        self.area.set_layer(self.slots.reference())
        self.area.set_place(self.results.options.place())
        self.slots.judge(self.area.extent())
        model = self.model.model()
        self.area.show_estimate(model.card.gsd if model else None)
        problem = self._problem()
        self._run.setEnabled(not problem)
        self._run.setToolTip(tip_text(problem) or tr("Make the map in the background"))
        self._reason.setText(problem)
        self._reason.setToolTip(f"<qt>{escape(problem)}</qt>")
        self._reason.setVisible(bool(problem))
        self._preview_button.show_problem(self._preview_problem())
        # What the engine saw may have been changed since, and must not keep it from looking again.
        looks = self.isVisible() and not self._problem(seen=False)
        self.check.ask(self._request() if looks else None)

    def _on_checked(self, verdicts: dict[str, Verdict]) -> None:
        self.slots.show_thorough(verdicts)
        self._settled.start()

    def _problem(self, seen: bool = True) -> str:
        """What keeps Run from being pressed, in one sentence; `seen` counts what the engine saw in the layers."""
        no_results = "" if self.results.products() else tr("Choose at least one result.")
        return self._no_start(seen) or self.area.problem() or no_results or self.engine.problem

    def _preview_problem(self) -> str:
        """The same for Preview, which maps what is visible and makes no results."""
        return self._no_start() or ("" if self.area.visible() else self.area.nothing_visible()) or self.engine.problem

    def _no_start(self, seen: bool = True) -> str:
        """What model and layers have against it."""
        model = self.model.model()
        if model is None:
            return tr("Choose a model.")
        if model.card.blocking:
            text = tr("The model's card does not tell {fields}; complete it first.")
            return text.format(fields=", ".join(model.card.blocking))
        return self.slots.problem(seen)

    def _on_preview(self) -> None:
        self._on_settled()
        visible = self.area.visible()
        if visible is not None and self._preview_button.isEnabled():
            self.check.give_way()
            self.preview.start(self._request(), visible, self.area.gsd(self.model.model().card.gsd))

    def _on_run(self) -> None:
        # A layer may have gone since the panel was last looked over.
        self._on_settled()
        if not self._run.isEnabled():
            return
        self.preview.clear()
        self.runs.start(self._request())

    def _request(self) -> RunRequest:
        rows, reference = self.slots.rows(), self.slots.reference()
        return make_request(self.model.model(), rows, reference, self.area.parameters(), self.results)

    def _on_run_ended(self, number: int) -> None:
        run = self.runs.run(number)
        if run.state is RunState.FINISHED and run.here:
            self._on_add_asked(number)

    def _on_add_asked(self, number: int) -> None:
        run = self.runs.run(number)
        group = add_run_to_project(run.results, run.request.card, run.title)
        # The tree took it in while it was empty, and shows it closed until it changes.
        group.setExpanded(False)
        group.setExpanded(True)
        self.runs.loaded(number)

    def _on_summary_asked(self, number: int) -> None:
        self.result_desk.show_summary(self.runs.run(number).request.folder)

    def _on_report_asked(self, number: int) -> None:
        self.result_desk.open_report(self.runs.run(number).request.folder)

    def _on_trouble(self, sentence: str) -> None:
        self._iface.messageBar().pushWarning(tr("Fusion Mapper"), escape(sentence, quote=False))

    def _on_event_heard(self, _number: int, event: object) -> None:
        self.engine.hear(event)

    def _on_preview_changed(self) -> None:
        if self.preview.state is PreviewState.WORKING:
            self.engine.hear(self.warm.session)

    def _wait_for_tasks(self) -> None:
        """Let the tasks hear that they are to stop; the plugin's code must not go while one is in it."""
        parts = (
            self.setup,
            self.runs,
            self.engine,
            self.model,
            self.first_steps,
            self.preview,
            self.result_desk,
            self.check,
            self.training,
            self.warm,
        )
        wait_until(lambda: not any(part.working() for part in parts))
