"""Packages by uv, where the user has it: the same pinned files and hashes, through the same proxy, and faster."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Optional

from .bench import Bench
from .causes import CERTIFICATE, OTHER, PROXY, WHEEL
from .pip_way import packages_in
from .pythons import Found
from .steps import FETCH_STEP, UNPACK_STEP, SetupFailed
from .uv_words import UvListener, uv_environment

#: The first uv whose options and variables are all those that are used here.
OLDEST = (0, 5)
#: Failures after which pip is tried: it may know a proxy, a certificate or an index that uv does not.
_PIP_MAY = frozenset((PROXY, CERTIFICATE, WHEEL, OTHER))


@dataclass(frozen=True)
class UvPlace:
    """What decides where to look for uv."""

    system: str
    """As `platform.system` says: Windows, Darwin, Linux."""
    environ: Mapping[str, str]
    home: str


def uv_candidates(place: UvPlace) -> Iterator[str]:
    """Where uv may be: on the path, where its installer puts it (docs.astral.sh/uv/reference/storage, "Executables"),
    and where Homebrew, cargo, WinGet and Scoop do. A QGIS that was started from a desktop knows a short path only.
    """
    windows = place.system == "Windows"
    path, name = (PureWindowsPath, "uv.exe") if windows else (PurePosixPath, "uv")
    environ = place.environ
    folders = [folder for folder in environ.get("PATH", "").split(";" if windows else ":") if folder]
    folders += [environ[name] for name in ("UV_INSTALL_DIR", "XDG_BIN_HOME") if environ.get(name)]
    if environ.get("XDG_DATA_HOME"):
        folders.append(str(path(environ["XDG_DATA_HOME"], "..", "bin")))
    folders += [str(path(place.home, *parts)) for parts in ((".local", "bin"), (".cargo", "bin"))]
    if windows:
        local = environ.get("LOCALAPPDATA", "")
        folders += [str(path(local, "Microsoft", "WinGet", "Links"))] if local else []
        folders.append(str(path(place.home, "scoop", "shims")))
    else:
        folders += ["/opt/homebrew/bin", "/usr/local/bin"]
    yield from dict.fromkeys(str(path(folder, name)) for folder in folders)


def find_uv(place: UvPlace, ask: Callable[[str], str]) -> Optional[Path]:
    """The uv of this machine; None where there is none that is new enough.

    Args:
        place: where this is.
        ask: what a program says to ``--version``; empty where it says nothing.
    """
    for candidate in uv_candidates(place):
        if Path(candidate).is_file():
            found = re.match(r"uv (\d+)\.(\d+)", ask(candidate))
            if found and (int(found[1]), int(found[2])) >= OLDEST:
                return Path(candidate)
    return None


def install_with_uv(bench: Bench, python: Path, base: Found) -> bool:
    """Install what the plan asks for into the environment of `python`, which `base` has made.

    Returns:
        Whether it did; False where it failed in a way in which pip may not.

    Raises:
        SetupFailed: with the cause, where pip would fail as well.
        Cancelled: when the listener said so; what was downloaded stays.
    """
    try:
        _install(bench, python, base)
    except SetupFailed as problem:
        if problem.cause not in _PIP_MAY:
            raise
        bench.say("uv could not do it; pip is tried.")
        return False
    return True


def _install(bench: Bench, python: Path, base: Found) -> None:
    # Of its own, so that a Cancel keeps what was fetched, and the last step or a Remove deletes it.
    cache = bench.downloads() / "uv"
    heard, expected, home = UvListener(), bench.plan.download, python.parent.parent
    most = [0]
    bench.step(FETCH_STEP, 0, expected)

    def look() -> None:
        if heard.is_unpacking:
            bench.step(UNPACK_STEP, min(packages_in(home), bench.plan.packages), bench.plan.packages)
            return
        # What is under way is unpacked already, so that this is a guess, which a bar must not take back.
        most[0] = max(most[0], heard.done + min(heard.under_way, bytes_below(cache, ".tmp*")))
        bench.step(FETCH_STEP, min(most[0], expected), expected, heard.package)

    def hear(line: str) -> None:
        if heard.hear(line):
            look()

    said = bench.call([str(python), "-I", "-m", "pip", "config", "list"], base.python)
    environment = uv_environment(bench.environment(), said)
    bench.call(_command(bench, python, cache), base.python, hear=hear, look=look, environment=environment)


def _command(bench: Bench, python: Path, cache: Path) -> list[str]:
    wheels = bench.wheels()
    command = [str(bench.plan.uv), "pip", "install", "--python", str(python), "--require-hashes", "--no-deps"]
    command += ["--only-binary", ":all:", "--compile-bytecode", "--cache-dir", str(cache), "--color", "never"]
    # As pip does: whichever index has the pinned file; the hash decides that it is the right one.
    command += ["--index-strategy", "unsafe-best-match", "--no-python-downloads"]
    command += ["--no-index", "--find-links", str(wheels)] if wheels else []
    return [*command, *(part for file in bench.plan.requirements for part in ("-r", str(file)))]


def bytes_below(folder: Path, pattern: str) -> int:
    """Bytes in what is being unpacked while it is fetched, and may be moved away meanwhile."""
    total = 0
    for part in folder.glob(pattern):
        for place, _folders, files in os.walk(part):
            for file in files:
                with contextlib.suppress(OSError):
                    total += os.lstat(os.path.join(place, file)).st_size
    return total
