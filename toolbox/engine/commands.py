"""What the engine can be asked, written once for the engine of one command (`engine.py`) and the warm one (`warm.py`).

To add a command: a function in ``inference/commands.py`` and its name in the table there, and here one method that
hands its request, plain JSON with absolute paths, to `_ask`. Nothing else: neither engine knows the commands by name.
People who type it also get a line in the parser of ``inference/cli.py``.
"""

from __future__ import annotations

import json
import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Optional, Union

from ...inference.events import Event, Result
from ...inference.job import Job
from ...inference.learnjob import ChipsJob, CompareJob, EvaluateJob, LearnJob, to_dict

OnEvent = Callable[[Event], None]
IsCancelled = Callable[[], bool]
#: What a run's folder keeps the job as that was last run in it.
RUN_JOB = "run.job.json"
AnyLearnJob = Union[LearnJob, EvaluateJob, CompareJob, ChipsJob]


def deaf(_event: Event) -> None:
    """For who wants an answer alone, and no events."""


class EngineCommands(ABC):
    """The engine's commands.

    Every method takes a `folder` for what the command needs to write down, tells the engine's events to `on_event` on
    the calling thread, and asks `is_cancelled` now and then. It waits, so it is never called on the GUI thread.

    Raises (every method):
        EngineFailed: with the engine's own sentence.
        EngineCrashed: when the engine ended without a word.
        Cancelled: when `is_cancelled` said so.
    """

    def run(self, job: Job, folder: Path, on_event: OnEvent, is_cancelled: IsCancelled) -> Result:
        """Make the job's products; `folder` keeps the job, as ``run.job.json``."""
        return self._ask("run", {"job": _keep(job.to_dict(), folder, RUN_JOB)}, folder, on_event, is_cancelled)

    def check(
        self, job: Job, folder: Path, on_event: OnEvent, is_cancelled: IsCancelled, timed: bool = False
    ) -> Result:
        """The grid, the cost and the pre-flight of a job, in the result's `report`; slots may still lack their layer.

        The job's relative paths resolve against `folder`. `timed` adds ``seconds``, an estimate for which the model is
        run once: quick on a warm engine, which keeps what it measured.
        """
        request = {"job": job.to_dict(), "base": str(folder.absolute()), "time": timed}
        return self._ask("check", request, folder, on_event, is_cancelled)

    def inspect(
        self,
        model: Path,
        folder: Path,
        on_event: OnEvent,
        is_cancelled: IsCancelled,
        card: Optional[Mapping[str, Any]] = None,
    ) -> Result:
        """The card of a model file, in the result's `report`; or, with a `card`, all that speaks against that one."""
        return self._ask("inspect", {"model": str(model), "card": card}, folder, on_event, is_cancelled)

    def install(
        self,
        model: Path,
        library: Path,
        folder: Path,
        on_event: OnEvent,
        is_cancelled: IsCancelled,
        card: Optional[Mapping[str, Any]] = None,
        replace: bool = False,
    ) -> Result:
        """Copy a model into a library folder, with its own card or the given one.

        The result's products hold its path as ``model``, the report its ``card``. Refuses to take the place of an
        installed model of the same name without `replace`.
        """
        request = {"model": str(model), "library": str(library), "card": card, "replace": replace}
        return self._ask("install", request, folder, on_event, is_cancelled)

    def export(self, model: Path, target: Path, folder: Path, on_event: OnEvent, is_cancelled: IsCancelled) -> Result:
        """Copy a model with its card inside and a STAC MLM item beside it into the folder `target`."""
        request = {"model": str(model), "folder": str(target)}
        return self._ask("export", request, folder, on_event, is_cancelled)

    def sample(self, scene: Path, folder: Path, on_event: OnEvent, is_cancelled: IsCancelled) -> Result:
        """A simulated scene in the folder `scene`; its layers are the result's `products`."""
        return self._ask("sample", {"folder": str(scene.absolute())}, folder, on_event, is_cancelled)

    def doctor(self, folder: Path, on_event: OnEvent, is_cancelled: IsCancelled) -> Result:
        """Versions and devices, in the result's `report`."""
        return self._ask("doctor", {}, folder, on_event, is_cancelled)

    def train(self, job: LearnJob, folder: Path, on_event: OnEvent, is_cancelled: IsCancelled) -> Result:
        """Train a model, in a Python that has torch; `folder` keeps the job, as ``train.job.json``.

        The result's products are the ``model``, its ``card``, the ``history`` of its epochs and perhaps a ``report``;
        its report has ``score``, ``metric``, ``figures``, ``counts`` and ``seconds``. A cancelled training leaves its
        last epoch behind, from which the same job in the same folder goes on.
        """
        return self._learn("train", job, folder, on_event, is_cancelled)

    def evaluate(self, job: EvaluateJob, folder: Path, on_event: OnEvent, is_cancelled: IsCancelled) -> Result:
        """Judge a map, or a model run on layers, by reference labels; `folder` keeps the job.

        The result's products are ``report``, ``table``, ``confusion``, ``areas``, ``plot`` and ``figures``, its report
        the figures.
        """
        return self._learn("evaluate", job, folder, on_event, is_cancelled)

    def compare(self, job: CompareJob, folder: Path, on_event: OnEvent, is_cancelled: IsCancelled) -> Result:
        """Compare strategies, in a Python that has torch; `folder` keeps the job and the table, which is gone on with.

        The result's products are ``table`` and ``plot``.
        """
        return self._learn("compare", job, folder, on_event, is_cancelled)

    def chips(self, job: ChipsJob, folder: Path, on_event: OnEvent, is_cancelled: IsCancelled) -> Result:
        """Cut layers and labels into georeferenced chips; the result's products hold their ``index``, its report the
        ``count``.
        """
        return self._learn("chips", job, folder, on_event, is_cancelled)

    def _learn(
        self, command: str, job: AnyLearnJob, folder: Path, on_event: OnEvent, is_cancelled: IsCancelled
    ) -> Result:
        kept = _keep(to_dict(job), folder, f"{command}.job.json")
        return self._ask(command, {"job": kept}, folder, on_event, is_cancelled)

    @abstractmethod
    def _ask(
        self, command: str, request: Mapping[str, Any], folder: Path, on_event: OnEvent, is_cancelled: IsCancelled
    ) -> Result:
        """Ask `command` with the fields of `request`, which become one JSON object of up to 16 MiB."""


def _keep(job: Mapping[str, Any], folder: Path, name: str) -> str:
    """Write a job into its folder; answers the absolute path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    # In one step: half a job would keep a run whose QGIS is killed at this moment from being resumed.
    beside = folder / f".{name}.{secrets.token_hex(4)}.part"
    beside.write_text(json.dumps(job, indent=1), encoding="utf-8")
    os.replace(beside, path)
    return str(path.absolute())
