"""The ticket: a file among the blocks that tells workers what to do, for as long as somebody waits for it.

A worker keeps a block only while the ticket lies there. So one that was given up for dead, or whose run was cancelled,
never writes into a later run.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...models.files import write_atomically
from ..errors import RequestError
from ..job import Job, job_from_dict
from ..plan import BLOCKS


@dataclass(frozen=True)
class Ticket:
    """What a worker reads."""

    plan: Mapping[str, Any]
    job: Job
    base: Path
    """Folder against which the job's relative paths resolve."""


@contextmanager
def issued(folder: Path, ticket: Ticket) -> Iterator[Path]:
    """The ticket's path, in the run folder `folder`; it is gone afterwards, and so are those of killed runs.

    Raises:
        RequestError: when the folder does not take it.
    """
    blocks = (folder / BLOCKS).absolute()
    for old in blocks.glob("ticket-*.json"):
        old.unlink(missing_ok=True)
    path = blocks / f"ticket-{secrets.token_hex(8)}.json"
    content = {"plan": ticket.plan, "job": ticket.job.to_dict(), "base": str(ticket.base.absolute())}
    write_atomically(path, json.dumps(content).encode())
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def read_ticket(path: Path) -> Ticket:
    """Read a ticket.

    Raises:
        RequestError: when it is not there, or is none of this engine's.
    """
    try:
        data = json.loads(path.read_bytes())
        return Ticket(data["plan"], job_from_dict(data["job"]), Path(data["base"]))
    except OSError as problem:
        raise RequestError(f"it cannot read the run folder {path.parent.parent}: {problem.strerror}") from None
    except (ValueError, KeyError, TypeError) as problem:
        raise RequestError(f"it cannot make out {path}: {problem}") from None


def is_valid(path: Path) -> bool:
    """True while the ticket is there; opened rather than looked up, which network file systems answer from memory."""
    try:
        path.open("rb").close()
    except OSError:
        return False
    return True
