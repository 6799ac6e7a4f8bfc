"""Packages by pip: the pinned pip itself, then everything into a folder, then from there into the environment."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from .bench import Bench
from .layers import batches
from .pip_words import PipListener
from .pythons import Found
from .steps import FETCH_STEP, TOOLS_STEP, UNPACK_STEP

#: Where an environment keeps its packages, on Windows and elsewhere.
_PACKAGES = "Lib/site-packages" if sys.platform == "win32" else "lib/python3*/site-packages"


def install_with_pip(bench: Bench, python: Path, base: Found) -> None:
    """Install what the plan asks for into the environment of `python`, which `base` has made.

    Raises:
        SetupFailed: with the cause.
        Cancelled: when the listener said so; what was downloaded stays.
    """
    _upgrade(bench, python, base)
    wheels = bench.wheels() or _fetch(bench, python, base)
    _unpack(bench, python, base, wheels)


def packages_in(home: Path) -> int:
    """How many packages lie in an environment."""
    return sum(1 for _ in home.glob(f"{_PACKAGES}/*.dist-info"))


def _upgrade(bench: Bench, python: Path, base: Found) -> None:
    bench.step(TOOLS_STEP)
    wheels, tools = bench.wheels(), bench.plan.tools
    if tools is None or (wheels and not any(wheels.glob("pip-*.whl"))):
        return
    offline = ["--no-index", "--find-links", str(wheels)] if wheels else []
    bench.call(_pip(python, "install", [tools], *offline), base.python)


def _fetch(bench: Bench, python: Path, base: Found) -> Path:
    """The folder into which everything was downloaded, a few packages at a time; what lies there is kept."""
    wheels, pip, expected = bench.downloads(), PipListener(), bench.plan.download
    bench.step(FETCH_STEP, 0, expected)

    def hear(line: str) -> None:
        fetched = pip.hear(line)
        if fetched is not None:
            bench.step(FETCH_STEP, fetched.done, max(expected, fetched.done), fetched.package)

    # The pip that comes with Python may be older than a bar in bytes.
    bar = ["--progress-bar", "raw"] if bench.plan.tools is not None else []
    for asked in batches(bench.plan.requirements):
        file = bench.temporary() / "asked.txt"
        file.write_text(asked, encoding="utf-8")
        bench.call(_pip(python, "download", [file], *bar, "--dest", str(wheels)), base.python, hear=hear)
    return wheels


def _unpack(bench: Bench, python: Path, base: Found, wheels: Path) -> None:
    home, total = python.parent.parent, bench.plan.packages

    def look() -> None:
        bench.step(UNPACK_STEP, min(packages_in(home), total), total)

    look()
    command = _pip(python, "install", bench.plan.requirements, "--no-index", "--find-links", str(wheels))
    bench.call(command, base.python, look=look)


def _pip(python: Path, verb: str, files: Sequence[Path], *words: str) -> list[str]:
    command = [str(python), "-I", "-m", "pip", verb, "--require-hashes", "--no-deps", "--no-cache-dir"]
    command += ["--only-binary", ":all:"]
    command += ["--no-user", "--no-warn-script-location"] if verb == "install" else []
    return [*command, *words, *(part for file in files for part in ("-r", str(file)))]
