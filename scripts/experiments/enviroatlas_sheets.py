"""EnviroAtlas's tiles, found by torchgeo's own index, laid side by side on one sheet for each city and split.

The tiles of a split lie scattered over a city; one grid around them would be nearly empty and too large for memory.
The published figures are pooled over all tiles of a city, so a place has to hold them all. A sheet is a GDAL virtual
raster that shows the tiles in rows, apart by more than any layer is blurred, and nodata between them; no pixel is
copied or resampled. A sheet has the tiles' CRS and pixel size, and the corner of its first tile: it is no map.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import rasterio
from fusion_mapper.inference.errors import RequestError, SourceError
from rasterio.errors import RasterioError

if TYPE_CHECKING:
    from torchgeo.datasets import EnviroAtlas

#: Folder inside the root and the file that torchgeo reads.
FOLDER = "enviroatlas_lotp"
#: Layers of torchgeo's index that are read; the prior's own column is set right by `_files`.
LAYERS = ("naip", "nlcd", "roads", "waterways", "waterbodies", "buildings", "prior", "lc")
#: How the data set names the files of imagery and prior.
_IMAGERY, _PRIOR = "a_naip", "prior_from_cooccurrences_101_31"
#: Pixels of nodata between tiles: PROC-STACK's Gaussian of 31 m ends at 4 standard deviations.
GAP = 128


@dataclass(frozen=True)
class Tile:
    """One tile: its files by layer, all on one pixel grid.

    Attributes:
        size: height and width in pixels.
        counts: bands by layer.
    """

    name: str
    files: dict[str, Path]
    size: tuple[int, int]
    counts: dict[str, int]
    crs: str
    transform: rasterio.Affine


@dataclass(frozen=True)
class Sheet:
    """A split's tiles on one sheet.

    Attributes:
        files: virtual rasters by layer.
        size: height and width in pixels, gaps and all.
        tiles: how many tiles it shows.
    """

    split: str
    files: dict[str, Path]
    size: tuple[int, int]
    tiles: int


def find_tiles(root: Path, split: str) -> list[Tile]:
    """The tiles of a split, as torchgeo's index names them.

    Args:
        root: the folder that holds ``enviroatlas_lotp``.
        split: city and part, such as ``austin_tx-2012_1m-test``.

    Raises:
        RequestError: torchgeo is not installed, or the data set is not there.
        SourceError: a file is missing, or the layers of a tile differ in size or place.
    """
    dataset = _dataset(root, split)
    rows = dataset.index.sort_values("naip").to_dict("records")
    if not rows:
        raise RequestError(f"The index of {root / FOLDER} lists no tile of {split}; choose another city.")
    return [_tile(root / FOLDER, row) for row in rows]


def lay_sheet(split: str, tiles: Sequence[Tile], folder: Path, side: int | None) -> Sheet:
    """Write a sheet's virtual rasters, one a layer.

    Args:
        split: names the files.
        tiles: all in one CRS and pixel size.
        folder: where the files go.
        side: pixels along the central square that is taken of each tile; None takes whole tiles.

    Raises:
        SourceError: the tiles differ in CRS or pixel size.
    """
    first = tiles[0]
    for tile in tiles[1:]:
        if (tile.crs, tile.transform.a, tile.transform.e) != (first.crs, first.transform.a, first.transform.e):
            raise SourceError(f"{tile.name} has another CRS or pixel size than {first.name}; {split} must be of one.")
    shown = [tuple(min(length, side or length) for length in tile.size) for tile in tiles]
    cell = max(height for height, _ in shown) + GAP, max(width for _, width in shown) + GAP
    across = math.ceil(math.sqrt(len(tiles)))
    down = math.ceil(len(tiles) / across)
    size = down * cell[0] - GAP, across * cell[1] - GAP
    spots = [(number // across * cell[0], number % across * cell[1]) for number in range(len(tiles))]
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for layer in LAYERS:
        parts = [_Part(tile, *spot, *shape) for tile, spot, shape in zip(tiles, spots, shown, strict=True)]
        files[layer] = folder / f"{split}-{layer}.vrt"
        files[layer].write_text(_document(layer, parts, size), encoding="utf-8")
    return Sheet(split, files, size, len(tiles))


def _dataset(root: Path, split: str) -> EnviroAtlas:
    try:
        from torchgeo.datasets import EnviroAtlas
        from torchgeo.datasets.errors import DatasetNotFoundError
    except ImportError as problem:
        raise RequestError(
            f"This Python lacks torchgeo ({problem}); install scripts/requirements-experiments.txt into it."
        ) from problem
    if split not in EnviroAtlas.splits:
        raise RequestError(f"EnviroAtlas has no split {split}; it has {', '.join(EnviroAtlas.splits)}.")
    try:
        return EnviroAtlas(root, splits=[split], layers=list(LAYERS), prior_as_input=True)
    except DatasetNotFoundError as problem:
        raise RequestError(
            f"{root} does not hold the whole of EnviroAtlas (Zenodo 5778193); unpack enviroatlas_lotp.zip there."
        ) from problem


def _files(folder: Path, row: dict[str, str]) -> dict[str, Path]:
    """A tile's files.

    torchgeo 0.8.1 fills the column ``prior`` with the imagery's name (it replaces whole values, not parts of them),
    so the prior's name is made here, as the data set makes it.
    """
    names = {layer: row[layer] for layer in LAYERS if layer != "prior"}
    names["prior"] = row["naip"].replace(_IMAGERY, _PRIOR)
    return {layer: folder / name for layer, name in names.items()}


def _tile(folder: Path, row: dict[str, str]) -> Tile:
    files = _files(folder, row)
    name = files["naip"].name.removesuffix(f"_{_IMAGERY}.tif")
    facts = {layer: _facts(path) for layer, path in files.items()}
    size, crs, transform, _ = facts["naip"]
    for layer, other in facts.items():
        if other[:3] != (size, crs, transform):
            raise SourceError(f"{files[layer].name} does not lie on the pixels of {files['naip'].name}.")
    return Tile(name, files, size, {layer: other[3] for layer, other in facts.items()}, crs, transform)


def _facts(path: Path) -> tuple[tuple[int, int], str, rasterio.Affine, int]:
    try:
        with rasterio.open(path) as file:
            return (file.height, file.width), file.crs.to_string(), file.transform, file.count
    except (RasterioError, AttributeError) as problem:
        raise SourceError(f"{path} is missing or cannot be read; unpack EnviroAtlas anew.") from problem


@dataclass(frozen=True)
class _Part:
    """A tile's central part, `height` × `width`, at a place of the sheet."""

    tile: Tile
    row: int
    col: int
    height: int
    width: int

    def source(self, layer: str, band: int, opaque: bool = False) -> str:
        """A VRT source; `opaque` gives 255 wherever the tile is, whatever it holds."""
        top, left = (self.tile.size[0] - self.height) // 2, (self.tile.size[1] - self.width) // 2
        size = f'xSize="{self.width}" ySize="{self.height}"'
        kind = "ComplexSource" if opaque else "SimpleSource"
        constant = "<ScaleOffset>255</ScaleOffset><ScaleRatio>0</ScaleRatio>" if opaque else ""
        return (
            f'<{kind}><SourceFilename relativeToVRT="0">{escape(str(self.tile.files[layer].absolute()))}'
            f"</SourceFilename><SourceBand>{band}</SourceBand>"
            f'<SrcRect xOff="{left}" yOff="{top}" {size}/><DstRect xOff="{self.col}" yOff="{self.row}" {size}/>'
            f"{constant}</{kind}>"
        )


def _document(layer: str, parts: Sequence[_Part], size: tuple[int, int]) -> str:
    first = parts[0].tile
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}">{_sources(parts, layer, band)}</VRTRasterBand>'
        for band in range(1, first.counts[layer] + 1)
    )
    mask = f'<MaskBand><VRTRasterBand dataType="Byte">{_sources(parts, layer, 1, True)}</VRTRasterBand></MaskBand>'
    transform = ", ".join(repr(float(value)) for value in first.transform.to_gdal())
    return (
        f'<VRTDataset rasterXSize="{size[1]}" rasterYSize="{size[0]}"><SRS>{escape(first.crs)}</SRS>'
        f"<GeoTransform>{transform}</GeoTransform>{bands}{mask}</VRTDataset>\n"
    )


def _sources(parts: Sequence[_Part], layer: str, band: int, opaque: bool = False) -> str:
    return "".join(part.source(layer, band, opaque) for part in parts)
