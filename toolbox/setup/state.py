"""What stands in the engine's folder of the profile: an environment that is ready, or one that was never finished.

``ready.json`` names the environment to use and is replaced in one step, so there is always the old one or the new one.
``unfinished.json`` is there from the first step of an installation to its last.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from enum import Enum
from pathlib import Path, PureWindowsPath
from typing import Optional, TypeVar

from ..settings import data_folder

SCHEMA = 1
READY, UNFINISHED, LOG, LOCK = "ready.json", "unfinished.json", "setup.log", "setup.lock"
#: Of the folders of environments; short, because Windows limits the length of paths in them.
ENVIRONMENT = "env-"
Record = TypeVar("Record", "Stamp", "Wish")


class State(Enum):
    """What the engine's folder holds."""

    ABSENT = "absent"
    BUSY = "busy"
    """Another QGIS is installing."""
    UNFINISHED = "unfinished"
    READY = "ready"
    OUTDATED = "outdated"
    """It works, and was made for another version of the plugin."""
    BROKEN = "broken"
    """Its Python, or the one it was made with, has gone."""


@dataclass(frozen=True)
class Wish:
    """What was asked to be installed."""

    layer: str
    training: bool = False
    python: str = ""
    """The Python to make the environment with; empty lets one be found."""
    wheels: str = ""
    """A folder of wheels to install from without a network; empty for the package index."""
    standalone: bool = False
    """Whether a Python may be fetched where none is found."""


@dataclass(frozen=True)
class Stamp:
    """The environment that is ready."""

    environment: str
    """The folder's name."""
    python: str
    """Its Python, relative to that folder."""
    version: str
    layer: str
    training: bool
    requirements: str
    """The fingerprint of what was installed."""


def engine_folder() -> Path:
    """Where the environment that Fusion Mapper sets up is kept: in the profile, outside the plugin."""
    return Path(on_this_machine(str(data_folder() / "engine"), platform.system(), os.environ))


def on_this_machine(folder: str, system: str, environ: Mapping[str, str]) -> str:
    """A folder of the profile as it is where gigabytes may lie.

    Windows carries %APPDATA%, in which QGIS keeps its profiles, from machine to machine with its user ("roaming"); what
    belongs to one machine has its place at the same path below %LOCALAPPDATA%
    (learn.microsoft.com/windows/win32/shell/knownfolderid, FOLDERID_RoamingAppData, FOLDERID_LocalAppData).
    """
    roaming, local = environ.get("APPDATA", ""), environ.get("LOCALAPPDATA", "")
    if system != "Windows" or not roaming or not local:
        return folder
    path = PureWindowsPath(folder)
    try:
        return str(PureWindowsPath(local) / path.relative_to(PureWindowsPath(roaming)))
    except ValueError:
        # A profile elsewhere, as with --profiles-path.
        return folder


def read_stamp(folder: Path) -> Optional[Stamp]:
    """The environment that is ready; None where there is none."""
    return _read(folder / READY, Stamp)


def read_wish(folder: Path) -> Optional[Wish]:
    """What an installation that has not ended was asked for; None where none was begun."""
    return _read(folder / UNFINISHED, Wish)


def write_record(folder: Path, name: str, record: Record) -> None:
    """Write a stamp or a wish in one step; raises OSError."""
    part = folder / f".{name}.part"
    part.write_text(json.dumps({"schema": SCHEMA, **asdict(record)}, indent=1), encoding="utf-8")
    os.replace(part, folder / name)


def managed_python(folder: Optional[Path] = None) -> Optional[Path]:
    """The Python of the environment that is ready; None where there is none, or where it has gone."""
    folder = folder or engine_folder()
    stamp = read_stamp(folder)
    python = folder / stamp.environment / stamp.python if stamp else None
    return python if python is not None and python.is_file() else None


def base_python(folder: Path) -> Optional[Path]:
    """The Python with which the environment that is ready was made, from its ``pyvenv.cfg``."""
    stamp = read_stamp(folder)
    if stamp is None:
        return None
    with contextlib.suppress(OSError):
        lines = (folder / stamp.environment / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace").splitlines()
        values = dict(line.split(" = ", 1) for line in lines if " = " in line)
        if "executable" in values:
            return Path(values["executable"])
    return None


def state_of(folder: Path, wanted: str) -> State:
    """What the folder holds; `wanted` is the fingerprint of what this version installs in place of what is there."""
    stamp = read_stamp(folder)
    if read_wish(folder) is not None:
        return State.UNFINISHED
    if stamp is None:
        return State.ABSENT
    if managed_python(folder) is None:
        return State.BROKEN
    return State.READY if stamp.requirements == wanted else State.OUTDATED


def _read(path: Path, kind: type[Record]) -> Optional[Record]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["schema"] != SCHEMA:
            return None
        # A version before may not have known the last fields.
        wanted = [field.name for field in fields(kind) if field.name in data or field.default is MISSING]
        record = kind(**{name: data[name] for name in wanted})
    except (OSError, ValueError, KeyError, TypeError):
        # One that cannot be read is none: what it spoke of is made again.
        return None
    types = {"str": str, "bool": bool}
    return record if all(type(getattr(record, one.name)) is types[one.type] for one in fields(kind)) else None
