"""Labels drawn as polygons and points, burned onto a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyogrio
import shapely
from pyogrio import raw
from pyogrio.errors import DataLayerError, DataSourceError

from ...models.card import ClassInfo
from ..errors import RequestError, SourceError
from ..grid import Grid
from ..job import VectorLayer
from ..learnjob import Labels
from ..sources import Context
from ..sources.vector import VectorReader
from ..sources.vector_files import LayerFile, find_layers, short_problem
from .label_burning import burn_apart, burn_into, grown
from .label_keys import ClassKeys, text_of

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
    values = _as_written(columns[0], layer, labels.field).tolist()
    return list({value if value == value else None for value in values})


def read(
    labels: Labels, keys: ClassKeys | None, classes: Sequence[ClassInfo], grid: Grid, context: Context
) -> tuple[np.ndarray, dict[str, int], tuple[str, ...]]:
    """Labels on the grid: H×W int16 indices with -1 by `keys`, or float32 values with NaN where there are none.

    Returns:
        The labels, features by class name, and sentences.

    Raises:
        RequestError: no field, text where numbers are needed, or lines.
        SourceError: the layer cannot be read.
    """
    drawn = _drawn(labels, grid, context)
    if keys is None:
        values, told, empty = _numbers(labels, drawn), (), np.array(np.nan, np.float32)
        known = np.isfinite(values)
    else:
        values, empty = keys.indices(drawn.values), np.array(-1, np.int16)
        told, known = keys.strange(drawn.values, "labels", drawn.name), values >= 0
    shapes, values = _areas(drawn.shapes[known], labels, grid), values[known]
    out, more = burn_apart(drawn.name, shapes, values, grid, empty)
    counts = {"all": len(values)} if keys is None else _counts(values, classes)
    return out, counts, told + more


def read_parcels(labels: Labels, grid: Grid, context: Context) -> tuple[np.ndarray, dict[str, int], tuple[str, ...]]:
    """Field (1), boundary (2) and background (0) on the grid, H×W int16 with -1; features and sentences as `read`."""
    drawn = _drawn(labels, grid, context)
    away, left_out = no_parcels(labels, drawn.values)
    width = labels.width or 2 * grid.mean_gsd
    parcels = drawn.shapes[~away & ~left_out]
    told = ""
    truth = np.full((grid.height, grid.width), -1, np.int16)
    if away.any():
        burn_into(truth, drawn.shapes[away], _BACKGROUND_INDEX, grid)
    elif len(parcels):
        burn_into(truth, grown(parcels, (0.5 + _RING) * width, grid), _BACKGROUND_INDEX, grid)
        told = (
            f"The labels '{drawn.name}' name no background; a ring of {_RING * width:.3g} m around the parcels is "
            "taken for it, and the rest is unknown."
        )
    burn_into(truth, parcels, _FIELD_INDEX, grid)
    burn_into(truth, grown(shapely.boundary(parcels), width / 2, grid), _BOUNDARY_INDEX, grid)
    counts = {"field": len(parcels), **({"background": int(away.sum())} if away.any() else {})}
    return truth, counts, (told,) if told else ()


def no_parcels(labels: Labels, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By the values of their field, if any: features that say that there is no field, and that say nothing (bool)."""
    texts = [(text_of(value) or "").casefold() if labels.field else None for value in values]
    unknown = {text.strip().casefold() for text in labels.unlabelled}
    left_out = np.array([text in unknown for text in texts], bool)
    return np.array([text in _BACKGROUND for text in texts], bool) & ~left_out, left_out


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
    # The structure's way leaves no lines behind where a polygon touches itself.
    repaired = shapely.make_valid(shapes[areal], method="structure", keep_collapsed=False)
    shapes = shapes.copy()
    shapes[areal] = repaired
    values = np.full(len(shapes), None, object)
    if labels.field:
        values = _as_written(found.columns[labels.field], reader.original, labels.field)
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
    layer, *_ = find_layers(VectorLayer(labels.path, labels.layer), base, _KINDS, several, labels.crs)
    layer = replace(layer, name=labels.name or layer.name)
    if labels.field is not None and labels.field not in layer.fields:
        known = ", ".join(layer.fields[:20]) or "none"
        raise RequestError(f"The labels '{layer.name}' have no field '{labels.field}'; their fields are {known}.")
    return layer


def _as_written(values: np.ndarray, layer: LayerFile, field: str | None) -> np.ndarray:
    """True and False as such also where a NULL among them made numbers of all: they would be taken for class values."""
    if values.dtype.kind != "f":
        return values
    info = pyogrio.read_info(layer.path, layer=layer.layer)
    kinds = dict(zip(map(str, info["fields"]), map(str, info["dtypes"]), strict=True))
    if kinds.get(str(field)) != "bool":
        return values
    return np.array([None if value != value else bool(value) for value in values], object)


def _numbers(labels: Labels, drawn: _Drawn) -> np.ndarray:
    """float32 of the field; NaN for NULL and for what stands for "not known"."""
    if labels.field is None:
        raise RequestError(f"The labels '{drawn.name}' need a field that holds the values; give labels.field.")
    unknown = {text.strip().casefold() for text in labels.unlabelled}
    numbers = np.full(len(drawn.values), np.nan, np.float32)
    for place, value in enumerate(drawn.values):
        if (text := text_of(value)) is None or text.casefold() in unknown:
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
    pointed = np.isin(shapely.get_type_id(shapes), _POINTS)
    if labels.width is None or not pointed.any():
        return shapes
    shapes = shapes.copy()
    shapes[pointed] = grown(shapes[pointed], labels.width, grid)
    return shapes


def _counts(values: np.ndarray, classes: Sequence[ClassInfo]) -> dict[str, int]:
    return {info.name: int((values == index).sum()) for index, info in enumerate(classes)}
