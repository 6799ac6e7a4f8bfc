from __future__ import annotations

import json
from dataclasses import replace

import pytest
from fusion_mapper.ui.dock import FusionDock
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QAbstractButton, QCheckBox, QComboBox, QLabel, QPushButton, QRadioButton


@pytest.fixture
def model_file(tmp_path, landcover):
    """A card beside a file that stands for a model; nothing here opens the model itself."""
    path = tmp_path / "landcover.onnx"
    path.write_bytes(b"")
    path.with_suffix(".json").write_text(json.dumps(landcover.to_dict()), encoding="utf-8")
    return path


@pytest.fixture
def dock(qtbot, window, project, model_file):
    """The dock with the land-cover model chosen."""
    dock = FusionDock(window, window.mainWindow())
    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
    dock.show()
    dock.model.open_file(model_file)
    yield dock
    dock.close_down()


def part(dock, kind, name):
    return dock.findChild(kind, "FusionMapper" + name)


def reason(dock):
    return part(dock, QLabel, "Reason").text()


def can_run(qtbot, dock):
    qtbot.waitUntil(lambda: part(dock, QPushButton, "RunButton").isEnabled())


def test_the_card_is_shown_with_its_notice(dock):
    assert part(dock, QLabel, "ModelNeeds").text() == ("Imagery (red, green, blue) · helped by OSM, Elevation · 2.5 m")
    assert "Water" in part(dock, QLabel, "ModelClasses").text()
    assert part(dock, QLabel, "ModelNotice").isVisible()
    assert part(dock, QLabel, "ModelNotice").text().startswith("Trained on simulated landscapes")


def test_without_layers_the_reason_is_shown(dock):
    assert not part(dock, QPushButton, "RunButton").isEnabled()
    assert reason(dock) == "Choose a layer for Imagery."


def test_layers_are_found_as_they_come(qtbot, dock, look_at, elevation, roads, aerial, buildings):
    look_at(aerial)
    can_run(qtbot, dock)
    imagery, osm, dem = dock.slots.rows()
    assert (imagery.layers(), osm.layers(), dem.layers()) == ([aerial], [buildings, roads], [elevation])
    assert imagery.choices[0].toolTip().startswith("Its bands are named or coloured like the model's channels")


def test_a_choice_by_hand_stays(qtbot, dock, look_at, aerial, roads, buildings):
    look_at(aerial)
    can_run(qtbot, dock)
    _, osm, _ = dock.slots.rows()
    osm.choices[0].toggleItemCheckState(0)
    dock._unmatched = True
    dock._on_settled()
    assert osm.layers() == [roads]


def test_what_the_map_shows_decides_the_area(qtbot, dock, window, look_at, aerial):
    look_at(aerial)
    can_run(qtbot, dock)
    whole = dock.area.extent()
    window.mapCanvas().setExtent(aerial.extent().buffered(-0.005))
    assert dock.area.extent().area() < whole.area()
    elsewhere = aerial.extent()
    elsewhere += elsewhere.center() - aerial.extent().center()
    window.mapCanvas().setExtent(type(elsewhere)(10, 50, 10.1, 50.1))
    qtbot.waitUntil(lambda: "shows nothing of the imagery" in reason(dock))
    part(dock, QRadioButton, "AreaWhole").click()
    can_run(qtbot, dock)
    assert dock.area.extent().area() == pytest.approx(aerial.extent().area())


def test_the_size_of_the_map_is_told(qtbot, dock, look_at, aerial):
    look_at(aerial)
    can_run(qtbot, dock)
    assert part(dock, QLabel, "AreaEstimate").text() == "2.5 km × 8.4 km at 2.5 m · 3.4 Mpx"


def test_the_results_fit_the_model(dock, landcover):
    assert dock.results.products() == ["classes", "polygons"]
    height = replace(landcover.outputs[0], task="pixel-regression", classes=())
    dock.results.show_card(replace(landcover, outputs=(height,)))
    assert dock.results.products() == ["regression"]


def test_a_result_that_was_cleared_by_hand_stays_cleared(dock, landcover):
    part(dock, QCheckBox, "Product_polygons").click()
    height = replace(landcover.outputs[0], task="pixel-regression", classes=())
    dock.results.show_card(replace(landcover, outputs=(height,)))
    dock.results.show_card(landcover)
    assert dock.results.products() == ["classes"]


def test_at_least_one_result_is_asked_for(qtbot, dock, look_at, aerial):
    look_at(aerial)
    can_run(qtbot, dock)
    for box in dock.findChildren(QCheckBox):
        box.setChecked(False)
    qtbot.waitUntil(lambda: reason(dock) == "Choose at least one result.")


def test_an_incomplete_card_cannot_be_run(qtbot, dock, window, tmp_path, landcover, look_at, aerial):
    look_at(aerial)
    card = replace(landcover, unknown=("gsd", "slots[0].scaling"))
    path = tmp_path / "x.onnx"
    path.write_bytes(b"")
    path.with_suffix(".json").write_text(json.dumps(card.to_dict()), encoding="utf-8")
    dock.model.open_file(path)
    assert reason(dock) == "The model's card does not tell slots[0].scaling; complete it first."


def test_the_tab_key_goes_from_top_to_bottom(dock):
    widget, names = part(dock, QComboBox, "Model"), []
    while not names or names[-1] != "RunButton":
        if widget.objectName().startswith("FusionMapper") and widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
            names.append(widget.objectName()[len("FusionMapper") :])
        widget = widget.nextInFocusChain()
    assert [name for name in names if not name.startswith("Product")] == [
        *(
            "Model",
            "ModelInfo",
            "ModelImport",
            "ModelTrain",
            "Raster_imagery",
            "Bands_imagery",
            "Vectors_osm",
            "Raster_dem",
        ),
        *("AreaVisible", "AreaWhole", "AreaDrawn", "AreaDraw", "AreaPolygons", "AreaLayer", "AreaSelected"),
        *("Resolution", "Temporary", "SmallestPolygon", "Simplify", "LeastConfidence", "Device", "Unreadable"),
        *("ShowBlocks", "PreviewClear", "PreviewButton", "RunButton"),
    ]
    assert names.index("Resolution") < names.index("Product_classes") < names.index("SmallestPolygon")


def test_the_dock_fits_a_small_screen_and_names_its_parts(dock):
    assert dock.minimumSizeHint().height() <= 580
    for button in dock.findChildren(QAbstractButton):
        if button.objectName().startswith("FusionMapper"):
            assert button.text() or button.accessibleName()
            assert button.toolTip(), button.objectName()
    for combo in dock.findChildren(QComboBox):
        if combo.objectName().startswith("FusionMapper"):
            assert combo.toolTip()


def test_a_click_right_after_the_imagery_was_removed_starts_nothing(qtbot, dock, project, look_at, aerial, elevation):
    look_at(aerial)
    can_run(qtbot, dock)
    project.removeMapLayer(aerial.id())
    part(dock, QPushButton, "RunButton").click()
    assert dock.runs.runs() == []
    assert reason(dock) == "Choose a layer for Imagery."
