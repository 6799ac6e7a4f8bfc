"""Features in scene metres drawn onto the pixel frame (GDAL's rasteriser through rasterio)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import shapely
from affine import Affine
from rasterio import features

from .frame import Frame


def burn(
    frame: Frame,
    shapes: Iterable[shapely.Geometry],
    values: Sequence[int] | np.ndarray | None = None,
    all_touched: bool = False,
) -> np.ndarray:
    """Draw shapes in order; int32 H x W, 0 where none is.

    ``values`` gives every shape an integer above 0; None draws them all as 1.
    """
    shapes = list(shapes)
    values = np.ones(len(shapes), np.int32) if values is None else np.asarray(values)
    pairs = [(shape, int(value)) for shape, value in zip(shapes, values, strict=True) if not shape.is_empty]
    if not pairs:
        return np.zeros(frame.shape, np.int32)
    return features.rasterize(
        pairs,
        out_shape=frame.shape,
        transform=Affine.scale(frame.gsd),
        fill=0,
        all_touched=all_touched,
        dtype="int32",
    )


def burn_ribbons(frame: Frame, lines: Sequence[shapely.LineString], widths: Sequence[float]) -> np.ndarray:
    """Lines of a width in metres as the share of every pixel they cover, float32 H x W.

    A ribbon narrower than a pixel touches every pixel its line runs through; its share is width over pixel.
    """
    order = np.argsort(widths, kind="stable")
    lines, widths = np.array(lines, dtype=object)[order], np.array(widths, float)[order]
    narrow = widths < frame.gsd
    permille = np.maximum(np.round(1000 * widths[narrow] / frame.gsd), 1)
    share = burn(frame, lines[narrow], permille, all_touched=True).astype(np.float32) / 1000
    ribbons = shapely.buffer(lines[~narrow], widths[~narrow] / 2, cap_style="flat")
    return np.maximum(share, burn(frame, ribbons) > 0, dtype=np.float32)
