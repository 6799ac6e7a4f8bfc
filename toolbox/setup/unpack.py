"""A tar of a Python, unpacked so that nothing of it lands outside its folder.

`tarfile`'s own filters are missing in the Python of some QGIS (3.11 before 3.11.4, 3.9 before 3.9.17).
"""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from ...inference.errors import Cancelled
from .causes import HASH, cause
from .steps import SetupFailed

#: Bits of a file's mode that are kept; the owner may always read and write.
_KEPT, _OWNER = 0o755, 0o600
#: Files after which it is looked whether somebody still waits.
_LOOK = 50


def unpack(archive: Path, folder: Path, is_cancelled: Callable[[], bool]) -> None:
    """Unpack a tar, packed with gzip, into a new folder, which stands there whole or not at all.

    Raises:
        SetupFailed: when something in it does not stay inside, or it is no such tar.
        Cancelled: when `is_cancelled` said so.
        OSError: when it cannot be written.
    """
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for number, member in enumerate(tar):
                if number % _LOOK == 0 and is_cancelled():
                    raise Cancelled("The installation was cancelled.")
                _write(tar, member, part)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(part, folder)
    except (tarfile.TarError, EOFError) as problem:
        raise SetupFailed(cause(HASH), f"{archive.name}: {problem}") from problem
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, root: Path) -> None:
    target = _inside(root, member.name, member)
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if member.issym():
        # Seen from the folder in which the link lies.
        _inside(root, os.path.normpath(PurePosixPath(member.name).parent / member.linkname), member)
        os.symlink(member.linkname, target)
    elif member.islnk():
        shutil.copy2(_inside(root, member.linkname, member), target)
    elif member.isfile():
        with tar.extractfile(member) as source, target.open("xb") as stream:
            shutil.copyfileobj(source, stream)
        target.chmod(member.mode & _KEPT | _OWNER)
    else:
        raise _refused(member)


def _inside(root: Path, name: str, member: tarfile.TarInfo) -> Path:
    """Where a name leads; links that were unpacked before are followed."""
    name = name.replace("\\", "/")
    parts = PurePosixPath(name).parts
    if PurePosixPath(name).is_absolute() or ".." in parts or any(":" in part for part in parts):
        raise _refused(member)
    target = root.joinpath(*parts)
    home, real = root.resolve(), target.parent.resolve()
    if real != home and home not in real.parents and target != root:
        raise _refused(member)
    return target


def _refused(member: tarfile.TarInfo) -> SetupFailed:
    return SetupFailed(cause(HASH), f"{member.name!r} does not stay in its folder.")
