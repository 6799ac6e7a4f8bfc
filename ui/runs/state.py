"""One run: what it was asked for and how it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Optional

from ...inference.events import Progress, Started
from ...models.card import Card


class RunState(Enum):
    """Where a run stands."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    """QGIS was closed, or ended, before the run did."""


class Way(Enum):
    """How a run goes about its work."""

    LAYERS = "layers"
    """From the project's layers, through the Processing algorithm."""
    RESUME = "resume"
    """From the job in its own folder, where there is one already."""
    REPEAT = "repeat"
    """From the job of another run, into a folder of its own."""


@dataclass(frozen=True)
class RunRequest:
    """What is to be run; all that is needed to run it again."""

    title: str
    """Names the run in lists and in the layer tree."""
    model: Path
    card: Card
    parameters: dict[str, object]
    """Parameters of the Processing algorithm ``fusion_mapper:map``; empty where they could not be kept."""
    folder: Path
    """The run's own folder."""


@dataclass
class Run:
    """One run and how it stands; changed by `RunModel` alone."""

    number: int
    request: RunRequest
    key: str = ""
    """Names the run across sessions; keys sort by time."""
    created: str = ""
    """UTC, as ISO 8601."""
    state: RunState = RunState.WAITING
    way: Way = Way.LAYERS
    origin: Optional[Path] = None
    """Folder of the run whose job this one repeats."""
    percent: float = 0.0
    stage: str = ""
    progress: Optional[Progress] = None
    """The engine's last word on how far it is: stage, rate in pixels a second, seconds left."""
    session: Optional[Started] = None
    """What it runs on, as the engine tells."""
    sentence: str = ""
    """Why it failed or was interrupted, in one sentence."""
    messages: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0
    results: dict[str, object] = field(default_factory=dict)
    layers: dict[str, str] = field(default_factory=dict)
    """Id and name of the project's layers that the parameters name."""
    project: str = ""
    """File of the project in which it was started."""
    here: bool = False
    """True while that project has not been closed since: results are loaded into no other one."""
    on_map: bool = False
    """True once its results were loaded."""
    gone: bool = False
    """True once its folder is no longer there."""
    size: Optional[int] = None
    """Bytes in its folder; None until they have been counted."""

    @property
    def title(self) -> str:
        return self.request.title

    @property
    def active(self) -> bool:
        return self.state in (RunState.WAITING, RunState.RUNNING)

    @property
    def resumable(self) -> bool:
        return self.state in (RunState.INTERRUPTED, RunState.CANCELLED, RunState.FAILED)
