"""Classes to simplified, seam-free polygons in a GeoPackage, by the engine's own sink. One process, one JSON line.

    python benchmarks/speed/polygons.py CLASSES.tif MODEL.onnx OUT.gpkg

Reading the raster is not counted, as it is not for the sink of a run, whose blocks are at hand.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import rasterio

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from simulate import register_package  # noqa: E402

register_package()

from fusion_mapper.inference.grid import Grid, Window  # noqa: E402
from fusion_mapper.inference.job import Outputs  # noqa: E402
from fusion_mapper.inference.sinks.mosaic import Mosaic  # noqa: E402
from fusion_mapper.inference.sinks.polygons import write_polygons  # noqa: E402
from fusion_mapper.models.load import load_model  # noqa: E402

#: Side of a block, as runs of the reference model have it.
BLOCK = 800


def main() -> None:
    """Write the polygons and print the seconds they took."""
    raster, model, target = map(Path, sys.argv[1:4])
    with rasterio.open(raster) as file:
        classes = file.read(1)
        grid = Grid(file.crs.to_wkt(), file.transform, file.width, file.height)
    windows = [
        Window(row, col, BLOCK, BLOCK).clipped(grid.height, grid.width)
        for row in range(0, grid.height, BLOCK)
        for col in range(0, grid.width, BLOCK)
    ]
    arrays = {"classes": classes, "certainty": np.full(classes.shape, 9000, np.uint16)}
    mosaic = Mosaic(grid, windows, lambda index, name: arrays[name][windows[index].within(grid.whole)])
    output = load_model(model).card.outputs[0]
    began = time.perf_counter()
    counts = write_polygons(target, output, mosaic, Outputs(str(target.parent)), {})
    print(json.dumps({"event": "result", "seconds": time.perf_counter() - began, "polygons": counts.written}))


if __name__ == "__main__":
    main()
