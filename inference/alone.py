"""One run at a time in a run folder: two would delete and overwrite one another's blocks."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from .errors import RequestError
from .plan import BLOCKS, LOCK

_HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


@contextmanager
def alone_in(folder: Path, warn: Callable[[str], None]) -> Iterator[None]:
    """Keep other runs out of `folder` while this is open. The system frees it when the process ends, however it ends.

    Raises:
        RequestError: where another run is at work in the folder, or the folder cannot be written.
    """
    try:
        (folder / BLOCKS).mkdir(parents=True, exist_ok=True)
        stream = (folder / BLOCKS / LOCK).open("wb")
    except OSError as problem:
        raise RequestError(f"The run folder {folder} cannot be written: {problem.strerror}.") from problem
    with stream:
        try:
            _take(stream)
        except OSError as problem:
            if problem.errno in _HELD:
                raise RequestError(
                    f"Another run is at work in {folder}; wait for its end or choose another folder."
                ) from None
            # Some network shares know no locks; the run itself needs none.
            warn(f"{folder} cannot be locked ({problem.strerror}); start no second run in it.")
        yield


def _take(stream: IO[bytes]) -> None:
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined, unused-ignore]
    else:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
