"""What run folders hold, and how they are cleaned.

Nothing is ever deleted but files that a run wrote, told by their names and places, in a folder that is a run's. Links
are not followed: a link, like any file that no run writes, belongs to somebody else and keeps its folder from being
deleted. Nothing here touches a layer or a widget, and disks may be slow: call it in the background.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...inference.errors import RequestError
from ...inference.job import PRODUCTS, read_job
from ...models.card import read_json
from ..engine.commands import RUN_JOB

Kind = Literal["blocks", "copies", "products", "records", "foreign"]
#: A file that is written beside its place first, by `models/files.py`.
_PART = r"\.[\w.-]+\.[0-9a-f]{8}\.part"
#: Subfolders, the kind of what is in them, and the names that the engine and staging give it.
_SUBFOLDERS: dict[str, tuple[Kind, re.Pattern[str]]] = {
    "blocks": ("blocks", re.compile(rf"\d{{8}}\.(npz|png)|lock|{_PART}")),
    "staged": ("copies", re.compile(r"(part-)?\w+-[0-9a-f]{12}\.(gpkg|tif|vrt)(\.aux\.xml|-wal|-shm|-journal)?")),
    "vectors": ("copies", re.compile(r"\w+-[0-9a-f]{24}(\.[0-9a-f]{12}\.partial)?\.(fgb|json)")),
}
#: The files by which a folder is known to be a run's; they go last, so that half a deletion can be gone on with.
_SIGNS = ("run.json", "plan.json", RUN_JOB)
_RECORDS = re.compile(rf"engine\.log|report\.html|[a-z]+\.(request|job)\.json|(plan|run)\.json|{_PART}")
_ANYTHING = re.compile(r".*", re.DOTALL)
#: What GDAL, QGIS and SQLite put beside a product of that name.
_SIDECARS = (".aux.xml", ".ovr", ".msk", "-wal", "-shm", "-journal")
#: What is needed only until the run is finished.
LEFTOVERS: tuple[Kind, ...] = ("blocks", "copies")


@dataclass(frozen=True)
class RunFolder:
    """What a run's folder holds: bytes by kind, and what no run wrote."""

    path: Path
    sizes: dict[Kind, int]
    foreign: tuple[str, ...] = ()
    """Names of what is somebody else's, relative to the folder."""
    changed: float = 0.0
    """Seconds since 1970 of the last change."""

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(self.sizes.values())

    @property
    def leftovers(self) -> int:
        """Bytes that a finished run does not need."""
        return sum(self.sizes.get(kind, 0) for kind in LEFTOVERS)


@dataclass(frozen=True)
class _Entry:
    path: Path
    kind: Kind
    size: int
    changed: float


def is_run_folder(folder: Path) -> bool:
    """Whether a run made the folder: it holds a plan of ours, or a job that writes into it."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    return _has_plan(folder) or _has_job(folder)


def run_folders(parents: Iterable[Path], remembered: Iterable[Path] = ()) -> list[Path]:
    """All run folders: those right below the `parents`, and those that the history names."""
    below = [Path(entry.path) for parent in parents if parent.is_dir() for entry in os.scandir(parent)]
    known = {folder.absolute() for folder in remembered if folder.is_dir() and not folder.is_symlink()}
    return sorted(known | {folder.absolute() for folder in below if is_run_folder(folder)})


def examine(folder: Path, remembered: bool = False) -> RunFolder:
    """What the folder holds; `remembered` tells that the history names it, so that it needs no sign of its own.

    Raises:
        RequestError: when it is no run's folder, or cannot be read.
    """
    entries = _entries(folder, remembered)
    sizes: dict[Kind, int] = {}
    for entry in entries:
        sizes[entry.kind] = sizes.get(entry.kind, 0) + entry.size
    foreign = tuple(str(entry.path.relative_to(folder)) for entry in entries if entry.kind == "foreign")
    return RunFolder(folder, sizes, foreign, max((entry.changed for entry in entries), default=0.0))


def delete_leftovers(folder: Path, remembered: bool = False) -> int:
    """Delete blocks and copies of layers; returns the bytes that this freed.

    Raises:
        RequestError: when it is no run's folder, a run is at work in it, or a file cannot be deleted.
    """
    return _delete(folder, [entry for entry in _entries(folder, remembered) if entry.kind in LEFTOVERS])


def delete_folder(folder: Path, remembered: bool = False) -> int:
    """Delete all that the run wrote, and the folder; returns the bytes that this freed.

    Raises:
        RequestError: as `delete_leftovers`, and when the folder holds anything that no run wrote.
    """
    entries = _entries(folder, remembered)
    foreign = [entry.path.name for entry in entries if entry.kind == "foreign"]
    if foreign:
        names = ", ".join(foreign[:3]) + (" …" if len(foreign) > 3 else "")
        raise RequestError(f"{folder} also holds {names}, which no run wrote; move that elsewhere first.")
    freed = _delete(folder, entries)
    _act(os.rmdir, folder)
    return freed


def _delete(folder: Path, entries: Sequence[_Entry]) -> int:
    _refuse_at_work(folder)
    for entry in sorted(entries, key=lambda entry: entry.path.name in _SIGNS):
        _act(os.unlink, entry.path)
    for parent in sorted({entry.path.parent for entry in entries} | _empty(folder), reverse=True):
        if parent != folder and not any(parent.iterdir()):
            _act(os.rmdir, parent)
    return sum(entry.size for entry in entries)


def _empty(folder: Path) -> set[Path]:
    """Our subfolders that hold nothing."""
    places = [folder / name for name in _SUBFOLDERS]
    return {place for place in places if _is_plain_folder(place) and not any(place.iterdir())}


def _act(deed: Callable[[Path], None], path: Path) -> None:
    try:
        deed(path)
    except FileNotFoundError:
        return
    except OSError as problem:
        raise RequestError(f"{path} cannot be deleted: {problem.strerror}; close what has it open.") from problem


def _entries(folder: Path, remembered: bool) -> list[_Entry]:
    """Every file in the folder with its kind; raises RequestError where the folder is no run's."""
    if not _is_plain_folder(folder) or not (remembered or is_run_folder(folder)):
        raise RequestError(f"{folder} is no folder of a run; nothing in it was touched.")
    try:
        return list(_walk(folder, _product_names(folder)))
    except OSError as problem:
        raise RequestError(f"{folder} cannot be read: {problem.strerror}.") from problem


def _walk(folder: Path, products: frozenset[str]) -> Iterator[_Entry]:
    for entry in os.scandir(folder):
        path = Path(entry.path)
        if entry.is_file(follow_symlinks=False):
            yield _entry(path, _kind(entry.name, products))
        elif not _is_plain_folder(path):
            yield _Entry(path, "foreign", 0, 0.0)
        elif entry.name in _SUBFOLDERS:
            yield from _walk_flat(path, *_SUBFOLDERS[entry.name])
        elif entry.name in {f".{name}.partial" for name in products}:
            # A product in the making, of a run that was killed.
            yield from _walk_flat(path, "copies", _ANYTHING)
        else:
            yield _Entry(path, "foreign", 0, 0.0)


def _walk_flat(folder: Path, kind: Kind, names: re.Pattern[str]) -> Iterator[_Entry]:
    """The files of a subfolder of ours, in which no run makes folders of its own."""
    for entry in os.scandir(folder):
        if entry.is_file(follow_symlinks=False):
            yield _entry(Path(entry.path), kind if names.fullmatch(entry.name) else "foreign")
        else:
            yield _Entry(Path(entry.path), "foreign", 0, 0.0)


def _entry(path: Path, kind: Kind) -> _Entry:
    facts = path.lstat()
    return _Entry(path, kind, facts.st_size, facts.st_mtime)


def _kind(name: str, products: frozenset[str]) -> Kind:
    if _RECORDS.fullmatch(name):
        return "records"
    base = next((name[: -len(ending)] for ending in _SIDECARS if name.endswith(ending)), name)
    return "products" if base in products else "foreign"


def _product_names(folder: Path) -> frozenset[str]:
    """File names of the run's products, the default ones and those that its job names."""
    names = {*PRODUCTS.values(), "summary.json"}
    if (folder / RUN_JOB).is_file():
        try:
            job, base = read_job(folder / RUN_JOB)
        except RequestError:
            # A job that cannot be read names nothing; what it once wrote under other names then stays.
            return frozenset(names)
        paths = [(base / path).absolute() for path in job.outputs.products.values() if path]
        names |= {path.name for path in paths if path.parent == folder.absolute()}
    return frozenset(names)


def _has_plan(folder: Path) -> bool:
    try:
        plan = read_json(folder / "plan.json")
    except RequestError:
        return False
    return isinstance(plan, dict) and {"schema", "engine", "lattice", "inputs", "products"} <= plan.keys()


def _has_job(folder: Path) -> bool:
    try:
        job, base = read_job(folder / RUN_JOB)
    except RequestError:
        return False
    return (base / job.outputs.folder).resolve() == folder.resolve()


def _is_plain_folder(path: Path) -> bool:
    """True for a folder that lies where its path says: no link and no junction of Windows."""
    return path.is_dir() and os.path.realpath(path) == os.path.join(os.path.realpath(path.parent), path.name)


def _refuse_at_work(folder: Path) -> None:
    """Raise RequestError while an engine holds the folder's lock, as `inference/alone.py` does."""
    lock = folder / "blocks" / "lock"
    if not lock.is_file():
        return
    try:
        with lock.open("r+b") as stream:
            _try_lock(stream.fileno())
    except OSError as problem:
        raise RequestError(f"A run is at work in {folder}; nothing in it was touched.") from problem


def _try_lock(number: int) -> None:
    """Take the lock that the engine takes; closing the file frees it again."""
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
