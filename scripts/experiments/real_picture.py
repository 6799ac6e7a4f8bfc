"""A picture of maps beside their imagery: ``real_picture.py OUT.png IMAGERY BANDS [TITLE=]MAP ...``.

    .venv-train/bin/python scripts/experiments/real_picture.py out.png ../shared/data/amazon_s2/sen2.tif 4,3,2 stack=MAP

MAP is the raster of a run, for example `evaluation/run/classes.tif` in a folder of build/experiments/real/amazon.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import rasterio
from matplotlib.axes import Axes


def show_imagery(axes: Axes, path: Path, bands: list[int]) -> None:
    """Three bands, each stretched between its 2nd and 98th percentile."""
    with rasterio.open(path) as file:
        values = file.read(bands).astype(float)
        valid = file.read_masks(bands).all(0) & np.isfinite(values).all(0)
    low, high = np.percentile(values[:, valid], (2, 98), axis=1)
    stretched = (values - low[:, None, None]) / (high - low)[:, None, None]
    axes.imshow(np.where(valid, np.clip(stretched, 0, 1), 1).transpose(1, 2, 0))
    axes.set_title("imagery")


def show_map(axes: Axes, title: str, path: Path) -> None:
    """Classes in the file's own colours, or values on a ramp with its bar."""
    with rasterio.open(path) as file:
        values = np.ma.masked_array(file.read(1), file.read_masks(1) == 0)
        colors = file.colormap(1) if file.dtypes[0] == "uint8" else None
    if colors is None:
        axes.figure.colorbar(axes.imshow(values, cmap="viridis"), ax=axes, shrink=0.6)
    else:
        table = np.array([colors.get(value, (0, 0, 0, 255)) for value in range(256)], np.uint8)
        picture = table[values.filled(0)]
        picture[values.mask] = 255
        axes.imshow(picture)
    axes.set_title(title)


def main() -> None:
    """Draw one picture."""
    out, imagery, bands, *maps = sys.argv[1:]
    figure, axes = plt.subplots(1, len(maps) + 1, figsize=(4.2 * (len(maps) + 1), 4.4), layout="constrained")
    show_imagery(axes[0], Path(imagery), [int(band) for band in bands.split(",")])
    for place, named in zip(axes[1:], maps, strict=True):
        title, _, path = named.rpartition("=")
        show_map(place, title, Path(path))
    for place in axes:
        place.set_axis_off()
    figure.savefig(out, dpi=80)


if __name__ == "__main__":
    main()
