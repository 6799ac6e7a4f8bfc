"""A quick look: what the canvas shows, mapped at once by the warm engine and painted over the map.

Nothing stays of it: it works in a temporary folder, adds no layer, and its pictures go with the overlay.
"""

from __future__ import annotations

import math
from dataclasses import replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Literal, Optional

from qgis.core import QgsProject, QgsRectangle, QgsReferencedRectangle
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QElapsedTimer, QObject, pyqtSignal
from qgis.PyQt.QtGui import QImage

from ...inference.errors import FusionMapperError
from ...inference.events import Block, Event
from ...models.card import Card
from ...toolbox.engine.commands import EngineCommands, IsCancelled
from ...toolbox.products import possible_products
from ...toolbox.runs import execute as runs
from ..runs.plain import plain_request
from ..runs.state import RunRequest
from ..shared.engine_task import QuietQuestion
from ..shared.ground import rectangle_size
from ..shared.wording import metres_text, tr
from .block_overlay import BlockOverlay, read_picture

#: Pixels that are mapped at most; a processor does them in seconds.
LIMIT = 4e6
#: Sides of a block and of a tile in pixels: small, so that the first picture comes early.
BLOCK, TILE = 256, 512
#: A tile of so many receptive radii is not mostly margin.
_RADII = 6
#: What is shown of a model, the first that it makes.
_PRODUCTS = ("classes", "regression")


class PreviewState(Enum):
    """What there is of a preview."""

    NONE = "none"
    WORKING = "working"
    SHOWN = "shown"
    FAILED = "failed"


class Preview(QObject):
    """Makes one preview at a time and keeps it on the canvas until it is cleared."""

    preview_changed = pyqtSignal()

    def __init__(self, canvas: QgsMapCanvas, engine: EngineCommands, parent: Optional[QObject] = None) -> None:
        super().__init__(parent)
        self.overlay = BlockOverlay(canvas, self)
        self.state = PreviewState.NONE
        self.text = ""
        """What is being mapped or is shown, or why there is no preview; one sentence."""
        self.percent = 0.0
        self.warnings: list[str] = []
        self.first_picture: Optional[float] = None
        """Seconds from the start to the first picture."""
        self._engine = engine
        self._work: Optional[_Work] = None
        self._ending: set[QuietQuestion] = set()
        QgsProject.instance().cleared.connect(self.clear)

    def start(self, request: RunRequest, area: QgsReferencedRectangle, gsd: Optional[float]) -> None:
        """Map the middle of `area` with the request's model, layers and settings, at `gsd` ground metres."""
        self.clear()
        middle = middle_of(area, gsd)
        self.text = preview_text(middle, area)
        try:
            plain = preview_request(request, middle)
        except FusionMapperError as problem:
            self._end(PreviewState.FAILED, str(problem))
            return
        self._work = _Work(plain, self._engine)
        self._listen(self._work)
        self.state, self.percent = PreviewState.WORKING, 0.0
        self.preview_changed.emit()
        self._work.task.start()

    def stop(self) -> None:
        """Stop where it is; what has been mapped so far stays to be seen."""
        if self.state is PreviewState.WORKING:
            self._drop_work()
            self._end(PreviewState.SHOWN if self.overlay.count() else PreviewState.NONE, self.text)

    def clear(self) -> None:
        """Stop, and take everything off the map."""
        self._drop_work()
        self.overlay.clear()
        self.warnings, self.first_picture = [], None
        if self.state is not PreviewState.NONE:
            self._end(PreviewState.NONE, "")

    def working(self) -> bool:
        """True while a task has not ended."""
        return bool(self._ending) or self._work is not None

    def close_down(self) -> None:
        """Stop, take everything off the map, and listen no more."""
        QgsProject.instance().cleared.disconnect(self.clear)
        self.clear()
        self.overlay.close_down()

    def _listen(self, work: _Work) -> None:
        work.signals.drawn.connect(partial(self._on_drawn, work))
        work.signals.progressed.connect(partial(self._on_progressed, work))
        work.signals.warned.connect(partial(self._on_warned, work))
        work.task.answered.connect(partial(self._on_answered, work))
        work.task.failed.connect(partial(self._on_failed, work))
        work.task.ended.connect(partial(self._on_ended, work))

    def _drop_work(self) -> None:
        """Hear no more of the task; it is kept until it has ended, which its folder waits for."""
        work, self._work = self._work, None
        if work is not None:
            self._ending.add(work.task)
            work.task.cancel()

    def _on_drawn(self, work: _Work, block: Block, image: QImage) -> None:
        if work is self._work:
            if self.first_picture is None:
                self.first_picture = work.clock.elapsed() / 1000
            self.overlay.put(block, image)

    def _on_progressed(self, work: _Work, percent: float) -> None:
        if work is self._work:
            self.percent = percent
            self.preview_changed.emit()

    def _on_warned(self, work: _Work, sentence: str) -> None:
        if work is self._work and sentence not in self.warnings:
            self.warnings.append(sentence)

    def _on_answered(self, work: _Work, _answer: object) -> None:
        if work is self._work:
            self._end(PreviewState.SHOWN, self.text)

    def _on_failed(self, work: _Work, problem: str) -> None:
        if work is self._work:
            self._end(PreviewState.FAILED, problem)

    def _on_ended(self, work: _Work) -> None:
        self._ending.discard(work.task)
        if work is self._work:
            self._work = None
            if self.state is PreviewState.WORKING:
                # Cancelled by the engine's own end.
                self._end(PreviewState.SHOWN if self.overlay.count() else PreviewState.NONE, self.text)

    def _end(self, state: PreviewState, text: str) -> None:
        self.state, self.text = state, text
        self.preview_changed.emit()


class _Signals(QObject):
    """Carries what is heard on the question's thread to the panel's."""

    drawn = pyqtSignal(object, QImage)
    progressed = pyqtSignal(float)
    warned = pyqtSignal(str)


class _Work:
    """One preview at work."""

    def __init__(self, request: runs.RunRequest, engine: EngineCommands) -> None:
        self.signals = _Signals()
        self.clock = QElapsedTimer()
        self.clock.start()
        # Quiet: the panel tells of it, and QGIS would lay a message over the very map that is previewed.
        self.task = QuietQuestion(partial(_map, request, self.signals), engine)


def _map(
    request: runs.RunRequest, signals: _Signals, engine: EngineCommands, folder: Path, is_cancelled: IsCancelled
) -> list[str]:
    """On the task's thread: map into `folder`, which is deleted afterwards; answers the products' names."""
    request = replace(request, outputs=replace(request.outputs, folder=str(folder)))
    return list(runs.execute(request, engine, _Listener(signals, is_cancelled)).products)


class _Listener:
    """A run's listener that hands on pictures, progress and warnings; on the task's thread."""

    pictures: Literal["preview"] = "preview"

    def __init__(self, signals: _Signals, is_cancelled: IsCancelled) -> None:
        self._signals = signals
        self.is_cancelled = is_cancelled

    def say(self, text: str) -> None:
        """What a run tells besides warnings is of no use in a preview."""

    def warn(self, text: str) -> None:
        self._signals.warned.emit(text)

    def progress(self, percent: float, stage: str) -> None:
        self._signals.progressed.emit(percent)

    def heard(self, event: Event) -> None:
        if isinstance(event, Block):
            # Read here, before the folder goes.
            self._signals.drawn.emit(event, read_picture(event.picture))


def preview_request(request: RunRequest, extent: QgsReferencedRectangle) -> runs.RunRequest:
    """The same model, layers and settings on another extent, with one product; its folder is still to be named.

    Raises:
        FusionMapperError: where layers, model and settings do not go together.
    """
    plain = plain_request(replace(request, parameters={**request.parameters, "EXTENT": extent, "AREA": None}))
    compute, card = plain.compute, request.card
    return replace(
        plain,
        outputs=replace(plain.outputs, products={_product(card): None}),
        compute=replace(compute, block=BLOCK, tile=compute.tile or _tile(card)),
    )


def _tile(card: Card) -> Optional[int]:
    """A smaller tile than the model's own, where that changes nothing in the map."""
    if card.tiling.fixed or card.receptive_radius is None:
        return None
    return min(card.tiling.size, max(TILE, _RADII * card.receptive_radius))


def middle_of(area: QgsReferencedRectangle, gsd: Optional[float]) -> QgsReferencedRectangle:
    """The area, or as much around its centre as `LIMIT` allows; `gsd` in ground metres."""
    width, height = rectangle_size(area, area.crs())
    pixels = width * height / gsd**2 if gsd else 0.0
    if pixels <= LIMIT:
        return area
    # The shorter side is kept as far as a square goes: a long strip of a map says little.
    share = math.sqrt(LIMIT) * gsd
    across, down = _fit(width, height, share)
    center = area.center()
    half = area.width() * across / width / 2, area.height() * down / height / 2
    middle = QgsRectangle(center.x() - half[0], center.y() - half[1], center.x() + half[0], center.y() + half[1])
    return QgsReferencedRectangle(middle, area.crs())


def _fit(width: float, height: float, side: float) -> tuple[float, float]:
    """Width and height of side² in all within the given ones, as square as they allow."""
    if width < side:
        return width, min(height, side * side / width)
    if height < side:
        return min(width, side * side / height), height
    return side, side


def preview_text(middle: QgsReferencedRectangle, area: QgsReferencedRectangle) -> str:
    """What a preview shows, in a few words."""
    if middle == area:
        return tr("Preview of the visible map")
    width, height = (metres_text(length) for length in rectangle_size(middle, middle.crs()))
    return tr("Preview of the middle {width} × {height}").format(width=width, height=height)


def _product(card: Card) -> str:
    possible = possible_products(card)
    return next((name for name in _PRODUCTS if name in possible), possible[0])
