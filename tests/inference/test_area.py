"""The area to map: polygons of any CRS, or one sentence about what is wrong with their layer."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pyogrio.raw
import pytest
import shapely
from affine import Affine
from fusion_mapper.inference.area import AreaMask
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.inference.grid import Grid, Window, way_between
from fusion_mapper.inference.job import Area
from pyproj import CRS

GRID = Grid("EPSG:32634", Affine(10, 0, 500000, 0, -10, 6200000), 60, 50)
SITE = 'LOCAL_CS["site",UNIT["metre",1]]'


def save(path: Path, polygon: shapely.Geometry, crs: str | None) -> Path:
    wkb = shapely.to_wkb(np.array([polygon]))
    pyogrio.raw.write(path, wkb, [], [], geometry_type=polygon.geom_type, crs=crs)
    return path


def mask(path: Path, **more: str) -> AreaMask:
    return AreaMask(Area(str(path), **more), path.parent, pytest.fail)


def test_an_area_with_a_hole_in_another_crs(tmp_path: Path) -> None:
    ring = shapely.box(500100, 6199700, 500400, 6199900) - shapely.box(500200, 6199750, 500300, 6199850)
    to_degrees = way_between(GRID.pyproj_crs, CRS.from_epsg(4326)).transform
    polygon = shapely.transform(shapely.segmentize(ring, 10), to_degrees, interleaved=False)
    inside = mask(save(tmp_path / "area.gpkg", polygon, "EPSG:4326")).read(GRID, GRID.whole)
    np.testing.assert_array_equal(inside, shapely.contains_xy(ring, *GRID.pixel_centres(GRID.whole)))


def test_a_country_with_an_island_is_masked_alike_through_every_window(tmp_path: Path) -> None:
    angles = np.linspace(0, 2 * np.pi, 30_000, endpoint=False)
    shore = np.column_stack([np.cos(angles), np.sin(angles)]) * (250 + 60 * np.sin(41 * angles))[:, None]
    land = shapely.Polygon(shore * 0.8 + (500280, 6199730), [shore * 0.3 + (500280, 6199730)])
    country = shapely.MultiPolygon([land, shapely.Polygon(shore * 0.1 + (500560, 6199550))])
    area = mask(save(tmp_path / "area.gpkg", country, "EPSG:32634"))
    expected = shapely.contains_xy(country, *GRID.pixel_centres(GRID.whole))
    assert 500 < expected.sum() < 2500
    for side in (7, 16, 60):
        for row in range(0, GRID.height, side):
            for col in range(0, GRID.width, side):
                window = Window(row, col, side, side).clipped(GRID.height, GRID.width)
                np.testing.assert_array_equal(area.read(GRID, window), expected[window.within(GRID.whole)])


def read_by_many(layer: str, rounds: int = 10, readers: int = 4) -> None:
    """Read windows of an area just opened from several threads at once, again and again."""
    for _ in range(rounds):
        area = AreaMask(Area(layer), Path(layer).parent, print)
        xmin, ymin, xmax, ymax = area.bounds(GRID.pyproj_crs)
        grid = Grid(GRID.crs, Affine(10, 0, xmin, 0, -10, ymax), int(xmax - xmin) // 10, int(ymax - ymin) // 10)
        windows = [Window(row, col, 64, 64) for row in range(0, 640, 64) for col in range(0, grid.width - 64, 64)]
        with ThreadPoolExecutor(readers) as pool:
            list(pool.map(partial(area.read, grid), windows))


def test_workers_may_share_an_area(repository_root: Path, shared_data: Path) -> None:
    """In a process of its own, for what tears the indices of GEOS apart ends the process."""
    folders = [str(repository_root / "tests"), str(Path(__file__).parent)]
    script = f"import sys; sys.path[:0] = {folders}; import conftest, test_area; test_area.read_by_many(sys.argv[1])"
    farms = shared_data / "swellendam" / "farms_33S.shp"
    subprocess.run([sys.executable, "-X", "faulthandler", "-c", script, farms], check=True)


def test_an_area_that_points_elsewhere_is_refused(tmp_path: Path) -> None:
    """A VRT may name any host; the network is touched only for a source that the user named."""
    (tmp_path / "area.vrt").write_text(
        '<OGRVRTDataSource><OGRVRTLayer name="a"><SrcDataSource>http://127.0.0.1:9/a</SrcDataSource></OGRVRTLayer>'
        "</OGRVRTDataSource>"
    )
    with pytest.raises(RequestError, match=r"'area\.vrt' may point at other layers or hosts"):
        mask(tmp_path / "area.vrt")


@pytest.mark.parametrize(
    ("crs", "more", "sentence"),
    [
        (None, {}, "no CRS"),
        (SITE, {}, "lies on no map"),
        ("EPSG:32634", {"layer": "fields"}, r"has no layer 'fields'; it has area\."),
        ("EPSG:32634", {"where": "crop = 3"}, "no such column: crop"),
        ("EPSG:32634", {"where": "fid > 9"}, "no polygon"),
    ],
)
def test_what_is_wrong_with_an_area_is_one_sentence(
    tmp_path: Path, crs: str | None, more: dict[str, str], sentence: str
) -> None:
    path = save(tmp_path / "area.gpkg", shapely.box(0, 0, 1, 1), crs)
    with pytest.raises(RequestError, match=sentence) as caught:
        mask(path, **more)
    assert str(tmp_path) not in str(caught.value)


def test_a_file_that_is_no_vector_is_named_without_advice_for_programmers(tmp_path: Path) -> None:
    (tmp_path / "area.gpkg").write_text("no database")
    with pytest.raises(RequestError, match=r"'area\.gpkg' cannot be read") as caught:
        mask(tmp_path / "area.gpkg")
    assert "driver" not in str(caught.value)
