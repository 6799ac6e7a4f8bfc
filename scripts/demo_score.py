"""Compare the demo's maps with the truth of its simulated scenes: ``demo_score.py build/demo``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyogrio
import rasterio
from simulate import register_package

register_package()

from fusion_mapper.models.accuracy import boundary_f1, regression_scores  # noqa: E402  - registered above
from fusion_mapper.models.accuracy.confusion import accuracy, class_iou, confusion, mean_iou  # noqa: E402
from fusion_mapper.models.training.starters import FIELD_CLASSES, LAND_COVER  # noqa: E402


def land_cover(demo: Path) -> None:
    """Areas of the classes, accuracy and mIoU."""
    truth, found, pixel = _pair(demo / "air" / "truth_classes.tif", demo / "land_cover" / "classes.tif")
    counts = confusion(truth - 1, found - 1, len(LAND_COVER))
    print("Land cover, 1 m, RGB + NIR, OpenStreetMap, elevation")
    _areas([info.name for info in LAND_COVER], counts, pixel)
    print(f"  mIoU {mean_iou(counts):.3f}, accuracy {accuracy(counts):.3f}\n")


def fields(demo: Path) -> None:
    """Areas, F1 of the boundaries, and how many fields there are."""
    truth, found, pixel = _pair(demo / "space" / "truth_fields.tif", demo / "fields" / "classes.tif")
    counts = confusion(truth, found, len(FIELD_CLASSES))
    print("Field boundaries, 10 m, two dates of RGB + NIR, OpenStreetMap, elevation")
    _areas([info.name for info in FIELD_CLASSES], counts, pixel)
    print(f"  mIoU {mean_iou(counts):.3f}, boundary F1 {boundary_f1(truth == 2, found == 2):.3f}", end="")
    print(f" (within 1 px; exact {boundary_f1(truth == 2, found == 2, 0):.3f})")
    there = pyogrio.read_info(demo / "space" / "truth_parcels.gpkg")["features"]
    mapped = pyogrio.read_info(demo / "fields" / "fields.gpkg")["features"]
    print(f"  {mapped} field polygons; {there} in truth\n")


def tree_cover(demo: Path) -> None:
    """R² and errors."""
    truth, found, pixel = _pair(demo / "space" / "truth_tree_cover.tif", demo / "tree_cover" / "regression.tif")
    print("Tree cover, 10 m, RGB + NIR, OpenStreetMap, elevation")
    hectares = [float(values.mean(dtype=float)) / 100 * values.size * pixel / 1e4 for values in (found, truth)]
    print(f"  under crowns {hectares[0]:,.0f} ha; {hectares[1]:,.0f} ha in truth")
    scores = regression_scores(truth, found)
    print(f"  R² {scores['r2']:.3f}, mean error {scores['mae']:.1f} %, RMSE {scores['rmse']:.1f} %\n")


def _pair(truth: Path, found: Path) -> tuple[np.ndarray, np.ndarray, float]:
    """Truth and map as signed numbers, nodata of the map as -1, and the area of a pixel in m²."""
    with rasterio.open(truth) as there, rasterio.open(found) as mapped:
        if there.transform != mapped.transform or there.shape != mapped.shape:
            raise SystemExit(f"{found} does not lie on the grid of {truth}.")
        values = mapped.read(1)
        if values.dtype == np.uint8:
            values = np.where(values == mapped.nodata, -1, values.astype(np.int16))
        known = there.read(1)
        area = abs(there.transform.a * there.transform.e)
        return known.astype(np.int16) if known.dtype == np.uint8 else known, values, area


def _areas(names: list[str], counts: np.ndarray, pixel: float) -> None:
    print(f"  {'class':<12}{'mapped ha':>12}{'truth ha':>12}{'IoU':>8}")
    for index, (name, iou) in enumerate(zip(names, class_iou(counts), strict=True)):
        mapped, true = counts[:, index].sum() * pixel / 1e4, counts[index].sum() * pixel / 1e4
        print(f"  {name:<12}{mapped:>12,.1f}{true:>12,.1f}{iou:>8.3f}")


if __name__ == "__main__":
    for compare in (land_cover, fields, tree_cover):
        compare(Path(sys.argv[1]))
