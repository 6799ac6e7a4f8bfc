"""What pip says while it works, as facts: which package, and how many bytes of how many.

Written for the pip that the installer brings along (``tools.txt``) with ``--progress-bar raw``; an older one, which
is used where that cannot be had, says less.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Optional

_NAME = r"(?P<file>[^/\\\s]+?)-(?P<version>[^-/\\\s]+)(-[^/\\\s]+)?\.whl"
_FETCHED = re.compile(rf"^\s*(Downloading|Using cached) (\S*/)?{_NAME}( \((?P<size>[\d.,]+) (?P<unit>\w+)\))?")
_LOCAL = re.compile(rf"^\s*(Processing|File was already downloaded) (?P<path>.*?{_NAME})( \(from .*)?$")
_RAW = re.compile(r"^\s*Progress (?P<done>\d+) of (?P<total>\d+)\s*$")
_UNITS = {"bytes": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3}


@dataclass(frozen=True)
class Fetched:
    """How far pip is with fetching."""

    package: str
    done: int
    """Bytes of all packages so far."""


class PipListener:
    """Hears pip's lines and adds up what it has fetched.

    Args:
        size_of: bytes of a file on this machine, for packages that are fetched from a folder.
    """

    def __init__(self, size_of: Callable[[str], int] = os.path.getsize) -> None:
        self._size_of = size_of
        self._package = ""
        self._before = 0
        self._size = 0
        self._here = 0

    def hear(self, line: str) -> Optional[Fetched]:
        """Where pip is now; None for a line that tells nothing of that."""
        raw = _RAW.match(line)
        if raw:
            self._size, self._here = int(raw["total"]) or self._size, int(raw["done"])
            return self._fetched() if self._package else None
        fetched, local = _FETCHED.match(line), _LOCAL.match(line)
        if fetched:
            cached = line.lstrip().startswith("Using")
            return self._begin(fetched["file"], _bytes(fetched["size"], fetched["unit"]), cached)
        return self._begin(local["file"], self._local_size(local["path"]), True) if local else None

    def _begin(self, package: str, size: int, there: bool) -> Fetched:
        self._before += self._size
        self._package, self._size, self._here = package.replace("_", "-"), size, size if there else 0
        return self._fetched()

    def _fetched(self) -> Fetched:
        return Fetched(self._package, self._before + self._here)

    def _local_size(self, path: str) -> int:
        try:
            return self._size_of(path)
        except OSError:
            return 0


def _bytes(size: Optional[str], unit: Optional[str]) -> int:
    return int(float(size.replace(",", "")) * _UNITS.get(unit or "", 1)) if size else 0
