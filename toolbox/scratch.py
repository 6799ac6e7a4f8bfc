"""Temporary folders that go even where QGIS is killed: the next one that makes such a folder deletes what is left."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from qgis.PyQt.QtCore import QLockFile

PREFIX = "fusion_mapper_"
#: Of the file beside a folder that is locked as long as the folder is in use.
_LOCK = ".lock"


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder, deleted with all that is in it when its use ends, however it ends."""
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = _lock_of(folder)
    lock.tryLock(0)
    try:
        yield folder
    finally:
        _delete(folder, lock)


def sweep() -> None:
    """Delete the folders of processes that are no more."""
    for file in Path(tempfile.gettempdir()).glob(f"{PREFIX}*{_LOCK}"):
        folder = file.with_suffix("")
        lock = _lock_of(folder)
        if lock.tryLock(0):
            _delete(folder, lock)


def _lock_of(folder: Path) -> QLockFile:
    lock = QLockFile(f"{folder}{_LOCK}")
    # However old a lock is, it counts while its process lives.
    lock.setStaleLockTime(0)
    return lock


def _delete(folder: Path, lock: QLockFile) -> None:
    # What something still holds open (on Windows) is left; its lock file stays for the next sweep to find.
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        lock.unlock()
