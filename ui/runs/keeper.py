"""Runs ⇄ what is remembered of them, written and read in the background."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Optional

from qgis.core import QgsProject
from qgis.PyQt.QtCore import QObject

from ...inference.errors import RequestError
from ...models.card import Card, card_from_dict
from ...toolbox.runs.history import History, Record, last_lines
from ...toolbox.runs.kept_values import decode_parameters, encode_parameters
from ...toolbox.scrub import scrubbed
from ...toolbox.settings import data_folder
from ..shared.background import Background
from .state import Run, RunRequest, RunState


class RunKeeper(QObject):
    """Remembers runs in the profile."""

    def __init__(self, parent: Optional[QObject] = None) -> None:
        super().__init__(parent)
        self._history = History(data_folder() / "history")
        self._files = Background(self)
        self._kept: dict[str, dict[str, object]] = {}
        self._cards: dict[str, object] = {}

    def load(self, answer: Callable[[list[Run], tuple[str, ...]], None]) -> None:
        """Call `answer` with the runs of earlier sessions, the oldest first, and what could not be read."""
        self._files.ask(partial(_load, self._history), lambda found: answer(*found))

    def start(self, run: Run) -> bool:
        """Remember a run that waits or runs; False where another QGIS has it."""
        if not self._history.claim(run.key):
            return False
        # A run that goes on may have been given another folder.
        self._kept.pop(run.key, None)
        self.remember(run)
        return True

    def end(self, run: Run) -> None:
        """Remember how a run ended."""
        self.remember(run)
        self._history.release(run.key)

    def remember(self, run: Run) -> None:
        """Write down how the run stands."""
        self._files.ask(partial(self._history.write, run.key, self._record(run)))

    def forget(self, run: Run) -> None:
        """Remember it no longer."""
        self._kept.pop(run.key, None)
        self._cards.pop(run.key, None)
        self._files.ask(partial(self._history.forget, run.key))

    def close_down(self) -> None:
        """Finish writing."""
        self._files.close_down()

    def _record(self, run: Run) -> Record:
        request = run.request
        if run.key not in self._cards:
            self._cards[run.key] = request.card.to_dict()
        if run.key not in self._kept:
            self._kept[run.key] = _kept_parameters(run)
        return Record(
            title=request.title,
            model=str(request.model),
            folder=str(request.folder),
            state=run.state.value,
            created=run.created,
            card=self._cards[run.key],
            parameters=self._kept[run.key],
            layers=run.layers,
            project=run.project,
            origin=str(run.origin or ""),
            percent=run.percent,
            seconds=run.seconds,
            sentence=scrubbed(run.sentence),
            session=run.session,
            results={name: value for name, value in run.results.items() if isinstance(value, str)},
            messages=last_lines([scrubbed(line) for line in run.messages]),
            warnings=last_lines([scrubbed(line) for line in run.warnings]),
            on_map=run.on_map,
        )


def project_file() -> str:
    """The open project's file; empty where it has none.

    A project in a database has a URI instead, which may hold a password.
    """
    project = QgsProject.instance()
    return "" if project.projectStorage() is not None else project.fileName()


def _kept_parameters(run: Run) -> dict[str, object]:
    try:
        return encode_parameters(run.request.parameters)
    except RequestError as problem:
        run.messages.append(str(problem))
        return {}


def _load(history: History) -> tuple[list[Run], tuple[str, ...]]:
    remembered = history.read()
    runs: list[Run] = []
    cards = _Cards()
    problems = list(remembered.problems)
    for key, record in remembered.records.items():
        try:
            runs.append(_run(key, record, cards))
        except RequestError as problem:
            problems.append(str(problem))
    return runs, tuple(problems)


class _Cards:
    """Cards from their JSON; most runs share a few models, and reading a card takes milliseconds."""

    def __init__(self) -> None:
        self._known: dict[str, Card] = {}

    def read(self, data: object, where: str) -> Card:
        text = json.dumps(data, sort_keys=True)
        if text not in self._known:
            self._known[text] = card_from_dict(data, where)
        return self._known[text]


def _run(key: str, record: Record, cards: _Cards) -> Run:
    request = RunRequest(
        title=record.title,
        model=Path(record.model),
        card=cards.read(record.card, f"{key}.card"),
        parameters=decode_parameters(record.parameters),
        folder=Path(record.folder),
    )
    return Run(
        number=0,
        request=request,
        key=key,
        created=record.created,
        state=RunState(record.state),
        origin=Path(record.origin) if record.origin else None,
        percent=record.percent,
        session=record.session,
        sentence=record.sentence,
        messages=list(record.messages),
        warnings=list(record.warnings),
        seconds=record.seconds,
        results=dict(record.results),
        layers=record.layers,
        project=record.project,
        on_map=record.on_map,
        gone=not os.path.isdir(record.folder),
    )
