"""What CUDA has here: the driver and its cards, the CUDA that ONNX Runtime was built for, and why it does not load."""

from __future__ import annotations

import ctypes
import importlib.metadata
import sys
from pathlib import Path
from typing import Any

from .nvidia import PATIENCE, NvidiaCard, ask_cards

_WANTED_LIBRARIES = ("cublas", "cudnn", "cufft", "cuda-runtime", "cuda-nvrtc", "curand")


def cuda_facts(patience: float = PATIENCE) -> dict[str, Any] | None:
    """``wanted`` (the CUDA of this ONNX Runtime, empty where it has none), ``found`` (versions of CUDA's packages),
    ``cards`` (name, driver, compute capability, MiB in all and free); None where there is neither a card nor a build
    for one. The driver has `patience` seconds to answer.
    """
    wanted, cards = built_for(), ask_cards(patience=patience)
    if not wanted and not cards:
        return None
    return {"wanted": wanted, "found": _packages() if wanted else {}, "cards": [_told(card) for card in cards]}


def built_for() -> str:
    """The version of CUDA for which the installed ONNX Runtime was built; empty for none."""
    try:
        import onnxruntime
    except ImportError:
        return ""
    return str(getattr(onnxruntime, "cuda_version", "") or "")


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


def _told(card: NvidiaCard) -> dict[str, Any]:
    return {
        "name": card.name, "driver": card.driver, "capability": card.capability,
        "total": card.memory, "free": card.free,
    }  # fmt: skip


def _packages() -> dict[str, str]:
    found = {}
    for one in importlib.metadata.distributions():
        name = (one.name or "").lower()
        if name.startswith("nvidia-") and any(library in name for library in _WANTED_LIBRARIES):
            found[name] = one.version
    return dict(sorted(found.items()))
