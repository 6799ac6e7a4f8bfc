"""The runs that a profile remembers: one small file a run, so that they survive a restart of QGIS.

A record that cannot be read is told and left where it is; it hides no other. While a run is waiting or running, its
QGIS holds a lock beside the record: a record that says so without one is of a run that was interrupted.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Optional

from qgis.PyQt.QtCore import QLockFile

from ...inference.errors import RequestError
from ...inference.events import Started
from ...models.fields import decode, encode

SCHEMA = 1
#: Runs that are remembered; the oldest beyond them leave the list, their folders stay.
KEPT = 200
#: Bytes; a card with hundreds of classes and a long log take a tenth of it.
MAX_BYTES = 4 * 2**20
#: Lines of a run's log that are remembered.
LINES = 400

State = Literal["waiting", "running", "finished", "failed", "cancelled", "interrupted"]
_ACTIVE = ("waiting", "running")


@dataclass(frozen=True)
class Record:
    """What is remembered of a run; plain values."""

    title: str
    model: str
    """Path of the model."""
    folder: str
    """The run's folder."""
    state: State
    created: str
    """UTC, as ISO 8601."""
    schema: int = field(default=SCHEMA, metadata={"always": True})
    card: object = None
    """The model's card as JSON."""
    parameters: dict[str, object] = field(default_factory=dict)
    """As `kept_values` writes them; empty where they cannot be kept."""
    layers: dict[str, str] = field(default_factory=dict)
    """Id and name of the project's layers that the parameters name."""
    project: str = ""
    """The project's file; empty for one that has none."""
    origin: str = ""
    """Folder of the run whose job this one repeats; empty where the layers came from the project."""
    percent: float = 0.0
    seconds: float = 0.0
    sentence: str = ""
    session: Optional[Started] = None
    """What it ran on, as the engine told."""
    results: dict[str, str] = field(default_factory=dict)
    """What the Processing algorithm answered."""
    messages: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    on_map: bool = False
    """True once its results were loaded into a project."""


@dataclass(frozen=True)
class Remembered:
    """What was found in a history folder."""

    records: dict[str, Record]
    """By key, the oldest first."""
    problems: tuple[str, ...]
    """One sentence for each record that cannot be read."""


def new_key() -> str:
    """A name for a record; names sort by time."""
    now = time.time()
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{int(now % 1 * 1e6):06d}-{secrets.token_hex(3)}"


class History:
    """The records in `folder`. Locks are held by the thread that asks for them; the rest may be called on any."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._locks: dict[str, QLockFile] = {}

    def read(self) -> Remembered:
        """The latest `KEPT` records, without those of runs that another QGIS is running; forgets older ones."""
        records: dict[str, Record] = {}
        problems: list[str] = []
        names = sorted(path.stem for path in self._folder.glob("*.json"))
        for key in names:
            try:
                if key in names[:-KEPT]:
                    self.forget(key)
                    continue
                record = self._read(key)
            except RequestError as problem:
                problems.append(str(problem))
                continue
            if record is not None:
                records[key] = record
        return Remembered(records, tuple(problems))

    def write(self, key: str, record: Record) -> None:
        """Remember the record; raises RequestError where the folder does not take it."""
        path = self._path(key)
        beside = path.with_name(f".{path.name}.part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            beside.write_text(json.dumps(encode(record), allow_nan=False), encoding="utf-8")
            os.replace(beside, path)
        except OSError as problem:
            raise RequestError(f"The run cannot be remembered in {path}: {problem.strerror}.") from problem

    def forget(self, key: str) -> None:
        """Remember the run no longer; raises RequestError where the record cannot be deleted."""
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as problem:
            raise RequestError(f"{self._path(key)} cannot be deleted: {problem.strerror}.") from problem

    def claim(self, key: str) -> bool:
        """Tell every QGIS of this profile that this one runs the run; False where another one does."""
        if key in self._locks:
            return True
        # A folder that cannot be made is told when the record is written; the run itself needs neither.
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
        lock = self._lock(key)
        if not lock.tryLock(0) and lock.error() == QLockFile.LockError.LockFailedError:
            return False
        self._locks[key] = lock
        return True

    def release(self, key: str) -> None:
        """The run has ended."""
        lock = self._locks.pop(key, None)
        if lock is not None:
            lock.unlock()

    def _read(self, key: str) -> Optional[Record]:
        """The record; None for a run that another QGIS is running."""
        path = self._path(key)
        data = _parsed(path)
        version = data.get("schema") if isinstance(data, dict) else None
        if version != SCHEMA:
            raise RequestError(f"{path} is no record of a run that this Fusion Mapper reads; it was left alone.")
        record = decode(Record, data, path.name)
        if record.state not in _ACTIVE:
            return record
        return replace(record, state="interrupted") if self._is_free(key) else None

    def _is_free(self, key: str) -> bool:
        lock = self._lock(key)
        if key in self._locks or not lock.tryLock(0):
            return key not in self._locks and lock.error() != QLockFile.LockError.LockFailedError
        lock.unlock()
        return True

    def _lock(self, key: str) -> QLockFile:
        lock = QLockFile(str(self._path(key).with_suffix(".lock")))
        # Never stale by age, since runs may take days; a lock whose process is gone is stale at once.
        lock.setStaleLockTime(0)
        return lock

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.json"


def last_lines(lines: list[str]) -> tuple[str, ...]:
    """The part of a run's log that is remembered."""
    return tuple(lines[-LINES:])


def _parsed(path: Path) -> object:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise RequestError(f"{path} is larger than {MAX_BYTES // 2**20} MiB, which no record of a run is.")
        return json.loads(content)
    except OSError as problem:
        raise RequestError(f"{path} cannot be read: {problem.strerror}.") from problem
    except (ValueError, RecursionError) as problem:
        raise RequestError(f"{path} is not valid JSON, so its run is not listed.") from problem
