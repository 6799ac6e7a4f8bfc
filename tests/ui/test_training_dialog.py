"""The training dialog: what it proposes, what it hands to the algorithm, and a training from its buttons."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fusion_mapper.models.library import list_models
from fusion_mapper.toolbox.algorithms.train import TrainAlgorithm
from fusion_mapper.toolbox.settings import library_folder
from fusion_mapper.ui.training.dialog import TrainingDialog
from fusion_mapper.ui.training.figures import read_figures
from fusion_mapper.ui.training.parameters import evaluate_parameters, train_parameters
from fusion_mapper.ui.training.work import STOP, TrainingState
from qgis.core import (
    QgsFeature,
    QgsGeometry,
    QgsProcessingContext,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.gui import QgsCheckableComboBox, QgsMapLayerComboBox
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QAbstractButton, QComboBox, QLabel, QLineEdit, QPushButton, QSpinBox

ROOT = Path(__file__).resolve().parents[2]
TRAINER = Path(os.environ.get("FUSION_MAPPER_TRAINER") or ROOT / ".venv-train" / "bin" / "python")


@pytest.fixture
def trainer() -> Path:
    """The Python with torch; absent it skips, except under CI."""
    if not TRAINER.is_file():
        message = f"the environment for training is not at {TRAINER}; run `make setup-train`"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    return TRAINER


@pytest.fixture
def scene(shared_data, project) -> dict:
    """Imagery, elevation and labels of a place beside the Trombetas."""
    folder = shared_data / "amazon_s2"
    layers = {
        "dem": QgsRasterLayer(str(folder / "srtm_sen2.tif"), "srtm_sen2"),
        "imagery": QgsRasterLayer(str(folder / "sen2.tif"), "sen2"),
        "labels": QgsVectorLayer(str(folder / "trainingPolygons_sen2.gpkg"), "trainingPolygons", "ogr"),
    }
    for layer in layers.values():
        assert layer.isValid()
        project.addMapLayer(layer)
    return layers


@pytest.fixture
def training(qtbot, window, provider, project, library):
    """The dialog, shown, with an empty library."""
    dialog = TrainingDialog(window.mainWindow())
    dialog.show()
    yield dialog
    dialog.close_down()
    qtbot.waitUntil(lambda: not dialog.working())
    dialog.let_go()
    dialog.deleteLater()


def part(dialog: TrainingDialog, kind, name: str):
    return dialog.findChild(kind, f"FusionMapperTrain{name}")


def ready(qtbot, dialog: TrainingDialog) -> None:
    qtbot.waitUntil(lambda: part(dialog, QPushButton, "Start").isEnabled())


def make_quick(dialog: TrainingDialog, epochs: int) -> None:
    """Epochs of a second or two."""
    for name, value in (("Epochs", epochs), ("Steps", 1), ("Chip", 16), ("Batch", 1), ("Patience", 0)):
        part(dialog, QSpinBox, name).setValue(value)


def until_epoch(qtbot, dialog: TrainingDialog, index: int) -> None:
    def there() -> bool:
        assert dialog.work.active, dialog.work.sentence
        epochs = dialog.watch.curve.epochs()
        return bool(epochs) and epochs[-1].index >= index and dialog.work.epochs > 0

    qtbot.waitUntil(there)


def until_ended(qtbot, dialog: TrainingDialog) -> TrainingState:
    qtbot.waitUntil(lambda: not dialog.work.active)
    return dialog.work.state


def test_layers_and_labels_are_found_by_themselves(qtbot, training, scene):
    ready(qtbot, training)
    assert training.layers.imagery() == scene["imagery"]
    assert training.layers.layers("dem") == [scene["dem"]]
    assert training.labels.layer() == scene["labels"]
    assert part(training, QLineEdit, "Name").text() == "trainingPolygons of sen2"


def test_the_algorithm_takes_what_the_dialog_hands_to_it(qtbot, training, scene, tmp_path):
    ready(qtbot, training)
    parameters = train_parameters("Land cover", training.layers, training.labels, training.how, tmp_path, False)
    algorithm = TrainAlgorithm()
    algorithm.initAlgorithm()
    assert set(parameters) <= {one.name() for one in algorithm.parameterDefinitions()}
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    assert algorithm.checkParameterValues(parameters, context) == (True, "")
    job = algorithm.collect(parameters, context).job
    assert (job.name, job.title, job.strategy) == ("Land-cover", "Land cover", "stack")


def test_bands_can_be_left_out(qtbot, training, scene, tmp_path):
    ready(qtbot, training)
    bands = part(training, QgsCheckableComboBox, "Bands")
    assert bands.count() == 12
    for index in range(4, 12):
        bands.setItemCheckState(index, Qt.CheckState.Unchecked)
    parameters = train_parameters("x", training.layers, training.labels, training.how, tmp_path, False)
    assert parameters["IMAGERY"] == []
    assert parameters["SLOTS"] == f"imagery={scene['imagery'].id()}:1,2,3,4"
    bands.deselectAllOptions()
    assert training.problem() == "Tick at least one band of the imagery."


def test_a_prior_is_asked_for_by_the_way_of_fusion_that_needs_one(qtbot, training, scene):
    ready(qtbot, training)
    box = training.findChild(QgsMapLayerComboBox, "FusionMapperTrain_prior")
    assert not box.isVisible()
    strategy = part(training, QComboBox, "Strategy")
    strategy.setCurrentIndex(strategy.findData("proc-stack"))
    qtbot.waitUntil(lambda: box.isVisibleTo(training))
    assert training.problem() == "Choose a coarse class raster, or another way of fusion."


def test_every_way_of_fusion_has_a_sentence(training):
    strategy, sentence = part(training, QComboBox, "Strategy"), part(training, QLabel, "StrategyText")
    told = set()
    for index in range(strategy.count()):
        strategy.setCurrentIndex(index)
        told.add(sentence.text())
    assert len(told) == strategy.count() == 7


def test_labels_beside_the_imagery_are_refused(qtbot, training, scene, shared_data, project):
    ready(qtbot, training)
    away = QgsVectorLayer("Polygon?crs=EPSG:4326&field=class:string", "away", "memory")
    project.addMapLayer(away)
    away.startEditing()
    for name in ("water", "forest"):
        feature = QgsFeature(away.fields())
        feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(7, 46, 7.1, 46.1)))
        feature["class"] = name
        away.addFeature(feature)
    away.commitChanges()
    training.findChild(QgsMapLayerComboBox, "FusionMapperTrainLabels").setLayer(away)
    qtbot.waitUntil(lambda: training.problem().startswith("The labels 'away' lie outside the imagery 'sen2'"))


def test_labels_are_no_layer_to_learn_from(qtbot, training, scene):
    ready(qtbot, training)
    training.findChild(QgsMapLayerComboBox, "FusionMapperTrain_imagery").setLayer(scene["dem"])
    training.findChild(QgsMapLayerComboBox, "FusionMapperTrainLabels").setLayer(scene["dem"])
    qtbot.waitUntil(lambda: "is chosen as labels and as a layer" in training.problem())


def test_a_name_is_needed(qtbot, training, scene):
    ready(qtbot, training)
    name = part(training, QLineEdit, "Name")
    name.setText(" ")
    training._named = True
    assert training.problem() == "Give the model a name."


def test_a_stopped_training_keeps_its_best_epoch(qtbot, trainer, training, scene, tmp_path):
    ready(qtbot, training)
    make_quick(training, epochs=500)
    part(training, QPushButton, "Start").click()
    assert not part(training, QPushButton, "Stop").isEnabled()
    until_epoch(qtbot, training, 1)
    assert part(training, QPushButton, "Stop").isEnabled()
    assert part(training, QLabel, "State").text().startswith("Epoch ")
    part(training, QPushButton, "Stop").click()
    assert until_ended(qtbot, training) is TrainingState.FINISHED, training.work.sentence
    (model,) = list_models(library_folder())
    assert str(model.path) == training.work.results["MODEL"]
    assert {info.name for info in model.card.outputs[0].classes} == {"dryout", "forest", "village", "water"}
    assert part(training, QLabel, "Figures").text().startswith("mIoU ")
    with qtbot.waitSignal(training.model_asked) as asked:
        part(training, QPushButton, "Map").click()
    assert asked.args == [str(model.path)]
    with qtbot.waitSignal(training.evaluate_asked) as asked:
        part(training, QPushButton, "Evaluate").click()
    assert asked.args[0]["MODEL"] == str(model.path)
    assert "LABELS" not in asked.args[0]


def test_a_cancelled_training_goes_on_where_it_was(qtbot, trainer, training, scene):
    ready(qtbot, training)
    make_quick(training, epochs=500)
    part(training, QPushButton, "Start").click()
    until_epoch(qtbot, training, 2)
    part(training, QPushButton, "Cancel").click()
    assert until_ended(qtbot, training) is TrainingState.CANCELLED
    done = training.watch.curve.epochs()[-1].index
    assert list_models(library_folder()) == []
    assert "Resume goes on" in part(training, QLabel, "State").text()
    part(training, QPushButton, "Resume").click()
    until_epoch(qtbot, training, done + 1)
    # All epochs of before are still there, and none was trained again.
    assert [one.index for one in training.watch.curve.epochs()][: done + 1] == list(range(1, done + 2))
    assert training.work.epochs <= training.watch.curve.epochs()[-1].index - done + 1


def test_a_refused_training_is_told_and_the_choices_stay(qtbot, trainer, training, scene, monkeypatch, tmp_path):
    ready(qtbot, training)
    nowhere = tmp_path / "python"
    monkeypatch.setenv("FUSION_MAPPER_TRAINER", str(nowhere))
    part(training, QPushButton, "Start").click()
    assert training.work.state is TrainingState.FAILED
    assert part(training, QLabel, "State").text() == (
        f"FUSION_MAPPER_TRAINER names {nowhere}, which does not exist; correct it."
    )
    assert training.layers.imagery() == scene["imagery"]
    assert part(training, QPushButton, "Start").isEnabled()


def test_the_stop_file_is_the_one_that_the_engine_looks_for():
    text = (ROOT / "inference" / "learnjob.py").read_text(encoding="utf-8")
    assert f'STOP = "{STOP}"' in text


def test_figures_are_told_by_class():
    figures = read_figures('{"score": 0.5, "miou": 0.5, "accuracy": 0.75, "iou_water": 0.9, "n": 1200}')
    assert figures.line == "mIoU 0.5 · accuracy 0.75 · on 1,200 pixels apart from the training"
    assert figures.classes == (("water", 0.9),)


def test_an_evaluation_takes_the_layers_of_the_training():
    trained = {
        "IMAGERY": ["a"],
        "DEM": "b",
        "OSM": [],
        "TASK": "semantic-segmentation",
        "FIELD": "class",
        "LABELS": "l",
    }
    asked = evaluate_parameters(trained, "m.onnx", "Land cover")
    assert asked == {
        "MODEL": "m.onnx", "TITLE": "Land cover", "IMAGERY": ["a"], "DEM": "b", "TASK": "semantic-segmentation",
    }  # fmt: skip


def test_the_dialog_fits_a_small_screen_and_names_its_parts(training):
    assert training.minimumSizeHint().height() <= 580
    buddies = {label.buddy() for label in training.findChildren(QLabel)}
    for button in training.findChildren(QAbstractButton):
        if button.objectName().startswith("FusionMapper"):
            assert button.toolTip() or button.objectName() == "FusionMapperTrainClose", button.objectName()
    for kind in (QComboBox, QLineEdit, QSpinBox):
        for field in training.findChildren(kind):
            if field.objectName().startswith("FusionMapper"):
                assert field in buddies or field.accessibleName(), field.objectName()
