"""Bands and radiometry of a row: found by themselves, set in the dialog, and what the run is told of them."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from fusion_mapper.models.card import Channel, Scaling, Slot
from fusion_mapper.models.library import Installed
from fusion_mapper.ui.importer.trial import given_rows
from fusion_mapper.ui.inputs.band_dialog import BandDialog
from fusion_mapper.ui.inputs.preflight import Level
from fusion_mapper.ui.inputs.preselect import fill_rows
from fusion_mapper.ui.inputs.slot_list import SlotList
from fusion_mapper.ui.processing.verdicts import judge_slots
from fusion_mapper.ui.request import make_request
from fusion_mapper.ui.results.picker import ResultPicker
from qgis.core import QgsRasterLayer
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QComboBox, QDialogButtonBox, QLabel, QToolButton

RGBN = ("red", "green", "blue", "nir")


@pytest.fixture
def imagery(landcover):
    """Slots for imagery with these channels, one for each date, made for numbers up to 10,000."""

    def make(names=RGBN, dates=("",)):
        channels = tuple(Channel(name, Scaling(scale=10_000.0)) for name in names)
        slots = [Slot(f"imagery{date}", "imagery", channels, "x", date=date or None) for date in dates]
        return replace(landcover, gsd=10.0, slots=tuple(slots))

    return make


@pytest.fixture
def slots(qtbot, project) -> SlotList:
    slots = SlotList()
    qtbot.addWidget(slots)
    slots.show()
    return slots


@pytest.fixture
def add(project, shared_data: Path):
    """Adds rasters of the real data to the project."""

    def add_layers(*paths: str) -> list[QgsRasterLayer]:
        layers = [QgsRasterLayer(str(shared_data / path), Path(path).stem) for path in paths]
        assert all(layer.isValid() for layer in layers)
        project.addMapLayers(layers)
        return layers

    return add_layers


@pytest.fixture
def open_dialog(qtbot):
    """Presses the row's button; answers the dialog that opens."""

    def press(row) -> BandDialog:
        qtbot.mouseClick(row.findChild(QToolButton, f"FusionMapperBands_{row.slot.name}"), Qt.MouseButton.LeftButton)
        dialog = row.findChild(BandDialog)
        assert dialog.isVisible()
        return dialog

    return press


def texts(dialog: BandDialog) -> list[str]:
    combos = [dialog.findChild(QComboBox, f"FusionMapperBand_{number}") for number in range(len(dialog._slot.channels))]
    return [combo.currentText() for combo in combos]


def told(row) -> str:
    return row.findChild(QLabel, f"FusionMapperVerdict_{row.slot.name}").text()


def choose(dialog: BandDialog, name: str, text: str) -> None:
    combo = dialog.findChild(QComboBox, name)
    assert combo.findText(text) >= 0
    combo.setCurrentText(text)


def test_four_bands_one_of_which_gdal_calls_alpha_are_taken_once_confirmed(slots, imagery, add, open_dialog):
    (aerial,) = add("swellendam/3420B_2010_328_RGB_LATLNG.tif")
    slots.show_card(imagery())
    row = slots.rows()[0]
    row.choose([aerial])
    slots.judge(None)
    assert row.verdict.level is Level.CANNOT
    assert row.verdict.text.endswith("calls a band alpha; if it is one of red, green, blue, nir, say so in Bands…")
    dialog = open_dialog(row)
    assert texts(dialog) == ["1 · red", "2 · green", "3 · blue", "4 · alpha"]
    dialog.accept()
    slots.judge(None)
    assert row.verdict.level is not Level.CANNOT
    assert row.chosen().slot_lines("imagery") == [f"imagery={aerial.id()}:1,2,3,4"]
    assert told(row).startswith("Bands 1, 2, 3, 4")
    assert row.by_hand


def test_bands_that_have_names_need_no_confirmation(slots, imagery, add, open_dialog):
    (scene,) = add("amazon_s2/sen2.tif")
    slots.show_card(imagery())
    fill_rows(slots.rows())
    row = slots.rows()[0]
    dialog = open_dialog(row)
    assert texts(dialog) == ["4 · B4", "3 · B3", "2 · B2", "8 · B8"]
    assert dialog._combos[0].accessibleName() == "red · 0.665 µm"
    dialog.accept()
    assert row.chosen().slot_lines("imagery") == [f"imagery={scene.id()}"]


def test_a_scene_of_one_file_a_band_is_one_choice(slots, imagery, add, open_dialog):
    add(*(f"laos_s2/{name}.tif" for name in ("B02", "B03", "B04", "B08", "B8A", "B11", "cloud_mask")))
    slots.show_card(imagery())
    fill_rows(slots.rows())
    row = slots.rows()[0]
    assert [layer.name() for layer in row.layers()] == ["B04", "B03", "B02", "B08"]
    slots.judge(None)
    assert told(row) == "Bands B04, B03, B02, B08"
    assert texts(open_dialog(row)) == ["B04", "B03", "B02", "B08"]


def test_a_band_of_another_layer_can_be_chosen(slots, imagery, add, open_dialog):
    scene, rest = add("amazon_s2/sen2.tif", "inn_valley_s2/inference-img.tif")
    slots.show_card(imagery())
    row = slots.rows()[0]
    row.choose([scene])
    dialog = open_dialog(row)
    choose(dialog, "FusionMapperBand_3", "inference-img, Band 4")
    dialog.accept()
    assert row.chosen().slot_lines("imagery") == [f"imagery={scene.id()}:4,3,2", f"imagery={rest.id()}:4"]
    assert row.layers() == [scene, rest]


def test_the_dates_of_one_file_go_to_their_slots(slots, imagery, add):
    (both,) = add("inn_valley_s2/inference-img.tif")
    slots.show_card(imagery(dates=("spring", "autumn")))
    fill_rows(slots.rows())
    spring, autumn = slots.rows()
    assert spring.chosen().slot_lines("a") == [f"a={both.id()}:1,2,3,4"]
    assert autumn.chosen().slot_lines("b") == [f"b={both.id()}:5,6,7,8"]


def test_guessed_bands_are_told_until_they_are_confirmed(slots, imagery, add, open_dialog):
    (scene,) = add("loon_lake/landsat.tif")
    slots.show_card(imagery(("red", "green", "blue")))
    row = slots.rows()[0]
    row.choose([scene])
    slots.judge(None)
    assert row.verdict.text == "Bands 1, 2, 3 of 4 are taken as red, green, blue; set others in Bands…"
    dialog = open_dialog(row)
    choose(dialog, "FusionMapperBand_0", "4 · Landsat_8_RGB_4")
    dialog.accept()
    slots.judge(None)
    assert "are taken as" not in told(row)
    assert told(row).startswith("Bands 4, 2, 3")


def test_reset_goes_back_to_what_was_found(slots, imagery, add, open_dialog):
    add("amazon_s2/sen2.tif")
    slots.show_card(imagery())
    fill_rows(slots.rows())
    dialog = open_dialog(slots.rows()[0])
    choose(dialog, "FusionMapperBand_0", "12 · B12")
    choose(dialog, "FusionMapperRadiometry", "Reflectance 0 to 1, made DN (× 10 000)")
    dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Reset).click()
    assert texts(dialog)[0] == "4 · B4"
    assert dialog.settings().radiometry.name == "stored"


def test_a_trial_takes_the_bands_and_numbers_that_were_set(slots, imagery, add, open_dialog):
    add("amazon_s2/sen2.tif")
    slots.show_card(imagery())
    fill_rows(slots.rows())
    dialog = open_dialog(slots.rows()[0])
    choose(dialog, "FusionMapperBand_0", "12 · B12")
    choose(dialog, "FusionMapperRadiometry", "Reflectance 0 to 1, made DN (× 10 000)")
    dialog.accept()
    given = given_rows(slots.rows())
    ((slot, raster, bands),) = given.bound
    assert (slot, raster.id, bands[0]) == ("imagery", slots.rows()[0].layers()[0].id(), 12)
    assert [(name, one.title) for name, one in given.radiometry] == [
        ("imagery", "Reflectance 0 to 1, made DN (× 10 000)")
    ]


def test_a_file_that_tells_its_offset_has_it_proposed_and_never_taken_silently(
    slots, imagery, project, shared_data, tmp_path, open_dialog
):
    path = tmp_path / "B04.tif"
    source = str(shared_data / "laos_s2" / "B04.tif")
    subprocess.run(["gdal_translate", "-q", "-mo", "PROCESSING_BASELINE=05.09", source, str(path)], check=True)
    red = QgsRasterLayer(str(path), "red")
    project.addMapLayer(red)
    slots.show_card(imagery(("red",)))
    row = slots.rows()[0]
    row.choose([red])
    slots.judge(None)
    assert row.chosen().radiometry_lines("imagery") == []
    assert "baseline 05.09 adds 1000 to its numbers. Choose “Sentinel-2 since 2022 (−1000)”" in row.verdict.text
    dialog = open_dialog(row)
    assert dialog.findChild(QLabel, "FusionMapperRadiometryReason").text().endswith("05.09 adds 1000 to its numbers.")
    dialog.accept()
    slots.judge(None)
    assert row.chosen().radiometry_lines("imagery") == ["imagery=sentinel2"]
    assert told(row) == "Sentinel-2 since 2022 (−1000)"


def test_cancelling_changes_nothing(slots, imagery, add, open_dialog):
    add("amazon_s2/sen2.tif")
    slots.show_card(imagery())
    fill_rows(slots.rows())
    row = slots.rows()[0]
    dialog = open_dialog(row)
    choose(dialog, "FusionMapperBand_0", "12 · B12")
    dialog.reject()
    assert row.chosen().bands == ()
    assert not row.by_hand


def test_settings_belong_to_the_layer(slots, imagery, add, open_dialog):
    scene, other = add("amazon_s2/sen2.tif", "inn_valley_s2/inference-img.tif")
    slots.show_card(imagery())
    row = slots.rows()[0]
    row.choose([scene])
    dialog = open_dialog(row)
    choose(dialog, "FusionMapperRadiometry", "Reflectance 0 to 1, made DN (× 10 000)")
    dialog.accept()
    assert row.chosen().radiometry_lines("imagery") == ["imagery=to-dn"]
    row.choose([other])
    assert row.chosen().radiometry_lines("imagery") == []


def test_a_layer_that_goes_takes_its_bands_along(slots, imagery, add, project, open_dialog):
    scene, rest = add("amazon_s2/sen2.tif", "inn_valley_s2/inference-img.tif")
    slots.show_card(imagery())
    row = slots.rows()[0]
    row.choose([scene])
    dialog = open_dialog(row)
    choose(dialog, "FusionMapperBand_3", "inference-img, Band 4")
    dialog.accept()
    project.removeMapLayer(rest.id())
    assert row.layers() == [scene]
    assert row.chosen().bands == ()


def test_the_run_is_told_of_bands_and_radiometry(qtbot, slots, imagery, add, open_dialog):
    (scene,) = add("amazon_s2/sen2.tif")
    card = imagery()
    slots.show_card(card)
    fill_rows(slots.rows())
    results = ResultPicker()
    qtbot.addWidget(results)
    results.show_card(card)
    dialog = open_dialog(slots.rows()[0])
    choose(dialog, "FusionMapperBand_3", "9 · B8A")
    choose(dialog, "FusionMapperRadiometry", "Reflectance 0 to 1, made DN (× 10 000)")
    dialog.accept()
    model = Installed(Path("model.onnx"), Path("model.json"), card)
    parameters = make_request(model, slots.rows(), scene, {}, results).parameters
    assert parameters["IMAGERY"] == []
    assert parameters["SLOTS"] == f"imagery={scene.id()}:4,3,2,9"
    assert parameters["RADIOMETRY"] == "imagery=to-dn"


def test_the_rows_fit_a_narrow_panel(qtbot, slots, imagery, add):
    add("inn_valley_s2/inference-img.tif")
    slots.show_card(imagery(dates=("early in the season", "late in the season")))
    fill_rows(slots.rows())
    slots.judge(None)
    assert slots.minimumSizeHint().width() <= 313


def test_the_toolboxs_form_knows_a_stack_too(imagery, add):
    layers = add(*(f"laos_s2/{name}.tif" for name in ("B02", "B03", "B04", "B08")))
    ((_, verdict),) = judge_slots(imagery(), {"IMAGERY": layers}, None)
    assert verdict.level is Level.FITS
