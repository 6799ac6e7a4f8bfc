"""A simulated scene as the layers an analyst would have: imagery, OSM, elevation model, and the truth."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyogrio
import pyproj
import rasterio
import shapely
from affine import Affine
from rasterio import features

from . import cover, spectra
from .noise import stream
from .scene import MARGIN_CELLS, Landscape, sample_dem, simulate

CLASS_NAMES = {1: "water", 2: "impervious", 3: "barren", 4: "tree", 5: "grass"}
DEM_NODATA = -32768
_ARC_SECOND = 1 / 3600
_FIXED_DATE = "2024-01-01T00:00:00Z"
"""Stands in GeoPackages in place of the clock, so that the same scene has the same bytes."""


@dataclass(frozen=True)
class Scene:
    """Paths of a written scene; what its GSD has no use for is None.

    Attributes:
        imagery: ``imagery.tif``, one aerial picture, uint8, red, green, blue, nir (GSD below 3 m).
        early, late: ``imagery_early.tif``, ``imagery_late.tif``, two satellite dates, uint16, reflectance
            times 10000, the same bands (GSD from 3 m).
        osm: ``osm.gpkg``, layers roads, buildings, waterways, water, landuse; EPSG:4326.
        dem: ``dem.tif``, 1 arc second, EPSG:4326, int16 metres, nodata -32768, wider than the scene.
        classes: ``truth_classes.tif``, uint8, 1 water 2 impervious 3 barren 4 tree 5 grass.
        fields: ``truth_fields.tif``, uint8, 0 background 1 field 2 boundary (GSD from 3 m).
        tree_cover: ``truth_tree_cover.tif``, float32, percent (GSD from 3 m).
        parcels: ``truth_parcels.gpkg``, layer parcels with ``use`` (GSD from 3 m).
    """

    folder: Path
    osm: Path
    dem: Path
    classes: Path
    imagery: Path | None = None
    early: Path | None = None
    late: Path | None = None
    fields: Path | None = None
    tree_cover: Path | None = None
    parcels: Path | None = None


def write_scene(folder: Path, size: int, gsd: float, region: int, seed: int) -> Scene:
    """Simulate a scene and write its layers.

    Args:
        folder: made when missing; existing files of the same names are replaced.
        size: pixels along a side.
        gsd: ground sampling distance in metres; 1 for land cover, 10 for fields and tree cover.
        region: index of the region (see `region.region`).
        seed: the same seed gives the same scene.
    """
    folder.mkdir(parents=True, exist_ok=True)
    landscape = simulate(size, gsd, region, seed)
    scene = Scene(
        folder=folder,
        osm=_write_osm(folder / "osm.gpkg", landscape),
        dem=_write_dem(folder / "dem.tif", landscape),
        classes=_write_truth(folder / "truth_classes.tif", landscape, landscape.cover.classes, 0),
    )
    if gsd < 3:
        return replace(scene, imagery=_write_imagery(folder / "imagery.tif", landscape, landscape.aerial()))
    return replace(
        scene,
        early=_write_imagery(folder / "imagery_early.tif", landscape, landscape.satellite(0)),
        late=_write_imagery(folder / "imagery_late.tif", landscape, landscape.satellite(1)),
        fields=_write_truth(folder / "truth_fields.tif", landscape, landscape.cover.fields, 255),
        tree_cover=_write_truth(folder / "truth_tree_cover.tif", landscape, landscape.tree_cover(), -9999),
        parcels=_write_parcels(folder / "truth_parcels.gpkg", landscape),
    )


def scene_crs(landscape: Landscape) -> pyproj.CRS:
    """The UTM zone of the scene's region on WGS 84."""
    zone = int((landscape.region.lon + 180) // 6) + 1
    return pyproj.CRS.from_epsg((32600 if landscape.region.lat >= 0 else 32700) + zone)


def scene_transform(landscape: Landscape) -> Affine:
    """Pixel to map coordinates; the scene's centre lies near the region's, on whole tens of metres."""
    east, north = pyproj.Transformer.from_crs(4326, scene_crs(landscape), always_xy=True).transform(
        landscape.region.lon, landscape.region.lat
    )
    half, gsd = landscape.frame.extent / 2, landscape.frame.gsd
    return Affine(gsd, 0, round(east - half, -1), 0, -gsd, round(north + half, -1))


def _to_map(landscape: Landscape, shapes: np.ndarray, crs: int | None = None) -> np.ndarray:
    """Geometries from scene metres into the scene's CRS, or into the EPSG code ``crs``."""
    origin, own = scene_transform(landscape), scene_crs(landscape)

    def place(points: np.ndarray) -> np.ndarray:
        east, north = origin.c + points[:, 0], origin.f - points[:, 1]
        if crs is not None:
            east, north = pyproj.Transformer.from_crs(own, crs, always_xy=True).transform(east, north)
        return np.stack([east, north], axis=1)

    return shapely.transform(shapes, place)


def _write_imagery(path: Path, landscape: Landscape, image: np.ndarray) -> Path:
    return _write_raster(path, image, scene_crs(landscape), scene_transform(landscape), None, spectra.BANDS)


def _write_truth(path: Path, landscape: Landscape, values: np.ndarray, nodata: float) -> Path:
    crs, transform = scene_crs(landscape), scene_transform(landscape)
    return _write_raster(path, values[None], crs, transform, nodata, (path.stem,))


def _write_raster(
    path: Path,
    image: np.ndarray,
    crs: pyproj.CRS,
    transform: Affine,
    nodata: float | None,
    names: tuple[str, ...],
) -> Path:
    part = path.with_name(f"{path.stem}.part.tif")
    profile = {
        "driver": "GTiff",
        "count": len(image),
        "height": image.shape[1],
        "width": image.shape[2],
        "dtype": image.dtype,
        "crs": crs.to_wkt(),
        "transform": transform,
        "nodata": nodata,
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "compress": "deflate",
        "zlevel": 1,
    }
    if image.dtype == np.uint8 and len(image) == 4:
        # Left to itself, GDAL takes the fourth byte band, near infrared here, for transparency.
        profile |= {"photometric": "RGB", "alpha": "UNSPECIFIED"}
    with rasterio.open(part, "w", **profile) as raster:
        raster.write(image)
        for band, name in enumerate(names, start=1):
            raster.set_band_description(band, name)
    os.replace(part, path)
    return path


def _write_osm(path: Path, landscape: Landscape) -> Path:
    """The extract in longitude and latitude, as OSM itself is."""
    part = path.with_name(f"{path.stem}.part.gpkg")
    part.unlink(missing_ok=True)
    for number, layer in enumerate(landscape.osm):
        shapes = _to_map(landscape, layer.geometry, 4326)
        _write_layer(part, layer.name, shapes, layer.tags, "EPSG:4326", append=number > 0)
    os.replace(part, path)
    return path


def _write_parcels(path: Path, landscape: Landscape) -> Path:
    """Field parcels as outlined by the truth raster: field and boundary pixels of one parcel number."""
    parcels = landscape.parcels
    number = np.where(landscape.cover.fields == cover.BACKGROUND, 0, parcels.number).astype(np.int32)
    found = list(features.shapes(number, number > 0, transform=Affine.scale(landscape.frame.gsd)))
    shapes = np.array([shapely.geometry.shape(outline) for outline, _ in found], dtype=object)
    names = np.array(["wild", "winter crop", "summer crop", "meadow", "fallow", "plantation"], dtype=object)
    uses = names[parcels.use[np.array([int(value) for _, value in found], dtype=int)]]
    part = path.with_name(f"{path.stem}.part.gpkg")
    part.unlink(missing_ok=True)
    crs = scene_crs(landscape).to_wkt()
    _write_layer(part, "parcels", _to_map(landscape, shapes), {"use": uses}, crs, append=False)
    os.replace(part, path)
    return path


def _write_layer(
    path: Path, name: str, shapes: np.ndarray, tags: dict[str, np.ndarray], crs: str, append: bool
) -> None:
    kinds = {"roads": "LineString", "waterways": "LineString"}
    earlier = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": _FIXED_DATE})
    try:
        pyogrio.raw.write(
            path,
            shapely.to_wkb(shapes),
            list(tags.values()),
            list(tags),
            layer=name,
            driver="GPKG",
            geometry_type=kinds.get(name, "Polygon"),
            crs=crs,
            append=append,
            dataset_options={"VERSION": "1.2"},
        )
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": earlier})


def _write_dem(path: Path, landscape: Landscape) -> Path:
    """Whole metres with noise, crowns partly seen as ground, and a small void, as radar models have."""
    extent, margin = landscape.frame.extent, MARGIN_CELLS * landscape.frame.cell
    frame_box = shapely.box(-0.9 * margin, -0.9 * margin, extent + 0.9 * margin, extent + 0.9 * margin)
    west, south, east, north = _to_map(landscape, np.array([frame_box], dtype=object), 4326)[0].bounds
    transform = Affine(
        _ARC_SECOND,
        0,
        np.floor(west / _ARC_SECOND) * _ARC_SECOND,
        0,
        -_ARC_SECOND,
        np.ceil(north / _ARC_SECOND) * _ARC_SECOND,
    )
    rows, columns = int((transform.f - south) / _ARC_SECOND), int((east - transform.c) / _ARC_SECOND)
    x, y = _scene_points(landscape, transform, rows, columns)
    height = sample_dem(landscape, x, y) + 0.25 * 12 * _crowns_at(landscape, x, y)
    rng = stream(landscape.seed, "dem")
    height += rng.normal(0, 0.6, height.shape)
    row, column = rng.integers(0, rows - 2), rng.integers(0, columns - 2)
    height[row : row + 2, column : column + 2] = np.nan
    whole = np.where(np.isfinite(height), np.round(height), DEM_NODATA).astype(np.int16)
    return _write_raster(path, whole[None], pyproj.CRS.from_epsg(4326), transform, DEM_NODATA, ("elevation",))


def _scene_points(landscape: Landscape, transform: Affine, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Scene coordinates of every pixel centre of a grid in longitude and latitude."""
    lon = transform.c + (np.arange(columns) + 0.5) * transform.a
    lat = transform.f + (np.arange(rows) + 0.5) * transform.e
    to_scene = pyproj.Transformer.from_crs(4326, scene_crs(landscape), always_xy=True)
    east, north = to_scene.transform(*np.meshgrid(lon, lat))
    origin = scene_transform(landscape)
    return east - origin.c, origin.f - north


def _crowns_at(landscape: Landscape, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Tree cover 0 to 1 around scene points, 0 beyond the scene."""
    frame = landscape.frame
    step = max(1, round(30 / frame.gsd))
    count = frame.size // step
    mean = landscape.cover.tree[: count * step, : count * step].reshape(count, step, count, step).mean((1, 3))
    row, column = ((v / (step * frame.gsd)).astype(int) for v in (y, x))
    inside = (x >= 0) & (y >= 0) & (row < count) & (column < count)
    return np.where(inside, mean[np.clip(row, 0, count - 1), np.clip(column, 0, count - 1)], 0.0)
