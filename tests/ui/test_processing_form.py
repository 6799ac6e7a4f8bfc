"""Processing's own windows around the algorithms that take a model: form, batch table, model designer."""

from __future__ import annotations

from pathlib import Path

import pytest
from fusion_mapper.plugin import FORM_WIDGETS
from fusion_mapper.toolbox.provider import FusionMapperProvider
from fusion_mapper.toolbox.widgets import use_widgets
from osgeo import gdal
from qgis.core import (
    QgsApplication,
    QgsProcessingContext,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
)
from qgis.gui import QgsBrowserGuiModel, QgsFileWidget, QgsProcessingModelerParameterWidget
from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtWidgets import QApplication, QComboBox, QFileDialog, QLabel, QToolButton, QWidget

FORM_MODEL = "FusionMapperFormModel"


@pytest.fixture
def toolbox(qgis_app, qgis_processing):
    """The provider as the window has it."""
    use_widgets({kind: f"fusion_mapper.ui.{name}" for kind, name in FORM_WIDGETS.items()})
    provider = FusionMapperProvider()
    QgsApplication.processingRegistry().addProvider(provider)
    yield provider
    QgsApplication.processingRegistry().removeProvider(provider)
    use_widgets({})


@pytest.fixture
def main_window(qgis_iface, monkeypatch):
    browser = QgsBrowserGuiModel()
    monkeypatch.setattr(qgis_iface, "browserModel", lambda: browser, raising=False)
    return qgis_iface.mainWindow()


@pytest.fixture
def open_form(toolbox, main_window, project, qtbot):
    def open_it(name: str):
        from processing.gui.AlgorithmDialog import AlgorithmDialog

        dialog = AlgorithmDialog(toolbox.algorithm(name).create(), parent=main_window)
        qtbot.addWidget(dialog)
        return dialog

    return open_it


def combo(dialog) -> QComboBox:
    return dialog.findChild(QComboBox, FORM_MODEL)


def verdicts(dialog) -> list[str]:
    shown = dialog.findChild(QWidget, "FusionMapperFormVerdicts")
    return [label.text() for label in shown.findChildren(QLabel)]


def test_the_form_offers_the_installed_models_and_keeps_their_names(open_form):
    dialog = open_form("map")
    offered = [combo(dialog).itemData(index) for index in range(combo(dialog).count())]
    assert {"landcover-rgb-1m", "treecover-10m"} <= set(offered)
    dialog.setParameters({"MODEL": "landcover-rgb-1m"})
    assert dialog.createProcessingParameters()["MODEL"] == "landcover-rgb-1m"
    assert combo(dialog).currentText() != "landcover-rgb-1m"


def test_the_form_takes_a_file_and_a_title(open_form, tmp_path):
    dialog = open_form("map")
    dialog.setParameters({"MODEL": str(tmp_path / "mine.onnx")})
    assert dialog.createProcessingParameters()["MODEL"] == str(tmp_path / "mine.onnx")
    titled = combo(dialog).itemText(combo(dialog).findData("treecover-10m"))
    dialog.setParameters({"MODEL": titled})
    assert combo(dialog).currentData() == "treecover-10m"


def test_a_model_that_is_not_required_can_be_none(open_form):
    dialog = open_form("stack")
    assert combo(dialog).currentText() == "None"
    assert not dialog.createProcessingParameters()["MODEL"]


def test_the_form_tells_what_the_slots_think_of_the_chosen_layers(open_form, qtbot, aerial, elevation, roads):
    dialog = open_form("map")
    dialog.setParameters({"MODEL": "landcover-rgb-1m"})
    qtbot.waitUntil(lambda: "Choose a layer; the model cannot work without it." in verdicts(dialog))
    dialog.setParameters({"IMAGERY": [aerial.id()], "DEM": elevation.id(), "OSM": [roads.id()]})
    qtbot.waitUntil(lambda: any("elevation for a model trained with" in text for text in verdicts(dialog)))
    said = verdicts(dialog)
    assert {"Imagery *", "OSM", "Elevation"} <= set(said)
    assert "Choose a layer; the model cannot work without it." not in said
    dialog.setParameters({"MODEL": "treecover-10m"})
    qtbot.waitUntil(lambda: any("alpha" in text and "nir" in text for text in verdicts(dialog)))
    assert any("say so in Advanced Parameters" in text for text in verdicts(dialog))


def test_the_form_says_that_there_is_no_such_model(open_form, qtbot):
    dialog = open_form("map")
    dialog.setParameters({"MODEL": "nonsense"})
    qtbot.waitUntil(lambda: any("There is no model 'nonsense'" in text for text in verdicts(dialog)))


def test_the_buttons_of_the_form_are_named(open_form):
    dialog = open_form("map")
    browse = dialog.findChild(QToolButton, "FusionMapperFormModelBrowse")
    assert browse.accessibleName()
    assert browse.toolTip()
    assert combo(dialog).accessibleName() == "Model"


def test_the_batch_table_chooses_models_by_name(toolbox, main_window, project, qtbot):
    from processing.gui.BatchAlgorithmDialog import BatchAlgorithmDialog

    dialog = BatchAlgorithmDialog(toolbox.algorithm("map").create(), parent=main_window)
    qtbot.addWidget(dialog)
    panel = dialog.mainWidget()
    panel.addRow(2)
    boxes = panel.tblParameters.findChildren(QComboBox, FORM_MODEL)
    assert len(boxes) == 3
    boxes[0].setCurrentIndex(boxes[0].findData("fields-10m"))
    # What Autofill, Fill Down does.
    column = panel.parameter_to_column["MODEL"]
    panel.tblParameters.cellWidget(0, column).fillDown()
    assert [panel.valueForParameter(row, "MODEL") for row in range(3)] == ["fields-10m"] * 3


@pytest.fixture
def batch(toolbox, main_window, project, qtbot):
    """The batch table of the map, with a function that fills the imagery column as Select Files… does."""
    from processing.gui.BatchAlgorithmDialog import BatchAlgorithmDialog

    dialog = BatchAlgorithmDialog(toolbox.algorithm("map").create(), parent=main_window)
    qtbot.addWidget(dialog)
    return dialog.mainWidget()


def rasters(folder: Path, *names: str) -> list[str]:
    """Small files, since QGIS's cell drops what it cannot open."""
    paths = [str(folder / f"{name}.tif") for name in names]
    for path in paths:
        gdal.GetDriverByName("GTiff").Create(path, 4, 4, 3)
    return paths


def select_files(panel, files: list[str]) -> None:
    autofill = panel.tblParameters.cellWidget(0, panel.parameter_to_column["IMAGERY"])
    first = autofill.findStartingRow()
    for number, file in enumerate(files):
        autofill.setRowValue(first + number, file, QgsProcessingContext())


def test_many_rasters_fill_the_batch_table_from_the_first_row(batch, tmp_path):
    files = rasters(tmp_path, "north", "east", "south")
    select_files(batch, files)
    assert [batch.valueForParameter(row, "IMAGERY") for row in range(batch.batchRowCount())] == files


def fill_with_imagery() -> None:
    """Answer the dialog that QGIS shows once an output's file was chosen: fill with the values of Imagery."""
    dialog = QApplication.activeModalWidget()
    dialog.cmbFillType.setCurrentIndex(dialog.FILL_WITH_PARAMETER)
    dialog.cmbParameters.setCurrentIndex(dialog.cmbParameters.findData("IMAGERY"))
    dialog.accept()


def test_outputs_of_a_batch_are_named_after_the_imagery(batch, tmp_path, monkeypatch):
    select_files(batch, rasters(tmp_path, "north", "south"))
    chosen = (str(tmp_path / "map_.tif"), "TIF files (*.tif)")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: chosen)
    column = batch.parameter_to_column["CLASSES"]
    QTimer.singleShot(0, fill_with_imagery)
    batch.tblParameters.cellWidget(1, column).showSelectionDialog()
    named = [batch.tblParameters.cellWidget(row, column).getValue() for row in (1, 2)]
    assert named == [str(tmp_path / "map_north.tif"), str(tmp_path / "map_south.tif")]


def test_several_rasters_of_one_row_stay_a_list(batch, tmp_path):
    both = rasters(tmp_path, "red", "green")
    batch.wrappers[0][batch.parameter_to_column["IMAGERY"]].setParameterValue(both, QgsProcessingContext())
    assert batch.valueForParameter(0, "IMAGERY") == both


def test_the_model_designer_takes_inputs_and_completes_names(toolbox, main_window, project, qtbot):
    from processing.modeler.ModelerParametersDialog import ModelerParametersDialog

    algorithm = toolbox.algorithm("map").create()
    dialog = ModelerParametersDialog(algorithm, QgsProcessingModelAlgorithm("test", "tests"))
    qtbot.addWidget(dialog)
    wrapper = dialog.widget.widget.wrappers["MODEL"]
    assert isinstance(wrapper, QgsProcessingModelerParameterWidget)
    field = wrapper.findChild(QgsFileWidget)
    field.lineEdit().setText("landcover-rgb-1m")
    assert field.lineEdit().completer().completionCount() >= 1
    source = wrapper.value()
    child = QgsProcessingModelChildAlgorithm(algorithm.id())
    child.addParameterSources("MODEL", [source] if not isinstance(source, list) else source)
    assert child.parameterSources()["MODEL"][0].staticValue() == "landcover-rgb-1m"


def test_without_a_window_the_parameter_is_a_plain_file(qgis_app, qgis_processing):
    provider = FusionMapperProvider()
    QgsApplication.processingRegistry().addProvider(provider)
    try:
        definition = provider.algorithm("map").parameterDefinition("MODEL")
        assert "widget_wrapper" not in definition.metadata()
        assert definition.checkValueIsAcceptable("landcover-rgb-1m", QgsProcessingContext())
    finally:
        QgsApplication.processingRegistry().removeProvider(provider)
