"""Layers of a scene beside the imagery: coarser slots, mask channels, other grids, and cuts that change no value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from fusion_mapper.inference.errors import RequestError
from fusion_mapper.inference.grid import Window
from fusion_mapper.inference.job import GridSpec, Source
from fusion_mapper.inference.learning import scene as reading
from fusion_mapper.inference.learning.labels import survey_classes
from fusion_mapper.inference.learning.material import Wanted, gather
from fusion_mapper.inference.learning.scene import Scene, read_scene, read_slot
from fusion_mapper.inference.learnjob import Labels, Place
from fusion_mapper.inference.voice import Voice, Warnings
from fusion_mapper.models.card import Channel, Slot
from labelled import pixels
from layers import PLACE, noise, write
from osm_sources import write_layer

COVER = "semantic-segmentation"
QUIET = Voice(lambda _event: None, lambda: False)
IMAGERY = Slot("imagery", "imagery", (Channel("a"), Channel("b")), "x")


def bands(count: int) -> Slot:
    return Slot("imagery", "imagery", tuple(Channel(f"b{i}") for i in range(count)), "x")


def extra(**options: Any) -> Slot:
    return Slot("extra", "raster", (Channel("height"),), "x", **{"missing": "fill", "resampling": "nearest", **options})


def read(folder: Path, place: Place, *slots: Slot) -> Scene:
    classes = survey_classes([place.labels], COVER, (), folder)
    return read_scene(place, slots, classes, COVER, None, folder, folder, QUIET)


def small(folder: Path, height: int = 40, width: int = 60, **sources: Source) -> Place:
    """A picture with a label in its first and in its last corner."""
    write(folder / "picture.tif", noise(2, height, width))
    shapes = [pixels(2, 2, 10, 10), pixels(height - 12, width - 12, 10, 10)]
    write_layer(folder / "drawn.gpkg", shapes, "EPSG:32633", kind=["water", "forest"])
    return Place("small", {"imagery": Source("picture.tif"), **sources}, Labels("drawn.gpkg", field="kind"))


def test_a_mask_channel_says_where_its_layer_has_values(tmp_path: Path) -> None:
    height = np.full((1, 40, 60), 7, np.float32)
    height[:, :, 30:] = -1
    write(tmp_path / "extra.tif", height, nodata=-1)
    scene = read(tmp_path, small(tmp_path, extra=Source("extra.tif")), IMAGERY, extra(missing="mask_channel"))
    assert scene.values.shape[0] == 4
    np.testing.assert_array_equal(scene.values[3], (np.arange(60) < 30)[None].repeat(40, 0))
    assert scene.valid[3].all()
    assert not scene.valid[2, :, 30:].any()


@pytest.mark.parametrize("ratio", [2, 3])
def test_a_coarser_slot_fills_the_pixels_that_it_spans(tmp_path: Path, ratio: int) -> None:
    """Beyond one window of reading, and where the grid ends within a coarse pixel."""
    height, width = 520, 530
    rows, cols = -(-height // ratio), -(-width // ratio)
    coarse = np.arange(rows * cols, dtype=np.float32).reshape(1, rows, cols)
    write(tmp_path / "extra.tif", coarse, transform=PLACE @ Affine.scale(ratio))
    place = small(tmp_path, height, width, extra=Source("extra.tif"))
    scene = read(tmp_path, place, IMAGERY, extra(grid_ratio=ratio))
    np.testing.assert_array_equal(scene.values[2], coarse[0].repeat(ratio, 0).repeat(ratio, 1)[:height, :width])
    assert scene.valid[2].all()


def test_resampled_values_do_not_depend_on_the_cut(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = shared_data / "swellendam"
    aerial = home / "3320D_2010_315_RGB_LATLNG.tif"
    with rasterio.open(aerial) as tile:
        x, y = tile.transform @ (900, 900)
    side = 5e-4
    shapes = [shapely.box(x + i * side, y, x + (i + 1) * side, y + side) for i in range(2)]
    write_layer(tmp_path / "drawn.gpkg", shapes, "EPSG:4326", kind=["farm", "town"])
    sources = {"imagery": Source(str(aerial)), "extra": Source(str(home / "srtm_41_19.tif"))}
    place = Place("town", sources, Labels("drawn.gpkg", field="kind"))
    cut = read(tmp_path, place, bands(3), extra(resampling="cubic"))
    monkeypatch.setattr(reading, "MARGIN", 10**6)
    whole = read(tmp_path, place, bands(3), extra(resampling="cubic"))
    assert cut.grid.width < whole.grid.width
    col, row = (round(value) for value in ~whole.grid.transform @ (cut.grid.transform.c, cut.grid.transform.f))
    rows, cols = Window(row, col, cut.grid.height, cut.grid.width).within(whole.grid.whole)
    np.testing.assert_array_equal(cut.truth, whole.truth[rows, cols])
    np.testing.assert_array_equal(cut.values[:3], whole.values[:3, rows, cols])
    # Metres of elevation; the warper's own tolerance is far below.
    np.testing.assert_allclose(cut.values[3], whole.values[3, rows, cols], atol=1e-2)


def test_corners_are_the_centres_of_the_corner_pixels(shared_data: Path, tmp_path: Path) -> None:
    home = shared_data / "amazon_s2"
    labels = Labels(str(home / "trainingPolygons_sen2.gpkg"), field="class")
    scene = read(tmp_path, Place("Trombetas", {"imagery": Source(str(home / "sen2.tif"))}, labels), bands(12))
    with rasterio.open(home / "sen2.tif") as file:
        expected = [[file.xy(row, col) for col in (0, file.width - 1)] for row in (0, file.height - 1)]
    np.testing.assert_allclose(scene.corners, expected, atol=1e-9)


def test_imagery_in_degrees_can_be_learned_from_on_a_grid_in_metres(shared_data: Path, tmp_path: Path) -> None:
    home = shared_data / "amazon_s2"
    labels = Labels(str(home / "trainingPolygons_sen2.gpkg"), field="class")
    grid = GridSpec(crs="EPSG:32721", resolution=20)
    scene = read(tmp_path, Place("Trombetas", {"imagery": Source(str(home / "sen2.tif"))}, labels, grid), bands(12))
    assert scene.grid.pyproj_crs.to_epsg() == 32721
    # 2,370 pixels of 10 m are labelled on the imagery's own grid.
    assert sum(scene.pixels.values()) == pytest.approx(2370 / 4, rel=0.1)


def test_one_slot_can_be_read_for_itself(tmp_path: Path) -> None:
    place = small(tmp_path)
    scene = read(tmp_path, place, IMAGERY)
    values, valid = read_slot(IMAGERY, place.sources["imagery"], scene.grid, tmp_path, tmp_path, QUIET)
    np.testing.assert_array_equal(values, scene.values)
    assert valid.all()


def test_slots_of_which_none_is_a_layer_are_refused(tmp_path: Path) -> None:
    location = Slot("place", "location", (Channel("lon"), Channel("lat")), "p", layout="vector")
    with pytest.raises(RequestError, match="name no layer to learn from"):
        gather(
            Wanted(COVER, (location,), (), None, "prior"),
            (small(tmp_path),),
            tmp_path,
            tmp_path,
            QUIET,
            Warnings(print),
        )
