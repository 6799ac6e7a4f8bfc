"""How every piece of work ends: in its result, or in one sentence and a code."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Callable

from .errors import Cancelled, RequestError
from .events import CANCELLED, FAULT, OK, WRONG, Event, Failed, Result


def answer(work: Callable[[], Result], say: Callable[[Event], None]) -> int:
    """Do `work` and `say` how it ended; returns the code. The sentence of a failure also goes to standard error."""
    try:
        say(work())
        return OK
    except Cancelled as stop:
        say(Failed(str(stop), CANCELLED))
        return CANCELLED
    except RequestError as problem:
        say(Failed(str(problem), WRONG))
        _log(f"{problem}\n")
        return WRONG
    except MemoryError:
        return _fault(say, "The engine ran out of memory; set compute.memory or compute.block lower and run again.")
    except Exception:  # noqa: BLE001 - the last resort: whatever it is, the user gets a sentence and the details
        return _fault(say, "The engine met a fault of its own; please report it with the details.")


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
