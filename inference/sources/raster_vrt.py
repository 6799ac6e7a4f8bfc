"""What a local VRT may point to: looked at before GDAL opens it, since a VRT can hold code and addresses."""

from __future__ import annotations

import html
import re
from pathlib import Path

from ..errors import SourceError
from .raster_env import is_network, label

_PYTHON = re.compile(r"<PixelFunctionLanguage[^>]*>\s*python", re.IGNORECASE)
_SOURCE = re.compile(r"<(SourceFilename|SourceDataset)\b([^>]*)>(.*?)</\1\s*>", re.DOTALL | re.IGNORECASE)
_RELATIVE = re.compile(r"""relativeToVRT\s*=\s*["']1""", re.IGNORECASE)
_HEAD = 4096
_MAX_BYTES = 64 * 2**20
_MAX_DEPTH = 8


def check_vrt(path: Path, depth: int = 0) -> None:
    """Look through a VRT and the VRTs under it; any other file passes at once.

    Raises:
        SourceError: when it holds Python code, points to the network, or names a file that is not there.
    """
    text = _vrt_text(path)
    if text is None:
        return
    if depth == _MAX_DEPTH:
        raise SourceError(f"{path.name} lies under more than {_MAX_DEPTH} other VRT files; build one from the rasters.")
    if _PYTHON.search(html.unescape(text)):
        raise SourceError(
            f"{path.name} computes its pixels with Python code, which is never run; write it to a GeoTIFF "
            "with gdal_translate first."
        )
    for _, attributes, content in _SOURCE.findall(text):
        _check_source(path, html.unescape(content).strip(), bool(_RELATIVE.search(attributes)), depth)


def _check_source(path: Path, name: str, relative: bool, depth: int) -> None:
    if name.startswith("<") or is_network(name):
        raise SourceError(
            f"{path.name} points to the network, which is touched only for a source that is named in the job; "
            "name that address itself."
        )
    source = path.parent / name if relative else Path(name)
    if name.startswith("/vsi") or (":" in name[2:] and not source.exists()):
        return  # a file inside an archive, or a driver's subdataset: GDAL alone can tell whether it is there
    if not source.exists():
        raise SourceError(f"{path.name} needs {label(name)}, which is not there; restore it or build the VRT anew.")
    check_vrt(source, depth + 1)


def _vrt_text(path: Path) -> str | None:
    """The text of a VRT; None for anything else. GDAL knows a VRT by its content, so the name does not count."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        head = file.read(_HEAD)
        if b"<VRTDataset" not in head:
            return None
        if path.stat().st_size > _MAX_BYTES:
            raise SourceError(f"{path.name} is a VRT of more than {_MAX_BYTES // 2**20} MiB; build a smaller one.")
        return (head + file.read()).decode("utf-8", errors="replace")
