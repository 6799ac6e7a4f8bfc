"""A place as training reads it: all layers on one grid, cut to where the labels are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from fusion_mapper.inference.errors import Cancelled, RequestError, SourceError
from fusion_mapper.inference.events import Event, Progress
from fusion_mapper.inference.job import GridSpec, Source, VectorLayer
from fusion_mapper.inference.learning import scene as reading
from fusion_mapper.inference.learning.labels import survey_classes
from fusion_mapper.inference.learning.material import Wanted, gather
from fusion_mapper.inference.learning.scene import Scene, read_scene
from fusion_mapper.inference.learning.slots import default_slots
from fusion_mapper.inference.learnjob import Labels, Place
from fusion_mapper.inference.voice import Voice, Warnings
from fusion_mapper.models.card import ClassInfo
from labelled import CLASSES, pixels
from layers import noise, write
from osm_sources import write_layer

COVER = "semantic-segmentation"
AMAZON = Place(
    "Trombetas",
    {"imagery": Source("sen2.tif"), "dem": Source("srtm_sen2.tif", attribution=("NASA",))},
    Labels("trainingPolygons_sen2.gpkg", field="class"),
)
SMALL = Place("small", {"imagery": Source("picture.tif")}, Labels("drawn.gpkg", field="kind"))


def quiet(_event: Event) -> None:
    """Hear nothing."""


def scene_of(
    place: Place,
    base: Path,
    folder: Path,
    task: str = COVER,
    classes: tuple[ClassInfo, ...] | None = None,
    gsd: float | None = None,
    say: Callable[[Event], None] = quiet,
    stop: Callable[[], bool] = lambda: False,
) -> Scene:
    slots = default_slots(place, base, gsd)
    found = survey_classes([place.labels], task, (), base) if classes is None else classes
    return read_scene(place, slots, found, task, gsd, base, folder, Voice(say, stop))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A picture of 40 × 60 pixels, nodata 0 in its left half, with two labels to the right and one to the left."""
    picture = noise(2, 40, 60)
    picture[:, :, :30] = 0
    write(tmp_path / "picture.tif", picture, nodata=0)
    shapes = [pixels(4, 40, 4, 4), pixels(20, 40, 4, 4), pixels(4, 4, 4, 4)]
    write_layer(tmp_path / "drawn.gpkg", shapes, "EPSG:32633", kind=["water", "forest", "water"])
    return tmp_path


def test_real_layers_and_labels_meet_on_the_imagerys_grid(shared_data: Path, tmp_path: Path) -> None:
    home = shared_data / "amazon_s2"
    scene = scene_of(AMAZON, home, tmp_path)
    with rasterio.open(home / "sen2.tif") as raster:
        stored, transform = raster.read(), raster.transform
    assert (scene.values.shape, scene.values.dtype) == ((14, 237, 247), np.float32)
    assert scene.grid.transform.almost_equals(transform)
    np.testing.assert_array_equal(scene.values[:12], stored)
    assert scene.valid[:12].all()
    assert scene.pixels == {"dryout": 204, "forest": 1056, "village": 614, "water": 496}
    assert scene.features == {"dryout": 4, "forest": 8, "village": 9, "water": 4}
    assert scene.attribution == ("NASA",)
    west, north = scene.corners[0, 0]
    assert (west, north) == pytest.approx(transform @ (0.5, 0.5))


def test_labels_in_another_crs_and_vector_layers_make_a_scene(shared_data: Path, tmp_path: Path) -> None:
    home = shared_data / "loon_lake"
    roads = Source(layers=(VectorLayer("roads.gpkg", tags={"highway": "track"}),))
    labels = Labels("vri2023.gpkg", layer="main", field="CROWN_CLOSURE")
    place = Place("Loon Lake", {"imagery": Source("landsat.tif"), "osm": roads}, labels)
    scene = scene_of(place, home, tmp_path, "pixel-regression")
    channels = [channel.name for slot in default_slots(place, home, None) for channel in slot.channels]
    tracks = scene.values[channels.index("tracks")]
    assert 1000 < tracks.sum() < tracks.size / 4
    assert np.isfinite(scene.truth).sum() == scene.pixels["all"] > 40_000
    assert not np.isfinite(scene.truth[~scene.valid[0]]).any()


def test_a_scene_is_cut_to_its_labels_and_a_margin(tmp_path: Path) -> None:
    picture = np.ones((1, 1400, 1500), np.uint8)
    picture[0] += np.arange(1500, dtype=np.uint8) % 100
    write(tmp_path / "picture.tif", picture)
    shapes = [pixels(900, 1000, 10, 10), pixels(920, 1000, 10, 10)]
    write_layer(tmp_path / "drawn.gpkg", shapes, "EPSG:32633", kind=["water", "forest"])
    scene = scene_of(SMALL, tmp_path, tmp_path)
    # From the lattice of 512 pixels before the margin of 256 to 256 beyond the last label.
    assert scene.truth.shape == (930 + 256 - 512, 1010 + 256 - 512)
    np.testing.assert_array_equal(scene.values[0], picture[0, 512 : 930 + 256, 512 : 1010 + 256])
    assert set(zip(*np.nonzero(scene.truth >= 0), strict=True)) == {
        (row - 512, col - 512) for row in (*range(900, 910), *range(920, 930)) for col in range(1000, 1010)
    }


def test_pixels_without_a_required_layer_have_no_truth(small: Path) -> None:
    scene = scene_of(SMALL, small, small)
    assert (scene.truth[:, :30] == -1).all()
    assert scene.pixels == {"forest": 16, "water": 16}
    assert scene.features == {"forest": 1, "water": 2}


def test_an_optional_layer_that_is_missing_is_nowhere_valid(small: Path) -> None:
    write(small / "dem.tif", noise(1, 40, 60))
    slots = default_slots(replace(SMALL, sources={**SMALL.sources, "dem": Source("dem.tif")}), small, None)
    scene = read_scene(SMALL, slots, CLASSES, COVER, None, small, small, Voice(quiet, lambda: False))
    assert scene.values.shape[0] == 4
    assert not scene.valid[2:].any()
    assert scene.pixels == {"water": 16, "forest": 16}


def test_a_required_layer_that_is_missing_is_refused(small: Path) -> None:
    slots = default_slots(SMALL, small, None)
    bare = replace(SMALL, sources={"dem": Source("picture.tif")})
    with pytest.raises(RequestError, match="'small' lacks a layer for 'imagery'"):
        read_scene(bare, slots, CLASSES, COVER, None, small, small, Voice(quiet, lambda: False))


def test_the_models_gsd_and_the_places_grid_are_those_of_a_run(small: Path) -> None:
    assert scene_of(SMALL, small, small, gsd=20.0).truth.shape == (20, 30)
    extent = (500_300.0, 4_999_600.0, 500_600.0, 5_000_000.0)
    assert scene_of(replace(SMALL, grid=GridSpec(extent=extent)), small, small).truth.shape == (40, 30)


def test_reading_is_told_and_can_be_stopped(small: Path) -> None:
    events: list[Event] = []
    scene_of(SMALL, small, small, say=events.append)
    assert Progress(0, 1, "reading imagery") in events
    with pytest.raises(Cancelled):
        scene_of(SMALL, small, small, stop=lambda: True)


@pytest.mark.parametrize(("row", "col"), [(4, 900), (4, -900), (900, 4), (-900, 4)])
def test_labels_outside_the_imagery_are_refused_with_both_extents(small: Path, row: int, col: int) -> None:
    shapes = [pixels(row, col, 4, 4), pixels(row, col + 8, 4, 4)]
    write_layer(small / "drawn.gpkg", shapes, "EPSG:32633", kind=["water", "forest"])
    with pytest.raises(RequestError, match=r"No label of 'drawn\.gpkg'.*'small' \(they cover .* and the layers 500000"):
        scene_of(SMALL, small, small)


def test_metres_that_are_called_degrees_are_outside_the_imagery(shared_data: Path, tmp_path: Path) -> None:
    home = shared_data / "nebraska"
    sources = {"imagery": Source("sample_geotiff_custom_proj.tif")}
    place = Place("Nebraska", sources, Labels("geotiff_custom_proj_labels.geojson"))
    with pytest.raises(RequestError, match="lies on the layers of 'Nebraska'; check the labels' place, their CRS"):
        scene_of(place, home, tmp_path, "field-boundaries")
    with rasterio.open(home / "sample_geotiff_custom_proj.tif") as raster:
        right = replace(place, labels=replace(place.labels, crs=raster.crs.to_wkt()))
    scene = scene_of(right, home, tmp_path, "field-boundaries")
    assert all(count > 1000 for count in scene.pixels.values())


def test_labels_where_the_imagery_has_no_data_are_refused(small: Path) -> None:
    shapes = [pixels(4, 4, 4, 4), pixels(20, 4, 4, 4)]
    write_layer(small / "drawn.gpkg", shapes, "EPSG:32633", kind=["water", "forest"])
    with pytest.raises(RequestError, match="lie where the required layers of 'small' have no data"):
        scene_of(SMALL, small, small)


def test_labels_of_no_class_are_refused_with_what_they_say(small: Path) -> None:
    classes = ClassInfo(1, "maize"), ClassInfo(2, "wheat")
    with pytest.raises(RequestError, match=r"Nothing can be learned from the labels of 'small': 3 labels .* 'water'"):
        scene_of(SMALL, small, small, classes=classes)


def test_a_stack_beyond_memory_is_refused(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_MOST_BYTES", 10_000)
    with pytest.raises(RequestError, match=r"would take .* GiB \(60 × 40 pixels\); give a coarser resolution"):
        scene_of(SMALL, small, small)


def test_a_layer_that_cannot_be_opened_is_named(small: Path) -> None:
    slots = default_slots(SMALL, small, None)
    gone = replace(SMALL, sources={"imagery": Source("gone.tif")})
    with pytest.raises(SourceError, match=r"There is no file gone\.tif"):
        read_scene(gone, slots, CLASSES, COVER, None, small, small, Voice(quiet, lambda: False))


def test_an_unknown_datum_reaches_the_scenes_warnings(shared_data: Path, tmp_path: Path) -> None:
    place = Place("Valais", {"imagery": Source("TH_2585_1098.tif")}, Labels("TLM5c_2585_1098.tif"))
    scene = scene_of(place, shared_data / "swiss_forest", tmp_path, gsd=5.0)
    assert any("unknown datum" in sentence for sentence in scene.warnings)
    assert sum(scene.pixels.values()) > 30_000


class TestPlacesTogether:
    """What `gather` makes of the classes of several places."""

    def gather(self, folder: Path, *places: Place, classes: tuple[ClassInfo, ...] = (), unseen: bool = False):
        wanted = Wanted(COVER, (), classes, None, "prior", unseen)
        self.warnings = Warnings(quiet)
        return gather(wanted, places, folder, folder, Voice(quiet, lambda: False), self.warnings)

    def test_a_class_that_only_labels_beyond_the_layers_have_is_left_out_and_told(self, small: Path) -> None:
        shapes = [pixels(4, 40, 4, 4), pixels(20, 40, 4, 4), pixels(4, 300, 4, 4)]
        write_layer(small / "drawn.gpkg", shapes, "EPSG:32633", kind=["water", "forest", "glacier"])
        material = self.gather(small, SMALL)
        assert [(info.value, info.name) for info in material.classes] == [(1, "forest"), (3, "water")]
        scene = material.scenes[0]
        assert scene.pixels == {name: int((scene.truth == i).sum()) for i, name in enumerate(("forest", "water"))}
        assert "No pixel of the layers is labelled 'glacier'" in self.warnings.told[-1]

    def test_a_class_that_was_asked_for_and_has_no_label_is_refused(self, small: Path) -> None:
        with pytest.raises(RequestError, match="class 'glacier' has no label"):
            self.gather(small, SMALL, classes=(*CLASSES, ClassInfo(7, "glacier")))

    def test_a_place_that_no_training_sees_may_lack_a_class(self, small: Path) -> None:
        material = self.gather(small, SMALL, classes=(*CLASSES, ClassInfo(7, "glacier")), unseen=True)
        assert material.scenes[0].pixels == {"water": 16, "forest": 16, "glacier": 0}

    def test_one_class_on_the_layers_is_too_few(self, small: Path) -> None:
        shapes = [pixels(4, 40, 4, 4), pixels(4, 300, 4, 4)]
        write_layer(small / "drawn.gpkg", shapes, "EPSG:32633", kind=["water", "glacier"])
        with pytest.raises(RequestError, match=r"On the layers, the labels 'drawn\.gpkg' have only the class 'water'"):
            self.gather(small, SMALL)
