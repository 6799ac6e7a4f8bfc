"""What the options under More mean for a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from fusion_mapper.toolbox.settings import OUTPUT_FOLDER, set_output_folder
from fusion_mapper.ui.results.options import ResultOptions
from qgis.core import QgsProcessingUtils
from qgis.gui import QgsFileWidget
from qgis.PyQt.QtWidgets import QCheckBox, QDoubleSpinBox, QWidget


@pytest.fixture
def options(qtbot, qgis_app):
    options = ResultOptions()
    qtbot.addWidget(options)
    return options


def part(options, kind: type[QWidget], name: str) -> QWidget:
    return options.findChild(kind, "FusionMapper" + name)


def test_nothing_is_shaped_to_begin_with(options):
    parameters = options.parameters()
    shaping = [parameters[name] for name in ("MINIMUM_AREA", "SIMPLIFY", "THRESHOLD", "UNREADABLE")]
    assert shaping == [0.0, None, None, "stop"]
    assert part(options, QDoubleSpinBox, "Simplify").text() == "One pixel"
    assert part(options, QDoubleSpinBox, "LeastConfidence").text() == "Keep all"


def test_sizes_are_in_the_units_of_the_algorithm(qtbot, options):
    part(options, QDoubleSpinBox, "SmallestPolygon").setValue(0.25)
    part(options, QDoubleSpinBox, "Simplify").setValue(0)
    with qtbot.waitSignal(options.options_changed):
        part(options, QDoubleSpinBox, "LeastConfidence").setValue(60)
    parameters = options.parameters()
    assert [parameters[name] for name in ("MINIMUM_AREA", "SIMPLIFY", "THRESHOLD")] == [2500.0, 0.0, 0.6]


def test_each_run_has_a_folder_of_its_own_where_the_user_says(options, tmp_path):
    part(options, QgsFileWidget, "Folder").setFilePath(str(tmp_path))
    first, second = options.run_folder(), options.run_folder()
    assert first != second
    assert first.parent == second.parent == options.place() == tmp_path
    assert not first.exists()


def test_the_options_of_qgis_name_the_folder_where_the_panel_names_none(options, tmp_path):
    before = OUTPUT_FOLDER.read()
    set_output_folder(tmp_path)
    try:
        assert options.run_folder().parent == options.place() == tmp_path
    finally:
        OUTPUT_FOLDER.write(before)


def test_temporary_results_go_where_qgis_cleans_up(options, tmp_path):
    part(options, QgsFileWidget, "Folder").setFilePath(str(tmp_path))
    part(options, QCheckBox, "Temporary").click()
    assert options.run_folder().parent == options.place() == Path(QgsProcessingUtils.tempFolder())
    assert not part(options, QgsFileWidget, "Folder").isEnabled()


@pytest.mark.parametrize(("products", "shaped"), [(["classes"], False), (["classes", "polygons"], True), ([], False)])
def test_polygons_are_shaped_only_where_they_are_made(options, products, shaped):
    options.show_products(products)
    assert part(options, QDoubleSpinBox, "Simplify").isEnabled() is shaped
    assert part(options, QDoubleSpinBox, "SmallestPolygon").isEnabled() is shaped
