"""The labels in the training dialog: what is counted in them, what is said of them, and that drawing is followed."""

from __future__ import annotations

import pytest
from fusion_mapper.ui.training.labels import TrainingLabels
from fusion_mapper.ui.training.survey import ClassCount, Survey, surveyor
from fusion_mapper.ui.training.verdicts import CLASSES, FIELDS, VALUES, notes_of, problem_of
from qgis.core import QgsFeature, QgsGeometry, QgsRasterLayer, QgsRectangle, QgsVectorLayer
from qgis.gui import QgsColorButton, QgsFieldComboBox, QgsMapLayerComboBox
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtWidgets import QComboBox


@pytest.fixture
def polygons(shared_data, project) -> QgsVectorLayer:
    """25 polygons of four classes beside the Trombetas."""
    path = shared_data / "amazon_s2" / "trainingPolygons_sen2.gpkg"
    layer = QgsVectorLayer(str(path), "trainingPolygons", "ogr")
    assert layer.isValid()
    project.addMapLayer(layer)
    return layer


@pytest.fixture
def drawn(project) -> QgsVectorLayer:
    """An empty layer to draw into."""
    layer = QgsVectorLayer("Polygon?crs=EPSG:4326&field=class:string", "my labels", "memory")
    project.addMapLayer(layer)
    return layer


@pytest.fixture
def labels(qtbot, project):
    pane = TrainingLabels()
    qtbot.addWidget(pane)
    pane.show()
    yield pane
    pane.close_down()


def counted(qtbot, pane: TrainingLabels) -> dict[str, int]:
    qtbot.waitUntil(lambda: pane.survey() is not None)
    return {one.name: one.count for one in pane.survey().classes}


def draw(layer: QgsVectorLayer, *names) -> None:
    for name in names:
        feature = QgsFeature(layer.fields())
        feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(0, 0, 1, 1)))
        feature["class"] = name
        assert layer.addFeature(feature)


def rows(pane: TrainingLabels) -> list[tuple[str, str]]:
    table = pane.table
    return [(table.item(row, 1).text(), table.item(row, 2).text()) for row in range(table.rowCount())]


def choose(pane: TrainingLabels, layer) -> None:
    pane.findChild(QgsMapLayerComboBox, "FusionMapperTrainLabels").setLayer(layer)


def take(pane: TrainingLabels, task: str) -> None:
    box = pane.findChild(QComboBox, "FusionMapperTrainTask")
    box.setCurrentIndex(box.findData(task))


def test_labels_are_proposed_with_their_class_field(qtbot, labels, polygons):
    labels.propose()
    assert (labels.layer(), labels.field()) == (polygons, "class")
    assert counted(qtbot, labels) == {"dryout": 4, "forest": 8, "village": 9, "water": 4}
    assert labels.problem() == ""


def test_the_classes_are_shown_with_their_polygons(qtbot, labels, polygons):
    choose(labels, polygons)
    counted(qtbot, labels)
    assert rows(labels) == [("dryout", "4"), ("forest", "8"), ("village", "9"), ("water", "4")]


def test_what_is_drawn_is_counted_before_it_is_saved(qtbot, labels, drawn):
    choose(labels, drawn)
    qtbot.waitUntil(lambda: labels.problem().startswith("The labels are empty"))
    drawn.startEditing()
    draw(drawn, "water", "water")
    qtbot.waitUntil(lambda: labels.problem().startswith("All labels are 'water'"))
    draw(drawn, "forest", None)
    qtbot.waitUntil(lambda: rows(labels) == [("forest", "1"), ("water", "2")])
    assert labels.survey().without == 1
    drawn.rollBack()


def test_a_chosen_colour_goes_with_all_classes_to_the_training(qtbot, labels, polygons):
    choose(labels, polygons)
    counted(qtbot, labels)
    assert labels.classes() == ""
    labels.table.findChild(QgsColorButton, "FusionMapperTrainColor_3").setColor(QColor("#112233"))
    assert labels.classes().splitlines()[-1] == "4:water #112233"
    assert len(labels.classes().splitlines()) == 4


def test_values_are_learned_from_numbers_alone(qtbot, labels, shared_data, project):
    layer = QgsVectorLayer(str(shared_data / "loon_lake" / "vri2023.gpkg"), "inventory", "ogr")
    project.addMapLayer(layer)
    choose(labels, layer)
    take(labels, VALUES)
    field = labels.findChild(QgsFieldComboBox, "FusionMapperTrainField")
    field.setField("CROWN_CLOSURE")
    qtbot.waitUntil(lambda: labels.survey() is not None)
    low, high = labels.survey().numbers
    assert 0 <= low < high <= 100
    assert labels.problem() == ""
    assert not labels.table.isVisible()


def test_the_project_s_layers_may_go(qtbot, labels, drawn, project):
    choose(labels, drawn)
    project.removeMapLayer(drawn.id())
    assert labels.layer() is None
    assert labels.problem() == "Choose the labels to learn from."


def test_a_class_raster_is_counted_in_pixels(shared_data, qgis_app):
    layer = QgsRasterLayer(str(shared_data / "swiss_forest" / "TLM5c_2585_1098.tif"), "classes")
    assert layer.isValid()
    survey = surveyor(layer, "")()
    assert survey.kind == "pixels"
    assert sum(one.count for one in survey.classes) == survey.total > 100_000
    assert all(one.value is not None for one in survey.classes)


@pytest.mark.parametrize(
    ("survey", "task", "says"),
    [
        (Survey("polygons"), CLASSES, "The labels are empty"),
        (Survey("polygons", total=3, without=3), CLASSES, "None of the labels has a class"),
        (Survey("points", total=3), FIELDS, "Fields are learned from polygons"),
        (Survey("points", total=3), VALUES, "The values are to be numbers"),
    ],
)
def test_what_cannot_be_learned_from_is_told(survey, task, says):
    assert problem_of(survey, task).startswith(says)


def test_fields_need_no_class():
    assert problem_of(Survey("polygons", total=12, without=12), FIELDS) == ""


def test_a_class_with_very_few_labels_is_told():
    classes = (ClassCount("forest", None, 8, "#117733"), ClassCount("dryout", None, 1, "#0072b2"))
    (note,) = notes_of(Survey("polygons", classes, total=9), CLASSES)
    assert note.startswith("Very few labels: 'dryout' (1).")


def test_a_field_of_names_is_no_field_of_classes():
    classes = tuple(ClassCount(str(number), number, 1, "#000000") for number in range(588))
    assert "588 different values" in problem_of(Survey("polygons", classes, total=588), CLASSES)
