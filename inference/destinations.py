"""Where a run's products go: each a file of its own, of the kind it is, and never one that the run reads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from .errors import RequestError
from .job import PRODUCTS, URL_PREFIXES, Job, resolve

#: Endings that say what a product's file is; the others are GeoTIFFs.
_SUFFIXES = {"polygons": (".gpkg",), "fields": (".gpkg",), "summary": (".csv",)}
_RASTER = (".tif", ".tiff")


def run_folder(job: Job, base: Path) -> Path:
    """The folder that keeps the plan, the blocks and the products without a path of their own.

    Raises:
        RequestError: when it is an address, which nothing can be written to.
    """
    return _local(job.outputs.folder, base, "outputs.folder")


def destinations(job: Job, base: Path, named: Mapping[str, str | None]) -> dict[str, Path]:
    """Product → path, checked before anything is computed.

    Raises:
        RequestError: where a path cannot hold its product, is given twice, or is a file that the run reads.
    """
    folder = run_folder(job, base)
    read = [Path(resolve(path, base)) for path in _inputs(job)]
    places: dict[str, Path] = {}
    for name, asked in named.items():
        field = f"outputs.products.{name}"
        path = _local(asked, base, field) if asked else folder / PRODUCTS[name]
        endings = _SUFFIXES.get(name, _RASTER)
        if path.suffix.lower() not in endings:
            raise RequestError(f"{field} is '{path.name}', but its file is a {endings[0]}; give it that ending.")
        if path.is_dir():
            raise RequestError(f"{field} is {path}, which is a folder; name a file.")
        if any(_same(path, other) for other in read):
            raise RequestError(f"{field} is {path}, which the run reads; choose another file.")
        for other, place in places.items():
            if _same(path, place):
                raise RequestError(f"{field} and outputs.products.{other} are both {path}; give each its own file.")
        places[name] = path
    return places


def _inputs(job: Job) -> Iterator[str]:
    """Every path that the job reads."""
    for source in job.sources.values():
        yield from filter(None, (source.path, *source.mosaic, *(file.path for file in source.stack)))
        yield from (layer.path for layer in source.layers)
    yield from filter(None, (job.model, job.grid.area.path if job.grid.area else None))


def _local(path: str, base: Path, field: str) -> Path:
    if path.startswith(URL_PREFIXES):
        raise RequestError(f"{field} is '{path[:60]}', which is no place on this machine; name a local one.")
    return Path(resolve(path, base))


def _same(one: Path, other: Path) -> bool:
    """True where both names are one file, by whatever links, or would be on a disk that knows no case."""
    if one.exists() and other.exists():
        return one.samefile(other)
    return os.path.normcase(os.path.realpath(one)) == os.path.normcase(os.path.realpath(other))
