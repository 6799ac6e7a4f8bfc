"""A coarse, older and partly wrong class map of a simulated scene, such as national land cover at 30 m is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from scipy import ndimage

from .noise import stream

#: Values follow the coarse classes of the United States' National Land Cover Database: open water, developed (low and
#: high intensity), barren, forest, grassland and crops.
COARSE_CLASSES = {11: "open water", 22: "developed, low", 24: "developed, high", 31: "barren", 41: "forest", 71: "open"}
PIXEL = 30.0
#: Share of the ground whose class is an old or a wrong one, in patches, and the side of such a patch in coarse pixels.
_WRONG, _PATCH = 0.08, 3.0


def write_coarse(truth: Path, path: Path, seed: int) -> Path:
    """Write a coarse class map (uint8, nodata 0, EPSG of the truth, 30 m pixels) of a scene's ``truth_classes.tif``.

    A coarse pixel is water, forest or barren where that covers half of it, developed from a fifth of sealed ground
    upward, else open. Patches of it, `_WRONG` of the ground, get the class of another place.

    Args:
        truth: class raster with 1 water 2 impervious 3 barren 4 tree 5 grass, square pixels in metres.
        path: the file to write.
        seed: decides where it is wrong.
    """
    with rasterio.open(truth) as raster:
        classes, transform, crs = raster.read(1), raster.transform, raster.crs
    step = max(round(PIXEL / transform.a), 1)
    rows, cols = (-(-side // step) for side in classes.shape)
    padded = np.pad(classes, ((0, rows * step - classes.shape[0]), (0, cols * step - classes.shape[1])), mode="edge")
    shares = {
        value: (padded == value).reshape(rows, step, cols, step).mean((1, 3), dtype=float) for value in range(1, 6)
    }
    coarse = _wrong_in_places(_decided(shares), seed)
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "nodata": 0, "compress": "deflate"}
    place = Affine(transform.a * step, 0, transform.c, 0, transform.e * step, transform.f)
    with rasterio.open(path, "w", width=cols, height=rows, crs=crs, transform=place, **profile) as raster:
        raster.write(coarse, 1)
    return path


def _decided(shares: dict[int, np.ndarray]) -> np.ndarray:
    coarse = np.full(shares[1].shape, 71, np.uint8)
    coarse[shares[4] > 0.5] = 41
    coarse[shares[3] > 0.5] = 31
    coarse[shares[2] > 0.2] = 22
    coarse[shares[2] > 0.5] = 24
    coarse[shares[1] > 0.5] = 11
    return coarse


def _wrong_in_places(coarse: np.ndarray, seed: int) -> np.ndarray:
    rng = stream(seed, "coarse")
    patches = ndimage.gaussian_filter(rng.normal(size=coarse.shape), _PATCH, mode="reflect")
    wrong = patches > np.quantile(patches, 1 - _WRONG)
    elsewhere = np.roll(coarse, tuple(int(rng.integers(side // 4, side // 2 + 1)) for side in coarse.shape), (0, 1))
    return np.where(wrong, elsewhere, coarse)
