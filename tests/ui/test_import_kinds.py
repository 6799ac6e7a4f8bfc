"""Models of other conventions, of unusual inputs, and hostile ones, in the import dialog."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from fusion_mapper.models.library import list_models
from fusion_mapper.toolbox.engine.environment import find_engine
from importing import PATIENCE, button, choose, note, part, read, settle, write, write_cell
from qgis.PyQt.QtWidgets import QComboBox, QLabel, QPushButton, QSpinBox, QTableWidget, QTextBrowser


@pytest.fixture(scope="module")
def models(tmp_path_factory, repository_root) -> Path:
    """A folder with a model of each kind."""
    folder = tmp_path_factory.mktemp("models")
    script = repository_root / "tests" / "ui" / "write_imports.py"
    subprocess.run([str(find_engine()), str(script), str(folder)], check=True)
    return folder


def facts(dialog) -> str:
    return part(dialog, QTextBrowser, "Facts").toPlainText()


def installed(qtbot, dialog, library):
    """Install what is complete; the card that lies in the library afterwards."""
    settle(qtbot, dialog)
    assert part(dialog, QLabel, "Status").text().startswith("The card is complete")
    with qtbot.waitSignal(dialog.installed, timeout=PATIENCE):
        button(dialog, "Install").click()
    return list_models(library)[0].card


def test_a_file_that_is_opened_while_another_is_being_read_is_the_one_that_counts(qtbot, dialog, models):
    for name in ("geoai", "mlm"):
        dialog.open_file(models / f"{name}.onnx")
    qtbot.waitUntil(lambda: not dialog.working(), timeout=PATIENCE)
    assert "A STAC MLM item beside the file." in facts(dialog)
    assert dialog.draft().card.license == "MIT"


def test_an_mlm_item_beside_the_model_is_read(qtbot, dialog, library, models):
    read(qtbot, dialog, models / "mlm.onnx")
    assert "A STAC MLM item beside the file." in facts(dialog)
    card = installed(qtbot, dialog, library)
    assert [info.name for info in card.outputs[0].classes] == ["water", "land"]
    assert (card.license, card.gsd) == ("MIT", 0.3)


def test_a_geoai_sidecar_is_read_and_its_errors_stand_beside_their_fields(qtbot, dialog, library, models):
    read(qtbot, dialog, models / "geoai.onnx")
    assert "A geoai sidecar beside the file." in facts(dialog)
    assert "4 input channels, but the graph has 3" in note(dialog, "slots[0].channels")
    assert "tiles of 512 pixels, but the graph takes only 64" in note(dialog, "tiling.size")
    assert "divides bytes by 255" in note(dialog, "slots[0].scaling")
    card = installed(qtbot, dialog, library)
    assert [info.name for info in card.outputs[0].classes] == ["ground", "house"]


def test_the_dates_of_one_input_are_slots_that_are_named_and_accepted(qtbot, dialog, library, models):
    read(qtbot, dialog, models / "dates.onnx")
    assert note(dialog, "slots[1].layout").startswith("One input takes several dates")
    write(dialog, "Date0", "spring")
    assert note(dialog, "slots[0].layout") == ""
    dialog.findChild(QPushButton, "FusionMapperImportAccept_slots[1].layout").click()
    for number in ("0", "1"):
        choose(dialog, "Scaling" + number, "reflectance")
    choose(dialog, "Task0", "semantic-segmentation")
    spring, other = installed(qtbot, dialog, library).slots
    assert (spring.date, spring.time, other.date, other.time) == ("spring", 0, None, 1)


def test_a_number_of_channels_that_the_graph_leaves_open_is_asked_for(qtbot, dialog, library, models):
    read(qtbot, dialog, models / "free.onnx")
    assert note(dialog, "slots[0].channels").startswith("The number or meaning of the channels is a guess")
    assert part(dialog, QComboBox, "Scaling0").findData("imagenet") >= 0
    part(dialog, QSpinBox, "Count0").setValue(5)
    assert note(dialog, "slots[0].channels") == ""
    assert part(dialog, QComboBox, "Scaling0").findData("imagenet") == -1
    choose(dialog, "Scaling0", "none")
    choose(dialog, "Task0", "semantic-segmentation")
    card = installed(qtbot, dialog, library)
    assert [channel.name for channel in card.slots[0].channels] == ["band 1", "band 2", "band 3", "band 4", "band 5"]


@pytest.fixture
def stacked(tmp_path, repository_root) -> Path:
    """A bare graph of five channels in one input: three of imagery, one of roads, one of elevation."""
    script = repository_root / "tests" / "toolbox" / "write_models.py"
    subprocess.run([str(find_engine()), str(script), str(tmp_path)], check=True)
    path = tmp_path / "tiny-landcover.onnx"
    path.with_suffix(".json").unlink()
    return path


def select_rows(dialog, name: str, rows: list[int]) -> None:
    table = part(dialog, QTableWidget, name)
    table.clearSelection()
    for row in rows:
        table.selectRow(row)


def test_channels_of_one_input_become_slots_of_their_own(qtbot, dialog, library, stacked):
    read(qtbot, dialog, stacked)
    select_rows(dialog, "Channels0", [3])
    button(dialog, "Split0").click()
    slots = dialog.draft().card.slots
    assert [(slot.name, slot.offset, len(slot.channels)) for slot in slots] == [
        ("input", 0, 3),
        ("input_2", 3, 1),
        ("input_3", 4, 1),
    ]
    for field in ("slots[1].role", "slots[2].role"):
        qtbot.waitUntil(lambda field=field: note(dialog, field) == "Choose what kind of layer goes in here.")
    choose(dialog, "Role1", "osm")
    write(dialog, "SlotName1", "roads")
    write_cell(dialog, "Channels1", 0, 1, "highway=primary|residential")
    choose(dialog, "Role2", "dem")
    dialog.findChild(QPushButton, "FusionMapperImportAccept_slots[2].channels").click()
    choose(dialog, "Missing1", "fill")
    choose(dialog, "Scaling0", "bytes")
    choose(dialog, "Scaling2", "none")
    choose(dialog, "Task0", "semantic-segmentation")
    imagery, roads, terrain = installed(qtbot, dialog, library).slots
    assert (imagery.role, roads.role, terrain.role) == ("imagery", "osm", "dem")
    assert roads.channels[0].osm.rules[0].values == ("primary", "residential")
    assert (roads.missing, terrain.channels[0].derivative) == ("fill", "elevation")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("escaping", "which is not a file inside the model's folder; refused."),
        ("foreign", "uses the operator 'Detonate' of the domain 'evil.ops'"),
        ("heavy", "heavy.onnx is larger than 2 GiB, which no ONNX file can be"),
    ],
)
def test_a_hostile_file_gets_a_sentence(qtbot, dialog, models, name, sentence):
    dialog.open_file(models / f"{name}.onnx")
    qtbot.waitUntil(lambda: sentence in facts(dialog), timeout=PATIENCE)
    assert dialog.draft() is None
    assert not button(dialog, "Install").isEnabled()
