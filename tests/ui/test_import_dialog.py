"""The import dialog with real model files and the real engine, worked by its widgets."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from fusion_mapper.models.card import Scaling
from fusion_mapper.models.library import STARTERS, list_models
from fusion_mapper.ui.importer.pictures import Picture
from importing import PATIENCE, button, choose, note, part, read, settle, write, write_cell
from qgis.core import QgsRasterLayer
from qgis.PyQt.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from qgis.PyQt.QtGui import QColor, QDragEnterEvent, QDropEvent
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QSpinBox,
    QTableWidget,
    QTextBrowser,
    QWidget,
)

BARE = [
    "dummy_model.onnx",
    "one_output_sigmoid_red_detector.onnx",
    "one_output_softmax_bsx2x512x512.onnx",
    "regression/one_output_sigmoid_bsx512x512.onnx",
]


@pytest.fixture
def samples(shared_data) -> Path:
    return shared_data / "onnx_deepness"


@pytest.fixture
def photo(samples, project) -> QgsRasterLayer:
    """Deepness's test image: a field with red, green and blue strokes."""
    layer = QgsRasterLayer(str(samples / "dummy_fotomap_small.tif"), "photo")
    project.addMapLayer(layer)
    yield layer


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def complete(qtbot, dialog) -> None:
    """What a file without metadata leaves open: scaling, and what the answer is."""
    choose(dialog, "Scaling0", "bytes")
    choose(dialog, "Task0", "semantic-segmentation")
    settle(qtbot, dialog)


def test_without_a_file_nothing_can_be_tried_or_installed(dialog):
    assert part(dialog, QLabel, "Status").text() == "Choose a model file."
    assert not button(dialog, "Install").isEnabled()
    assert not button(dialog, "Try").isEnabled()


def test_a_file_with_metadata_is_complete_at_once(qtbot, dialog, samples):
    read(qtbot, dialog, samples / "two_outputs_softmax_bsx2x512x512.onnx")
    facts = part(dialog, QTextBrowser, "Facts").toPlainText()
    assert "Deepness's metadata inside the file." in facts
    assert "input: batch_size×3×512×512, float32" in facts
    assert "output2: batch_size×2×512×512, float32" in facts
    assert sha(samples / "two_outputs_softmax_bsx2x512x512.onnx")[:12] in facts
    assert part(dialog, QComboBox, "Scaling0").currentData() == "bytes"
    assert button(dialog, "Install").isEnabled()


def test_a_contradiction_is_told_beside_its_field(qtbot, dialog, samples):
    read(qtbot, dialog, samples / "dummy_regression_model.onnx")
    assert "tiles of 256 pixels, but the graph takes only 512" in note(dialog, "tiling.size")
    assert not part(dialog, QSpinBox, "TileSize").isEnabled()


@pytest.mark.parametrize("name", BARE)
def test_a_bare_file_says_what_it_lacks_and_is_completed_tried_and_installed(
    qtbot, dialog, window, library, samples, photo, look_at, name
):
    look_at(photo)
    before = sha(samples / name)
    read(qtbot, dialog, samples / name)
    assert part(dialog, QLabel, "Status").text() == "2 fields are still open; they are marked with ○."
    assert note(dialog, "slots[0].scaling").startswith("Choose how the layer's values become")
    assert note(dialog, "outputs[0].task") == "Choose what the model answers."
    assert note(dialog, "outputs[0].classes").startswith("Assumed.")
    assert not button(dialog, "Install").isEnabled()

    complete(qtbot, dialog)
    assert note(dialog, "slots[0].scaling") == note(dialog, "outputs[0].task") == ""
    qtbot.waitUntil(button(dialog, "Try").isEnabled)
    qtbot.mouseClick(button(dialog, "Try"), Qt.MouseButton.LeftButton)
    result = part(dialog, Picture, "Result")
    qtbot.waitUntil(lambda: not result.image().isNull(), timeout=PATIENCE)
    assert not part(dialog, Picture, "Imagery").image().isNull()
    assert list_models(library) == []

    with qtbot.waitSignal(dialog.installed, timeout=PATIENCE) as installed:
        qtbot.mouseClick(button(dialog, "Install"), Qt.MouseButton.LeftButton)
    (model,) = list_models(library)
    assert str(model.path) == installed.args[0]
    assert model.card.blocking == ()
    assert {channel.scaling for channel in model.card.slots[0].channels} == {Scaling(scale=255.0)}
    assert sha(samples / name) == before


def test_the_result_is_drawn_in_the_classes_colours(qtbot, dialog, samples, photo, look_at):
    look_at(photo)
    read(qtbot, dialog, samples / "one_output_sigmoid_red_detector.onnx")
    complete(qtbot, dialog)
    draft = dialog.draft()
    table = part(dialog, QTableWidget, "Classes0")
    table.cellWidget(0, 2).setColor(QColor("#0000ff"))
    table.cellWidget(1, 2).setColor(QColor("#ff0000"))
    assert [info.color for info in draft.card.outputs[0].classes] == ["#0000ff", "#ff0000"]
    settle(qtbot, dialog)
    qtbot.mouseClick(button(dialog, "Try"), Qt.MouseButton.LeftButton)
    result = part(dialog, Picture, "Result")
    qtbot.waitUntil(lambda: not result.image().isNull(), timeout=PATIENCE)
    image = result.image()
    middle = image.height() // 2
    colors = {QColor(image.pixel(x, middle)).name() for x in range(2, image.width() - 2, 7)}
    assert colors == {"#0000ff", "#ff0000"}


def test_every_field_of_the_model_reaches_the_card(qtbot, dialog, library, samples):
    read(qtbot, dialog, samples / "one_output_sigmoid_red_detector.onnx")
    write(dialog, "Title", "Red things")
    write(dialog, "Name", "red-things")
    write(dialog, "Description", "Finds what is red")
    write(dialog, "Licence", "Apache-2.0")
    write(dialog, "Source", "https://example.org/red")
    gsd = part(dialog, QWidget, "Gsd")
    gsd.setValue(0.1)
    assert note(dialog, "gsd") == ""
    choose(dialog, "Resampling0", "cubic")
    part(dialog, QWidget, "SlotGsd0").setValue(0.25)
    part(dialog, QWidget, "Overlap").setValue(64)
    part(dialog, QWidget, "Radius").setValue(12)
    part(dialog, QWidget, "Threshold0").setValue(0.4)
    write_cell(dialog, "Channels0", 0, 0, "red")
    write_cell(dialog, "Channels0", 1, 2, "127,5")
    write_cell(dialog, "Channels0", 1, 3, "64")
    choose(dialog, "Task0", "semantic-segmentation")
    write_cell(dialog, "Classes0", 1, 1, "red thing")
    write_cell(dialog, "Classes0", 1, 0, "7")
    settle(qtbot, dialog)

    with qtbot.waitSignal(dialog.installed, timeout=PATIENCE):
        qtbot.mouseClick(button(dialog, "Install"), Qt.MouseButton.LeftButton)
    (model,) = list_models(library)
    card, slot, output = model.card, model.card.slots[0], model.card.outputs[0]
    assert (model.name, card.title, card.description) == ("red-things", "Red things", "Finds what is red")
    assert (card.license, card.source, card.gsd) == ("Apache-2.0", "https://example.org/red", 0.1)
    assert (slot.resampling, slot.gsd) == ("cubic", 0.25)
    assert (card.tiling.overlap, card.receptive_radius, output.threshold) == (64, 12, 0.4)
    assert slot.channels[0].name == "red"
    assert slot.channels[1].scaling == Scaling(127.5, 64.0)
    assert [(info.value, info.name) for info in output.classes] == [(0, "background"), (7, "red thing")]


def test_a_regression_is_described_by_units_range_and_factor(qtbot, dialog, samples):
    read(qtbot, dialog, samples / "one_output_sigmoid_red_detector.onnx")
    choose(dialog, "Task0", "pixel-regression")
    assert not part(dialog, QTableWidget, "Classes0").isVisible()
    write(dialog, "Units0", "%")
    write(dialog, "Low0", "0")
    write(dialog, "High0", "100")
    write(dialog, "Factor0", "100")
    output = dialog.draft().card.outputs[0]
    assert (output.task, output.classes, output.units, output.range) == ("pixel-regression", (), "%", (0.0, 100.0))
    assert output.scaling.scale == 100
    write(dialog, "High0", "-5")
    assert "must lie below" in part(dialog, QLabel, "Status").text()
    assert dialog.draft().card.outputs[0].range == (0.0, 100.0)
    choose(dialog, "Task0", "semantic-segmentation")
    assert [info.name for info in dialog.draft().card.outputs[0].classes] == ["background", "object"]


def test_presets_scale_the_channels(qtbot, dialog, samples):
    read(qtbot, dialog, samples / "dummy_model.onnx")
    choose(dialog, "Scaling0", "reflectance")
    assert {channel.scaling.scale for channel in dialog.draft().card.slots[0].channels} == {10000.0}
    choose(dialog, "Scaling0", "imagenet")
    red = dialog.draft().card.slots[0].channels[0].scaling
    assert (red.offset, red.scale) == pytest.approx((123.675, 58.395))
    assert part(dialog, QTableWidget, "Channels0").item(0, 2).text() == "123.675"


def test_what_cannot_be_is_refused_in_place(qtbot, dialog, samples):
    read(qtbot, dialog, samples / "one_output_softmax_bsx2x512x512.onnx")
    complete(qtbot, dialog)
    write_cell(dialog, "Channels0", 0, 3, "many")
    assert "'many' is no number" in part(dialog, QLabel, "Status").text()
    assert part(dialog, QTableWidget, "Channels0").item(0, 3).text() == "255"
    write_cell(dialog, "Classes0", 1, 0, "0")
    assert "use one value twice" in part(dialog, QLabel, "Status").text()
    assert not button(dialog, "Install").isEnabled()
    settle(qtbot, dialog)
    assert "use one value twice" in note(dialog, "outputs[0].classes")
    write_cell(dialog, "Classes0", 1, 0, "3")
    settle(qtbot, dialog)
    assert button(dialog, "Install").isEnabled()


def test_guesses_can_be_accepted(qtbot, dialog, samples):
    read(qtbot, dialog, samples / "dummy_model.onnx")
    accept = dialog.findChild(QPushButton, "FusionMapperImportAccept_outputs[0].activation")
    assert note(dialog, "outputs[0].activation").startswith("Assumed")
    accept.click()
    assert note(dialog, "outputs[0].activation") == ""
    assert "outputs[0].activation" not in dialog.draft().card.unknown


def test_show_next_goes_to_the_open_fields_in_turn(qtbot, dialog, samples):
    read(qtbot, dialog, samples / "dummy_model.onnx")
    dialog.activateWindow()
    for name in ("Scaling0", "Task0", "Scaling0"):
        button(dialog, "Next").click()
        combo = part(dialog, QComboBox, name)
        qtbot.waitUntil(lambda combo=combo: dialog.form._shown is combo)
        assert not combo.visibleRegion().isEmpty()
    complete(qtbot, dialog)
    assert not button(dialog, "Next").isVisible()


def test_a_taken_name_is_asked_about(qtbot, dialog, library, samples):
    source = samples / "one_output_sigmoid_bsx1x512x512.onnx"
    read(qtbot, dialog, source)
    with qtbot.waitSignal(dialog.installed, timeout=PATIENCE):
        button(dialog, "Install").click()
    dialog.show()
    read(qtbot, dialog, source)
    write(dialog, "Title", "Another title")
    settle(qtbot, dialog)

    answer(qtbot, "Other Name")
    button(dialog, "Install").click()
    assert list_models(library)[0].card.title != "Another title"
    assert dialog.isVisible()

    answer(qtbot, "Replace")
    with qtbot.waitSignal(dialog.installed, timeout=PATIENCE):
        button(dialog, "Install").click()
    assert [model.card.title for model in list_models(library)] == ["Another title"]


@pytest.mark.parametrize("name", ["..", "a/b", "end.", "two words"])
def test_a_name_that_is_no_folder_is_refused_beside_its_field(qtbot, dialog, samples, name):
    read(qtbot, dialog, samples / "two_outputs_softmax_bsx2x512x512.onnx")
    write(dialog, "Name", name)
    settle(qtbot, dialog)
    assert note(dialog, "name").startswith("The name in the library begins")
    assert not button(dialog, "Install").isEnabled()
    write(dialog, "Name", "two-classes_2.1")
    settle(qtbot, dialog)
    assert note(dialog, "name") == ""
    assert button(dialog, "Install").isEnabled()


def answer(qtbot, text: str) -> None:
    """Press a button of the question that is about to come."""

    def press() -> None:
        box = QApplication.activeModalWidget()
        assert isinstance(box, QMessageBox)
        next(button for button in box.buttons() if button.text().replace("&", "") == text).click()

    QTimer.singleShot(200, press)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("broken.onnx", b"this is no graph", "broken.onnx is not an ONNX model, or is cut short."),
        ("empty.onnx", b"", "empty.onnx is not an ONNX model, or is cut short."),
        ("<b>bold.onnx", b"\x08\x07", "<b>bold.onnx is not an ONNX model, or is cut short."),
    ],
)
def test_a_file_that_is_no_model_gets_a_sentence(qtbot, dialog, tmp_path, name, content, sentence):
    path = tmp_path / name
    path.write_bytes(content)
    dialog.open_file(path)
    facts = part(dialog, QTextBrowser, "Facts")
    qtbot.waitUntil(lambda: facts.toPlainText() == sentence, timeout=PATIENCE)
    assert not button(dialog, "Install").isEnabled()


def test_a_file_that_is_gone_gets_a_sentence(qtbot, dialog, tmp_path):
    dialog.open_file(tmp_path / "gone.onnx")
    facts = part(dialog, QTextBrowser, "Facts")
    qtbot.waitUntil(lambda: "gone.onnx cannot be read" in facts.toPlainText(), timeout=PATIENCE)


def drop(widget: QWidget, *paths: Path) -> bool:
    """Drag files onto a widget and let go; whether they were wanted."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    actions, buttons, keys = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(5, 5), actions, mime, buttons, keys)
    enter.ignore()
    QApplication.sendEvent(widget, enter)
    if enter.isAccepted():
        QApplication.sendEvent(widget, QDropEvent(QPointF(5, 5), actions, mime, buttons, keys))
    return enter.isAccepted()


def test_a_file_is_dropped_on_the_dialog(qtbot, dialog, samples):
    assert not drop(dialog, samples / "dummy_fotomap_small.tif")
    assert drop(dialog, samples / "two_outputs_sigmoid_bsx1x512x512.onnx")
    qtbot.waitUntil(lambda: dialog.draft() is not None, timeout=PATIENCE)
    assert dialog.draft().card.name == "two_outputs_sigmoid_bsx1x512x512"
    assert not part(dialog, QLineEdit, "Title").acceptDrops()


def test_after_an_installation_the_dialog_is_empty_again(qtbot, dialog, library, samples):
    read(qtbot, dialog, samples / "two_outputs_softmax_bsx2x512x512.onnx")
    with qtbot.waitSignal(dialog.installed, timeout=PATIENCE):
        button(dialog, "Install").click()
    dialog.show()
    qtbot.waitUntil(lambda: part(dialog, QLabel, "Status").text() == "Choose a model file.")
    assert dialog.draft() is None
    assert dialog.trial.rows() == []
    assert not button(dialog, "Try").isEnabled()


def test_our_own_model_comes_complete(qtbot, dialog, samples):
    read(qtbot, dialog, STARTERS / "landcover-rgb-1m.onnx")
    assert "It agrees with the graph." in part(dialog, QTextBrowser, "Facts").toPlainText()
    assert [slot.role for slot in dialog.draft().card.slots] == ["imagery", "osm", "dem"]
    assert button(dialog, "Install").isEnabled()


def test_cancelling_the_trial_leaves_the_dialog_ready(qtbot, dialog, samples, photo, look_at):
    look_at(photo)
    read(qtbot, dialog, samples / "two_outputs_softmax_bsx2x512x512.onnx")
    attempt = button(dialog, "Try")
    qtbot.waitUntil(attempt.isEnabled)
    attempt.click()
    assert attempt.text() == "Cancel"
    attempt.click()
    qtbot.waitUntil(lambda: not dialog.trial.working(), timeout=PATIENCE)
    assert attempt.text().replace("&", "") == "Try It"
    assert attempt.isEnabled()


def test_the_dialog_fits_a_small_screen_and_names_its_parts(qtbot, dialog, samples):
    read(qtbot, dialog, STARTERS / "landcover-rgb-1m.onnx")
    assert dialog.width() <= 1280
    assert dialog.height() <= 680
    assert dialog.minimumSizeHint().height() <= 640
    for widget in (*dialog.findChildren(QAbstractButton), *dialog.findChildren(QComboBox)):
        if widget.objectName().startswith("FusionMapperImport"):
            assert widget.accessibleName() or getattr(widget, "text", str)(), widget.objectName()


def test_escape_closes_the_dialog(qtbot, dialog):
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
