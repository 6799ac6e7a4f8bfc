"""What the tests of vector sources share: slots and grids, real extracts in every format, GDAL's own rasteriser."""

from __future__ import annotations

import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import rasterio
import shapely
from affine import Affine
from fusion_mapper.inference.grid import Grid, Window
from fusion_mapper.inference.job import Source, VectorLayer
from fusion_mapper.inference.sources import Context
from fusion_mapper.inference.sources.osm import OsmSource, open_osm
from fusion_mapper.models.card import Channel, OsmRecipe, Slot, TagRule
from pyogrio import raw

AERIAL = "3420B_2010_328_RGB_LATLNG.tif"


def recipe(key: str, *values: str, all_touched: bool = False, dilate: int = 0, soften: int = 0, **rule) -> OsmRecipe:
    return OsmRecipe((TagRule(key, values, **rule),), all_touched, dilate, soften)


def osm_slot(**recipes: OsmRecipe) -> Slot:
    return Slot("osm", "osm", tuple(Channel(name, osm=osm) for name, osm in recipes.items()), "x")


class Run:
    """A run's context that remembers what was said."""

    def __init__(self, folder: Path, base: Path | None = None) -> None:
        self.said: list[str] = []
        self.folder = folder
        self.context = Context(base or folder, folder, self.said.append)

    def open(self, slot: Slot, grid: Grid, *layers: VectorLayer, **spec) -> OsmSource:
        return open_osm(slot, Source(layers=layers, **spec), grid, self.context)

    @property
    def copies(self) -> list[Path]:
        return sorted((self.folder / "vectors").glob("*.fgb"))


def grid_of(path: Path) -> Grid:
    with rasterio.open(path) as raster:
        return Grid(raster.crs.to_wkt(), raster.transform, raster.width, raster.height)


def square_grid(crs: str, x: float, y: float, pixel: float, size: int) -> Grid:
    """A north-up grid whose upper left corner is (x, y)."""
    return Grid(crs, Affine(pixel, 0, x, 0, -pixel, y), size, size)


def gdal_rasterize(path: Path, layer: str, grid: Grid, target: Path, *options: str) -> np.ndarray:
    """What the command-line tool burns on the grid; the layer must lie in the grid's CRS."""
    bounds = [repr(value) for value in grid.bounds]
    size = [str(grid.width), str(grid.height)]
    command = ["gdal_rasterize", "-q", "-burn", "1", "-init", "0", "-ot", "Byte", "-l", layer, *options]
    subprocess.run([*command, "-te", *bounds, "-ts", *size, str(path), str(target)], check=True)
    with rasterio.open(target) as raster:
        return raster.read(1)


def inside(patch_window: Window, grid: Grid) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where a window's part inside the grid lies in the window, and in the whole grid."""
    part = patch_window.clipped(grid.height, grid.width)
    return part.within(patch_window), part.within(grid.whole)


def write_layer(path: Path, shapes: list, crs: str | None = "EPSG:4326", layer: str | None = None, **columns) -> Path:
    """Write geometries and columns to a file whose format its name tells."""
    drivers = {
        ".gpkg": "GPKG",
        ".shp": "ESRI Shapefile",
        ".fgb": "FlatGeobuf",
        ".geojson": "GeoJSON",
    }
    wkb = shapely.to_wkb(np.array(shapes, object)).astype(object)
    values = [
        np.array(column) if isinstance(column[0], int | float) else np.array(column, object)
        for column in columns.values()
    ]
    raw.write(
        str(path),
        wkb,
        values,
        list(columns),
        layer=layer or path.stem,
        driver=drivers[path.suffix],
        geometry_type=_one_type(shapes),
        crs=crs,
    )
    return path


def _one_type(shapes: list) -> str:
    names = {shape.geom_type for shape in shapes if shape is not None}
    return names.pop() if len(names) == 1 else "Unknown"


def write_osm(path: Path, nodes: dict, ways: dict, tagged_nodes: dict | None = None) -> Path:
    """An OSM XML extract. nodes: id → (lon, lat); ways: id → (node ids, tags); tagged_nodes: id → tags."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<osm version="0.6" generator="test">']
    for number, (lon, lat) in nodes.items():
        tags = _xml_tags((tagged_nodes or {}).get(number, {}))
        lines.append(f'<node id="{number}" lon="{lon}" lat="{lat}">{tags}</node>')
    for number, (references, tags) in ways.items():
        members = "".join(f'<nd ref="{reference}"/>' for reference in references)
        lines.append(f'<way id="{number}">{members}{_xml_tags(tags)}</way>')
    path.write_text("\n".join([*lines, "</osm>"]), encoding="utf-8")
    return path


def _xml_tags(tags: dict) -> str:
    return "".join(f'<tag k="{key}" v="{value}"/>' for key, value in tags.items())


def write_pbf(path: Path, nodes: dict, ways: dict) -> Path:
    """An OSM PBF extract (https://wiki.openstreetmap.org/wiki/PBF_Format) of plain nodes and tagged ways."""
    words = [""]

    def word(text: str) -> int:
        if text not in words:
            words.append(text)
        return words.index(text)

    group = b""
    for number, (lon, lat) in nodes.items():
        node = _whole(1, _signed(number)) + _whole(8, _signed(round(lat * 1e7))) + _whole(9, _signed(round(lon * 1e7)))
        group += _bytes(1, node)
    body = _bytes(2, group)
    group = b""
    for number, (references, tags) in ways.items():
        steps = [b - a for a, b in zip([0, *references[:-1]], references, strict=True)]
        way = _whole(1, number) + _bytes(2, b"".join(_varint(word(key)) for key in tags))
        way += _bytes(3, b"".join(_varint(word(value)) for value in tags.values()))
        group += _bytes(3, way + _bytes(8, b"".join(_varint(_signed(step)) for step in steps)))
    body += _bytes(2, group)
    strings = _bytes(1, b"".join(_bytes(1, text.encode()) for text in words))
    header = _bytes(4, b"OsmSchema-V0.6")
    path.write_bytes(_blob(b"OSMHeader", header) + _blob(b"OSMData", strings + body))
    return path


def _blob(kind: bytes, content: bytes) -> bytes:
    blob = _whole(2, len(content)) + _bytes(3, zlib.compress(content))
    header = _bytes(1, kind) + _whole(3, len(blob))
    return struct.pack(">I", len(header)) + header + blob


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def _signed(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _whole(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value
