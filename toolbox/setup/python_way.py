"""A Python of one's own, fetched and unpacked into the engine's folder, once."""

from __future__ import annotations

from .bench import Bench
from .causes import VENV, cause
from .fetch import fetch
from .pythons import Found
from .standalone import Standalone, python_of
from .steps import PYTHON_STEP, SetupFailed
from .unpack import unpack


def fetch_python(bench: Bench, build: Standalone) -> Found:
    """The Python that was fetched, or that lies there from another time.

    Raises:
        SetupFailed: with the cause.
        Cancelled: when the listener said so; what was fetched stays.
        OSError: when it cannot be written.
    """
    home = bench.folder / build.folder
    bench.step(PYTHON_STEP, what=build.version)
    python = python_of(home)
    if python is None:
        archive, stop = bench.downloads() / f"{build.folder}.tar.gz", bench.listener.is_cancelled
        if not archive.is_file():
            bench.say(f"Fetching {build.url}, {build.hash}")
            fetch(build.url, archive, build.hash, _counting(bench, build), stop)
        bench.say(f"Unpacking into {home}")
        unpack(archive, home, stop)
        archive.unlink()
        python = python_of(home)
    if python is None:
        raise SetupFailed(cause(VENV), f"{build.url} holds no Python.")
    return Found(python, build.version)


def _counting(bench: Bench, build: Standalone):
    known = [0]

    def count(done: int, total: int) -> None:
        known[0] = total or known[0]
        bench.step(PYTHON_STEP, min(done, known[0]), known[0], build.version)

    return count
