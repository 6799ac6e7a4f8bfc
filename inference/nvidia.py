"""What the NVIDIA driver's own program tells of the graphics cards, for the engine as for its set-up.

A contract module: standard library only, Python 3.9.
"""

from __future__ import annotations

import csv
import re
import shutil
import subprocess  # nosec B404  # nvidia-smi is asked for the cards
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

#: Seconds that nvidia-smi has; it is slow to wake a sleeping card.
PATIENCE = 20.0
#: Where nvidia-smi is when it is not on the path (drivers before 2020 on Windows).
_SMI = "C:/Program Files/NVIDIA Corporation/NVSMI/nvidia-smi.exe"
#: What is asked (`nvidia-smi --help-query-gpu`); sizes in MiB.
_FIELDS = "name,driver_version,memory.total,memory.free"
#: Asked as well; drivers before 470 do not know it, and then answer nothing at all.
_NEWER = "compute_cap"


@dataclass(frozen=True)
class NvidiaCard:
    """A graphics card as nvidia-smi tells it."""

    name: str
    driver: str
    """The driver's version, such as 580.65.06."""
    capability: Optional[float] = None
    """Compute capability; None where an old driver does not tell it."""
    memory: Optional[int] = None
    """MiB; None where the card shares the system's."""
    free: Optional[int] = None
    """MiB that nobody has taken."""

    @property
    def driver_number(self) -> int:
        """The first part of the driver's version, which decides what CUDA runs; 0 where it cannot be read."""
        found = re.match(r"\d+", self.driver)
        return int(found.group()) if found else 0


def ask_cards(environ: Optional[Mapping[str, str]] = None, patience: float = PATIENCE) -> tuple[NvidiaCard, ...]:
    """The cards of this machine; takes up to some seconds. None where there is no driver, or it does not answer.

    Args:
        environ: of the driver's program; None leaves it this process's.
        patience: seconds that it has.
    """
    program = shutil.which("nvidia-smi") or (_SMI if Path(_SMI).is_file() else None)
    if program is None:
        return ()
    for fields in (f"{_FIELDS},{_NEWER}", _FIELDS):
        text = _answer(program, fields, environ, patience)
        if text is None:
            return ()
        cards = read_cards(text)
        if cards:
            return cards
    return ()


def read_cards(text: str) -> tuple[NvidiaCard, ...]:
    """The cards in nvidia-smi's answer to name, driver_version, memory.total, memory.free and perhaps compute_cap."""
    cards = []
    for row in csv.reader(text.splitlines(), skipinitialspace=True):
        if len(row) < len(_FIELDS.split(",")) or not re.match(r"\d+\.", row[1]):
            continue
        capability = _number(row[4]) if len(row) > 4 else None
        cards.append(NvidiaCard(row[0].strip(), row[1].strip(), capability, _mebibytes(row[2]), _mebibytes(row[3])))
    return tuple(cards)


def _answer(program: str, fields: str, environ: Optional[Mapping[str, str]], patience: float) -> Optional[str]:
    """What it says; empty where it refuses the question, None where it does not answer at all."""
    flags = subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0
    try:
        done = subprocess.run(  # nosec B603  # a fixed question to the driver's own program, no shell
            [program, f"--query-gpu={fields}", "--format=csv,noheader,nounits"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=patience,
            env=None if environ is None else dict(environ),
            creationflags=flags,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        # A driver that does not answer is no driver to build on.
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def _mebibytes(text: str) -> Optional[int]:
    found = _number(text)
    return int(found) if found else None


def _number(text: str) -> Optional[float]:
    try:
        return float(text)
    except ValueError:
        return None
