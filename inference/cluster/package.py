"""This package as an upload: what a worker needs of it, in one zip."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from ..version import ENGINE_VERSION

ROOT = Path(__file__).resolve().parents[2]
#: Rooms that a worker imports, without what only training needs.
ROOMS = ("models", "inference")
LEFT_OUT = ("inference/learning", "models/training", "models/simulation", "models/accuracy")
FILES = ("__init__.py", "metadata.txt")
#: Equal contents make equal zips.
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


class Package:
    """The zip, and how it is told from another."""

    def __init__(self, root: Path = ROOT) -> None:
        self.version = ENGINE_VERSION
        self.content = _zipped(root)
        self.digest = hashlib.sha256(self.content).hexdigest()


def _zipped(root: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for path in sorted(_files(root)):
            entry = zipfile.ZipInfo(path.relative_to(root).as_posix(), _LONG_AGO)
            target.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _files(root: Path) -> Iterator[Path]:
    yield from (root / name for name in FILES)
    for room in ROOMS:
        for path in (root / room).rglob("*"):
            name = path.relative_to(root).as_posix()
            if path.is_file() and "__pycache__" not in path.parts and not name.startswith(LEFT_OUT):
                yield path
