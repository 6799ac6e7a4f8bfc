"""How every piece of work ends: in its result, or in one sentence and a code."""

from __future__ import annotations

import contextlib
import errno
import sys
import traceback
from collections.abc import Callable

from .errors import Cancelled, RequestError
from .events import CANCELLED, FAULT, OK, WRONG, Event, Failed, Result

_FAULT = "The engine met a fault of its own; please report it with the details."
#: What a system says of its disks and names, and no program can help.
_SURROUNDINGS = frozenset({
    errno.EACCES, errno.EDQUOT, errno.EIO, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOSPC, errno.EPERM, errno.EROFS,
})  # fmt: skip


def answer(work: Callable[[], Result], say: Callable[[Event], None]) -> int:
    """Do `work` and `say` how it ended; returns the code. The sentence of a failure also goes to standard error."""
    try:
        say(work())
        return OK
    except Cancelled as stop:
        say(Failed(str(stop), CANCELLED))
        return CANCELLED
    except RequestError as problem:
        return _wrong(say, str(problem))
    except OSError as problem:
        if problem.errno not in _SURROUNDINGS or not problem.filename:
            return _fault(say, _FAULT)
        return _wrong(say, f"{problem.strerror}: {problem.filename}")
    except MemoryError:
        return _fault(say, "The engine ran out of memory; set compute.memory or compute.block lower and run again.")
    except Exception:  # noqa: BLE001 - the last resort: whatever it is, the user gets a sentence and the details
        return _fault(say, _FAULT)


def _wrong(say: Callable[[Event], None], sentence: str) -> int:
    sentence = str(RequestError(sentence))
    say(Failed(sentence, WRONG))
    _log(f"{sentence}\n")
    return WRONG


def _fault(say: Callable[[Event], None], sentence: str) -> int:
    details = traceback.format_exc()
    say(Failed(sentence, FAULT, details))
    _log(f"{sentence}\n{details}")
    return FAULT


def _log(text: str) -> None:
    """To standard error, which is a file in the run's folder: it has no room where the disk is full."""
    with contextlib.suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()
