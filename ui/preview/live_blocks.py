"""Finished blocks of the run that is at work, on the map until its layers are there. It only listens."""

from __future__ import annotations

from typing import Optional

from qgis.core import QgsProject
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QObject, QTimer

from ...inference.events import Block, Event
from ...toolbox.settings import set_show_blocks, show_blocks
from ..runs.model import RunModel, RunState
from .block_overlay import BlockOverlay

#: Milliseconds after which the pictures go even where the canvas has not drawn the run's layers.
LINGER = 5000


class LiveBlocks(QObject):
    """Shows the blocks of the running run where the user wants to see them; the choice is remembered."""

    def __init__(self, model: RunModel, canvas: QgsMapCanvas, parent: Optional[QObject] = None) -> None:
        super().__init__(parent)
        self.overlay = BlockOverlay(canvas, self)
        self._model = model
        self._canvas = canvas
        self._shown = show_blocks()
        self._number: Optional[int] = None
        self._blocks: dict[int, Block] = {}
        self._leave = QTimer(self)
        self._leave.setSingleShot(True)
        self._leave.setInterval(LINGER)
        self._leave.timeout.connect(self._take_away)
        model.event_heard.connect(self._on_event)
        model.run_ended.connect(self._on_run_ended)
        canvas.mapCanvasRefreshed.connect(self._on_refreshed)
        QgsProject.instance().cleared.connect(self._take_away)

    def shown(self) -> bool:
        """Whether blocks are shown."""
        return self._shown

    def set_shown(self, shown: bool) -> None:
        """Show the blocks of this run and of those to come, or hide them."""
        if shown == self._shown:
            return
        self._shown = shown
        set_show_blocks(shown)
        self.overlay.clear()
        for block in self._blocks.values() if shown else ():
            self.overlay.add(block)

    def take_settings(self) -> None:
        """Follow the options, which may have been changed."""
        self.set_shown(show_blocks())

    def close_down(self) -> None:
        """Take everything off the canvas, and listen no more."""
        self._model.event_heard.disconnect(self._on_event)
        self._model.run_ended.disconnect(self._on_run_ended)
        self._canvas.mapCanvasRefreshed.disconnect(self._on_refreshed)
        QgsProject.instance().cleared.disconnect(self._take_away)
        self._take_away()
        self.overlay.close_down()

    def _on_event(self, number: int, event: Event) -> None:
        # A run goes on while another project is opened; on that one's map its blocks have no business.
        if not isinstance(event, Block) or not self._model.run(number).here:
            return
        if number != self._number:
            self._take_away()
            self._number = number
        self._blocks[event.index] = event
        if self._shown:
            self.overlay.add(event)

    def _on_run_ended(self, number: int) -> None:
        if number != self._number:
            return
        self._number = None
        if self._model.run(number).state is RunState.FINISHED and self._blocks:
            # They stay until the canvas has drawn the layers, lest the map be empty in between.
            self._leave.start()
        else:
            self._take_away()

    def _on_refreshed(self) -> None:
        if self._leave.isActive():
            self._take_away()

    def _take_away(self) -> None:
        self._leave.stop()
        self._number = None
        self._blocks.clear()
        self.overlay.clear()
