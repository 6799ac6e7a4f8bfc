"""Indexed copies: what has no spatial index is converted once, in a stream, to a FlatGeobuf in the run's folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pyogrio import raw
from pyogrio.errors import DataLayerError, DataSourceError

from ..errors import DamagedError, SourceError
from ..sinks.staging import is_full, unwritable
from .vector_files import LayerFile, describe_copy, shapefile_is_short, short_problem

#: Files up to this size are recognised by their whole content, larger ones by size, time, beginning and end.
WHOLE = 64 * 2**20
#: A filter that every geometry passes but a missing or empty one, which FlatGeobuf's index cannot hold.
_EVERYWHERE = (-1e300, -1e300, 1e300, 1e300)
_SIDECARS = (".shx", ".dbf", ".prj", ".cpg")
_TROUBLES = (DataSourceError, DataLayerError, RuntimeError, ValueError)
_SQL = ("GPKG", "SQLite")
#: Features read at once while saving what a broken file still holds.
_HANDFUL = 4096


@dataclass(frozen=True)
class Losses:
    """What the conversion could not take over."""

    unreadable: int = 0
    shapeless: int = 0
    """Features without a geometry, which is no fault."""
    problem: str = ""
    """What the format's reader said."""


def indexed_copy(
    file: LayerFile, columns: tuple[str, ...], where: str | None, skip: bool, folder: Path
) -> tuple[LayerFile, Losses]:
    """Convert a layer to an indexed FlatGeobuf, or find the copy that an earlier run made.

    Args:
        file: the layer.
        columns: attributes to keep.
        where: attribute filter in OGR SQL.
        skip: True keeps what can be read of a broken file, False refuses it.
        folder: where copies are kept. The copy's name is a hash of the content and of these arguments.

    Memory: GDAL streams the features; its index needs some 50 bytes for each of them.

    Raises:
        SourceError: the file is damaged and `skip` is False, or the filter is wrong.
    """
    target = folder / f"{_name(file, columns, where, skip)}.fgb"
    notes = target.with_suffix(".json")
    if target.exists() and notes.exists():
        return describe_copy(target, file), Losses(**json.loads(notes.read_text(encoding="utf-8")))
    partial = folder / f"{target.stem}.{uuid.uuid4().hex[:12]}.partial.fgb"
    scratch = partial.with_suffix(".json")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        losses = _convert(file, columns, where, skip, partial)
        copy = describe_copy(partial, file)
        if _cut_off(copy):
            raise DamagedError(partial.name, "it is cut short")
        scratch.write_text(json.dumps(asdict(losses)), encoding="utf-8")
        os.replace(scratch, notes)
        os.replace(partial, target)
    except (OSError, SourceError) as problem:
        # GDAL tells of a copy that it cannot write, or of one that it wrote in part, as of the layer itself.
        if isinstance(problem, OSError) or is_full(folder, problem):
            raise unwritable(target, problem) from problem
        raise
    finally:
        for draft in (partial, scratch):
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
    return describe_copy(target, file), losses


def hides_damage(file: LayerFile) -> bool:
    """True for damage that a read through the file's own index would pass over without a word."""
    if file.driver == "ESRI Shapefile":
        return bool(_listen(file))
    return file.driver == "FlatGeobuf" and bool(_cut_off(file))


def filter_columns(file: LayerFile, where: str | None) -> tuple[str, ...]:
    """The fields that an attribute filter may speak of: GDAL sees only the columns that it is told to read."""
    text = (where or "").lower()
    return tuple(field for field in file.fields if field.lower() in text)


def _name(file: LayerFile, columns: tuple[str, ...], where: str | None, skip: bool) -> str:
    digest = hashlib.sha256(repr((file.layer, sorted(columns), where, skip)).encode())
    _hash_files(file.path, digest.update)
    stem = "".join(letter if letter.isalnum() else "_" for letter in file.layer)[:40]
    return f"{stem}-{digest.hexdigest()[:24]}"


def _hash_files(path: str, update: Callable[[bytes], None]) -> None:
    """Feed the content of a layer's files; of a /vsizip path that of the zip, of a URL its name."""
    local = Path(path.removeprefix("/vsizip/"))
    local = next((part for part in (local, *local.parents) if part.is_file()), local)
    if not local.is_file():
        update(path.encode())
        return
    try:
        _hash_parts(local, update)
    except OSError as problem:
        raise SourceError(f"The vector file '{local.name}' cannot be read: {problem.strerror}.") from problem


def _hash_parts(local: Path, update: Callable[[bytes], None]) -> None:
    update(local.name.encode())
    beside = [local.with_suffix(suffix) for suffix in _SIDECARS] if local.suffix.lower() == ".shp" else []
    for file in [local, *(each for each in beside if each.is_file())]:
        _hash_file(file, update)


def _hash_file(file: Path, update: Callable[[bytes], None]) -> None:
    facts = file.stat()
    with file.open("rb") as stream:
        if facts.st_size <= WHOLE:
            update(stream.read())
            return
        update(f"{facts.st_size} {facts.st_mtime_ns}".encode())
        update(stream.read(2**20))
        stream.seek(-(2**20), os.SEEK_END)
        update(stream.read())


def _convert(file: LayerFile, columns: tuple[str, ...], where: str | None, skip: bool, target: Path) -> Losses:
    wanted = tuple(dict.fromkeys((*columns, *filter_columns(file, where))))
    try:
        _stream(file, wanted, where, target)
    except _TROUBLES as trouble:
        problem = _listen(file) or short_problem(trouble)
        if not skip:
            raise DamagedError(file.name, problem) from trouble
        _salvage(file, wanted, where, target)
        return Losses(_expected(file, where) - _written(target, file), 0, problem)
    missing = _expected(file, where) - _written(target, file)
    if missing == 0 and file.features is not None:
        return Losses()
    # GDAL's stream passes over what it cannot read without a word; only a plain read tells the reason.
    problem = _listen(file)
    if problem and not skip:
        raise DamagedError(file.name, problem)
    return Losses(max(missing, 1), 0, problem) if problem else Losses(0, max(missing, 0), "")


def _stream(file: LayerFile, columns: tuple[str, ...], where: str | None, target: Path) -> None:
    target.unlink(missing_ok=True)
    options = {"columns": list(columns), "where": where, "bbox": _EVERYWHERE, "use_pyarrow": False}
    with raw.open_arrow(file.path, layer=file.layer, **options) as (meta, stream):
        raw.write_arrow(
            stream,
            str(target),
            layer=file.layer,
            driver="FlatGeobuf",
            geometry_type="Unknown",
            geometry_name=meta["geometry_name"] or "wkb_geometry",
            crs=file.crs,
        )


def _listen(file: LayerFile) -> str:
    """What a plain read of the whole layer complains about; empty where it has no complaint.

    A filter that lets nothing pass keeps memory flat and makes GDAL read on to the end, where it tells its last error.
    """
    nothing = "abs(rowid) < 0" if file.driver in _SQL else "FID < 0"
    try:
        raw.read(file.path, layer=file.layer, columns=[], where=nothing)
    except _TROUBLES as trouble:
        return short_problem(trouble)
    if shapefile_is_short(file.path):
        return "the file is shorter than its header says"
    return _cut_off(file) if file.driver == "FlatGeobuf" else ""


def _cut_off(file: LayerFile) -> str:
    """What GDAL says of a FlatGeobuf's last feature, which lies at the file's end; empty where it is whole."""
    if not file.features:
        return ""
    try:
        raw.read(file.path, layer=file.layer, columns=[], fids=[file.features - 1])
    except _TROUBLES as trouble:
        return short_problem(trouble)
    return ""


def _expected(file: LayerFile, where: str | None) -> int:
    """Features that should have arrived; 0 where the format cannot tell."""
    if file.features is None:
        return 0
    if where is None:
        return file.features
    try:
        columns = list(filter_columns(file, where))
        _, ids, _, _ = raw.read(
            file.path, layer=file.layer, columns=columns, where=where, read_geometry=False, return_fids=True
        )
    except _TROUBLES:
        # The attributes are broken too; the unfiltered count is the only one left.
        return file.features
    return len(ids)


def _written(target: Path, file: LayerFile) -> int:
    count = describe_copy(target, file).features or 0
    return count if file.features is not None else 0


def _salvage(file: LayerFile, columns: tuple[str, ...], where: str | None, target: Path) -> None:
    """Read features by number, in handfuls that are halved around what is broken, and write the readable ones."""
    if where is not None:
        raise DamagedError(file.name, "what is left of it cannot be filtered; remove the filter or repair it")
    store = target.with_suffix(".gpkg")
    store.unlink(missing_ok=True)
    found = False
    try:
        first = 1 if file.driver in _SQL else 0
        pending = [
            (start, min(start + _HANDFUL, first + (file.features or 0)))
            for start in range(first, first + (file.features or 0), _HANDFUL)
        ]
        while pending:
            start, stop = pending.pop()
            try:
                meta, _, shapes, values = raw.read(
                    file.path, layer=file.layer, columns=list(columns), fids=np.arange(start, stop)
                )
            except _TROUBLES:
                middle = (start + stop) // 2
                pending.extend([(start, middle), (middle, stop)] if stop - start > 1 else [])
                continue
            _append(store, file, meta, shapes, values, found)
            found = True
        if not found:
            raise DamagedError(file.name, "not one feature can be read")
        _stream(describe_copy(store, file), columns, None, target)
    finally:
        store.unlink(missing_ok=True)


def _append(store: Path, file: LayerFile, meta: dict, shapes: np.ndarray, values: list, append: bool) -> None:
    raw.write(
        str(store),
        shapes,
        values,
        list(meta["fields"]),
        layer=file.layer,
        driver="GPKG",
        geometry_type="Unknown",
        crs=file.crs,
        append=append,
    )
