"""Finding a vector layer: which file, which layer in it, what it holds, and whether it may be read at all."""

from __future__ import annotations

import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS
from pyproj.exceptions import CRSError

from ..errors import SourceError
from ..grid import on_the_map
from ..job import VectorLayer, resolve

#: Formats that hold their own features. Others (VRT, WFS, SQL servers) name further files or hosts, which a layer that
#: the user named must never do.
DRIVERS = frozenset(("GPKG", "ESRI Shapefile", "FlatGeobuf", "GeoJSON", "GeoJSONSeq", "TopoJSON", "OSM", "SQLite"))
DRIVERS |= {"KML", "LIBKML", "GPX", "MapInfo File", "OpenFileGDB", "Parquet", "Arrow"}
#: What GDAL's OSM driver makes of an extract, with the geometry kinds that each layer holds.
OSM_LAYERS = {
    "points": frozenset(("point",)),
    "lines": frozenset(("line",)),
    "multilinestrings": frozenset(("line",)),
    "multipolygons": frozenset(("polygon",)),
    "other_relations": frozenset(("point", "line", "polygon")),
}
_ZIPPED = (".gpkg", ".shp", ".fgb", ".geojson", ".json", ".pbf", ".osm", ".kml")
_NAMES_OTHERS = (b"<OGRVRT", b"<OGRWFS", b"<WFS_", b"<OWS", b"opengis.net/gml", b"opengis.net/wfs")


@dataclass(frozen=True)
class LayerFile:
    """One vector layer as GDAL finds it.

    Attributes:
        path: what GDAL opens (a file, or a /vsi path).
        layer: the layer's name inside it.
        name: how messages call it; never a whole path.
        crs: WKT or authority code.
        fields: attribute names.
        driver: GDAL's name of the format.
        indexed: True where a bounding box is answered by a spatial index.
        features: how many there are, or None where only reading them all would tell.
        bounds: xmin, ymin, xmax, ymax in `crs`, or None where unknown.
    """

    path: str
    layer: str
    name: str
    crs: str
    fields: tuple[str, ...]
    driver: str
    indexed: bool
    features: int | None
    bounds: tuple[float, float, float, float] | None


def find_layers(
    asked: VectorLayer, base: Path, kinds: frozenset[str], several: list[str], crs: str | None = None
) -> list[LayerFile]:
    """The layers that `asked` stands for: one, or every useful one of an OSM extract.

    Args:
        asked: path and layer name from the job.
        base: folder against which a relative path resolves.
        kinds: geometry kinds that are wanted; layers of an OSM extract without any of them are left out.
        several: receives a sentence where the file has more layers than the one that is taken.
        crs: in place of the layers' own, where that is missing or known to be wrong.

    Raises:
        SourceError: the file is missing, unreadable, of a refused format, without that layer, or without a CRS.
    """
    path = _gdal_path(asked, base)
    name = path.rsplit("/", 1)[-1]
    _refuse_stranger(path, name)
    try:
        there = [str(layer) for layer, kind in pyogrio.list_layers(path) if kind is not None]
    except (DataSourceError, DataLayerError) as problem:
        raise SourceError(f"The vector file '{name}' cannot be read: {_short(problem)}.") from problem
    if not there:
        raise SourceError(f"The vector file '{name}' has no layer with geometries.")
    if asked.layer is not None and asked.layer not in there:
        raise SourceError(f"'{name}' has no layer '{asked.layer}'; it has {', '.join(there[:20])}.")
    if asked.layer is None and set(OSM_LAYERS) <= set(there) and name.lower().endswith((".osm", ".pbf")):
        chosen = [layer for layer, holds in OSM_LAYERS.items() if holds & kinds]
    else:
        chosen = [asked.layer or there[0]]
        if asked.layer is None and len(there) > 1:
            several.append(
                f"'{name}' has {len(there)} layers and only '{chosen[0]}' is read; list the others in the source's "
                f"layers too if they matter ({', '.join(there[1:12])})."
            )
    return [_describe(path, layer, name, crs) for layer in chosen]


def describe_copy(path: Path, original: LayerFile) -> LayerFile:
    """The converted copy of a layer, under the original's name."""
    info = _info(str(path), None, original.name)
    return LayerFile(
        path=str(path),
        layer=str(info["layer_name"]),
        name=original.name,
        crs=original.crs,
        fields=tuple(str(field) for field in info["fields"]),
        driver=original.driver,
        indexed=True,
        features=max(int(info["features"]), 0),
        bounds=_bounds(info),
    )


def shapefile_is_short(path: str) -> bool:
    """True where a Shapefile is shorter than its own header says, which GDAL reads as features without geometry."""
    file = Path(path)
    if file.suffix.lower() != ".shp" or not file.is_file():
        return False
    with file.open("rb") as stream:
        header = stream.read(28)
    return len(header) < 28 or file.stat().st_size < 2 * struct.unpack(">i", header[24:28])[0]


def _gdal_path(asked: VectorLayer, base: Path) -> str:
    path = resolve(asked.path, base)
    if path.startswith("/vsi") or "://" in path:
        return path
    if not Path(path).exists():
        raise SourceError(f"The vector file '{asked.path}' is not there.")
    if path.lower().endswith(".zip"):
        return f"/vsizip/{path}/{_member(Path(path), asked.layer)}"
    return path


def _member(path: Path, layer: str | None) -> str:
    """The file inside a zip: the one called like the layer, or the first of a format that we read."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.lower().endswith(_ZIPPED)]
    except (OSError, zipfile.BadZipFile) as problem:
        raise SourceError(f"The zip file '{path.name}' cannot be read: {problem}.") from problem
    if not names:
        raise SourceError(f"The zip file '{path.name}' holds no vector file ({', '.join(_ZIPPED)}).")
    for name in names:
        if layer is not None and Path(name).stem == layer:
            return name
    return min(names, key=lambda name: (_ZIPPED.index(Path(name).suffix.lower()), name))


def _refuse_stranger(path: str, name: str) -> None:
    """Refuse, before GDAL opens it, a file that would send GDAL to further files or hosts."""
    head = _head(path)
    if path.lower().endswith((".vrt", ".ovf", ".xml", ".wfs", ".gml")) or any(mark in head for mark in _NAMES_OTHERS):
        raise SourceError(f"'{name}' may point at other layers or hosts; export its features to a GeoPackage first.")


def _head(path: str) -> bytes:
    """The beginning of a local file, or of a local zip's member; empty for what lies elsewhere."""
    if path.startswith("/vsizip/"):
        archive, _, member = path.removeprefix("/vsizip/").partition(".zip/")
        file = Path(f"{archive}.zip")
        if not file.is_file() or not member:
            return b""
        with zipfile.ZipFile(file) as opened, opened.open(member) as stream:
            return stream.read(65536)
    if not Path(path).is_file():
        return b""
    with Path(path).open("rb") as stream:
        return stream.read(65536)


def _describe(path: str, layer: str, name: str, told: str | None) -> LayerFile:
    info = _info(path, layer, name)
    if info["driver"] not in DRIVERS:
        raise SourceError(f"'{name}' is of the format {info['driver']}, which is not read; export it to GeoPackage.")
    written = told or info["crs"]
    if not written:
        raise SourceError(f"The layer '{layer}' of '{name}' has no CRS; assign the right one and save it again.")
    if not on_the_map(crs := _parsed(str(written), name)):
        raise SourceError(f"The layer '{layer}' of '{name}' has the CRS '{crs.name}', which lies on no map.")
    return LayerFile(
        path=path,
        layer=layer,
        name=name if Path(name).stem == layer else f"{name}: {layer}",
        crs=str(written),
        fields=tuple(str(field) for field in info["fields"]),
        driver=str(info["driver"]),
        indexed=bool(info["capabilities"]["fast_spatial_filter"]),
        features=int(info["features"]) if info["features"] >= 0 else None,
        bounds=_bounds(info),
    )


def _parsed(text: str, name: str) -> CRS:
    try:
        return CRS.from_user_input(text)
    except CRSError as problem:
        raise SourceError(f"The CRS of '{name}', {text[:60]!r}, is not understood; assign another one.") from problem


def _info(path: str, layer: str | None, name: str) -> dict[str, Any]:
    try:
        return dict(pyogrio.read_info(path, layer=layer))
    except (DataSourceError, DataLayerError) as problem:
        raise SourceError(f"The vector file '{name}' cannot be read: {_short(problem)}.") from problem


def _bounds(info: dict[str, Any]) -> tuple[float, float, float, float] | None:
    bounds = info.get("total_bounds")
    if bounds is None or any(value != value for value in bounds):
        return None
    return tuple(float(value) for value in bounds)  # type: ignore[return-value]


def _short(problem: Exception) -> str:
    """GDAL's words in one line, without the paths that they may hold."""
    # pyogrio adds advice on how to call it, which is for programmers.
    text = " ".join(str(problem).split("; It might help")[0].split()).rstrip(".;")
    words = [Path(word.strip("'\",;")).name if word.strip("'\"").startswith("/") else word for word in text.split(" ")]
    return " ".join(words)[:300]


#: For the modules beside this one.
short_problem = _short
