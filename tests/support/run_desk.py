"""The runs of the panel without the rest of it: model, list and actions, and words for the tests of them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from fusion_mapper.inference.events import Progress
from fusion_mapper.models.card import read_sidecar
from fusion_mapper.models.library import STARTERS
from fusion_mapper.toolbox.results.project import map_parameters
from fusion_mapper.ui.runs.actions import RunActions
from fusion_mapper.ui.runs.list import RunList
from fusion_mapper.ui.runs.model import Run, RunModel, RunRequest, RunState
from qgis.core import QgsCoordinateReferenceSystem, QgsRectangle, QgsReferencedRectangle
from qgis.PyQt.QtWidgets import QAction, QLabel, QToolButton, QVBoxLayout, QWidget

LANDCOVER = STARTERS / "landcover-rgb-1m.onnx"
CARD = read_sidecar(LANDCOVER.with_suffix(".json"))
#: West, south, east, north: 200 m × 200 m, a piece in six blocks, and one in twelve, for what is seen of a run at work.
CLIP = (20.5200, -34.0340, 20.5222, -34.0322)
TOWN = (20.5180, -34.0370, 20.5240, -34.0325)
DISTRICT = (20.5180, -34.0390, 20.5260, -34.0320)
PATIENCE = 120_000
#: The same numbers on every machine, and small blocks.
STEADY = {"DEVICE": "onnxruntime-cpu", "WORKERS": 3, "MEMORY": 512, "TILE": 128}


class RunDesk(QWidget):
    """The model with its list and its actions, as the dock puts them together."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = RunModel(self)
        self.list = RunList(self.runs, self)
        self.actions = RunActions(self.runs, self)
        self.actions.follow(self.list)
        self.troubles: list[str] = []
        self.added: list[int] = []
        self.actions.trouble.connect(self.troubles.append)
        self.actions.add_asked.connect(self.added.append)
        self._closed = False
        self._layout = QVBoxLayout(self)
        self._layout.addWidget(self.list)
        self._layout.addStretch(1)
        self.resize(340, 560)

    def close_down(self, qtbot) -> None:
        """What the dock does when QGIS closes."""
        if self._closed:
            return
        self._closed = True
        self.actions.close_down()
        self.runs.close_down()
        qtbot.waitUntil(lambda: not self.runs.working(), timeout=PATIENCE)
        self.runs.let_go()


def run_request(name: str, folder: Path, box: tuple[float, ...], **layers: object) -> RunRequest:
    """A land-cover run of a piece of the layers, into `folder`."""
    parameters = map_parameters(
        LANDCOVER,
        products={"classes": str(folder / "classes.tif"), "confidence": str(folder / "confidence.tif")},
        EXTENT=extent(box),
        FOLDER=str(folder),
        **STEADY,
        **layers,
    )
    return RunRequest(f"Land cover, {name} (08:00)", LANDCOVER, CARD, parameters, folder)


def extent(box) -> QgsReferencedRectangle:
    west, south, east, north = box
    return QgsReferencedRectangle(QgsRectangle(west, south, east, north), QgsCoordinateReferenceSystem("EPSG:4326"))


def products(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in ("classes.tif", "confidence.tif")}


def ended(qtbot, desk: RunDesk, number: int, state: RunState = RunState.FINISHED) -> Run:
    qtbot.waitUntil(lambda: not desk.runs.run(number).active, timeout=PATIENCE)
    run = desk.runs.run(number)
    assert (run.state, run.sentence if state is RunState.FINISHED else "") == (state, ""), run.sentence
    return run


def mapping(qtbot, desk: RunDesk, number: int) -> Run:
    """The run, once it has finished blocks and is still at work."""
    run = desk.runs.run(number)
    qtbot.waitUntil(lambda: any(run.request.folder.glob("blocks/*.npz")), timeout=PATIENCE)
    assert run.state is RunState.RUNNING
    return run


def go_on(qtbot, desk: RunDesk, name: str, number: int) -> Run:
    """Press the button with which a run goes on, and wait for its end: it must have used its finished blocks again."""
    heard: list[Progress] = []
    desk.runs.event_heard.connect(lambda _number, event: heard.append(event))
    button(desk, name, number).click()
    run = ended(qtbot, desk, number)
    # The engine first tells how many pixels were there already.
    first = next(event for event in heard if isinstance(event, Progress) and event.stage == "mapping")
    assert first.done > 0
    return run


def engines(parent: int = os.getpid()) -> list[int]:
    """The engines of a process."""
    found = subprocess.run(["ps", "-ww", "-o", "pid=,args=", "--ppid", str(parent)], capture_output=True, text=True)
    return [int(line.split()[0]) for line in found.stdout.splitlines() if "inference" in line]


def alive(pid: int) -> bool:
    """Whether the process still does something; one that nobody has buried does not."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return bool(found.stdout.strip()) and not found.stdout.startswith("Z")


def deed(desk: RunDesk, name: str, number: int) -> QAction:
    """An entry of the run's menu, as it is when the menu is opened."""
    menu = desk.findChild(QToolButton, f"FusionMapperRunMore_{number}").menu()
    menu.aboutToShow.emit()
    return desk.list.row(number).findChild(QAction, f"FusionMapperRun{name}_{number}")


def button(desk: RunDesk, name: str, number: int) -> QToolButton:
    return desk.findChild(QToolButton, f"FusionMapperRun{name}_{number}")


def text(desk: RunDesk, number: int) -> str:
    return desk.findChild(QLabel, f"FusionMapperRunText_{number}").text()
