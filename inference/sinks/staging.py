"""Files that appear whole or not at all: written in a folder beside their place, then moved under their name."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import rasterio.errors
from rasterio._err import CPLE_BaseError

from ..errors import RequestError

#: A volume with less than this left after a failed write is taken to be full.
_FULL_BELOW = 2**20


def _writing() -> tuple[type[Exception], ...]:
    """What the libraries raise when a file cannot be written; copying rasters answers GDAL's errors as they are."""
    # Slow to import, and needed where something went wrong alone.
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError

    return OSError, rasterio.errors.RasterioError, CPLE_BaseError, DataSourceError, DataLayerError, FeatureError


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """A fresh folder on the volume of `path`; what lies in it at the end is moved beside `path` under its own name.

    The file called ``path.name`` is moved last, so that whoever sees it finds its companions there too. The folder's
    name is fixed: what a killed run left in it is cleared by the next one. On any error nothing is moved.

    Raises:
        RequestError: where the folder of `path` cannot be written, or its volume is full.
    """
    folder = path.parent / f".{path.name}.partial"
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        yield folder
        finished = sorted(folder.iterdir(), key=lambda file: (file.name == path.name, file.name))
        for file in finished:
            os.replace(file, path.parent / file.name)
    except _writing() as problem:
        raise unwritable(path, problem) from problem
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Delete what tries that were killed left half-written in a run's folder, once the run is finished."""
    for pattern in (".*.json.????????.part", "blocks/.*.part", "vectors/*.partial.*"):
        for draft in folder.glob(pattern):
            with suppress(OSError):
                draft.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a small UTF-8 file with line feeds on every system; raises RequestError as `staged` does."""
    with staged(path) as folder:
        (folder / path.name).write_text(text, encoding="utf-8", newline="\n")


def unwritable(path: Path, problem: Exception) -> RequestError:
    """What is told of a failure to write `path`."""
    if is_full(path.parent, problem):
        return RequestError(
            f"{path} cannot be written, because its disk is full; free some space or choose another folder."
        )
    if isinstance(problem, PermissionError):
        return RequestError(
            f"{path} cannot be written: permission denied; close what has it open or choose another folder."
        )
    reason = getattr(problem, "strerror", None) or str(problem).rstrip(".")
    return RequestError(f"{path} cannot be written: {reason}.")


def is_full(folder: Path, problem: Exception) -> bool:
    """True when the system says so, or when GDAL, which does not pass the reason on, failed with nothing left."""
    if isinstance(problem, OSError) and problem.errno is not None:
        return problem.errno in (errno.ENOSPC, errno.EDQUOT)
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free < _FULL_BELOW
