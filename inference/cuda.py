"""What CUDA has here: the driver and its cards, the CUDA that ONNX Runtime was built for, and why it does not load."""

from __future__ import annotations

import csv
import ctypes
import importlib.metadata
import re
import shutil
import subprocess  # nosec B404  # nvidia-smi is asked for the cards
import sys
from pathlib import Path
from typing import Any

#: Seconds that nvidia-smi has; it is slow to wake a sleeping card.
_PATIENCE = 20.0
_FIELDS = ("name", "driver", "total", "free")
_WANTED_LIBRARIES = ("cublas", "cudnn", "cufft", "cuda-runtime", "cuda-nvrtc", "curand")


def cuda_facts() -> dict[str, Any] | None:
    """``wanted`` (the CUDA of this ONNX Runtime, empty where it has none), ``found`` (versions of CUDA's packages),
    ``cards`` (name, driver, MiB in all and free); None where there is neither a card nor a build for one.
    """
    wanted, cards = built_for(), read_cards(_ask_driver())
    if not wanted and not cards:
        return None
    return {"wanted": wanted, "found": _packages() if wanted else {}, "cards": cards}


def built_for() -> str:
    """The version of CUDA for which the installed ONNX Runtime was built; empty for none."""
    try:
        import onnxruntime
    except ImportError:
        return ""
    return str(getattr(onnxruntime, "cuda_version", "") or "")


def read_cards(text: str) -> list[dict[str, Any]]:
    """The cards in nvidia-smi's answer; sizes in MiB, None where a card does not tell."""
    rows = (row for row in csv.reader(text.splitlines(), skipinitialspace=True) if len(row) == len(_FIELDS))
    cards = [dict(zip(_FIELDS, row, strict=True)) for row in rows if re.match(r"\d+\.", row[1])]
    return [{**card, "total": _mebibytes(card["total"]), "free": _mebibytes(card["free"])} for card in cards]


def why_not() -> str:
    """Why CUDA's part of ONNX Runtime cannot be loaded, in the system's words; empty where it can, or there is none."""
    import onnxruntime

    folder = Path(onnxruntime.__file__).parent / "capi"
    name = "onnxruntime_providers_{}.dll" if sys.platform == "win32" else "libonnxruntime_providers_{}.so"
    shared, cuda = (folder / name.format(part) for part in ("shared", "cuda"))
    if not cuda.is_file():
        return ""
    try:
        # The one leans on the other, which has to lie open.
        ctypes.CDLL(str(shared), ctypes.RTLD_GLOBAL)
        ctypes.CDLL(str(cuda))
    except OSError as problem:
        return str(problem).splitlines()[0][:300]
    return ""


def _ask_driver() -> str:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    question = "--query-gpu=name,driver_version,memory.total,memory.free"
    try:
        done = subprocess.run(  # nosec B603  # a fixed question to the driver's own program, no shell
            [program, question, "--format=csv,noheader,nounits"],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def _packages() -> dict[str, str]:
    found = {}
    for one in importlib.metadata.distributions():
        name = (one.name or "").lower()
        if name.startswith("nvidia-") and any(library in name for library in _WANTED_LIBRARIES):
            found[name] = one.version
    return dict(sorted(found.items()))


def _mebibytes(text: str) -> int | None:
    return int(text) if text.strip().isdigit() else None
