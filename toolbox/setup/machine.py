"""What this machine has that decides which packages fit it."""

from __future__ import annotations

import csv
import platform
import re
import shutil
import subprocess  # nosec B404  # nvidia-smi is asked for the graphics card
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from ..engine.environment import clean_environment

#: Seconds that nvidia-smi has; it is slow to wake a sleeping card.
_PATIENCE = 20.0
#: Where nvidia-smi is when it is not on the path (drivers before 2020 on Windows).
_SMI = "C:/Program Files/NVIDIA Corporation/NVSMI/nvidia-smi.exe"
#: Windows' list of display adapters.
_ADAPTERS = r"SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"
#: Adapters without a DirectX 12 device behind them.
_NO_CARD = re.compile(r"basic (display|render)|remote|virtual|mirage|citrix|vmware|hyper-v|virtualbox", re.IGNORECASE)


@dataclass(frozen=True)
class NvidiaCard:
    """A graphics card as nvidia-smi tells it."""

    name: str
    driver: str
    """The driver's version, such as 580.65.06."""
    capability: Optional[float] = None
    """Compute capability; None where an old driver does not tell it."""
    memory: Optional[int] = None
    """MiB."""

    @property
    def driver_number(self) -> int:
        """The first part of the driver's version, which decides what CUDA runs; 0 where it cannot be read."""
        found = re.match(r"\d+", self.driver)
        return int(found.group()) if found else 0


@dataclass(frozen=True)
class Machine:
    """The facts that decide."""

    platform: str
    """Our name of system and processor: linux-x86_64, linux-aarch64, windows-amd64, macos-arm64 …"""
    nvidia: tuple[NvidiaCard, ...] = ()
    adapters: tuple[str, ...] = ()
    """Names of the graphics cards that Windows has; empty elsewhere."""
    instructions: frozenset[str] = frozenset()
    """Of ``amx`` and ``avx512``, what the processor has."""


def platform_name(system: str, processor: str) -> str:
    """Our name of a platform, from what `platform.system` and `platform.machine` say."""
    names = {"Darwin": "macos", "Windows": "windows"}
    return f"{names.get(system, system.lower())}-{processor.lower()}"


def read_cards(text: str) -> tuple[NvidiaCard, ...]:
    """The cards in the answer of nvidia-smi to name, driver_version, memory.total and perhaps compute_cap, as CSV."""
    cards = []
    for row in csv.reader(text.splitlines(), skipinitialspace=True):
        if len(row) < 3 or not re.match(r"\d+\.", row[1]):
            continue
        capability = _number(row[3]) if len(row) > 3 else None
        memory = _number(row[2])
        cards.append(NvidiaCard(row[0].strip(), row[1].strip(), capability, int(memory) if memory else None))
    return tuple(cards)


def read_instructions(cpuinfo: str) -> frozenset[str]:
    """What of ``amx`` and ``avx512`` stands among the flags in Linux's ``/proc/cpuinfo``."""
    found = re.search(r"^flags\s*:(.*)$", cpuinfo, re.MULTILINE)
    flags = set(found.group(1).split()) if found else set()
    known = {"amx": "amx_tile", "avx512": "avx512f"}
    return frozenset(name for name, flag in known.items() if flag in flags)


def real_adapters(names: list[str]) -> tuple[str, ...]:
    """Display adapters that have a graphics card behind them."""
    return tuple(dict.fromkeys(name for name in names if name and not _NO_CARD.search(name)))


def this_platform() -> str:
    """The platform of this process."""
    return platform_name(platform.system(), platform.machine())


def look_around() -> Machine:
    """Ask this machine; takes up to some seconds, so it is not called on the GUI thread."""
    return Machine(this_platform(), _nvidia(), real_adapters(_adapters()), read_instructions(_cpuinfo()))


def _nvidia() -> tuple[NvidiaCard, ...]:
    program = shutil.which("nvidia-smi") or (_SMI if Path(_SMI).is_file() else None)
    if program is None:
        return ()
    fields = "name,driver_version,memory.total"
    # Drivers before 470 know no compute_cap, and then answer nothing at all.
    return next(filter(None, (_asked(program, asked) for asked in (f"{fields},compute_cap", fields))), ())


def _asked(program: str, fields: str) -> tuple[NvidiaCard, ...]:
    flags = subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0
    try:
        done = subprocess.run(  # nosec B603  # a fixed question to the driver's own program, no shell
            [program, f"--query-gpu={fields}", "--format=csv,noheader,nounits"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            env=clean_environment(),
            creationflags=flags,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        # A driver that does not answer is no driver to build on.
        return ()
    return read_cards(done.stdout.decode("utf-8", "replace")) if done.returncode == 0 else ()


def _cpuinfo() -> str:
    path = Path("/proc/cpuinfo")
    try:
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    except OSError:
        return ""


def _adapters() -> list[str]:
    if sys.platform != "win32":
        return []
    import winreg

    names: list[str] = []
    for number in range(32):
        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, f"{_ADAPTERS}\\{number:04}") as key:
                names.append(str(winreg.QueryValueEx(key, "DriverDesc")[0]))
        except OSError:
            # Numbers have gaps, and some entries are not for us to read.
            names.append("")
    return names


def _number(text: str) -> Optional[float]:
    try:
        return float(text)
    except ValueError:
        return None
