"""Which layers go to which slot, on real layers."""

from __future__ import annotations

import pytest
from fusion_mapper.inference.errors import CardError, RequestError
from fusion_mapper.inference.job import RasterFile
from fusion_mapper.models.card import Card, Channel, ClassInfo, OsmRecipe, Output, Slot, TagRule
from fusion_mapper.toolbox.layers.matching import Given, match
from fusion_mapper.toolbox.layers.slots import SlotLine, parse_slots

OUTPUT = Output("o", "semantic-segmentation", (ClassInfo(1, "a"), ClassInfo(2, "b")))
RGB, RGBN = ("red", "green", "blue"), ("red", "green", "blue", "nir")
ROADS = OsmRecipe((TagRule("highway", ("motorway",), ("line",), 20), TagRule("highway", geometry=("line",), width=6)))
HOUSES = OsmRecipe((TagRule("building", geometry=("polygon",)),))


def imagery(names=RGB, name="imagery", **others) -> Slot:
    return Slot(name, "imagery", tuple(map(Channel, names)), "x", **others)


def osm(**others) -> Slot:
    return Slot("osm", "osm", (Channel("roads", osm=ROADS), Channel("houses", osm=HOUSES)), "x", **others)


def dem(**others) -> Slot:
    channels = Channel("elevation", derivative="elevation"), Channel("slope", derivative="slope")
    return Slot("dem", "dem", channels, "x", **others)


def card(*slots: Slot) -> Card:
    return Card("model", slots, (OUTPUT,), title="The model")


def source_of(found, slot: str):
    return found.bindings[slot].to_source()


def test_each_role_gets_its_layers(raster, vector):
    aerial = raster("swellendam/3420B_2010_328_RGB_LATLNG.tif")
    roads = vector("swellendam/training_data.gpkg|layername=roads", "streets of town")
    found = match(card(imagery(), osm(), dem()), Given((aerial,), (roads,), (raster("swellendam/srtm_41_19.tif"),)))
    assert source_of(found, "imagery").bands == (1, 2, 3)
    assert source_of(found, "osm").layers[0].tags == {}
    assert source_of(found, "dem").bands == (1,)
    assert not found.warnings


def test_alpha_is_no_band_of_the_model(raster):
    aerial = raster("swellendam/3420B_2010_328_RGB_LATLNG.tif")
    with pytest.raises(RequestError, match=r"takes 4 bands .*, and '3420B_2010_328_RGB_LATLNG' has 3"):
        match(card(imagery(RGBN)), Given((aerial,)))


def test_bands_are_found_by_sentinels_names(raster):
    scene = raster("amazon_s2/sen2.tif")
    found = match(card(imagery(("blue", "nir", "red"))), Given((scene,)))
    assert source_of(found, "imagery").bands == (2, 8, 4)


def test_band_files_become_a_stack_in_the_models_order(raster, shared_data):
    files = tuple(raster(f"laos_s2/{name}.tif") for name in ("B02", "B03", "B04", "B08", "B8A", "B11"))
    found = match(card(imagery(RGBN)), Given(files))
    folder = shared_data / "laos_s2"
    assert source_of(found, "imagery").stack == tuple(
        RasterFile(str(folder / f"{name}.tif"), (1,)) for name in ("B04", "B03", "B02", "B08")
    )
    assert "red = 'B04' band 1" in found.notes[0]


def test_unnamed_files_with_just_enough_bands_are_stacked_in_the_given_order(raster):
    files = tuple(raster("laos_s2/B01.tif", name) for name in ("one", "two", "three"))
    found = match(card(imagery()), Given(files))
    assert found.bindings["imagery"].stacked
    assert [raster.name for raster in found.bindings["imagery"].rasters] == ["one", "two", "three"]


def test_layers_that_each_have_all_bands_are_a_mosaic(raster):
    tiles = raster("swellendam/3420B_2010_328_RGB_LATLNG.tif"), raster("swellendam/3320D_2010_315_RGB_LATLNG.tif")
    found = match(card(imagery()), Given(tiles))
    assert source_of(found, "imagery").mosaic == tuple(tile.path for tile in tiles)
    assert source_of(found, "imagery").bands == (1, 2, 3)
    assert "one mosaic" in found.notes[0]


def test_two_dates_take_two_layers_in_order_or_one_layer_split(raster):
    dates = card(imagery(RGBN, "spring"), imagery(RGBN, "summer"))
    both = raster("inn_valley_s2/inference-img.tif")
    split = match(dates, Given((both,)))
    assert source_of(split, "spring").bands == (1, 2, 3, 4)
    assert source_of(split, "summer").bands == (5, 6, 7, 8)
    first, second = raster("loon_lake/landsat.tif", "a"), raster("loon_lake/landsat.tif", "b")
    two = match(dates, Given((first, second)))
    assert (source_of(two, "spring").name, source_of(two, "summer").name) == ("a", "b")


def test_more_layers_than_dates_have_to_be_told_apart(raster):
    dates = card(imagery(RGBN, "spring"), imagery(RGBN, "summer"))
    scene = raster("loon_lake/landsat.tif")
    with pytest.raises(RequestError, match="'spring' and 'summer', and 3 layers were given; say in SLOTS"):
        match(dates, Given((scene,) * 3))


def test_surplus_bands_without_names_are_told(raster):
    found = match(card(imagery()), Given((raster("loon_lake/landsat.tif"),)))
    assert source_of(found, "imagery").bands == (1, 2, 3)
    assert "has 4 bands; 1, 2, 3 are taken as red, green, blue" in found.warnings[0]


def test_a_required_layer_that_is_missing_is_named_with_its_parameter(raster):
    with pytest.raises(RequestError, match="needs an elevation model for its slot 'dem'; choose it under DEM"):
        match(card(imagery(), dem()), Given((raster("loon_lake/landsat.tif"),)))


def test_an_optional_layer_may_be_missing(raster):
    found = match(card(imagery(), dem(missing="fill")), Given((raster("loon_lake/landsat.tif"),)))
    assert "dem" not in found.bindings


def test_a_layer_without_a_place_is_told(raster):
    found = match(card(imagery()), Given((raster("loon_lake/landsat.tif"),), dem=(raster("amazon_s2/srtm_sen2.tif"),)))
    assert "The model 'The model' has no place for 'srtm_sen2'; it is not used." in found.warnings


def test_a_location_needs_no_layer(raster):
    place = Slot("place", "location", (Channel("lon"), Channel("lat")), "y", layout="vector")
    found = match(card(imagery(), place), Given((raster("loon_lake/landsat.tif"),)))
    assert source_of(found, "place").path is None


def test_a_layer_without_tags_is_what_its_name_says(vector, raster):
    given = Given((raster("loon_lake/landsat.tif"),), (vector("loon_lake/roads.gpkg", "Forest roads"),))
    found = match(card(imagery(), osm()), given)
    assert source_of(found, "osm").layers[0].tags == {"highway": "unclassified"}
    assert "'Forest roads' has no OSM attributes; all of it is taken as highway=unclassified" in found.notes[0]


def test_a_layer_that_no_channel_draws_is_left_out(vector, raster):
    places = vector("swellendam/places.shp", "places")
    roads = vector("swellendam/training_data.gpkg|layername=roads", "roads")
    found = match(card(imagery(), osm()), Given((raster("loon_lake/landsat.tif"),), (places, roads)))
    assert [vector.name for vector in found.bindings["osm"].vectors] == ["roads"]
    assert "'places' has none of the attributes building, highway" in " ".join(found.warnings)


def test_farms_are_no_reservoirs(vector, raster):
    water = OsmRecipe((TagRule("natural", ("water",)), TagRule("landuse", ("reservoir", "basin"), ("polygon",))))
    slot = Slot("osm", "osm", (Channel("water", osm=water),), "x", missing="fill")
    given = Given((raster("loon_lake/landsat.tif"),), (vector("swellendam/farms_33S.shp", "farms"),))
    found = match(card(imagery(), slot), given)
    assert "osm" not in found.bindings
    assert "'farms' has none of the attributes landuse, natural" in " ".join(found.warnings)


def test_layers_bound_by_name_come_first(raster):
    dates = card(imagery(RGBN, "spring"), imagery(RGBN, "summer"))
    both = raster("inn_valley_s2/inference-img.tif")
    found = match(dates, Given(bound=(("summer", both, (1, 2, 3, 4)), ("spring", both, (5, 6, 7, 8)))))
    assert source_of(found, "spring").bands == (5, 6, 7, 8)
    assert source_of(found, "summer").bands == (1, 2, 3, 4)


def test_several_lines_of_one_slot_are_a_stack(raster):
    files = [raster(f"laos_s2/{name}.tif") for name in ("B04", "B03", "B02")]
    found = match(card(imagery()), Given(bound=tuple(("imagery", file, (1,)) for file in files)))
    assert [part.path for part in source_of(found, "imagery").stack] == [file.path for file in files]


@pytest.mark.parametrize(
    ("bands", "sentence"),
    [
        ((1, 2), "takes 3 bands .red, green, blue., and 2 were named"),
        ((1, 2, 9), "asks for band 9 of 'landsat', which has 4"),
    ],
)
def test_wrong_bands_are_refused(raster, bands, sentence):
    with pytest.raises(RequestError, match=sentence):
        match(card(imagery()), Given(bound=(("imagery", raster("loon_lake/landsat.tif"), bands),)))


def test_an_unknown_slot_is_refused_with_the_names_of_all(raster):
    with pytest.raises(CardError, match="no slot 'optical'; its slots are imagery"):
        match(card(imagery()), Given(bound=(("optical", raster("loon_lake/landsat.tif"), ()),)))


def test_a_vector_layer_is_no_imagery(vector):
    roads = vector("loon_lake/roads.gpkg", "roads")
    with pytest.raises(RequestError, match="'imagery' takes imagery, and 'roads' is something else"):
        match(card(imagery()), Given(bound=(("imagery", roads, ()),)))


def test_lines_of_slots_are_read():
    text = "spring = March scene:1, 2,3\n# a note\n\nsummer=C:/data/july.tif ; dem=/vsizip//a:b.zip/dem.tif:2"
    assert parse_slots(text) == (
        SlotLine("spring", "March scene", (1, 2, 3)),
        SlotLine("summer", "C:/data/july.tif"),
        SlotLine("dem", "/vsizip//a:b.zip/dem.tif", (2,)),
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("imagery", "'imagery' cannot be read; write slot=layer"), ("a=b:0", "band 0; bands are counted from 1")],
)
def test_lines_that_cannot_be_read_are_quoted(text, sentence):
    with pytest.raises(RequestError, match=sentence):
        parse_slots(text)
