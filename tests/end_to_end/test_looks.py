"""The plugin's places as they look: small and large screens, a light and a dark theme. Pictures stay of each.

What a picture shows is for eyes to judge; that nothing is cut off is measured.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from qgis_desk import Look, Qgis, open_qgis
from swellendam import CLIP, four_layers

LOOKS = [Look("light"), Look("large", 1920, 1080), Look("dark", theme="Night Mapping")]


@pytest.fixture(scope="module", params=LOOKS, ids=[look.name for look in LOOKS])
def cut_off(request, home, shared_data) -> dict:
    """What is cut off in each place, on a tour with one look."""
    found = {}
    with open_qgis(home / request.param.name, request.param) as qgis:
        empty_project(qgis, found)
        dock_and_preview(qgis, found, shared_data)
        run(qgis, found)
        dialogs(qgis, found)
    return found


def note(qgis: Qgis, found: dict, place: str, root: str, picture: str) -> None:
    """Take a picture and write down what is cut off."""
    qgis.picture(picture)
    found[place] = qgis.ask("cut_off", name=root)["names"]


def empty_project(qgis: Qgis, found: dict) -> None:
    qgis.open_dock()
    qgis.until("FusionMapperOpenSample", shown=True)
    note(qgis, found, "empty project", "FusionMapperDock", "look-1-empty")


def dock_and_preview(qgis: Qgis, found: dict, shared_data: Path) -> None:
    qgis.load(four_layers(shared_data), CLIP)
    qgis.until("FusionMapperRunButton", enabled=True)
    note(qgis, found, "dock", "FusionMapperDock", "look-2-dock")
    qgis.click("FusionMapperPreviewButton")
    qgis.until("FusionMapperPreviewText", text="Preview of the visible map", shown=True)
    qgis.until("FusionMapperPreviewButton", text="Preview")
    note(qgis, found, "preview", "FusionMapperDock", "look-3-preview")


def run(qgis: Qgis, found: dict) -> None:
    """Two runs: one to see its blocks appear, one to see its results."""
    qgis.ask("reveal", name="FusionMapperAreaWhole")
    qgis.click("FusionMapperAreaWhole")
    qgis.ask("look_at", name="3420B_2010_328_RGB")
    qgis.until("FusionMapperRunButton", enabled=True)
    qgis.click("FusionMapperRunButton")
    qgis.wait_for("run", number=1, state="running", stage_begins="Mapping", percent_above=25)
    note(qgis, found, "running", "FusionMapperDock", "look-4-running")
    qgis.click("FusionMapperRunCancel_1")
    qgis.wait_for_end(1)
    qgis.ask("look", extent=CLIP, crs="EPSG:4326")
    qgis.ask("reveal", name="FusionMapperAreaVisible")
    qgis.click("FusionMapperAreaVisible")
    qgis.until("FusionMapperRunButton", enabled=True)
    qgis.forget_events()
    qgis.click("FusionMapperRunButton")
    qgis.wait_for_end(2)
    qgis.wait_for("drawn")
    note(qgis, found, "finished", "FusionMapperDock", "look-5-finished")
    qgis.click("FusionMapperBannerSummary")
    qgis.until("FusionMapperSummaryTable", shown=True)
    note(qgis, found, "summary", "FusionMapperSummary", "look-6-summary")


def dialogs(qgis: Qgis, found: dict) -> None:
    qgis.close_dialog("FusionMapperSummary")
    qgis.ask("reveal", name="FusionMapperModelInfo")
    qgis.click("FusionMapperModelInfo")
    qgis.until("FusionMapperCardView", shown=True)
    note(qgis, found, "card", "FusionMapperCardView", "look-7-card")
    qgis.close_dialog("FusionMapperCardView")
    qgis.click("FusionMapperModelImport")
    qgis.until("FusionMapperImportDialog", shown=True)
    note(qgis, found, "import", "FusionMapperImportDialog", "look-8-import")
    qgis.close_dialog("FusionMapperImportDialog")
    qgis.click("FusionMapperOpenOptions")
    qgis.until("FusionMapperEngineTest", shown=True)
    note(qgis, found, "options", "FusionMapperOptions", "look-9-options")


def test_nothing_is_cut_off(cut_off):
    assert {place: names for place, names in cut_off.items() if names} == {}
