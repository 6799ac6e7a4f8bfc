from __future__ import annotations

from dataclasses import replace

import pytest
from fusion_mapper.ui.inputs.layer_choice import RasterChoice, VectorChoice
from fusion_mapper.ui.inputs.preflight import Level
from fusion_mapper.ui.inputs.slot_list import SlotList
from qgis.core import QgsCoordinateReferenceSystem, QgsRectangle, QgsReferencedRectangle, QgsVectorLayer
from qgis.PyQt.QtCore import Qt


@pytest.fixture
def slots(qtbot, project, landcover) -> SlotList:
    slots = SlotList()
    qtbot.addWidget(slots)
    slots.show_card(landcover)
    slots.show()
    return slots


def test_there_is_a_row_for_each_slot_of_the_card(slots, landcover):
    assert [row.title() for row in slots.rows()] == ["Imagery", "OSM", "Elevation"]
    slots.show_card(replace(landcover, slots=landcover.slots[:1]))
    assert [row.title() for row in slots.rows()] == ["Imagery"]


def test_slots_of_one_role_are_told_apart_by_their_date(slots, landcover):
    imagery = landcover.slots[0]
    dates = (replace(imagery, name="a", date="spring"), replace(imagery, name="b", date="autumn"))
    slots.show_card(replace(landcover, slots=dates))
    assert [row.title() for row in slots.rows()] == ["Imagery, spring", "Imagery, autumn"]


def offered(choice) -> list[str]:
    return [choice.itemText(index) for index in range(choice.count())]


def settled(qtbot, slots) -> None:
    """Layers are looked over once QGIS has put them into its layer tree."""
    qtbot.waitUntil(lambda: not slots._offers.isActive())


def test_rows_offer_only_layers_that_could_serve(qtbot, slots, aerial, elevation, roads, buildings):
    settled(qtbot, slots)
    imagery, osm, dem = slots.rows()
    (rasters,), (vectors,), (heights,) = imagery.choices, osm.choices, dem.choices
    assert isinstance(rasters, RasterChoice)
    assert isinstance(vectors, VectorChoice)
    assert offered(rasters) == ["No layer", "3420B_2010_328_RGB", "Show All Layers"]
    assert offered(heights) == ["No layer", "srtm_41_19", "Show All Layers"]
    assert offered(vectors) == ["buildings", "roads"]


def test_a_tooltip_says_why_a_layer_is_not_offered(qtbot, slots, aerial, elevation):
    settled(qtbot, slots)
    imagery, _, dem = slots.rows()
    assert "srtm_41_19: It has 1 band; the model takes 3" in imagery.choices[0].toolTip()
    assert "3420B_2010_328_RGB: It has 4 bands; an elevation model has one" in dem.choices[0].toolTip()


def test_all_layers_are_shown_on_demand(qtbot, slots, aerial, elevation):
    settled(qtbot, slots)
    imagery = slots.rows()[0]
    imagery.choose([aerial])
    (rasters,) = imagery.choices
    rasters.setCurrentIndex(rasters.findText("Show All Layers"))
    rasters.activated.emit(rasters.currentIndex())
    rasters.hidePopup()
    assert offered(rasters) == ["No layer", "3420B_2010_328_RGB", "srtm_41_19"]
    assert imagery.layers() == [aerial]
    assert not imagery.by_hand


def test_vector_layers_that_suit_stand_first_and_say_why(qtbot, slots, project, swellendam, roads, buildings):
    project.addMapLayer(QgsVectorLayer(str(swellendam / "places.shp"), "a place", "ogr"))
    settled(qtbot, slots)
    (vectors,) = slots.rows()[1].choices
    assert offered(vectors) == ["buildings", "roads", "a place"]
    reasons = [vectors.itemData(index, Qt.ItemDataRole.ToolTipRole) for index in range(3)]
    assert reasons[1] == "It has the OSM attribute highway"
    assert reasons[2].startswith("It has none of the attributes building, highway")


def test_the_vector_list_follows_the_project(slots, project, roads, buildings):
    _, osm, _ = slots.rows()
    osm.choose([roads, buildings])
    assert osm.layers() == [buildings, roads]
    project.removeMapLayer(roads.id())
    assert osm.layers() == [buildings]


def test_a_tick_by_hand_is_told_from_a_match(slots, qtbot, roads, buildings):
    _, osm, _ = slots.rows()
    osm.choose([roads])
    assert not osm.by_hand
    with qtbot.waitSignal(osm.choice_changed):
        osm.choices[0].toggleItemCheckState(0)
    assert osm.by_hand
    assert osm.layers() == [buildings, roads]


def test_a_required_slot_without_a_layer_cannot_be_run(slots):
    slots.judge(None)
    assert [row.verdict.level for row in slots.rows()] == [Level.CANNOT, Level.NOTE, Level.NOTE]
    assert slots.problem() == "Choose a layer for Imagery."


def test_a_raster_with_too_few_bands_is_refused(slots, elevation):
    slots.rows()[0].choose([elevation])
    slots.judge(None)
    assert slots.problem() == "srtm_41_19 has too few bands (1); the model needs red, green, blue."


def test_a_layer_without_crs_is_refused(slots, aerial):
    aerial.setCrs(QgsCoordinateReferenceSystem())
    slots.rows()[0].choose([aerial])
    slots.judge(None)
    assert slots.problem() == "3420B_2010_328_RGB has no CRS; set it in the layer's properties."


def test_a_crs_that_is_set_later_is_noticed(qtbot, slots, aerial):
    crs = aerial.crs()
    aerial.setCrs(QgsCoordinateReferenceSystem())
    slots.rows()[0].choose([aerial])
    with qtbot.waitSignal(slots.choice_changed):
        aerial.setCrs(crs)
    settled(qtbot, slots)
    slots.judge(None)
    assert slots.problem() == ""


def test_a_coarse_elevation_model_is_told_and_accepted(slots, aerial, elevation):
    imagery, _, dem = slots.rows()
    imagery.choose([aerial])
    dem.choose([elevation])
    assert imagery.judge(None).level is Level.FITS
    assert dem.judge(None).level is Level.NOTE
    assert dem.verdict.text == "82 m elevation for a model trained with 30 m; slopes will be smooth."


def test_the_share_that_a_layer_covers_is_told(slots, aerial):
    imagery = slots.rows()[0]
    imagery.choose([aerial])
    extent = aerial.extent()
    twice = QgsRectangle(extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum())
    twice.setXMaximum(extent.xMaximum() + extent.width())
    assert imagery.judge(QgsReferencedRectangle(extent, aerial.crs())).level is Level.FITS
    half = imagery.judge(QgsReferencedRectangle(twice, aerial.crs()))
    assert half.text == "The layer covers 50 % of the area; the rest will be empty."


def test_a_layer_elsewhere_is_refused_where_it_is_required(slots, aerial, elevation):
    imagery, _, dem = slots.rows()
    imagery.choose([aerial])
    dem.choose([elevation])
    elsewhere = QgsReferencedRectangle(QgsRectangle(10, 50, 10.1, 50.1), QgsCoordinateReferenceSystem("EPSG:4326"))
    assert imagery.judge(elsewhere).level is Level.CANNOT
    assert dem.judge(elsewhere).level is Level.NOTE


def test_a_raster_that_is_removed_leaves_its_row_empty(qtbot, slots, project, aerial, elevation):
    imagery = slots.rows()[0]
    imagery.choose([aerial])
    with qtbot.waitSignal(slots.choice_changed):
        project.removeMapLayer(aerial.id())
    assert imagery.layers() == []


def test_a_raster_stays_when_others_are_removed(slots, project, aerial, elevation):
    imagery = slots.rows()[0]
    imagery.choose([aerial])
    project.removeMapLayer(elevation.id())
    assert imagery.layers() == [aerial]
