"""Processing's own dialogs around the algorithms: the form, and the batch table."""

from __future__ import annotations

import pytest
from fusion_mapper.toolbox.provider import ALGORITHMS
from qgis.core import QgsApplication, QgsProcessingOutputLayerDefinition
from qgis.gui import QgsBrowserGuiModel

NAMES = [one().name() for one in ALGORITHMS]


@pytest.fixture
def form(provider, project, qgis_iface, qtbot, monkeypatch):
    """Opens an algorithm's form."""
    from processing.gui.AlgorithmDialog import AlgorithmDialog

    browser = QgsBrowserGuiModel()
    monkeypatch.setattr(qgis_iface, "browserModel", lambda: browser, raising=False)

    def open_form(name: str) -> AlgorithmDialog:
        algorithm = QgsApplication.processingRegistry().createAlgorithmById(f"fusion_mapper:{name}")
        dialog = AlgorithmDialog(algorithm, parent=qgis_iface.mainWindow())
        qtbot.addWidget(dialog)
        return dialog

    return open_form


@pytest.mark.parametrize("name", NAMES)
def test_a_form_opens_for_every_algorithm(form, name):
    assert form(name).mainWidget() is not None


def test_the_form_takes_a_models_name_and_makes_the_class_map_unless_told(form, swellendam):
    dialog = form("map")
    dialog.setParameters({"MODEL": "landcover-rgb-1m", "IMAGERY": [swellendam["aerial"].id()]})
    chosen = dialog.createProcessingParameters()
    assert chosen["MODEL"] == "landcover-rgb-1m"
    assert isinstance(chosen["CLASSES"], QgsProcessingOutputLayerDefinition)
    assert chosen.get("POLYGONS") is None


def test_the_batch_table_has_a_column_for_every_choice(provider, project, qgis_iface, qtbot):
    from processing.gui.BatchAlgorithmDialog import BatchAlgorithmDialog

    algorithm = QgsApplication.processingRegistry().createAlgorithmById("fusion_mapper:map")
    dialog = BatchAlgorithmDialog(algorithm, parent=qgis_iface.mainWindow())
    qtbot.addWidget(dialog)
    table = dialog.mainWidget().tblParameters
    titles = {table.horizontalHeaderItem(column).text() for column in range(table.columnCount())}
    assert {"Model", "Imagery", "OpenStreetMap layers", "Elevation model", "Class map"} <= titles
