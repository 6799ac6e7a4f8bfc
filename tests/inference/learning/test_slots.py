"""Slots made from a place's layers, and what each strategy sees of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import rasterio
from fusion_mapper.inference.errors import RequestError, SourceError
from fusion_mapper.inference.job import RasterFile, Source, VectorLayer
from fusion_mapper.inference.learning.slots import default_slots, slots_of, with_offsets
from fusion_mapper.inference.learnjob import Labels, Place
from fusion_mapper.models.card import Card, ClassInfo, Output, card_from_dict
from fusion_mapper.models.training.starters import STARTERS
from layers import noise, write

LAYERS = Source(layers=(VectorLayer("osm.gpkg"),))


def place(**sources: Source) -> Place:
    return Place("here", sources, Labels("labels.gpkg"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write(tmp_path / "rgb.tif", noise(3, 8, 8), photometric="RGB")
    write(tmp_path / "five.tif", noise(5, 8, 8))
    write(tmp_path / "dem.tif", noise(1, 8, 8))
    return tmp_path


def channels(place: Place, home: Path, gsd: float | None = None) -> dict[str, list[str]]:
    return {slot.name: [channel.name for channel in slot.channels] for slot in default_slots(place, home, gsd)}


def test_bands_are_called_by_their_descriptions(shared_data: Path) -> None:
    (imagery,) = default_slots(place(imagery=Source("sen2.tif")), shared_data / "amazon_s2", None)
    names = [channel.name for channel in imagery.channels]
    assert names == ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12"]
    assert (imagery.role, imagery.missing, imagery.gsd) == ("imagery", "required", pytest.approx(10, rel=0.01))


def test_bands_without_a_name_are_called_by_colour_and_alpha_is_none(shared_data: Path) -> None:
    aerial = Source("3320D_2010_315_RGB_LATLNG.tif")
    (imagery,) = default_slots(place(imagery=aerial), shared_data / "swellendam", None)
    assert [(c.name, c.wavelength) for c in imagery.channels] == [("red", 0.665), ("green", 0.56), ("blue", 0.49)]


def test_bands_without_name_or_colour_are_numbered_as_the_source_takes_them(home: Path) -> None:
    found = channels(place(imagery=Source("five.tif", bands=(4, 2))), home)
    assert found == {"imagery": ["band 4", "band 2"]}


def test_band_files_give_a_channel_each_and_no_name_twice(shared_data: Path, home: Path) -> None:
    stack = Source(stack=(RasterFile("dem.tif"), RasterFile("rgb.tif", (1,)), RasterFile("dem.tif")))
    names = channels(place(imagery=stack), home)["imagery"]
    assert len(set(names)) == 3


def test_band_files_without_descriptions_give_channels_their_names(shared_data: Path) -> None:
    stack = Source(stack=tuple(RasterFile(f"{name}.tif") for name in ("B11", "B02", "B8A")))
    (imagery,) = default_slots(place(imagery=stack), shared_data / "laos_s2", None)
    assert [channel.name for channel in imagery.channels] == ["B11", "B02", "B8A"]
    assert imagery.gsd == pytest.approx(10, rel=0.01)


def test_numbers_that_tell_bands_apart_make_no_other_twins(home: Path) -> None:
    with rasterio.open(home / "rgb.tif", "r+") as raster:
        raster.descriptions = ("x", "x", "x 1")
    names = channels(place(imagery=Source("rgb.tif")), home)["imagery"]
    assert len(set(names)) == 3
    assert names[2] == "x 1"


def test_a_mosaic_has_the_bands_of_its_first_file(home: Path) -> None:
    assert channels(place(imagery=Source(mosaic=("rgb.tif", "rgb.tif"))), home) == {"imagery": ["red", "green", "blue"]}


@pytest.mark.parametrize(("gsd", "starter"), [(1.0, "landcover-rgb-1m"), (10.0, "treecover-10m")])
def test_osm_and_terrain_are_read_as_by_the_starter_models(home: Path, gsd: float, starter: str) -> None:
    found = default_slots(place(imagery=Source("rgb.tif"), osm=LAYERS, dem=Source("dem.tif")), home, gsd)
    theirs = STARTERS[starter].card
    for name in ("osm", "dem"):
        mine = next(slot for slot in found if slot.name == name)
        assert mine.channels == theirs.slot(name).channels
        assert mine.missing == "fill"


def test_further_rasters_are_optional_layers_under_their_own_name(home: Path) -> None:
    found = default_slots(place(imagery=Source("rgb.tif"), radar=Source("five.tif", bands=(1, 2))), home, None)
    assert [(slot.name, slot.role, slot.missing) for slot in found] == [
        ("imagery", "imagery", "required"),
        ("radar", "raster", "fill"),
    ]


def test_channels_follow_one_another_in_one_input(home: Path) -> None:
    layers = place(imagery=Source("rgb.tif"), osm=LAYERS, dem=Source("dem.tif"), radar=Source("five.tif"))
    slots = default_slots(layers, home, 1.0)
    assert [(slot.input, slot.offset) for slot in slots] == [("input", 0), ("input", 3), ("input", 8), ("input", 10)]
    card = Card("m", slots, (Output("output", "semantic-segmentation", (ClassInfo(1, "a"), ClassInfo(2, "b"))),))
    assert card_from_dict(card.to_dict()) == card


def test_the_coarse_class_raster_gets_no_slot_yet(home: Path) -> None:
    coarse = Source("dem.tif")
    assert list(channels(place(imagery=Source("rgb.tif"), prior=coarse), home)) == ["imagery"]
    found = default_slots(place(imagery=Source("rgb.tif"), nlcd=coarse), home, None, "nlcd")
    assert [slot.name for slot in found] == ["imagery"]


def test_each_strategy_sees_its_slots(home: Path) -> None:
    slots = default_slots(place(imagery=Source("rgb.tif"), osm=LAYERS, dem=Source("dem.tif")), home, 1.0)
    seen = {
        strategy: [slot.name for slot in slots_of(strategy, slots)]
        for strategy in ("imagery", "stack", "compress", "proc-stack", "vit", "token-fuse", "token-control")
    }
    everything, imagery = ["imagery", "osm", "dem"], ["imagery"]
    assert seen == {
        "imagery": imagery,
        "stack": everything,
        "compress": everything,
        "proc-stack": imagery,
        "vit": imagery,
        "token-fuse": imagery,
        "token-control": imagery,
    }


def test_offsets_close_up_when_a_slot_is_left_out(home: Path) -> None:
    slots = default_slots(place(imagery=Source("rgb.tif"), osm=LAYERS, dem=Source("dem.tif")), home, 1.0)
    assert [slot.offset for slot in with_offsets(slot for slot in slots if slot.name != "osm")] == [0, 3]


def test_a_place_without_imagery_is_refused(home: Path) -> None:
    with pytest.raises(RequestError, match=r"'here' has no imagery to learn from; give sources\.imagery"):
        default_slots(place(dem=Source("dem.tif")), home, None)


def test_vector_layers_under_a_name_of_their_own_are_refused(home: Path) -> None:
    with pytest.raises(RequestError, match=r"sources\.roads holds vector layers"):
        default_slots(place(imagery=Source("rgb.tif"), roads=LAYERS), home, None)


def test_a_picture_that_is_not_there_is_named(home: Path) -> None:
    with pytest.raises(SourceError, match=r"There is no file gone\.tif"):
        default_slots(place(imagery=Source("gone.tif")), home, None)


def test_elevation_is_of_the_model_that_was_given(shared_data: Path) -> None:
    home = shared_data / "amazon_s2"
    found = default_slots(place(imagery=Source("sen2.tif"), dem=Source("srtm_sen2.tif")), home, None)
    assert found[1].gsd == pytest.approx(10, rel=0.01)
    assert found[1].description == "elevation model of about 10 m, in metres"
