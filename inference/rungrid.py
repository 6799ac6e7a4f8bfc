"""Building the run grid: from the reference layer, or from an explicit CRS, resolution and extent."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from affine import Affine
from pyproj import CRS
from pyproj.exceptions import CRSError, ProjError

from ..models.card import Slot
from .errors import RequestError
from .grid import MAX_PIXELS, Grid, ground_metres_per_unit, on_the_map, way_between
from .job import GridSpec
from .job import Source as SourceSpec

#: A reference within 10 % of the model's GSD keeps its own pixels: no resampling is better than a little.
SAME_GSD = 0.1
#: A projection whose scale differs by less than this from true length is taken at its word.
SCALE_SLACK = 0.01
#: Beyond this factor between the reference's GSD and the grid's, the user is told.
FAR_GSD = 1.5
#: Metres; no imagery has smaller pixels.
FINEST = 1e-4
Bounds = tuple[float, float, float, float]


@dataclass(frozen=True)
class RunGrid:
    """The grid of a run, the slot it was taken from (if any), and sentences about it."""

    grid: Grid
    reference: str | None
    warnings: tuple[str, ...]


def build_grid(
    spec: GridSpec,
    slots: tuple[Slot, ...],
    sources: Mapping[str, SourceSpec],
    gsd: float | None,
    native_grid: Callable[[SourceSpec], Grid],
    area_bounds: Callable[[CRS], Bounds] | None,
) -> RunGrid:
    """Lay the run grid.

    `gsd` is the model's ground sampling distance in metres, or None; `native_grid` answers a raster source's own
    north-up grid; `area_bounds` answers the area polygons' bounds in a CRS, and is None without an area.

    Raises:
        RequestError: names the field of the job that is missing or contradicts another.
    """
    reference = _reference(spec, slots, sources)
    native = native_grid(sources[reference]) if reference else None
    crs = _parse_crs(spec.crs, "grid.crs") if spec.crs else (native.pyproj_crs if native else None)
    if crs is None:
        raise RequestError(
            "The job has no raster to take the grid from; give grid.crs, grid.resolution and grid.extent."
        )
    extent = _extent(spec, crs, native, area_bounds)
    pixel, origin = _pixel(spec, crs, native, extent, gsd)
    grid = _snap(crs, extent, pixel, origin)
    # A resolution that the user set is what the user wants; one that the model brought is worth a word.
    told = _mismatch(grid, native, sources[reference].name or reference) if reference and native else ()
    return RunGrid(grid, reference, () if spec.resolution else told)


def _reference(spec: GridSpec, slots: tuple[Slot, ...], sources: Mapping[str, SourceSpec]) -> str | None:
    if spec.reference:
        if spec.reference not in sources:
            raise RequestError(f"grid.reference is '{spec.reference}', but the job has no source of that name.")
        return spec.reference
    if spec.crs and spec.extent and spec.resolution:
        return None
    for roles in (("imagery",), ("raster", "dem", "prior")):
        for slot in slots:
            source = sources.get(slot.name)
            if slot.role in roles and source and (source.path or source.mosaic or source.stack):
                return slot.name
    return None


def _extent(spec: GridSpec, crs: CRS, native: Grid | None, area_bounds: Callable[[CRS], Bounds] | None) -> Bounds:
    if spec.extent:
        extent = spec.extent
        if extent[0] >= extent[2] or extent[1] >= extent[3]:
            raise RequestError("grid.extent must be xmin, ymin, xmax, ymax with xmin < xmax and ymin < ymax.")
        if spec.extent_crs:
            extent = transform_bounds(_parse_crs(spec.extent_crs, "grid.extent_crs"), crs, extent)
    elif native is not None:
        extent = transform_bounds(native.pyproj_crs, crs, native.bounds)
    elif area_bounds is None:
        raise RequestError("The job has no raster layer to take the extent from; give grid.extent.")
    else:
        return area_bounds(crs)
    if area_bounds is not None:
        extent = _intersection(extent, area_bounds(crs), "grid.area lies outside the extent to be mapped.")
    return extent


def _intersection(a: Bounds, b: Bounds, sentence: str) -> Bounds:
    both = max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
    if both[0] >= both[2] or both[1] >= both[3]:
        raise RequestError(sentence)
    return both


def _pixel(
    spec: GridSpec, crs: CRS, native: Grid | None, extent: Bounds, gsd: float | None
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Pixel size in CRS units along x and y, and a corner of the pixel lattice."""
    wanted = gsd if spec.resolution is None else spec.resolution
    if wanted is not None and wanted < FINEST:
        field = "The model's GSD" if spec.resolution is None else "grid.resolution"
        raise RequestError(f"{field} is {wanted:g} metres; the finest that can be mapped is {FINEST:g}.")
    same_crs = native is not None and native.pyproj_crs == crs
    if native is not None and same_crs:
        origin = native.transform.c, native.transform.f
        near = wanted is not None and abs(native.mean_gsd / wanted - 1) <= SAME_GSD
        if spec.native or wanted is None or (near and spec.resolution is None):
            return (native.transform.a, -native.transform.e), origin
    if wanted is None or spec.native:
        if native is None:
            raise RequestError("The job has no raster to take the resolution from; give grid.resolution in metres.")
        wanted = native.mean_gsd
    mx, my = ground_metres_per_unit(crs, (extent[0] + extent[2]) / 2, (extent[1] + extent[3]) / 2)
    pixel = wanted / _plain(mx, crs), wanted / _plain(my, crs)
    if native is not None and same_crs:
        return pixel, (native.transform.c, native.transform.f)
    if spec.extent and not spec.extent_crs:
        return pixel, (extent[0], extent[3])
    return pixel, (0.0, 0.0)


def _plain(metres: float, crs: CRS) -> float:
    """The unit's nominal length where the projection's scale is within 1 % of it: 10 m in UTM is 10, not 9.996."""
    nominal = float(crs.axis_info[0].unit_conversion_factor) if crs.is_projected and crs.axis_info else metres
    return nominal if abs(metres / nominal - 1) <= SCALE_SLACK else metres


def _snap(crs: CRS, extent: Bounds, pixel: tuple[float, float], origin: tuple[float, float]) -> Grid:
    """The smallest grid on the pixel lattice that covers the extent."""
    dx, dy = pixel
    slack = 1e-6
    west, east = ((x - origin[0]) / dx for x in (extent[0], extent[2]))
    north, south = ((origin[1] - y) / dy for y in (extent[3], extent[1]))
    if not all(math.isfinite(pixels) for pixels in (west, east, north, south)):
        raise RequestError("The grid would have endless pixels; check grid.resolution (in metres) and grid.extent.")
    left, right = math.floor(west + slack), math.ceil(east - slack)
    top, bottom = math.floor(north + slack), math.ceil(south - slack)
    width, height = max(right - left, 1), max(bottom - top, 1)
    if width * height > MAX_PIXELS:
        raise RequestError(
            f"The grid would have {width:,} × {height:,} pixels; check grid.resolution (in metres) and grid.extent."
        )
    transform = Affine(dx, 0, origin[0] + left * dx, 0, -dy, origin[1] - top * dy)
    return Grid(crs.to_wkt(), transform, width, height)


def _mismatch(grid: Grid, native: Grid, name: str) -> tuple[str, ...]:
    own, run = native.mean_gsd, grid.mean_gsd
    if run / own > FAR_GSD or own / run > FAR_GSD:
        return (
            f"'{name}' has pixels of {own:.3g} m, but the map is made at {run:.3g} m: it will have "
            f"{grid.width:,} × {grid.height:,} pixels ({grid.width * grid.height:,} in all); "
            "set the resolution if that is not what you want.",
        )
    return ()


def transform_bounds(source: CRS, target: CRS, bounds: Bounds) -> Bounds:
    """Bounds in another CRS, with densified edges; raises RequestError where they cannot be transformed."""
    if source == target:
        return bounds
    try:
        moved = way_between(source, target).transform_bounds(*bounds, densify_pts=21)
    except ProjError:
        moved = (math.nan,) * 4
    if not all(math.isfinite(value) for value in moved):
        raise RequestError(
            f"The extent has no place in '{target.name}' (it comes from '{source.name}'); choose another grid.crs."
        )
    return float(moved[0]), float(moved[1]), float(moved[2]), float(moved[3])


def _parse_crs(text: str, where: str) -> CRS:
    try:
        crs = CRS.from_user_input(text)
    except CRSError:
        raise RequestError(f"{where} is {text[:60]!r}, which is not a CRS; use a code such as EPSG:32634.") from None
    if not on_the_map(crs):
        raise RequestError(f"{where} is '{crs.name}', which lies on no map; use a code such as EPSG:32634.")
    return crs
