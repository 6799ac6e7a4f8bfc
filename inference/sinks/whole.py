"""Is a GeoTIFF whole? GDAL says nothing when the last of its bytes, written as a file is closed, find no room."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from math import ceil
from pathlib import Path

import rasterio
from rasterio.io import DatasetReader


def check_whole(path: Path) -> None:
    """Raise OSError where the tiled file ends before the tiles that stand in its last rows do.

    What is lost is what was written last: GDAL tells of any earlier write that fails.
    """
    size = path.stat().st_size
    with rasterio.open(path) as file:
        levels = [file.shape]
        # GDAL rounds the sizes of overviews now up, now down.
        for level in range(len(file.overviews(1))):
            with rasterio.open(path, overview_level=level) as overview:
                levels.append(overview.shape)
        if any(end is None or end > size for end in _ends(file, levels)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _ends(file: DatasetReader, shapes: Sequence[tuple[int, int]]) -> Iterator[int | None]:
    """First byte after each tile of the last row, in every band and overview; None for a tile that is not there."""
    tile = file.block_shapes[0]
    for number, shape in enumerate(shapes):
        level = number - 1 if number else None
        rows, cols = (ceil(side / step) for side, step in zip(shape, tile, strict=True))
        for band in file.indexes:
            for col in range(cols):
                offset, length = (
                    file.get_tag_item(f"BLOCK_{what}_{col}_{rows - 1}", "TIFF", bidx=band, ovr=level)
                    for what in ("OFFSET", "SIZE")
                )
                yield int(offset) + int(length) if offset and length else None
