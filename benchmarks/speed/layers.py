"""The layers of the speed benchmarks, made once from one simulated landscape.

    .venv-engine/bin/python benchmarks/speed/layers.py build/benchmarks

``bench.tif``: 4096×4096, red, green, blue in 8 bits. ``fused.tif``: the same with near infrared in 16 bits.
``osm.gpkg`` and ``dem.tif`` (30 m, in degrees) lie beside them. `repeated` makes larger rasters of the same pictures.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from simulate import register_package  # noqa: E402

SIDE = 4096
#: Metres. Finer than the simulator's usual 1 m, so that a trained network finds fewer than 1,000 polygons a Mpixel.
GSD = 0.4
#: Rows of a raster that is written at once, which are rows of its tiles.
STRIP = 512
PROFILE = {"driver": "GTiff", "tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate", "zlevel": 1}


def make_layers(folder: Path) -> None:
    """Simulate and write what is not there yet."""
    register_package()
    from fusion_mapper.models.simulation.write import write_scene

    if not (folder / "scene" / "truth_classes.tif").exists():
        write_scene(folder / "scene", SIDE, GSD, region=0, seed=1)
    for name in ("osm.gpkg", "dem.tif", "truth_classes.tif"):
        if not (folder / name).exists():
            shutil.copyfile(folder / "scene" / name, folder / name)
    with rasterio.open(folder / "scene" / "imagery.tif") as file:
        image = file.read()
        for name, bands in (("bench.tif", image[:3]), ("fused.tif", image.astype(np.uint16) * 39)):
            if not (folder / name).exists():
                _write(folder / name, iter([bands]), bands.shape, bands.dtype, file.crs, file.transform)


def repeated(source: Path, target: Path, height: int, width: int) -> None:
    """A raster of `height` × `width` pixels that shows `source` again and again, mirrored so that edges meet."""
    if target.exists():
        return
    with rasterio.open(source) as file:
        image, crs, transform = file.read(), file.crs, file.transform

    def strips() -> Iterator[np.ndarray]:
        cols = _mirrored(np.arange(width), image.shape[2])
        for top in range(0, height, STRIP):
            rows = _mirrored(np.arange(top, min(top + STRIP, height)), image.shape[1])
            yield image[:, rows][:, :, cols]

    _write(target, strips(), (len(image), height, width), image.dtype, crs, transform)


def _mirrored(position: np.ndarray, length: int) -> np.ndarray:
    position = position % (2 * length)
    return np.where(position < length, position, 2 * length - 1 - position)


def _write(
    path: Path, strips: Iterator[np.ndarray], shape: tuple[int, ...], dtype: np.dtype, crs: object, transform: object
) -> None:
    part = path.with_name(f"{path.stem}.part.tif")
    count, height, width = shape
    facts = {"count": count, "height": height, "width": width, "dtype": dtype, "crs": crs, "transform": transform}
    with rasterio.open(part, "w", **PROFILE, **facts, bigtiff="if_safer", num_threads="all_cpus") as file:
        top = 0
        for strip in strips:
            file.write(strip, window=Window(0, top, width, strip.shape[1]))
            top += strip.shape[1]
    part.rename(path)


if __name__ == "__main__":
    made = Path(sys.argv[1])
    made.mkdir(parents=True, exist_ok=True)
    make_layers(made)
