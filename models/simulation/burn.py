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
    share = np.zeros(frame.shape, np.float32)
    for width in sorted(set(widths)):
        chosen = [line for line, own in zip(lines, widths, strict=True) if own == width]
        if width < frame.gsd:
            share = np.maximum(share, burn(frame, chosen, all_touched=True) * np.float32(width / frame.gsd))
        else:
            buffered = shapely.buffer(chosen, width / 2, cap_style="flat")
            np.maximum(share, burn(frame, buffered) > 0, out=share)
    return share
