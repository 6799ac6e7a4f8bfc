"""The line at the panel's foot: whether the engine is ready, and what it really runs on."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Optional

from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QWidget

from ...inference.events import Started
from ...toolbox.engine.commands import EngineCommands, IsCancelled, deaf
from .engine_task import EngineTask
from .widgets import BriefLabel
from .wording import DOT, tip_text, tr

#: In the order in which the engine tries them when no device is asked for.
_PREFERRED = ("cuda", "directml", "openvino", "onnxruntime-cpu")
#: Lines that it takes at most; the whole is in its tooltip, and in the log of the run.
_LINES = 4
_BACKENDS = {"openvino": "OpenVINO", "onnxruntime": "ONNX Runtime"}


class EngineLine(BriefLabel):
    """Says what is known of the engine; asks when it is first seen, and again while it was not ready the last time."""

    engine_changed = pyqtSignal()

    def __init__(self, engine: EngineCommands, parent: Optional[QWidget] = None) -> None:
        super().__init__(_LINES, parent)
        self.problem = ""
        """Why nothing can be run, in one sentence."""
        self._engine = engine
        self._task: Optional[EngineTask] = None
        self._asked = False
        self._overtaken = False
        self.setObjectName("FusionMapperEngine")
        self.setText(tr("Engine not asked yet"))

    def ask(self) -> None:
        """Ask the engine in the background, unless it has answered that it is ready."""
        if self._asked:
            return
        self._asked, self._overtaken = True, False
        self.setText(tr("Looking at the engine…"))
        self._task = EngineTask(tr("Looking at the engine"), ask_doctor, self._engine)
        self._task.answered.connect(self._on_answered)
        self._task.failed.connect(self._on_failed)
        self._task.ended.connect(self._on_ended)
        self._task.start()

    def ask_again(self) -> None:
        """Ask as if for the first time: the options may name another engine."""
        if self._task is None:
            self._asked = False
            self.ask()

    def show_session(self, started: Started) -> None:
        """Show what a live session told of itself, and why it is not the one asked for."""
        self.problem = ""
        self.setText("\n".join(filter(None, [DOT.join([tr("Engine ready"), session_text(started)]), started.reason])))
        whole = "<br>".join(map(escape, filter(None, [started.device, started.reason])))
        self.setToolTip(f"<qt>{whole}</qt>")  # only rich text is broken into lines

    def hear(self, event: object) -> None:
        """Show the session of a run or preview as soon as it lives."""
        if isinstance(event, Started) and event.backend:
            # A session that lives knows more than the answer to a question that is still on its way.
            self._overtaken = True
            self.show_session(event)

    def close_down(self) -> None:
        """Stop asking."""
        if self._task is not None:
            self._task.cancel()

    def working(self) -> bool:
        """True while the engine is being asked."""
        return self._task is not None

    def _on_answered(self, report: dict[str, object]) -> None:
        started = first_working(report)
        if started is None:
            self._on_failed(tr("The engine works on no device of this machine; run its doctor to see why."))
            return
        if not self._overtaken:
            self.show_session(started)
        self.engine_changed.emit()

    def _on_failed(self, problem: str) -> None:
        if not self._overtaken:
            self.problem = problem
            self._asked = False
            self.setText(tr("Engine not ready"))
            self.setToolTip(tip_text(problem))
        self.engine_changed.emit()

    def _on_ended(self) -> None:
        self._task = None


def ask_doctor(engine: EngineCommands, folder: Path, is_cancelled: IsCancelled) -> dict[str, object]:
    """The doctor's report; a question for `EngineTask`."""
    return engine.doctor(folder, deaf, is_cancelled).report


def first_working(report: dict[str, object]) -> Optional[Started]:
    """The device that "Automatic" takes, from the doctor's report; None where none works."""
    devices = report.get("devices", {})
    for name in _PREFERRED:
        found = devices.get(name, {})
        if found.get("works"):
            return Started(
                engine=str(report.get("engine", "")),
                backend="openvino" if name == "openvino" else "onnxruntime",
                device=str(found.get("device", "")),
                precision=str(found.get("precision", "")),
                reason=str(found.get("reason") or ""),
            )
    return None


def session_text(started: Started) -> str:
    """Device, backend and precision; the device's full name, which may be long, is for the tooltip."""
    device = started.device.split(" (")[0]
    how = " ".join((_BACKENDS.get(started.backend, started.backend), started.precision)).strip()
    return tr("{device} ({how})").format(device=device, how=how)
