"""Which packages an environment gets: the engine's, exactly one ONNX Runtime, and what trains models where wished.

The distributions of ONNX Runtime overwrite one another's files, so a layer is a choice, never a sum.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from ...inference.nvidia import NvidiaCard
from ..engine.environment import PLUGIN_ROOT
from .machine import Machine

REQUIREMENTS = PLUGIN_ROOT / "resources" / "requirements"
CPU, CUDA13, CUDA12, DIRECTML = LAYERS = ("cpu", "cuda13", "cuda12", "directml")
AUTO = "auto"
#: The installer's own packages: the pip whose words are understood.
TOOLS = "tools"
#: CUDA 13 needs driver 580 and a card of compute capability 7.5; CUDA 12 needs driver 525 and runs, with cuDNN 9, from
#: 5.0 on (CUDA Toolkit release notes, "CUDA Toolkit and Minimum Required Driver Version").
_NEEDED = {CUDA13: (580, 7.5), CUDA12: (525, 5.0)}
#: Bytes on disk for each byte that is downloaded, once it is unpacked and compiled: measured for the engine, whose
#: packages are mostly text, and for torch with CUDA's libraries, which are hardly packed.
_UNPACKED = {"engine": 3.5}
_UNPACKED_LIBRARIES = 1.8
#: Small packages that are fetched together.
_BATCH = 12
_RESERVE = 200 * 2**20


@dataclass(frozen=True)
class Proposal:
    """The layer that fits the machine best, and why, in one sentence."""

    layer: str
    reason: str


@dataclass(frozen=True)
class Cost:
    """What an installation takes."""

    download: int
    """Bytes."""
    packages: int
    disk: int
    """Bytes that stay on the disk, about."""

    @property
    def room(self) -> int:
        """Bytes that have to be free while it is made, with what was downloaded beside it."""
        return self.disk + self.download + _RESERVE


def propose(machine: Machine, packages: Optional[dict] = None) -> Proposal:
    """The layer for this machine; `packages` is the table of what there are packages for (`package_table`)."""
    for layer, title in ((CUDA13, "CUDA 13"), (CUDA12, "CUDA 12")):
        card = next((card for card in machine.nvidia if _runs(card, layer)), None)
        if card is not None and _has_packages(layer, machine, packages):
            return Proposal(layer, f"{card.name} with driver {card.driver} runs {title}.")
    if machine.adapters and _has_packages(DIRECTML, machine, packages):
        return Proposal(DIRECTML, f"{machine.adapters[0]} runs DirectML.")
    return Proposal(CPU, _why_cpu(machine))


def possible(machine: Machine, packages: Optional[dict] = None) -> tuple[str, ...]:
    """The layers that can be installed here, the proposed one first; a layer that is not proposed may lack its card."""
    first = propose(machine, packages).layer
    return (first, *(layer for layer in LAYERS if layer != first and _has_packages(layer, machine, packages)))


def package_table(folder: Path = REQUIREMENTS) -> dict:
    """Bytes and number of packages by requirements file, platform and Python; what is absent has no wheels."""
    return _table(folder)["bytes"]


def batches(files: tuple[Path, ...], folder: Path = REQUIREMENTS) -> list[str]:
    """What the files ask for, in texts of a few packages each: large ones alone; an interruption costs one text."""
    large, small = set(_table(folder)["large"]), []
    alone = []
    for file in files:
        text = file.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in filter(None, (line.strip() for line in text.splitlines())):
            if not line.startswith("#"):
                (alone if line.split("==")[0] in large else small).append(line)
    return ["\n".join(small[first : first + _BATCH]) for first in range(0, len(small), _BATCH)] + alone


def requirement_files(layer: str, training: bool, folder: Path = REQUIREMENTS) -> tuple[Path, ...]:
    """What is installed into an environment, as files for pip."""
    names = ["engine", layer, *([f"{layer}-train"] if training else [])]
    return tuple(folder / f"{name}.txt" for name in names)


def fingerprint(files: tuple[Path, ...]) -> str:
    """What the files ask for, as one hash; comments and ends of lines do not count."""
    digest = hashlib.sha256()
    for file in files:
        lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
        digest.update("\n".join(line for line in lines if line and not line.startswith("#")).encode() + b"\n")
    return f"sha256:{digest.hexdigest()}"


def cost(layer: str, training: bool, platform: str, python: str, packages: Optional[dict] = None) -> Optional[Cost]:
    """What an installation takes with a Python such as ``3.11``; None where there are no wheels for it."""
    table = package_table() if packages is None else packages
    names = [TOOLS, "engine", layer, *([f"{layer}-train"] if training else [])]
    found = {name: table.get(name, {}).get(platform, {}).get(python) for name in names}
    if not all(found.values()):
        return None
    disk = sum(size * _UNPACKED.get(name, _UNPACKED_LIBRARIES) for name, (size, _) in found.items())
    return Cost(sum(size for size, _ in found.values()), sum(count for _, count in found.values()), int(disk))


def pythons_for(layer: str, platform: str, packages: Optional[dict] = None) -> tuple[str, ...]:
    """The versions of Python for which there are wheels."""
    table = package_table() if packages is None else packages
    versions = table.get("engine", {}).get(platform, {})
    return tuple(version for version in versions if cost(layer, False, platform, version, table))


def _table(folder: Path) -> dict:
    return json.loads((folder / "sizes.json").read_text(encoding="utf-8"))


def _has_packages(layer: str, machine: Machine, packages: Optional[dict]) -> bool:
    return bool(pythons_for(layer, machine.platform, packages))


def _runs(card: NvidiaCard, layer: str) -> bool:
    driver, capability = _NEEDED[layer]
    # A driver too old to tell the capability is too old for CUDA 13 as well.
    return card.driver_number >= driver and (card.capability is None or card.capability >= capability)


def _why_cpu(machine: Machine) -> str:
    if machine.nvidia:
        card = machine.nvidia[0]
        if card.driver_number < _NEEDED[CUDA12][0]:
            return f"Driver {card.driver} of {card.name} is too old for CUDA 12; update it to use the card."
        return f"{card.name} runs neither CUDA 13 nor CUDA 12."
    if machine.platform == "macos-arm64":
        return "Models run on the processor of Apple silicon."
    if "amx" in machine.instructions:
        return (
            "No graphics card for models was found; the processor has matrix instructions (AMX), which OpenVINO uses."
        )
    if "avx512" in machine.instructions:
        return "No graphics card for models was found; the processor has AVX-512, which OpenVINO uses."
    return "No graphics card for models was found; they run on the processor."
