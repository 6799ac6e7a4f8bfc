"""What GDAL's own programs make of a layer on a run grid: the reference that sources are held against."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import ColorInterp

NAMES = {"nearest": "near", "cubic_spline": "cubicspline"}


def gdalwarp(paths, grid, folder: Path, resampling: str = "bilinear", options=()) -> tuple[np.ndarray, np.ndarray]:
    """``gdalwarp -et 0`` of files (the last on top) onto `grid`.

    Returns values (C×H×W float32, without the alpha band) and validity of each band (C×H×W bool).
    """
    target = folder / "gdalwarp.tif"
    crs = folder / "grid.wkt"
    crs.write_text(grid.pyproj_crs.to_wkt("WKT2_2019"), encoding="utf-8")
    xmin, ymin, xmax, ymax = grid.bounds
    with rasterio.open(paths[0]) as source:
        masked = any("per_dataset" in [flag.name for flag in flags] for flags in source.mask_flag_enums)
        alpha = ColorInterp.alpha in source.colorinterp
    command = ["gdalwarp", "-q", "-overwrite", "-et", "0", "-r", NAMES.get(resampling, resampling), "-ot", "Float32"]
    command += ["-t_srs", str(crs), "-te", *map(repr, (xmin, ymin, xmax, ymax))]
    command += ["-ts", str(grid.width), str(grid.height)]
    if not alpha:  # an alpha band comes along by itself
        command += ["-dstalpha"] if masked else ["-dstnodata", "nan"]
    subprocess.run([*command, *options, *map(str, paths), str(target)], check=True, capture_output=True)
    with rasterio.open(target) as dataset:
        values = dataset.read()
    if masked:
        alpha, values = values[-1], values[:-1]
        return values, np.broadcast_to(alpha > 0, values.shape) & np.isfinite(values)
    return values, np.isfinite(values)
