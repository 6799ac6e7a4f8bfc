"""Temporary folders that go even where QGIS is killed: another QGIS deletes what is left of them."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from qgis.PyQt.QtCore import QLockFile

PREFIX = "fusion_mapper_"
#: Of the file beside a folder that is locked as long as the folder is in use.
_LOCK = ".lock"


class ScratchFolder:
    """An empty folder that lives until `delete`, or until the end of the ``with`` that it is used in."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = _lock_of(self.path)
        self._lock.tryLock(0)

    def delete(self) -> None:
        """Delete it with all that is in it; may be called twice."""
        _delete(self.path, self._lock)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_problem: object) -> None:
        self.delete()


def sweep() -> None:
    """Delete the folders of processes that are no more; may take a while, so it is not called on the GUI thread."""
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
