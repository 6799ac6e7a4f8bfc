"""A model of another plugin is dropped on QGIS, completed, tried, installed and run, by real clicks."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from qgis_desk import Qgis

#: Has Deepness's metadata, which tell everything but the GSD.
MODEL = "one_output_sigmoid_bsx1x512x512"
TITLE = "Coffee plants"
#: Has no metadata at all.
BARE = "one_output_sigmoid_red_detector"
IMAGE = "dummy_fotomap_small.tif"


@dataclass
class Seen:
    """What was seen on the way."""

    before: str = ""
    after: str = ""
    facts: str = ""
    nameless: dict = field(default_factory=dict)
    tried: str = ""
    chosen: str = ""
    finished: dict = field(default_factory=dict)
    groups: dict = field(default_factory=dict)


@pytest.fixture(scope="module")
def seen(qgis, home, shared_data) -> Seen:
    """One visit, from the drop to the map."""
    found = Seen()
    model, bare, image = own_copies(shared_data / "onnx_deepness", home / "dropped")
    found.before = digest(model)
    qgis.ask("load", layers=[[str(image), "fotomap", "gdal"]])
    qgis.wait_for("drawn")
    qgis.open_dock()
    qgis.drop_file(bare, "theMapCanvas", opens="FusionMapperImportDialog")
    complete_and_try(qgis, found)
    qgis.drop_file(model, "theMapCanvas", opens="FusionMapperImportDialog")
    name_try_and_install(qgis, found)
    run(qgis, found)
    found.after = digest(model)
    return found


def own_copies(folder: Path, to: Path) -> list[Path]:
    """QGIS writes statistics beside an image that it has drawn."""
    to.mkdir(parents=True)
    return [Path(shutil.copy(folder / name, to)) for name in (f"{MODEL}.onnx", f"{BARE}.onnx", IMAGE)]


def digest(path: Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def complete_and_try(qgis: Qgis, found: Seen) -> None:
    """Go from one open field to the next and choose; see the result beside the imagery, and leave it at that."""
    qgis.until("FusionMapperImportStatus", shown=True, text="2 fields are still open")
    found.facts = qgis.ask("page", name="FusionMapperImportFacts")["text"]
    found.nameless = qgis.ask("nameless", name="FusionMapperImportDialog")
    qgis.picture("10-import-bare")
    qgis.click("FusionMapperImportNext")
    qgis.choose("FusionMapperImportScaling0", "Bytes: 0 to 255 become 0 to 1")
    qgis.click("FusionMapperImportNext")
    qgis.choose("FusionMapperImportTask0", "Classes: one for every pixel")
    try_it(qgis)
    qgis.picture("11-tried-bare")
    qgis.close_dialog("FusionMapperImportDialog")


def name_try_and_install(qgis: Qgis, found: Seen) -> None:
    """Give it a title, take the imagery's pixels for its GSD, try it, and install it."""
    qgis.until("FusionMapperImportStatus", shown=True, text="The card is complete")
    found.facts = qgis.ask("page", name="FusionMapperImportFacts")["text"]
    qgis.click("FusionMapperImportTitle")
    qgis.press("ctrl+a")
    qgis.write(TITLE)
    qgis.click("FusionMapperImportAccept_gsd")
    try_it(qgis)
    found.tried = qgis.ask("state", name="FusionMapperImportLegend")["text"]
    qgis.picture("12-tried-deepness")
    qgis.until("FusionMapperImportInstall", enabled=True)
    qgis.click("FusionMapperImportInstall")
    qgis.until("FusionMapperImportDialog", shown=False)


def try_it(qgis: Qgis) -> None:
    qgis.until("FusionMapperImportTry", enabled=True)
    qgis.click("FusionMapperImportTry")
    qgis.until("FusionMapperImportLegend", shown=True)
    qgis.until("FusionMapperImportTry", text="Try It", enabled=True)


def run(qgis: Qgis, found: Seen) -> None:
    """Map the whole image with the model that was just installed."""
    found.chosen = qgis.ask("state", name="FusionMapperModel")["text"]
    qgis.click("FusionMapperAreaWhole")
    qgis.until("FusionMapperRunButton", enabled=True)
    qgis.click("FusionMapperRunButton")
    found.finished = qgis.wait_for_end(1)
    qgis.wait_for("drawn")
    qgis.picture("13-imported-model")
    found.groups = qgis.ask("tree")["groups"]


def test_the_convention_and_the_graph_are_told(seen):
    assert "Deepness's metadata inside the file" in seen.facts
    assert "input: batch_size×3×512×512" in seen.facts
    assert "output: batch_size×1×512×512" in seen.facts


def test_every_icon_and_field_of_the_dialog_is_named(seen):
    assert {kind: names for kind, names in seen.nameless.items() if kind in ("icons", "fields") and names} == {}


def test_the_trial_shows_the_classes(seen):
    assert "Coffee" in seen.tried


def test_the_installed_model_is_chosen_in_the_dock(seen):
    assert seen.chosen == TITLE


def test_the_installed_model_makes_a_map(seen):
    assert seen.finished["state"] == "finished"
    (layers,) = seen.groups.values()
    (raster,) = [layer for layer in layers if layer["name"] == "Map"]
    assert set(raster["values"]) <= {0, 1, 255}


def test_the_user_s_file_is_as_it_was(seen):
    assert seen.after == seen.before
