"""What a trial of backends found, and its memory: verdicts of earlier trials in a file of the user's cache."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from ..models.fields import decode
from ..models.files import write_atomically
from .errors import RequestError
from .plan import Way
from .prepare import Prepared
from .sessions import runtime_versions
from .user_cache import cache_folder
from .workers import cores, worker_count

#: Bytes of all verdicts together: a recipe of many channels takes half a megabyte.
_ROOM = 4_000_000
#: Counted up where a trial tries more than before: what an older one has not tried may be faster.
_TRIAL = 4


@dataclass(frozen=True)
class Verdict(Way):
    """What to run on, and why, in a sentence for the run's log."""

    reason: str = ""
    warning: str = ""
    """A device that is installed and does not run the model here, with its own reason."""
    in_full: str = ""
    """The device that is fastest in full precision; the same where none is named."""
    judged: tuple[str, ...] = ()
    """The maps (`plan.map_named`) on which reduced precision has proved itself; on others it has to, again."""
    refused: tuple[str, ...] = ()
    """The maps on which no reduced precision has, and which are run in full."""
    pace: float = 0.0
    """Seconds that a pixel of a tile took in full precision."""
    all_tried: bool = False
    """Whether reduced precision was tried as well, which is only worth it on a map that takes a while."""


class Memory:
    """The verdict on one job's model on this machine, as the job uses it. A memory that cannot be read or written is
    no fault: the trial is made again.
    """

    def __init__(self, prepared: Prepared, batch: int) -> None:
        self._key = _key(prepared, batch)
        self._path = cache_folder() / "trials.json"

    def verdict(self) -> Verdict | None:
        """What an earlier trial found."""
        try:
            found = decode(Verdict, self._all()[self._key], "verdict")
            found.require_sound()
            return found
        except (KeyError, RequestError):
            return None

    def keep(self, verdict: Verdict) -> None:
        """Remember it, and forget the oldest of many."""
        others = {key: value for key, value in self._all().items() if key != self._key}
        newest_first = [(self._key, asdict(verdict)), *reversed(others.items())]
        lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in newest_first]
        newer = accumulate(map(len, lines), initial=0)
        kept = [line for line, before in zip(lines, newer, strict=False) if before <= _ROOM]
        text = "{" + ",\n".join(reversed(kept)) + "}"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, text.encode())
        except OSError:
            return

    def _all(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


def _key(prepared: Prepared, batch: int) -> str:
    """The model as the run uses it, and the machine with its libraries."""
    compute = prepared.job.compute
    about = {
        "trial": _TRIAL,
        "model": prepared.model.sha256 if prepared.model else None,
        "card": prepared.card.to_dict(),
        "tile": prepared.lattice.size,
        "batch": batch,
        "device": compute.device,
        "workers": worker_count(compute),
        "cores": cores(),
        "machine": _machine(),
        "libraries": runtime_versions(),
    }
    text = json.dumps(about, sort_keys=True, default=str)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _machine() -> list[str]:
    """The processor in its own words; which graphics cards there are shows in what is present."""
    import platform

    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    except OSError:
        return [platform.machine(), platform.processor()]
    return sorted(line for line in lines if line.startswith(("model name", "flags", "CPU part", "Features")))
