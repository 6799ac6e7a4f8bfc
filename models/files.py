"""Model files on disk: their hashes, and writing them so that none ever stands half-written under its name."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .errors import CardError


def sha256_of(path: Path) -> str:
    """Hash of a file as ``sha256:<hex>``; raises CardError when it cannot be read."""
    try:
        with path.open("rb") as stream:
            return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
    except OSError as problem:
        raise CardError(f"{path} cannot be read: {problem.strerror}.") from problem


def model_hash(path: Path, external: tuple[str, ...]) -> str:
    """One hash for a model: of its ONNX file, or, with external data, of the list of all its files' hashes."""
    if not external:
        return sha256_of(path)
    lines = [f"{sha256_of(path)}  model.onnx", *(f"{sha256_of(path.parent / name)}  {name}" for name in external)]
    return f"sha256:{hashlib.sha256(chr(10).join(lines).encode()).hexdigest()}"


def write_atomically(path: Path, content: bytes) -> None:
    """Write beside `path`, then rename; raises CardError when the folder does not take it."""
    with writing(path) as stream:
        stream.write(content)


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """A stream beside `path` that is renamed to it at the end; raises CardError when the folder does not take it."""
    beside = _beside(path)
    try:
        with beside.open("wb") as stream:
            yield stream
        os.replace(beside, path)
    except OSError as problem:
        raise CardError(f"{path} cannot be written: {problem.strerror}.") from problem
    finally:
        # A volume that has become read-only, or is gone, takes this no more than the rest.
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def copy_beside(source: Path, target: Path) -> None:
    """Copy a file under another name first, then rename; raises CardError when that fails."""
    beside = _beside(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, beside)
        os.replace(beside, target)
    except OSError as problem:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise CardError(f"{source} cannot be copied to {target}: {problem.strerror}.") from problem


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
