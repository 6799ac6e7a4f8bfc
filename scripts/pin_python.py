"""Writes ``resources/requirements/python.json``: the Python that the plugin fetches where a machine has none.

    .venv-engine/bin/python scripts/pin_python.py METADATA [SERIES]

METADATA is ``crates/uv-python/download-metadata.json`` of a checkout of github.com/astral-sh/uv, which holds the
address and the SHA-256 of every build of python-build-standalone. The newest build of the series (3.12 by default) that
there is for all of our platforms is taken.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parents[1] / "resources" / "requirements" / "python.json"
#: Our name of a platform → operating system, processor and C library as uv calls them.
PLATFORMS = {
    "linux-x86_64": ("linux", "x86_64", "gnu"),
    "linux-aarch64": ("linux", "aarch64", "gnu"),
    "macos-arm64": ("darwin", "aarch64", "none"),
    "macos-x86_64": ("darwin", "x86_64", "none"),
    "windows-amd64": ("windows", "x86_64", "none"),
}
_ADDRESS = re.compile(r"https://github\.com/astral-sh/python-build-standalone/releases/download/\d+/[\w.%+-]+\.tar\.gz")


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("metadata", type=Path)
    parser.add_argument("series", nargs="?", default="3.12")
    arguments = parser.parse_args()
    table = pinned(json.loads(arguments.metadata.read_text(encoding="utf-8")), arguments.series)
    TARGET.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def pinned(metadata: Mapping[str, Mapping[str, Any]], series: str) -> dict[str, Any]:
    """The table of the newest build that there is for all platforms; raises SystemExit where there is none."""
    builds: dict[tuple[int, str], dict[str, dict[str, str]]] = {}
    for one in metadata.values():
        platform = _platform(one)
        if platform and _is_plain(one) and f"{one['major']}.{one['minor']}" == series:
            found = {"url": one["url"], "hash": f"sha256:{one['sha256']}"}
            builds.setdefault((one["patch"], str(one["build"])), {})[platform] = found
    whole = [key for key, found in builds.items() if set(found) == set(PLATFORMS)]
    if not whole:
        raise SystemExit(f"There is no build of Python {series} for all of {', '.join(PLATFORMS)}.")
    patch, release = max(whole)
    about = {"schema": 1, "version": f"{series}.{patch}", "release": release}
    return {**about, "builds": {platform: builds[patch, release][platform] for platform in PLATFORMS}}


def _platform(one: Mapping[str, Any]) -> str | None:
    processor = one["arch"]["family"] if not one["arch"]["variant"] else ""
    wanted = (one["os"], processor, one["libc"])
    return next((name for name, place in PLATFORMS.items() if place == wanted), None)


def _is_plain(one: Mapping[str, Any]) -> bool:
    """A release of CPython, neither free-threaded nor for debugging, with a hash, from where it is to be fetched."""
    final = one["name"] == "cpython" and not one["prerelease"] and not one["variant"]
    return bool(final and re.fullmatch(r"[0-9a-f]{64}", one["sha256"] or "") and _ADDRESS.fullmatch(one["url"]))


if __name__ == "__main__":
    main()
