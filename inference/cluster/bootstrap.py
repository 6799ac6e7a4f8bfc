"""What a worker runs before it has the package: on the standard library alone, and sent there as a whole.

The functions are pickled by value (`sending.ask`), so the scheduler and the workers need not know this module. They
answer in plain tuples, which every process can unpickle.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import sys
import tempfile
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGE = "fusion_mapper"
#: How an answer begins: the worker is ready; it cannot obey; it does not know the run; the block is kept; it is wrong.
READY, REFUSED, UNKNOWN, KEPT, WRONG = "ready", "refused", "unknown", "kept", "wrong"
Answer = tuple[str, Any]


def enlist(content: bytes, digest: str, version: str, ticket: str, threads: int) -> Answer:
    """Bring the package in unless it is there, and open the run; READY, or REFUSED with what differs."""
    package = sys.modules.get(PACKAGE) or _install(content, digest)
    if _digest(package) != digest:
        other = importlib.import_module(f"{PACKAGE}.inference.version").ENGINE_VERSION
        which = f"engine {other}, not {version}" if other != version else f"another build of engine {version}"
        return REFUSED, f"it has {which} loaded; restart it"
    try:
        worker = importlib.import_module(f"{PACKAGE}.inference.cluster.worker")
    except ImportError as problem:
        return REFUSED, f"its Python environment is not the engine's ({problem})"
    reason = worker.open_run(Path(ticket), threads)
    return (REFUSED, reason) if reason else (READY, None)


def compute(digest: str, ticket: str, index: int) -> Answer:
    """Compute one block of an open run; KEPT with warnings, WRONG with a sentence, or UNKNOWN in a fresh process."""
    if _digest(sys.modules.get(PACKAGE)) != digest:
        return UNKNOWN, None
    answer: Answer = importlib.import_module(f"{PACKAGE}.inference.cluster.worker").compute(Path(ticket), index)
    return answer


def _digest(package: ModuleType | None) -> str | None:
    return getattr(package, "upload", None)


def _install(content: bytes, digest: str) -> ModuleType:
    """Unpack the zip and make it importable as ``fusion_mapper``."""
    root = Path(tempfile.mkdtemp(prefix=f"{PACKAGE}-", dir=_scratch()))
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        source.extractall(root)
    spec = importlib.util.spec_from_file_location(PACKAGE, root / "__init__.py", submodule_search_locations=[str(root)])
    if spec is None or spec.loader is None:
        raise ImportError(f"{root} holds no package.")
    package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    package.upload = digest  # type: ignore[attr-defined]
    # Where two workers share a process, whoever is first wins.
    return sys.modules.setdefault(PACKAGE, package)


def _scratch() -> str | None:
    """The worker's own folder, which goes when the worker goes."""
    with contextlib.suppress(ImportError, ValueError):
        from distributed import get_worker

        return str(get_worker().local_directory)
    return None
