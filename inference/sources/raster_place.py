"""Where a dataset lies: its transform, control points or RPC, and the north-up grid that follows from them."""

from __future__ import annotations

import pyproj
from affine import Affine
from rasterio.crs import CRS
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT

from ..errors import SourceError
from ..grid import Grid, on_the_map
from .warp_document import Georeference


def georeference(dataset: DatasetReader, title: str) -> Georeference:
    """What ties the pixels to the ground; a transform counts before control points, and these before RPC.

    Raises:
        SourceError: when there is nothing, or no CRS, or one that is tied to no ground.
    """
    place = _found(dataset, title)
    crs = pyproj.CRS.from_wkt(wkt(place.crs))
    if not on_the_map(crs):
        raise SourceError(f"{title} has the CRS '{crs.name}', which lies on no map; assign the right one.")
    return place


def _found(dataset: DatasetReader, title: str) -> Georeference:
    width, height = dataset.width, dataset.height
    transform = dataset.transform
    points, points_crs = dataset.gcps
    if not _is_identity(transform):
        if dataset.crs is None:
            raise SourceError(f"{title} has no CRS; assign the right one, for example with gdal_edit.py -a_srs.")
        if transform.determinant == 0:
            raise SourceError(f"{title} has a transform that maps its pixels onto a line; georeference it anew.")
        return Georeference(dataset.crs, width, height, transform)
    if len(points) > 1:
        if points_crs is None:
            raise SourceError(f"{title} has control points without a CRS; assign one with gdal_translate -a_srs.")
        if dataset.crs is not None and dataset.crs != points_crs:
            raise SourceError(
                f"{title} has control points in one CRS and pixels in another, so it lies in two places; "
                "keep one of them with gdal_translate."
            )
        return Georeference(points_crs, width, height, gcps=tuple(points))
    if dataset.rpcs is not None:
        return Georeference(CRS.from_epsg(4326), width, height, rpc=dataset.rpcs.to_gdal())
    raise SourceError(f"{title} has no georeference (no CRS and no place on the ground); georeference it first.")


def _is_identity(transform: Affine) -> bool:
    return transform.to_gdal() in ((0, 1, 0, 0, 0, 1), (0, 1, 0, 0, 0, -1))


def file_grid(dataset: DatasetReader, place: Georeference) -> Grid:
    """The north-up grid of one dataset: its own, or the one that gdalwarp would choose."""
    transform = place.transform
    if transform is not None and transform.b == transform.d == 0 and transform.a > 0 > transform.e:
        return Grid(wkt(place.crs), transform, place.width, place.height)
    with WarpedVRT(dataset, src_crs=place.crs, crs=place.crs, tolerance=1e-6) as warped:
        return Grid(wkt(place.crs), warped.transform, warped.width, warped.height)


def wkt(crs: CRS) -> str:
    """The CRS as WKT 2, which loses nothing that PROJ knows of it."""
    return crs.to_wkt(version="WKT2_2019")
