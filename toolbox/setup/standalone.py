"""A Python to fetch where none is found: which one, from where, and the hash that it must have.

The builds are those of python-build-standalone, which uv installs as well; ``resources/requirements/python.json`` is
written by ``scripts/pin_python.py`` from uv's own table.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from ..engine.environment import PLUGIN_ROOT

TABLE = PLUGIN_ROOT / "resources" / "requirements" / "python.json"
#: Of folders of such Pythons in the engine's folder; short, because Windows limits the length of paths.
FOLDER = "python-"
SCHEMA = 1


@dataclass(frozen=True)
class Standalone:
    """A build of Python that can be fetched."""

    version: str
    """In full, such as 3.12.14."""
    release: str
    """Of python-build-standalone, a date."""
    url: str
    hash: str
    """``sha256:<hex>`` of what lies at `url`: a tar, packed with gzip, of one folder named ``python``."""

    @property
    def series(self) -> str:
        """Its version as packages count it, such as 3.12."""
        return ".".join(self.version.split(".")[:2])

    @property
    def folder(self) -> str:
        """The name of its folder in the engine's."""
        return f"{FOLDER}{self.version}-{self.release}"


def offered(
    platform: str, has_wheels: Callable[[str], bool], found: bool, named: bool, table: Optional[Path] = None
) -> Optional[Standalone]:
    """The Python that is offered for download; None where none is needed, or none would do.

    Args:
        platform: our name of it (`machine.platform_name`).
        has_wheels: whether there are packages for a version such as ``3.12``.
        found: whether a Python was found that can be used.
        named: whether the user has named one, which is to be corrected and not to be replaced.
        table: what there is.
    """
    if found or named:
        return None
    build = read_table(TABLE if table is None else table).get(platform)
    return build if build is not None and has_wheels(build.series) else None


def read_table(path: Path) -> dict[str, Standalone]:
    """The builds by platform; raises ValueError where the file is of another kind."""
    data = json.loads(path.read_text(encoding="utf-8"))
    if data.get("schema") != SCHEMA:
        raise ValueError(f"{path} is of another version.")
    about = {"version": data["version"], "release": data["release"]}
    return {platform: Standalone(url=one["url"], hash=one["hash"], **about) for platform, one in data["builds"].items()}


def python_of(folder: Path) -> Optional[Path]:
    """The interpreter of a build that was unpacked into `folder`; None where there is none."""
    places = (folder / "python" / "python.exe", folder / "python" / "bin" / "python3")
    return next((place for place in places if place.is_file()), None)
