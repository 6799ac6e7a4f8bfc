"""The dock's models: the list, the card to read, export, removal, and files that are dropped or opened."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from fusion_mapper.models.library import STARTERS, list_models
from fusion_mapper.plugin import FusionMapperPlugin
from fusion_mapper.toolbox.engine.warm import WarmEngine
from fusion_mapper.toolbox.settings import set_library_folder
from fusion_mapper.ui.cards.view import CardView
from fusion_mapper.ui.importer.dialog import ImportDialog
from fusion_mapper.ui.models.drop_handler import ModelDropHandler
from fusion_mapper.ui.models.list import ModelList
from fusion_mapper.ui.models.picker import ModelPicker
from importing import PATIENCE, button, read
from qgis.core import QgsRasterLayer, QgsSettings
from qgis.PyQt.QtCore import QEvent, Qt, QTimer
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QApplication, QLabel, QMessageBox, QPushButton, QTextBrowser, QToolButton

STARTER = STARTERS / "landcover-rgb-1m.onnx"


@pytest.fixture
def library(tmp_path, qgis_app) -> Path:
    """The library folder, with one model in a folder of its own."""
    folder = tmp_path / "library"
    set_library_folder(folder)
    home = folder / "trees <b>"
    home.mkdir(parents=True)
    shutil.copy(STARTER, home / "trees <b>.onnx")
    item = json.loads(STARTER.with_suffix(".json").read_text(encoding="utf-8"))
    card = {**item["properties"]["fusion:card"], "name": "trees", "title": "Trees <b>", "gsd": 0.5}
    (home / "trees <b>.json").write_text(json.dumps(card), encoding="utf-8")
    QgsSettings().remove("fusion_mapper/dock/model")
    yield folder
    set_library_folder(None)
    QgsSettings().remove("fusion_mapper/dock/model")


@pytest.fixture
def engine(qgis_app):
    engine = WarmEngine()
    yield engine
    engine.close_down()


@pytest.fixture
def picker(qtbot, window, library, project, engine):
    picker = ModelPicker(window.mapCanvas(), engine, window.mainWindow())
    picker.resize(330, 120)
    picker.show()
    yield picker
    picker.close_down()
    qtbot.waitUntil(lambda: not picker.working(), timeout=PATIENCE)


def combo(picker) -> ModelList:
    return picker.findChild(ModelList, "FusionMapperModel")


def view(picker, window) -> CardView:
    """The card, opened by its button."""
    picker.findChild(QToolButton, "FusionMapperModelInfo").click()
    return window.mainWindow().findChild(CardView, "FusionMapperCardView")


def test_an_entry_says_task_gsd_and_what_the_model_is(picker):
    models = combo(picker)
    lines = [models.itemData(i, Qt.ItemDataRole.ToolTipRole) for i in range(models.count())]
    assert lines[models.index_of(STARTER)].startswith("Classes · 1 m · Land cover of aerial pictures")
    assert models.itemText(0) == "Trees <b>"
    assert any(line.startswith("Fields · 10 m") for line in lines)


def test_land_cover_comes_first_while_nothing_else_is_known(picker):
    assert picker.model().path == STARTER


def test_the_model_that_the_layers_suit_is_chosen(window, project, library, shared_data):
    layer = QgsRasterLayer(str(shared_data / "amazon_s2" / "sen2.tif"), "sentinel")
    project.addMapLayer(layer)
    picker = ModelPicker(window.mapCanvas(), None, window.mainWindow())
    assert picker.model().card.gsd == 10.0


def test_what_the_user_chose_stays_whatever_layers_come(picker, window, library, project, aerial):
    models = combo(picker)
    models.setFocus()
    QTest.keyClick(models, Qt.Key.Key_Home)
    chosen = picker.model().path
    assert not picker.by_itself
    picker.choose_fitting()
    assert picker.model().path == chosen
    again = ModelPicker(window.mapCanvas(), None, window.mainWindow())
    assert again.model().path == chosen


def test_the_card_is_shown_as_plain_text(picker, window, library):
    picker.open_file(library / "trees <b>" / "trees <b>.onnx")
    page = view(picker, window).findChild(QTextBrowser, "FusionMapperCardPage").toPlainText()
    assert page.startswith("Trees <b>")
    for words in ("impervious", "roads", "CC0-1.0", "trees <b>.onnx", "required", "Training"):
        assert words in page


def test_starters_cannot_be_removed(picker, window):
    assert not view(picker, window).findChild(QPushButton, "FusionMapperModelRemove").isVisible()


def answer(text: str) -> None:
    """Press a button of the question that is about to come."""

    def press() -> None:
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        next(one for one in box.buttons() if one.text().replace("&", "") == text).click()

    QTimer.singleShot(200, press)


def test_a_model_is_removed_once_the_user_says_so(picker, window, library):
    picker.open_file(library / "trees <b>" / "trees <b>.onnx")
    remove = view(picker, window).findChild(QPushButton, "FusionMapperModelRemove")
    answer("Cancel")
    remove.click()
    assert len(list_models(library)) == 1
    answer("Delete")
    remove.click()
    assert list_models(library) == []
    assert list(library.iterdir()) == []
    assert picker.model() is not None
    assert "Trees <b>" not in [combo(picker).itemText(i) for i in range(combo(picker).count())]


def test_export_tells_where_the_copy_is(qtbot, picker, window, tmp_path):
    card = view(picker, window)
    card.export_to(tmp_path / "out")
    qtbot.waitUntil(lambda: not card.working(), timeout=PATIENCE)
    state = card.findChild(QLabel, "FusionMapperCardState").text()
    assert str(tmp_path / "out" / "landcover-rgb-1m.onnx") in state
    item = json.loads((tmp_path / "out" / "landcover-rgb-1m.json").read_text(encoding="utf-8"))
    assert item["properties"]["mlm:framework"] == "ONNX"
    card.export_to(tmp_path / "out")
    qtbot.waitUntil(lambda: not card.working(), timeout=PATIENCE)
    assert "exists already" in card.findChild(QLabel, "FusionMapperCardState").text()


def test_an_imported_model_is_chosen_and_remembered(qtbot, picker, window, library, shared_data):
    picker.findChild(QToolButton, "FusionMapperModelImport").click()
    dialog = window.mainWindow().findChild(ImportDialog, "FusionMapperImportDialog")
    read(qtbot, dialog, shared_data / "onnx_deepness" / "two_outputs_sigmoid_bsx1x512x512.onnx")
    with qtbot.waitSignal(picker.model_changed, timeout=PATIENCE):
        button(dialog, "Install").click()
    assert picker.model().path.parent.parent == library
    assert not dialog.isVisible()
    again = ModelPicker(window.mapCanvas(), None, window.mainWindow())
    assert again.model().path == picker.model().path


def test_a_file_without_a_card_goes_to_the_import_dialog(qtbot, picker, window, tmp_path):
    before = picker.model()
    bare = tmp_path / "bare.onnx"
    bare.write_bytes(STARTER.read_bytes())
    picker.open_file(bare)
    dialog = window.mainWindow().findChild(ImportDialog, "FusionMapperImportDialog")
    qtbot.waitUntil(lambda: dialog.draft() is not None and not dialog.working(), timeout=PATIENCE)
    assert dialog.draft().card.title == "Land cover, RGB, 1 m"
    assert picker.model() == before


def test_a_file_with_a_card_stays_chosen_when_the_library_is_read_again(picker, tmp_path):
    path = tmp_path / "mine.onnx"
    shutil.copy(STARTER, path)
    shutil.copy(STARTER.with_suffix(".json"), path.with_suffix(".json"))
    picker.open_file(path)
    picker.reload()
    assert picker.model().path == path
    path.unlink()
    picker.reload()
    assert picker.model().path != path


def test_only_model_files_are_taken_from_what_is_dropped(tmp_path):
    model, image = tmp_path / "Model.ONNX", tmp_path / "image.tif"
    for path in (model, image):
        path.write_bytes(b"")
    taken = []
    handler = ModelDropHandler(taken.append)
    assert handler.handleFileDrop(str(model))
    assert not handler.handleFileDrop(str(image))
    assert not handler.handleFileDrop(str(tmp_path / "gone.onnx"))
    assert taken == [model]


def test_the_plugin_takes_dropped_models_until_it_is_unloaded(qtbot, window, library, project, shared_data):
    plugin = FusionMapperPlugin(window)
    plugin.initGui()
    (handler,) = window.drop_handlers
    assert handler.handleFileDrop(str(shared_data / "onnx_deepness" / "dummy_model.onnx"))
    dialog = window.mainWindow().findChild(ImportDialog, "FusionMapperImportDialog")
    assert dialog.isVisible()
    qtbot.waitUntil(lambda: dialog.draft() is not None, timeout=PATIENCE)
    plugin.unload()
    assert window.drop_handlers == []
    # What is deleted later is deleted in the events that follow.
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert window.mainWindow().findChild(ImportDialog, "FusionMapperImportDialog") is None
