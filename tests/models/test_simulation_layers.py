"""The written layers of a simulated scene: what other programs read back from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyogrio
import pyproj
import pytest
import rasterio
import shapely
from fusion_mapper.models.simulation.scene import Landscape, simulate
from fusion_mapper.models.simulation.write import Scene, scene_transform, write_scene

SIZE, REGION, SEED = 640, 3, 5


@pytest.fixture(scope="module")
def landscape() -> Landscape:
    return simulate(SIZE, 10.0, REGION, SEED)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return write_scene(tmp_path_factory.mktemp("scene"), SIZE, 10.0, REGION, SEED)


def _layer(scene: Scene, name: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Geometries in longitude and latitude, and tags by key."""
    meta, _, geometry, columns = pyogrio.raw.read(scene.osm, layer=name)
    return shapely.from_wkb(geometry), dict(zip(meta["fields"], columns, strict=True))


def test_writing_twice_gives_the_same_bytes(scene: Scene, tmp_path: Path) -> None:
    write_scene(tmp_path, SIZE, 10.0, REGION, SEED)
    for path in scene.folder.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_nothing_half_written_is_left(scene: Scene) -> None:
    assert not [path.name for path in scene.folder.iterdir() if ".part" in path.name]


def test_imagery_and_truth_share_one_utm_grid(scene: Scene) -> None:
    with rasterio.open(scene.early) as early:
        assert early.descriptions == ("red", "green", "blue", "nir")
        assert early.dtypes[0] == "uint16"
        assert early.crs.to_epsg() == 32648
        for path in (scene.late, scene.classes, scene.fields, scene.tree_cover):
            with rasterio.open(path) as other:
                assert (other.transform, other.shape, other.crs) == (early.transform, early.shape, early.crs)


def test_fine_scenes_have_one_aerial_picture(tmp_path: Path) -> None:
    scene = write_scene(tmp_path, 256, 1.0, 0, 1)
    assert scene.early is None
    with rasterio.open(scene.imagery) as picture:
        assert picture.dtypes == ("uint8",) * 4
        assert rasterio.enums.ColorInterp.alpha not in picture.colorinterp, "near infrared is no transparency"
        assert picture.crs.to_epsg() == 32734


def test_truth_of_tree_cover_is_percent(scene: Scene) -> None:
    with rasterio.open(scene.tree_cover) as raster:
        cover = raster.read(1)
    assert cover.min() >= 0
    assert 50 < cover.max() <= 100
    assert raster.nodata == -9999


def test_osm_layers_are_lonlat_with_osm_tags(scene: Scene) -> None:
    names = [name for name, _ in pyogrio.list_layers(scene.osm)]
    assert names == ["roads", "buildings", "waterways", "water", "landuse"]
    for name in names:
        assert pyogrio.read_info(scene.osm, layer=name)["crs"] == "EPSG:4326"
    _, roads = _layer(scene, "roads")
    assert {"motorway", "residential", "track"} <= set(roads["highway"])
    assert set(_layer(scene, "waterways")[1]["waterway"]) <= {"river", "stream"}
    assert "house" in _layer(scene, "buildings")[1]["building"]
    landuse = _layer(scene, "landuse")[1]
    assert {"wood", None} == set(landuse["natural"])
    assert {"forest", "residential"} <= set(landuse["landuse"])


def test_osm_extract_is_incomplete_but_useful(scene: Scene, landscape: Landscape) -> None:
    for name, all_there in (("roads", len(landscape.roads)), ("buildings", len(landscape.buildings))):
        kept = pyogrio.read_info(scene.osm, layer=name)["features"]
        assert 0.4 * all_there < kept < 0.97 * all_there


def test_motorways_are_never_missing(scene: Scene, landscape: Landscape) -> None:
    _, tags = _layer(scene, "roads")
    built = [road for road in landscape.roads if road.highway == "motorway"]
    assert list(tags["highway"]).count("motorway") == len(built) > 0


def test_osm_buildings_lie_near_true_ones_but_not_on_them(scene: Scene, landscape: Landscape) -> None:
    origin = scene_transform(landscape)
    to_scene = pyproj.Transformer.from_crs(4326, 32648, always_xy=True)
    found = shapely.get_coordinates(shapely.centroid(_layer(scene, "buildings")[0]))
    east, north = to_scene.transform(*found.T)
    true = shapely.STRtree(shapely.centroid(landscape.buildings.outlines))
    _, error = true.query_nearest(shapely.points(east - origin.c, origin.f - north), return_distance=True)
    assert 0.3 < np.median(error) < 4


def test_elevation_model_agrees_with_the_terrain_in_another_crs(scene: Scene, landscape: Landscape) -> None:
    with rasterio.open(scene.dem) as dem:
        assert dem.crs.to_epsg() == 4326
        assert dem.res == pytest.approx((1 / 3600, 1 / 3600))
        assert dem.dtypes[0] == "int16"
        origin, rng = scene_transform(landscape), np.random.default_rng(0)
        x, y = rng.uniform(50, SIZE * 10 - 50, (2, 400))
        spots = pyproj.Transformer.from_crs(32648, 4326, always_xy=True).transform(origin.c + x, origin.f - y)
        seen = np.array([value[0] for value in dem.sample(zip(*spots, strict=True))], float)
        nodata = dem.nodata
    ground = landscape.frame.pick(landscape.terrain.height, x, y)
    known = seen != nodata
    error = seen[known] - ground[known]
    assert known.mean() > 0.95
    assert np.corrcoef(seen[known], ground[known])[0, 1] > 0.97
    assert np.median(np.abs(error)) < 0.1 * np.ptp(ground)


def test_elevation_model_reaches_beyond_the_scene_and_has_voids(scene: Scene) -> None:
    with rasterio.open(scene.dem) as dem, rasterio.open(scene.early) as image:
        assert (dem.read(1) == dem.nodata).any()
        corners = rasterio.warp.transform_bounds(image.crs, dem.crs, *image.bounds)
        assert dem.bounds.left < corners[0] and dem.bounds.bottom < corners[1]
        assert dem.bounds.right > corners[2] and dem.bounds.top > corners[3]


def test_parcel_polygons_are_the_fields_of_the_truth_raster(scene: Scene) -> None:
    geometry = shapely.from_wkb(pyogrio.raw.read(scene.parcels)[2])
    with rasterio.open(scene.fields) as raster:
        farmed = np.isin(raster.read(1), (1, 2))
    assert shapely.area(geometry).sum() == pytest.approx(farmed.sum() * 100)
    assert not shapely.intersects(geometry[:-1], geometry[1:]).all()
