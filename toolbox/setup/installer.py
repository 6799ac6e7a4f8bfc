"""Makes the engine's environment: a fresh folder, pip, the pinned packages, the doctor's word, and then its stamp.

The environment is used from the moment its stamp is written, in one step; the one before stays in use until then. What
was downloaded stays in the folder when an installation stops, so that the next one goes on from there.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Optional, Protocol

from qgis.PyQt.QtCore import QLockFile

from ...inference.errors import FusionMapperError
from ..engine.commands import deaf
from ..engine.once import Engine
from .causes import DISK, VENV, Cause, cause, explain, explain_os_error
from .child import run_child
from .layers import batches, fingerprint
from .pip_words import PipListener
from .pythons import Found
from .state import (
    ENVIRONMENT,
    LOCK,
    LOG,
    READY,
    UNFINISHED,
    Stamp,
    Wish,
    read_stamp,
    write_record,
)

#: What is kept for the next try, and where pip unpacks; both go with the last step.
_DOWNLOADS, _TEMPORARY = "downloads", "tmp"
ENVIRONMENT_STEP, TOOLS_STEP, FETCH_STEP, UNPACK_STEP, CHECK_STEP, REMOVE_STEP = (
    "environment", "tools", "fetch", "unpack", "check", "remove",
)  # fmt: skip
#: Bytes below which a disk counts as full.
_FULL = 8 * 2**20
#: Where an environment keeps its packages, on Windows and elsewhere.
_PACKAGES = ("Lib/site-packages",) if sys.platform == "win32" else ("lib/python3*/site-packages",)
#: Where on a bar of 100 each step begins and ends.
_SHARES = {
    ENVIRONMENT_STEP: (0, 4), TOOLS_STEP: (4, 6), FETCH_STEP: (6, 60), UNPACK_STEP: (60, 93), CHECK_STEP: (93, 100),
    REMOVE_STEP: (0, 100),
}  # fmt: skip

#: Called with the new Python, a folder and what tells that nobody waits any more; answers the doctor's report.
Prove = Callable[[Path, Path, Callable[[], bool]], dict[str, Any]]


class SetupFailed(FusionMapperError):
    """An installation failed; the text is the cause with the next step, `details` what pip or the system said."""

    def __init__(self, why: Cause, details: str = "") -> None:
        super().__init__(why.sentence)
        self.cause = why.name
        self.details = details


class SetupBusy(FusionMapperError):
    """Another QGIS is installing into the same folder."""

    def __init__(self) -> None:
        super().__init__("The engine is being set up by another QGIS with this profile; wait until it has ended.")


@dataclass(frozen=True)
class Step:
    """How far an installation is."""

    name: str
    done: int = 0
    total: int = 0
    """Of what the step counts: bytes, packages; 0 where it does not count."""
    what: str = ""
    """The package, where there is one."""

    @property
    def percent(self) -> float:
        """Of the whole installation."""
        first, last = _SHARES[self.name]
        share = min(1.0, self.done / self.total) if self.total else 0.0
        return first + (last - first) * share


class Listener(Protocol):
    """Who follows an installation; called on its thread."""

    def stepped(self, step: Step) -> None:
        """How far it is."""

    def said(self, line: str) -> None:
        """A line for the log."""

    def is_cancelled(self) -> bool:
        """Whether it is to stop."""


@dataclass(frozen=True)
class Plan:
    """What is to be installed, where and how."""

    folder: Path
    """The engine's folder."""
    wish: Wish
    pythons: tuple[Found, ...]
    """The Pythons to try, the best first."""
    requirements: tuple[Path, ...]
    tools: Optional[Path] = None
    """The requirements of the installer itself; None keeps the pip that came with Python."""
    download: int = 0
    """Bytes that are expected to be fetched."""
    packages: int = 0
    room: int = 0
    """Bytes that have to be free."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """The environment of pip and venv (`network.pip_environment`)."""
    certificates: bytes = b""
    """What QGIS trusts, in PEM, where the user has added to it and has told pip nothing else."""


def ask_doctor(python: Path, folder: Path, is_cancelled: Callable[[], bool]) -> dict[str, Any]:
    """What the doctor says of a new environment."""
    return Engine(python).doctor(folder, deaf, is_cancelled).report


def install(plan: Plan, listener: Listener, prove: Prove = ask_doctor) -> dict[str, Any]:
    """Install, and answer what `prove` says of the new environment. Waits, so it is not called on the GUI thread.

    Raises:
        SetupFailed: with the cause.
        SetupBusy: when another process is at it.
        EngineFailed: when the new engine does not work.
        Cancelled: when the listener said so; what was downloaded stays.
    """
    with _at_work(plan.folder) as log:
        return _Installation(plan, listener, log).run(prove)


def remove(folder: Path, listener: Listener) -> None:
    """Delete the environment and whatever an installation has left; raises as `install` does."""
    with _at_work(folder):
        listener.stepped(Step(REMOVE_STEP))
        for name in (READY, UNFINISHED):
            (folder / name).unlink(missing_ok=True)
        for leftover in [*_environments(folder), folder / _DOWNLOADS, folder / _TEMPORARY]:
            if leftover.is_dir():
                shutil.rmtree(leftover)
    with contextlib.suppress(OSError):
        for name in (LOG, LOCK):
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()


def is_busy(folder: Path) -> bool:
    """Whether an installation is going on in this or another QGIS."""
    lock = _lock_of(folder)
    if not (folder / LOCK).exists():
        return False
    free = lock.tryLock(0)
    if free:
        lock.unlock()
    return not free


class _Installation:
    """One installation, step by step."""

    def __init__(self, plan: Plan, listener: Listener, log: IO[str]) -> None:
        self._plan = plan
        self._listener = listener
        self._log = log
        self._folder = plan.folder
        # Short: Windows limits the length of paths.
        self._home = self._folder / f"{ENVIRONMENT}{secrets.token_hex(2)}"
        self._python = self._home / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")

    def run(self, prove: Prove) -> dict[str, Any]:
        write_record(self._folder, UNFINISHED, self._plan.wish)
        _sweep(self._folder, downloads=False)
        self._look_for_room()
        try:
            base = self._make_environment()
            self._upgrade_pip(base)
            wheels = self._wheels() or self._fetch(base)
            self._unpack(base, wheels)
            self._listener.stepped(Step(CHECK_STEP))
            report = prove(self._python, self._temporary(), self._listener.is_cancelled)
        except BaseException:
            # Room for the next try; what was downloaded stays for it.
            shutil.rmtree(self._home, ignore_errors=True)
            raise
        write_record(self._folder, READY, self._stamp(base))
        (self._folder / UNFINISHED).unlink()
        _sweep(self._folder)
        self._listener.stepped(Step(CHECK_STEP, 1, 1))
        return report

    def _look_for_room(self) -> None:
        free = shutil.disk_usage(self._folder).free
        if free < self._plan.room:
            wanted = f"{self._plan.room / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free in {self._folder}."
            self._say(wanted)
            raise SetupFailed(Cause(DISK, f"There is not enough room on the disk: {wanted} Free some space and go on."))

    def _make_environment(self) -> Found:
        """The Python with which it was made."""
        self._listener.stepped(Step(ENVIRONMENT_STEP))
        for number, found in enumerate(self._plan.pythons, 1):
            command = [str(found.python), "-I", "-m", "venv", "--clear", str(self._home)]
            try:
                self._call(command, found, VENV)
                return found
            except SetupFailed as problem:
                if shutil.disk_usage(self._folder).free < _FULL:
                    # ensurepip fails without saying of what.
                    raise SetupFailed(cause(DISK), problem.details) from problem
                # Some QGIS bring a Python that starts and makes no environments; the next one may.
                if problem.cause != VENV or number == len(self._plan.pythons):
                    raise
        raise SetupFailed(cause(VENV))

    def _upgrade_pip(self, base: Found) -> None:
        self._listener.stepped(Step(TOOLS_STEP))
        wheels = self._wheels()
        if self._plan.tools is None or (wheels and not any(wheels.glob("pip-*.whl"))):
            return
        offline = ["--no-index", "--find-links", str(wheels)] if wheels else []
        self._call(self._pip("install", [self._plan.tools], *offline), base)

    def _fetch(self, base: Found) -> Path:
        """The folder into which everything was downloaded, a few packages at a time; what lies there is kept."""
        wheels, pip = self._folder / _DOWNLOADS, PipListener()
        wheels.mkdir(exist_ok=True)
        self._listener.stepped(Step(FETCH_STEP, 0, self._plan.download))

        def hear(line: str) -> None:
            fetched = pip.hear(line)
            if fetched is not None:
                total = max(self._plan.download, fetched.done)
                self._listener.stepped(Step(FETCH_STEP, fetched.done, total, fetched.package))

        # The pip that comes with Python may be older than a bar in bytes.
        bar = ["--progress-bar", "raw"] if self._plan.tools is not None else []
        for asked in batches(self._plan.requirements):
            file = self._temporary() / "asked.txt"
            file.write_text(asked, encoding="utf-8")
            self._call(self._pip("download", [file], *bar, "--dest", str(wheels)), base, hear=hear)
        return wheels

    def _unpack(self, base: Found, wheels: Path) -> None:
        def look() -> None:
            done = sum(1 for place in _PACKAGES for _ in self._home.glob(f"{place}/*.dist-info"))
            self._listener.stepped(Step(UNPACK_STEP, min(done, self._plan.packages), self._plan.packages))

        look()
        command = self._pip("install", self._plan.requirements, "--no-index", "--find-links", str(wheels))
        self._call(command, base, look=look)

    def _pip(self, verb: str, files: Sequence[Path], *words: str) -> list[str]:
        command = [str(self._python), "-I", "-m", "pip", verb, "--require-hashes", "--no-deps", "--no-cache-dir"]
        command += [
            "--only-binary",
            ":all:",
            *(["--no-user", "--no-warn-script-location"] if verb == "install" else []),
        ]
        return [*command, *words, *(part for file in files for part in ("-r", str(file)))]

    def _call(
        self,
        command: list[str],
        base: Found,
        otherwise: str = "",
        hear: Optional[Callable[[str], None]] = None,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        """Run one command; raises SetupFailed, with the cause `otherwise` where its words tell none."""
        self._say("$ " + " ".join(command))

        def on_line(line: str) -> None:
            if not line.startswith("Progress "):
                self._say(line)
            if hear is not None:
                hear(line)

        stop = self._listener.is_cancelled
        try:
            ended = run_child(command, base.python, self._environment(), self._folder, on_line, look, stop)
        except OSError as problem:
            raise SetupFailed(explain_os_error(problem), str(problem)) from problem
        if ended.code != 0:
            self._say(f"It ended with exit code {ended.code}.")
            why = explain(ended.said, ended.code)
            raise SetupFailed(cause(otherwise) if otherwise and why.name == "other" else why, ended.said)

    def _environment(self) -> dict[str, str]:
        folder = self._temporary()
        environment = {**self._plan.environment, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))}
        if self._plan.certificates:
            trusted = folder / "certificates.pem"
            trusted.write_bytes(self._plan.certificates)
            environment.setdefault("PIP_CERT", str(trusted))
        return environment

    def _wheels(self) -> Optional[Path]:
        """The folder that the user has filled, where there is no network."""
        return Path(self._plan.wish.wheels) if self._plan.wish.wheels else None

    def _temporary(self) -> Path:
        """On the same disk, for a temporary folder in memory is soon full."""
        folder = self._folder / _TEMPORARY
        folder.mkdir(exist_ok=True)
        return folder

    def _stamp(self, base: Found) -> Stamp:
        wish = self._plan.wish
        python = self._python.relative_to(self._home).as_posix()
        asked = fingerprint(self._plan.requirements)
        return Stamp(self._home.name, python, base.version, wish.layer, wish.training, asked)

    def _say(self, line: str) -> None:
        self._log.write(line + "\n")
        self._log.flush()
        self._listener.said(line)


@contextlib.contextmanager
def _at_work(folder: Path) -> Any:
    """Hold the engine's folder for oneself, with its log; what the system refuses is told by its cause."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _lock_of(folder)
        if not lock.tryLock(0):
            if lock.error() == QLockFile.LockError.LockFailedError:
                raise SetupBusy()
            # Says why, as QLockFile does not.
            (folder / LOCK).touch()
            raise SetupFailed(explain_os_error(PermissionError(13, "", str(folder))))
        try:
            with (folder / LOG).open("w", encoding="utf-8") as log:
                yield log
        finally:
            lock.unlock()
    except OSError as problem:
        raise SetupFailed(explain_os_error(problem), str(problem)) from problem


def _lock_of(folder: Path) -> QLockFile:
    lock = QLockFile(str(folder / LOCK))
    # However old a lock is, it counts while its process lives.
    lock.setStaleLockTime(0)
    return lock


def _environments(folder: Path) -> list[Path]:
    return list(folder.glob(f"{ENVIRONMENT}*"))


def _sweep(folder: Path, downloads: bool = True) -> None:
    """Delete environments that are not in use, and downloads once they are of no more use."""
    stamp = read_stamp(folder)
    leftovers = [one for one in _environments(folder) if stamp is None or one.name != stamp.environment]
    for leftover in [*leftovers, folder / _TEMPORARY, *([folder / _DOWNLOADS] if downloads else [])]:
        # What something still holds open (on Windows) is left for the next sweep.
        shutil.rmtree(leftover, ignore_errors=True)
