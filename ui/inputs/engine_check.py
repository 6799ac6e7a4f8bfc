"""The engine's own pre-flight, asked again in the background whenever what the panel describes has changed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Optional

from qgis.core import (
    QgsMapLayer,
    QgsProcessingFeatureSourceDefinition,
    QgsProject,
    QgsReferencedRectangle,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QObject, QTimer, pyqtSignal

from ...inference.errors import FusionMapperError
from ...models.card import Slot
from ...toolbox.engine.commands import EngineCommands, IsCancelled, deaf
from ...toolbox.engine.scratch import ScratchFolder
from ...toolbox.layers.radiometry import ROLES, STORED, Radiometry, remedy, suits
from ...toolbox.products import BY_NAME
from ...toolbox.runs import execute as runs
from ...toolbox.runs.kept_values import layers_in
from ...toolbox.runs.lookahead import Lookahead, look_ahead
from ..runs.plain import plain_request
from ..runs.state import RunRequest
from ..shared.engine_task import QuietQuestion
from ..shared.wording import short_number, tr
from .preflight import FITS, Level, Verdict, coverage_verdict

#: Milliseconds for which the panel has to stay as it is before the engine is asked.
QUIET = 400
#: Parameters that decide where products go, not what they are like.
_PLACES = {"FOLDER", *(product.parameter for product in BY_NAME.values())}


class EngineCheck(QObject):
    """Asks one question at a time; the latest wins, and an earlier one is given up."""

    verdicts_changed = pyqtSignal(object)
    """What was found in the layers' pixels and features: verdicts by slot name. Slots that were not looked at lack."""
    report_changed = pyqtSignal(dict)
    """The engine's report: grid, pixels, tiles, disk and so on, and a second time with seconds.

    Its ``partial`` is true where layers were left out.
    """
    failed = pyqtSignal(str)
    """Why the engine has no answer, in one sentence."""

    def __init__(self, engine: EngineCommands, parent: Optional[QObject] = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self._request: Optional[RunRequest] = None
        self._key: object = None
        self._task: Optional[QuietQuestion] = None
        self._ending: set[QuietQuestion] = set()
        # What the engine converts while it looks is used again by the next look.
        self._folder = ScratchFolder()
        self._quiet = QTimer(self)
        self._quiet.setSingleShot(True)
        self._quiet.setInterval(QUIET)
        self._quiet.timeout.connect(self._on_quiet)

    def ask(self, request: Optional[RunRequest]) -> None:
        """Look at what the panel describes, unless it is what was looked at last; None where it describes no run."""
        key = None if request is None else _key(request)
        if key == self._key:
            return
        self._request, self._key = request, key
        self._drop()
        if request is None:
            self._quiet.stop()
        else:
            self._quiet.start()

    def give_way(self) -> None:
        """Leave the engine to something that the user waits for; the next change of the panel asks again."""
        if self._task is not None or self._quiet.isActive():
            self.ask(None)

    def working(self) -> bool:
        """True while the engine is being asked, or has yet to notice that nobody waits for its answer."""
        return self._task is not None or bool(self._ending)

    def close_down(self) -> None:
        """Ask no more."""
        self.ask(None)

    def let_go(self) -> None:
        """Delete what was converted for the checks; once nothing is working any more."""
        self._folder.delete()

    def _on_quiet(self) -> None:
        try:
            plain = plain_request(self._request)
            ahead = look_ahead(plain, self._folder.path)
        except FusionMapperError as problem:
            self.failed.emit(str(problem))
            return
        self._start(plain, ahead)

    def _start(self, plain: runs.RunRequest, ahead: Lookahead, timed: bool = False) -> None:
        """Verdicts first; how long the run will take needs the model to be run once, and follows by itself."""
        task = QuietQuestion(partial(_check, ahead, timed), self._engine)
        self._task = task
        task.answered.connect(partial(self._on_answered, task, plain, ahead, timed))
        task.failed.connect(partial(self._on_failed, task))
        task.ended.connect(partial(self._on_ended, task))
        task.start()

    def _drop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            self._ending.add(task)
            task.cancel()

    def _on_answered(
        self, task: QuietQuestion, plain: runs.RunRequest, ahead: Lookahead, timed: bool, report: dict[str, Any]
    ) -> None:
        if task is not self._task:
            return
        if not timed:
            self._ending.add(task)
            self._start(plain, ahead, timed=True)
            self.verdicts_changed.emit(verdicts(plain, ahead, report))
        self.report_changed.emit({**report, "partial": bool(ahead.left_out)})

    def _on_failed(self, task: QuietQuestion, problem: str) -> None:
        if task is self._task:
            self.failed.emit(problem)

    def _on_ended(self, task: QuietQuestion) -> None:
        self._ending.discard(task)
        if task is self._task:
            self._task = None


def _check(
    ahead: Lookahead, timed: bool, engine: EngineCommands, folder: Path, is_cancelled: IsCancelled
) -> dict[str, Any]:
    """On the task's thread; what a check warns of is in its report."""
    return dict(engine.check(ahead.job, folder, deaf, is_cancelled, timed).report)


def verdicts(plain: runs.RunRequest, ahead: Lookahead, report: Mapping[str, Any]) -> dict[str, Verdict]:
    """What the engine's report means for each slot whose layers it looked at."""
    radiometries = dict(plain.given.radiometry)
    slots = [slot for slot in plain.card.slots if slot.name in ahead.job.sources]
    return {
        slot.name: slot_verdict(slot, report["slots"][slot.name], radiometries.get(slot.name, STORED)) for slot in slots
    }


def slot_verdict(slot: Slot, entry: Mapping[str, Any], radiometry: Radiometry) -> Verdict:
    """The gravest thing that the engine's entry for a slot says; resolutions QGIS told already."""
    facts = entry["facts"]
    if facts is None:
        return _refused(entry) if entry["verdict"] == "cannot" else FITS
    said = dict(zip(entry["about"], entry["sentences"]))
    found = [_values_verdict(slot, facts, radiometry)] if "values" in said else []
    if "features" in said:
        found.append(Verdict(Level.NOTE, said["features"]))
    # Roads and houses need not be everywhere that their layer could be.
    if facts["coverage"] is not None and (slot.role != "osm" or facts["coverage"] == 0):
        found.append(coverage_verdict(slot, facts["coverage"]))
    return max(found, key=lambda verdict: verdict.level, default=FITS)


def _refused(entry: Mapping[str, Any]) -> Verdict:
    """A file that cannot be read: in the engine's words, but for what the panel itself offers against it."""
    told = " ".join(entry["sentences"])
    if "damage" not in entry["about"]:
        return Verdict(Level.CANNOT, told)
    text = tr("'{file}' is damaged: repair it, or choose Skip and count under More, Unreadable data.")
    return Verdict(Level.CANNOT, text.format(file=entry["file"]), told)


def _values_verdict(slot: Slot, facts: Mapping[str, Any], radiometry: Radiometry) -> Verdict:
    ranges = list(zip(facts["minimum"], facts["maximum"]))
    wrong = next((i for i, pair in enumerate(ranges) if not suits(slot.channels[i : i + 1], [pair])), 0)
    text = tr("{channel} is {low} to {high}, not what the model was trained with. {advice}")
    better = remedy(slot, radiometry, facts["minimum"], facts["maximum"]) if slot.role in ROLES else None
    advice = tr("Choose “{radiometry}” in Bands…").format(radiometry=tr(better.title)) if better else ""
    advice = advice or tr("Check the layer's units, or choose another layer.")
    low, high = (short_number(value) for value in ranges[wrong])
    return Verdict(Level.NOTE, text.format(channel=slot.channels[wrong].name, low=low, high=high, advice=advice))


def _key(request: RunRequest) -> object:
    """Equal for requests that the engine would answer alike."""
    project = QgsProject.instance()
    kept = {name: _text(value) for name, value in request.parameters.items() if name not in _PLACES}
    products = sorted(name for name in _PLACES if request.parameters.get(name))
    states = [_layer_state(layer) for layer in map(project.mapLayer, sorted(layers_in(request.parameters, project)))]
    return str(request.model), tuple(sorted(kept.items())), tuple(products), tuple(states)


def _text(value: object) -> str:
    if isinstance(value, QgsReferencedRectangle):
        return f"{value.toString(9)} {value.crs().authid()}"
    if isinstance(value, QgsProcessingFeatureSourceDefinition):
        name = value.source.staticValue()
        layer = QgsProject.instance().mapLayer(name)
        chosen = sorted(layer.selectedFeatureIds()) if layer is not None and value.selectedFeaturesOnly else []
        return f"{name} {chosen}"
    return str(value)


def _layer_state(layer: QgsMapLayer) -> tuple[object, ...]:
    """What the user may change of a layer that stays the same layer."""
    return layer.id(), layer.source(), layer.crs().toWkt(), isinstance(layer, QgsVectorLayer) and layer.isModified()
