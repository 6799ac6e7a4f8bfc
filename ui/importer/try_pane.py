"""Try it: layers of the project, the model on a piece of the map, and the result beside the imagery."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import Callable, Optional

from qgis.core import QgsMapLayer, QgsProject, QgsRasterLayer, QgsReferencedRectangle
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtGui import QImage
from qgis.PyQt.QtWidgets import QGroupBox, QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from ...inference.errors import RequestError
from ...models.card import Card
from ...toolbox.engine.commands import EngineCommands
from ...toolbox.results.styles import style_layer
from ...toolbox.settings import default_device
from ..cards.summary import classes_html
from ..inputs.preselect import fill_rows
from ..inputs.slot_list import SlotList
from ..inputs.slot_row import SlotRow
from ..shared.engine_task import EngineTask
from ..shared.ground import in_crs_of, pixel_size
from ..shared.widgets import ColumnScroll
from ..shared.wording import card_classes, tr
from .draft import CardDraft
from .pictures import Drawing, PicturePair
from .trial import SIDE, Trial, Tried, given_rows, piece, run_trial


class TryPane(QGroupBox):
    """Tries the draft's model with the layers chosen in its rows."""

    busy_changed = pyqtSignal()

    def __init__(
        self, canvas: QgsMapCanvas, engine: Optional[EngineCommands] = None, parent: Optional[QWidget] = None
    ) -> None:
        super().__init__(tr("Try It"), parent)
        self._canvas = canvas
        self._engine = engine
        self._draft: Optional[CardDraft] = None
        self._model = Path()
        self._shape: object = None
        self._task: Optional[EngineTask] = None
        self._drawings: list[Drawing] = []
        self._tried: Optional[Tried] = None
        self._layer: Optional[QgsRasterLayer] = None
        self._place: Optional[QgsReferencedRectangle] = None
        self._slots = SlotList()
        self._button = QPushButton(tr("&Try It"), self)
        self._busy = QProgressBar(self)
        self._message = QLabel(self)
        self._legend = QLabel(self)
        self.pictures = PicturePair(self)
        self._prepare()
        self._lay_out()
        self._button.clicked.connect(self._on_clicked)
        self._slots.choice_changed.connect(self._on_choice_changed)

    def show_draft(self, draft: CardDraft, model: Path) -> None:
        """Offer the layers that the draft's slots take."""
        self.clear()
        self._draft, self._model = draft, model
        draft.changed.connect(self._on_draft_changed)
        self._on_draft_changed()

    def clear(self) -> None:
        """Offer nothing."""
        self.stop()
        self.pictures.clear()
        self._legend.hide()
        self._draft, self._shape = None, None
        self._slots.show_card(None)
        self._on_choice_changed()

    def rows(self) -> list[SlotRow]:
        """The rows in which layers are chosen."""
        return self._slots.rows()

    def working(self) -> bool:
        """True while the model is being tried."""
        return self._task is not None

    def stop(self) -> None:
        """End what goes on, and delete what was made."""
        if self._task is not None:
            self._task.cancel()
        self._stop_drawing()
        self._forget()

    def _prepare(self) -> None:
        self.setObjectName("FusionMapperImportTryPane")
        self._button.setObjectName("FusionMapperImportTry")
        self._button.setAutoDefault(False)
        self._button.setToolTip(tr("Runs the model on a piece in the middle of the map, before it is installed"))
        self._button.setEnabled(False)
        self._busy.setRange(0, 0)
        self._busy.setTextVisible(False)
        self._busy.setMaximumHeight(8)
        self._busy.hide()
        self._message.setObjectName("FusionMapperImportTryMessage")
        self._message.setWordWrap(True)
        self._message.setTextFormat(Qt.TextFormat.PlainText)
        self._legend.setObjectName("FusionMapperImportLegend")
        self._legend.setWordWrap(True)
        self._legend.hide()

    def _lay_out(self) -> None:
        column = QWidget()
        rows = QVBoxLayout(column)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self._slots)
        rows.addStretch(1)
        left = QVBoxLayout()
        left.addWidget(ColumnScroll(column, self), 1)
        left.addWidget(self._busy)
        left.addWidget(self._button)
        right = QVBoxLayout()
        right.addWidget(self.pictures, 1)
        right.addWidget(self._legend)
        row = QHBoxLayout()
        row.addLayout(left, 2)
        row.addLayout(right, 3)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 8, 6)
        layout.addLayout(row, 1)
        layout.addWidget(self._message)

    def _on_draft_changed(self) -> None:
        """Rows are only made anew where the slots are others, so that what was chosen by hand stays."""
        if self._draft is None:
            return
        card = self._draft.card
        shape = [(slot.name, slot.role, slot.missing, slot.channels) for slot in card.slots]
        if shape != self._shape:
            self._shape = shape
            self._slots.show_card(card)
            fill_rows(self._slots.rows())
        self._on_choice_changed()

    def _on_choice_changed(self) -> None:
        self._slots.judge(None)
        problem = self._problem()
        self._button.setEnabled(self._task is not None or (self._draft is not None and not problem))
        if self._task is None:
            self._say(problem)

    def _problem(self) -> str:
        if self._draft is None:
            return ""
        if self._draft.problem():
            return tr("Complete the card to try the model.")
        if self._slots.problem():
            return self._slots.problem()
        return "" if self._slots.reference() is not None else tr("Choose a layer for the model to look at.")

    def _say(self, text: str) -> None:
        self._message.setText(text)
        self._message.setVisible(bool(text))

    def _on_clicked(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._say("")
            return
        try:
            trial = self._make_trial()
        except RequestError as problem:
            self._say(str(problem))
            return
        self._stop_drawing()
        self._forget()
        self.pictures.clear()
        self._legend.hide()
        self._say(tr("Running the model…"))
        self._start(trial)

    def _make_trial(self) -> Trial:
        card, reference = self._draft.card, self._slots.reference()
        gsd = card.gsd or (pixel_size(reference) if isinstance(reference, QgsRasterLayer) else None) or 1.0
        seen = QgsReferencedRectangle(self._canvas.extent(), self._canvas.mapSettings().destinationCrs())
        self._place = piece(reference, in_crs_of(reference, seen), SIDE * gsd)
        given = given_rows(self._slots.rows())
        context = QgsProject.instance().transformContext()
        return Trial(self._model, card, given, self._place, self._place.crs(), context, default_device())

    def _start(self, trial: Trial) -> None:
        what = tr("Trying {name}").format(name=trial.card.label)
        self._task = EngineTask(what, partial(run_trial, trial), engine=self._engine)
        self._task.answered.connect(partial(self._on_tried, trial.card))
        self._task.failed.connect(self._say)
        self._task.ended.connect(self._on_ended)
        self._show_busy(True)
        self._draw([self._slots.reference()], self.pictures.imagery.show_image)
        self._task.start()

    def _show_busy(self, busy: bool) -> None:
        self._busy.setVisible(busy)
        self._button.setText(tr("Cancel") if busy else tr("&Try It"))
        self._button.setEnabled(True)
        self.busy_changed.emit()

    def _on_ended(self) -> None:
        self._task = None
        self._show_busy(False)

    def _on_tried(self, card: Card, tried: Tried) -> None:
        self._tried = tried
        self._layer = QgsRasterLayer(tried.path, "result", "gdal")
        style_layer(self._layer, tried.product, card)
        self._draw([self._layer], self._on_drawn)
        units = escape(card.outputs[0].units)
        self._legend.setText(classes_html(card_classes(card)) if tried.product == "classes" else units)
        self._legend.setVisible(bool(self._legend.text()))
        self._say(" ".join(tried.warnings))

    def _stop_drawing(self) -> None:
        for drawing in self._drawings:
            drawing.stop()
            drawing.deleteLater()
        self._drawings = []

    def _draw(self, layers: Sequence[QgsMapLayer], done: Callable[[QImage], None]) -> None:
        self._drawings.append(Drawing(layers, self._place, self._place.crs(), done, self))

    def _on_drawn(self, image: QImage) -> None:
        self.pictures.result.show_image(image)
        self._forget()

    def _forget(self) -> None:
        """Let go of the result's file before its folder is deleted, which Windows asks for."""
        self._layer = None
        if self._tried is not None:
            self._tried.folder.delete()
            self._tried = None
