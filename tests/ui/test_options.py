"""The options page: what it shows, what it keeps, and what its Test button finds."""

from __future__ import annotations

from pathlib import Path

import pytest
from fusion_mapper.toolbox import settings
from fusion_mapper.ui.options.engine import doctor_text, reasons_text
from fusion_mapper.ui.options.page import PAGE, OptionsFactory, folder_problem
from qgis.core import QgsSettings
from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QCheckBox, QComboBox, QLabel, QPushButton, QSpinBox, QWidget

ENGINE = Path(__file__).resolve().parents[2] / ".venv-engine" / "bin" / "python"


@pytest.fixture(autouse=True)
def unset(qgis_app):
    """Nothing set, before and after."""
    for setting in settings.SETTINGS:
        setting.write(setting.default)
    yield
    for setting in settings.SETTINGS:
        setting.write(setting.default)


@pytest.fixture
def factory(qgis_app):
    return OptionsFactory()


@pytest.fixture
def open_page(factory, qtbot):
    def open_it():
        page = factory.createWidget()
        qtbot.addWidget(page)
        page.show()
        return page

    return open_it


def file_widget(page: QWidget, name: str) -> QgsFileWidget:
    return page.findChild(QgsFileWidget, name)


def shown_under(field: QgsFileWidget) -> list[str]:
    return [label.text() for label in field.parent().findChildren(QLabel) if label.isVisible() and label.text()]


def test_the_dialog_finds_the_page_by_its_name(factory, open_page):
    assert open_page().objectName() == PAGE
    assert factory.title() == "Fusion Mapper"
    assert not factory.icon().isNull()


def test_confirming_an_untouched_page_sets_nothing(open_page):
    open_page().apply()
    assert not [setting.key for setting in settings.SETTINGS if QgsSettings().contains(setting.key)]


def test_what_was_set_is_shown_when_the_page_is_opened_again(open_page, factory, tmp_path, qtbot):
    page = open_page()
    file_widget(page, "FusionMapperLibraryFolder").setFilePath(str(tmp_path / "models"))
    file_widget(page, "FusionMapperOutputFolder").setFilePath(str(tmp_path))
    file_widget(page, "FusionMapperEnginePython").setFilePath(str(ENGINE))
    page.findChild(QComboBox, "FusionMapperDefaultDevice").setCurrentIndex(1)
    page.findChild(QSpinBox, "FusionMapperMemoryCeiling").setValue(4096)
    page.findChild(QCheckBox, "FusionMapperShowBlocks").setChecked(False)
    with qtbot.waitSignal(factory.settings_changed):
        page.apply()
    assert settings.library_folder() == tmp_path / "models"
    assert settings.output_folder() == tmp_path
    assert settings.engine_python() == str(ENGINE)
    assert settings.default_device() == "cpu"
    assert settings.memory_ceiling() == 4096
    assert not settings.show_blocks()
    again = open_page()
    assert file_widget(again, "FusionMapperOutputFolder").filePath() == str(tmp_path)
    assert again.findChild(QComboBox, "FusionMapperDefaultDevice").currentData() == "cpu"
    assert again.findChild(QSpinBox, "FusionMapperMemoryCeiling").value() == 4096


def test_a_folder_that_cannot_be_used_is_told_under_its_field(open_page, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    page = open_page()
    field = file_widget(page, "FusionMapperLibraryFolder")
    field.setFilePath(str(tmp_path / "notes.txt"))
    assert shown_under(field) == ["This is a file; choose a folder."]
    assert not page.isValid()
    field.setFilePath(str(tmp_path))
    assert shown_under(field) == []
    assert page.isValid()


def test_a_folder_that_cannot_be_used_is_not_kept(open_page, tmp_path):
    page = open_page()
    file_widget(page, "FusionMapperLibraryFolder").setFilePath("models")
    file_widget(page, "FusionMapperOutputFolder").setFilePath(str(tmp_path))
    page.apply()
    assert settings.library_folder() == settings.data_folder() / "models"
    assert settings.output_folder() == tmp_path


def test_a_folder_that_is_yet_to_be_made_is_fine(tmp_path):
    assert folder_problem(tmp_path / "a" / "b") == ""
    assert "whole path" in folder_problem(Path("a"))


def test_a_ceiling_too_low_for_one_block_is_raised(open_page, qtbot):
    page = open_page()
    memory = page.findChild(QSpinBox, "FusionMapperMemoryCeiling")
    assert memory.text() == "No limit"
    memory.setValue(5)
    qtbot.keyClick(memory, Qt.Key.Key_Return)
    assert memory.value() == 64


@pytest.mark.skipif(not ENGINE.is_file(), reason="no engine environment")
def test_the_test_button_tells_versions_and_devices(open_page, qtbot):
    page = open_page()
    file_widget(page, "FusionMapperEnginePython").setFilePath(str(ENGINE))
    button = page.findChild(QPushButton, "FusionMapperEngineTest")
    answer = page.findChild(QLabel, "FusionMapperEngineAnswer")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert not button.isEnabled()
    qtbot.waitUntil(button.isEnabled, timeout=60_000)
    assert "OpenVINO" in answer.text()
    assert "Models run on" in answer.text()
    assert "cuda:" in answer.toolTip() or "(CUDA)" in answer.text()


def test_a_python_that_is_no_engine_is_told(open_page, qtbot, tmp_path):
    page = open_page()
    file_widget(page, "FusionMapperEnginePython").setFilePath(str(tmp_path / "python"))
    button = page.findChild(QPushButton, "FusionMapperEngineTest")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(button.isEnabled, timeout=20_000)
    assert "cannot be started" in page.findChild(QLabel, "FusionMapperEngineAnswer").text()


def test_a_page_that_goes_while_the_engine_is_asked_leaves_no_task(open_page, qtbot, qgis_app):
    page = open_page()
    qtbot.mouseClick(page.findChild(QPushButton, "FusionMapperEngineTest"), Qt.MouseButton.LeftButton)
    page.deleteLater()
    qtbot.waitUntil(lambda: qgis_app.taskManager().count() == 0, timeout=20_000)


def test_no_device_is_told_with_the_reasons():
    devices = {"cuda": {"works": False, "reason": "no driver"}}
    report = {"engine": "1", "python": "3.11", "packages": {}, "devices": devices}
    assert "no device of this machine" in doctor_text(report)
    assert reasons_text(report) == "cuda: no driver"
