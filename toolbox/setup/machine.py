"""What this machine has that decides which packages fit it."""

from __future__ import annotations

import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from ...inference.nvidia import NvidiaCard, ask_cards
from ..engine.environment import clean_environment

#: Windows' list of display adapters.
_ADAPTERS = r"SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"
#: Adapters without a DirectX 12 device behind them.
_NO_CARD = re.compile(r"basic (display|render)|remote|virtual|mirage|citrix|vmware|hyper-v|virtualbox", re.IGNORECASE)


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
    return Machine(
        this_platform(), ask_cards(clean_environment()), real_adapters(_adapters()), read_instructions(_cpuinfo())
    )


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
