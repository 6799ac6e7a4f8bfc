"""Labels drawn as polygons and points, burned onto a grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import shapely
from pyogrio import raw
from pyogrio.errors import DataLayerError, DataSourceError
from rasterio import features as burning

from ...models.card import ClassInfo
from ..errors import RequestError, SourceError
from ..grid import Grid
from ..job import VectorLayer
from ..learnjob import Labels
from ..sources import Context
from ..sources.vector import VectorReader
from ..sources.vector_files import LayerFile, find_layers, short_problem

_KINDS = frozenset(("polygon", "point"))
_LINES = (shapely.GeometryType.LINESTRING, shapely.GeometryType.MULTILINESTRING, shapely.GeometryType.LINEARRING)
_POINTS = (shapely.GeometryType.POINT, shapely.GeometryType.MULTIPOINT)
#: Width of the ring around parcels that is taken for background, in widths of the boundary.
_RING = 3.0
_BACKGROUND = ("background", "0", "none", "no field")
_BACKGROUND_INDEX, _FIELD_INDEX, _BOUNDARY_INDEX = 0, 1, 2


@dataclass(frozen=True)
class _Drawn:
    """Valid shapes in the grid's CRS with what their field says, and the layer's name."""

    name: str
    shapes: np.ndarray
    values: np.ndarray


def field_values(labels: Labels, base: Path) -> list[object]:
    """The different values of the labels' field, without reading a geometry.

    Raises:
        RequestError: there is no such field.
        SourceError: the layer cannot be read.
    """
    layer = _layer(labels, base, [])
    where = labels.where
    try:
        _, _, _, columns = raw.read(
            layer.path, layer=layer.layer, where=where, columns=[labels.field], read_geometry=False
        )
    except (DataSourceError, DataLayerError, RuntimeError, ValueError) as problem:
        raise SourceError(f"The labels '{layer.name}' cannot be read: {short_problem(problem)}.") from problem
    return list({value if value == value else None for value in columns[0].tolist()})


def read(
    labels: Labels,
    to_index: Callable[[np.ndarray], np.ndarray] | None,
    classes: Sequence[ClassInfo],
    grid: Grid,
    context: Context,
) -> tuple[np.ndarray, dict[str, int], tuple[str, ...]]:
    """Labels on the grid: H×W int16 indices with -1 by `to_index`, or float32 values with NaN where that is None.

    Returns:
        The labels, features by class name, and sentences.

    Raises:
        RequestError: no such field, text where numbers are needed, or lines.
        SourceError: the layer cannot be read.
    """
    drawn = _drawn(labels, grid, context)
    values = _numbers(labels, drawn) if to_index is None else to_index(drawn.values)
    known = np.isfinite(values) if to_index is None else values >= 0
    shapes, values = _areas(drawn.shapes[known], labels, grid), values[known]
    empty, kind = (np.nan, np.float32) if to_index is None else (-1, np.int16)
    out, told = _burned(drawn.name, shapes, values, grid, np.array(empty, kind))
    counts = {"all": len(values)} if to_index is None else _counts(values, classes)
    return out, counts, told


def read_parcels(labels: Labels, grid: Grid, context: Context) -> tuple[np.ndarray, dict[str, int], tuple[str, ...]]:
    """Field (1), boundary (2) and background (0) on the grid, H×W int16 with -1; features and sentences as `read`."""
    drawn = _drawn(labels, grid, context)
    texts = [str(value).strip().casefold() for value in drawn.values]
    away = np.array([text in _BACKGROUND for text in texts], bool) if labels.field else np.zeros(len(texts), bool)
    width = labels.width or 2 * grid.mean_gsd
    across = width / float(np.mean(grid.metres_per_unit))
    parcels = drawn.shapes[~away]
    told = ""
    truth = np.full((grid.height, grid.width), -1, np.int16)
    if away.any():
        _burn(truth, drawn.shapes[away], _BACKGROUND_INDEX, grid)
    elif len(parcels):
        _burn(truth, shapely.buffer(parcels, (0.5 + _RING) * across), _BACKGROUND_INDEX, grid)
        told = (
            f"The labels '{drawn.name}' name no background; a ring of {_RING * width:g} m around the parcels is taken "
            "for it, and the rest is unknown."
        )
    _burn(truth, parcels, _FIELD_INDEX, grid)
    _burn(truth, shapely.buffer(shapely.boundary(parcels), across / 2), _BOUNDARY_INDEX, grid)
    counts = {"field": len(parcels), **({"background": int(away.sum())} if away.any() else {})}
    return truth, counts, (told,) if told else ()


def extent(labels: Labels, grid: Grid, context: Context) -> tuple[float, float, float, float] | None:
    """xmin, ymin, xmax, ymax of the layer in the grid's CRS, or None where it is unknown."""
    return _reader(labels, grid, context).extent


def _drawn(labels: Labels, grid: Grid, context: Context) -> _Drawn:
    reader = _reader(labels, grid, context)
    found = reader.read(grid.window_bounds(grid.whole))
    shapes = found.shapes
    if np.isin(shapely.get_type_id(shapes), _LINES).any():
        raise RequestError(f"The labels '{reader.original.name}' hold lines; label with polygons or points.")
    areal = shapely.get_dimensions(shapes) == 2
    shapes = np.where(areal, shapely.make_valid(shapes), shapes)
    values = found.columns[labels.field] if labels.field else np.full(len(shapes), None, object)
    good = ~shapely.is_empty(shapes)
    return _Drawn(reader.original.name, shapes[good], values[good])


def _reader(labels: Labels, grid: Grid, context: Context) -> VectorReader:
    several: list[str] = []
    layer = _layer(labels, context.base, several)
    for sentence in several:
        context.warn(sentence)
    columns = (labels.field,) if labels.field else ()
    return VectorReader(layer, columns, labels.where, False, grid.pyproj_crs, context)


def _layer(labels: Labels, base: Path, several: list[str]) -> LayerFile:
    layer, *_ = find_layers(VectorLayer(labels.path, labels.layer), base, _KINDS, several)
    layer = replace(layer, crs=labels.crs or layer.crs, name=labels.name or layer.name)
    if labels.field is not None and labels.field not in layer.fields:
        known = ", ".join(layer.fields[:20]) or "none"
        raise RequestError(f"The labels '{layer.name}' have no field '{labels.field}'; their fields are {known}.")
    return layer


def _numbers(labels: Labels, drawn: _Drawn) -> np.ndarray:
    """float32 of the field; NaN for NULL and for what stands for "not known"."""
    if labels.field is None:
        raise RequestError(f"The labels '{drawn.name}' need a field that holds the values; give labels.field.")
    unknown = {text.strip() for text in labels.unlabelled}
    numbers = np.full(len(drawn.values), np.nan, np.float32)
    for place, value in enumerate(drawn.values):
        if value is None or str(value).strip() in unknown:
            continue
        try:
            numbers[place] = float(value)
        except (TypeError, ValueError):
            raise RequestError(
                f"The field '{labels.field}' of '{drawn.name}' holds '{str(value)[:40]}', which is no number; choose a "
                "field with numbers, or the task with classes."
            ) from None
    return numbers


def _areas(shapes: np.ndarray, labels: Labels, grid: Grid) -> np.ndarray:
    """Points as discs, or as they are where they label one pixel."""
    if labels.width is None or len(shapes) == 0:
        return shapes
    pointed = np.isin(shapely.get_type_id(shapes), _POINTS)
    radius = labels.width / float(np.mean(grid.metres_per_unit))
    return np.where(pointed, shapely.buffer(shapes, radius), shapes)


def _burned(
    name: str, shapes: np.ndarray, values: np.ndarray, grid: Grid, empty: np.ndarray
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Each feature's value on its pixels; unknown where features of different values overlap."""
    order = np.arange(1, len(shapes) + 1)
    first, last = (_numbered(shapes[way], order[way], grid) for way in (slice(None, None, -1), slice(None)))
    table = np.concatenate([np.array([empty], values.dtype), values]).astype(empty.dtype)
    out = table[last]
    torn = (first != last) & (table[first] != out)
    out[torn] = empty
    told = []
    if torn.any():
        told.append(
            f"{int(torn.sum()):,} pixels lie in labels of '{name}' that overlap and contradict one another; they are "
            "left out."
        )
    missed = len(shapes) - len(np.union1d(np.unique(first[first > 0]), np.unique(last[last > 0])))
    if missed > 0:
        told.append(f"{missed:,} labels of '{name}' hold the centre of no pixel and label nothing.")
    return out, tuple(told)


def _numbered(shapes: np.ndarray, numbers: np.ndarray, grid: Grid) -> np.ndarray:
    """H×W int32: the number of the last feature that holds the pixel's centre, 0 for none."""
    if len(shapes) == 0:
        return np.zeros((grid.height, grid.width), np.int32)
    pairs = zip(shapes, numbers.tolist(), strict=True)
    return burning.rasterize(pairs, (grid.height, grid.width), 0, transform=grid.transform, dtype=np.int32)


def _burn(truth: np.ndarray, shapes: np.ndarray, value: int, grid: Grid) -> None:
    if len(shapes):
        inside = _numbered(shapes, np.ones(len(shapes), np.int32), grid) > 0
        truth[inside] = value


def _counts(values: np.ndarray, classes: Sequence[ClassInfo]) -> dict[str, int]:
    return {info.name: int((values == index).sum()) for index, info in enumerate(classes)}
