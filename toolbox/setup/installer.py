"""Makes the engine's environment: a fresh folder, the pinned packages, the doctor's word, and then its stamp.

The environment is used from the moment its stamp is written, in one step; the one before stays in use until then. What
was downloaded stays in the folder when an installation stops, so that the next one goes on from there.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from qgis.PyQt.QtCore import QLockFile

from ..engine.commands import deaf
from ..engine.once import Engine
from .bench import DOWNLOADS, TEMPORARY, Bench
from .causes import DISK, VENV, Cause, cause, explain_os_error
from .layers import fingerprint
from .pip_way import install_with_pip
from .python_way import fetch_python
from .pythons import Found
from .standalone import FOLDER
from .state import (
    ENVIRONMENT,
    LOCK,
    LOG,
    READY,
    UNFINISHED,
    Stamp,
    base_python,
    read_stamp,
    write_record,
)
from .steps import CHECK_STEP, ENVIRONMENT_STEP, REMOVE_STEP, Listener, Plan, SetupBusy, SetupFailed, Step
from .uv_way import install_with_uv

#: Bytes below which a disk counts as full.
_FULL = 8 * 2**20

#: Called with the new Python, a folder and what tells that nobody waits any more; answers the doctor's report.
Prove = Callable[[Path, Path, Callable[[], bool]], dict[str, Any]]


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
        for leftover in [*_environments(folder), *_pythons(folder), folder / DOWNLOADS, folder / TEMPORARY]:
            if leftover.is_dir():
                shutil.rmtree(leftover)
    with contextlib.suppress(OSError):
        (folder / LOG).unlink(missing_ok=True)
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
        self._bench = Bench(plan, listener, log)
        self._folder = plan.folder
        # Short: Windows limits the length of paths.
        self._home = self._folder / f"{ENVIRONMENT}{secrets.token_hex(2)}"
        self._python = self._home / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")

    def run(self, prove: Prove) -> dict[str, Any]:
        write_record(self._folder, UNFINISHED, self._plan.wish)
        _sweep(self._folder, downloads=False)
        self._look_for_room()
        bench = self._bench
        try:
            base = self._make_environment(self._pythons())
            if self._plan.uv is None or not install_with_uv(bench, self._python, base):
                install_with_pip(bench, self._python, base)
            bench.step(CHECK_STEP)
            report = prove(self._python, bench.temporary(), bench.listener.is_cancelled)
        except BaseException:
            # Room for the next try; what was downloaded stays for it.
            shutil.rmtree(self._home, ignore_errors=True)
            raise
        write_record(self._folder, READY, self._stamp(base))
        (self._folder / UNFINISHED).unlink()
        _sweep(self._folder)
        bench.step(CHECK_STEP, 1, 1)
        return report

    def _look_for_room(self) -> None:
        free = shutil.disk_usage(self._folder).free
        if free < self._plan.room:
            wanted = f"{self._plan.room / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free in {self._folder}."
            self._bench.say(wanted)
            raise SetupFailed(Cause(DISK, f"There is not enough room on the disk: {wanted} Free some space and go on."))

    def _pythons(self) -> tuple[Found, ...]:
        """Those of the machine, or the one that is fetched where there is none."""
        if self._plan.pythons or self._plan.standalone is None:
            return self._plan.pythons
        return (fetch_python(self._bench, self._plan.standalone),)

    def _make_environment(self, pythons: tuple[Found, ...]) -> Found:
        """The Python with which it was made."""
        self._bench.step(ENVIRONMENT_STEP)
        for number, found in enumerate(pythons, 1):
            command = [str(found.python), "-I", "-m", "venv", "--clear", str(self._home)]
            try:
                self._bench.call(command, found.python, VENV)
                return found
            except SetupFailed as problem:
                if shutil.disk_usage(self._folder).free < _FULL:
                    # ensurepip fails without saying of what.
                    raise SetupFailed(cause(DISK), problem.details) from problem
                # Some QGIS bring a Python that starts and makes no environments; the next one may.
                if problem.cause != VENV or number == len(pythons):
                    raise
        raise SetupFailed(cause(VENV))

    def _stamp(self, base: Found) -> Stamp:
        wish = self._plan.wish
        python = self._python.relative_to(self._home).as_posix()
        asked = fingerprint(self._plan.requirements)
        return Stamp(self._home.name, python, base.version, wish.layer, wish.training, asked)


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


def _pythons(folder: Path) -> list[Path]:
    """Pythons that were fetched, and those that were being unpacked."""
    return list(folder.glob(f"{FOLDER}*"))


def _sweep(folder: Path, downloads: bool = True) -> None:
    """Delete environments that are not in use, and downloads and Pythons once they are of no more use."""
    stamp = read_stamp(folder)
    leftovers = [one for one in _environments(folder) if stamp is None or one.name != stamp.environment]
    leftovers.append(folder / TEMPORARY)
    if downloads:
        base = base_python(folder)
        # A Python that was fetched is used by the environment that it has made.
        used = base.resolve().parents if base is not None else ()
        leftovers += [one for one in _pythons(folder) if one.resolve() not in used]
        leftovers.append(folder / DOWNLOADS)
    for leftover in leftovers:
        # What something still holds open (on Windows) is left for the next sweep.
        shutil.rmtree(leftover, ignore_errors=True)
