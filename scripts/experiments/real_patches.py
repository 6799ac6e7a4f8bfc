"""The Chesapeake patches as GeoTIFFs. They have no georeference: the grid here is an invented one."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.transform import Affine

BANDS = {"red": "Red", "green": "Green", "blue": "Blue", "nir": "NearInfrared"}
#: The invented place: UTM zone 18 north, pixels of 1 m, patches 10 km apart. Nothing is learned from where they lie.
_CRS, _WEST, _NORTH, _APART = CRS.from_epsg(32618), 300_000.0, 4_300_000.0, 10_000.0


def write_patch(source: Path, folder: Path, number: int) -> tuple[Path, Path]:
    """Imagery (4 bands, 0 to 1) and label raster (0 is not known) of one HDF5 patch.

    Only the named arrays are read: the file's attributes hold a pickle, which is not opened.
    """
    with h5py.File(source) as file:
        bands = np.stack([file[name][...] for name in BANDS.values()]).astype("float32")
        labels = file["label"][...].astype("uint8")
    folder.mkdir(parents=True, exist_ok=True)
    imagery, truth = folder / f"{source.stem}.tif", folder / f"{source.stem}-labels.tif"
    transform = Affine(1, 0, _WEST + number * _APART, 0, -1, _NORTH)
    height, width = labels.shape
    shape = {"driver": "GTiff", "height": height, "width": width, "crs": _CRS, "transform": transform}
    with rasterio.open(imagery, "w", dtype="float32", count=len(bands), **shape) as file:
        file.write(bands)
        file.descriptions = tuple(BANDS)
    with rasterio.open(truth, "w", dtype="uint8", count=1, nodata=0, **shape) as file:
        file.write(labels, 1)
    return imagery, truth
