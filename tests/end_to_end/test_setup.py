"""From a QGIS without an engine to the first preview, by clicks: the true packages from the package index, and a QGIS
that is killed in the middle.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from qgis_desk import PICTURES, Look, Qgis, open_qgis

#: Seconds that an installation may take on a slow machine with a slow network.
LONG = 900
#: What makes the plugin, without the environments of a checkout.
SHIPPED = ("__init__.py", "plugin.py", "metadata.txt", "ui", "toolbox", "inference", "models", "resources", "scripts")
LISTING = "print(sorted(f'{one.name} {one.version}' for one in importlib.metadata.distributions()))"


@dataclass
class Seen:
    """What was found on the way."""

    notice: str = ""
    choice: dict = field(default_factory=dict)
    interrupted: str = ""
    verdict: str = ""
    engine: str = ""
    preview: str = ""
    packages: tuple = ("", "")
    seconds: dict = field(default_factory=dict)


@pytest.fixture(scope="module")
def bare(home, repository_root) -> Path:
    """The plugin as a user has it."""
    root = home / "plugin"
    root.mkdir(parents=True)
    for name in SHIPPED:
        source = repository_root / name
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, root / name, ignore=ignore) if source.is_dir() else shutil.copy(source, root / name)
    return root


@pytest.fixture(scope="module")
def seen(home, bare) -> Seen:
    """Two visits: one that is killed while packages are fetched, and one that goes on."""
    without = {name: os.environ.pop(name) for name in ("FUSION_MAPPER_ENGINE",) if name in os.environ}
    try:
        found, look = Seen(), Look("setup", root=bare)
        before = qgis_packages()
        with open_qgis(home, look) as qgis:
            begin(qgis, found)
        with open_qgis(home, look) as qgis:
            go_on(qgis, found)
            map_something(qgis, found)
        found.packages = (before, qgis_packages())
        times = ", ".join(f"{name} {value:.0f} s" for name, value in found.seconds.items())
        (PICTURES / "setup-times.txt").write_text(times + "\n")
        return found
    finally:
        os.environ.update(without)


def qgis_packages() -> str:
    """The packages of QGIS's Python, which can also import what another NumPy would break."""
    code = f"import importlib.metadata, osgeo.gdal_array, scipy; {LISTING}"
    return subprocess.run(["/usr/bin/python3", "-c", code], check=True, capture_output=True, text=True).stdout


def begin(qgis: Qgis, found: Seen) -> None:
    """Open the dock, look at the offer, press, and be killed in the middle."""
    qgis.click("FusionMapperToggleDock")
    qgis.until("FusionMapperSetupButton", shown=True, text="Set Up Engine")
    qgis.until("FusionMapperEngine", text="Engine not ready")
    found.notice = qgis.ask("state", name="FusionMapperSetupText")["text"]
    qgis.picture("1-notice")
    qgis.click("FusionMapperSetupButton")
    qgis.until("FusionMapperSetupInstall", enabled=True)
    found.choice = {
        name: qgis.ask("state", name=f"FusionMapperSetup{name}")["text"]
        for name in ("Device", "Reason", "Cost", "Folder", "FoundPython")
    }
    found.choice["cut off"] = qgis.ask("cut_off", name="FusionMapperSetup")["names"]
    qgis.picture("2-choice")
    qgis.click("FusionMapperSetupInstall")
    qgis.until("FusionMapperSetupVerdict", LONG, text="Fetching openvino")
    qgis.picture("3-fetching")
    os.kill(qgis.pid, signal.SIGKILL)
    qgis.process.wait(30)


def go_on(qgis: Qgis, found: Seen) -> None:
    """Find the interrupted one, and finish it."""
    if not qgis.ask("state", name="FusionMapperDock")["shown"]:
        qgis.click("FusionMapperToggleDock")
    qgis.until("FusionMapperSetupButton", shown=True, text="Go On")
    found.interrupted = qgis.ask("state", name="FusionMapperSetupText")["text"]
    qgis.picture("4-interrupted")
    qgis.click("FusionMapperSetupButton")
    qgis.until("FusionMapperSetupInstall", enabled=True)
    begun = time.monotonic()
    qgis.click("FusionMapperSetupInstall")
    qgis.until("FusionMapperSetupVerdict", LONG, text="Unpacking")
    qgis.picture("5-unpacking")
    qgis.until("FusionMapperSetupVerdict", LONG, text="The engine is set up")
    found.seconds["installation"] = time.monotonic() - begun
    found.verdict = qgis.ask("state", name="FusionMapperSetupVerdict")["text"]
    qgis.picture("6-verdict")
    qgis.click("FusionMapperSetupClose")
    found.engine = qgis.until("FusionMapperEngine", text="Engine ready")["text"]


def map_something(qgis: Qgis, found: Seen) -> None:
    """The sample scene, and its preview."""
    begun = time.monotonic()
    qgis.click("FusionMapperOpenSample")
    qgis.until("FusionMapperPreviewButton", LONG, enabled=True)
    qgis.wait_for("drawn")
    qgis.click("FusionMapperPreviewButton")
    found.preview = qgis.until("FusionMapperPreviewText", LONG, text="Preview of the visible map", shown=True)["text"]
    qgis.until("FusionMapperPreviewButton", text="Preview")
    found.seconds["scene and preview"] = time.monotonic() - begun
    qgis.picture("7-preview")


def test_the_dock_says_in_one_sentence_what_is_missing(seen):
    assert seen.notice.count(".") == 1


def test_the_window_shows_what_is_installed_and_nothing_is_cut_off(seen):
    assert "packages" in seen.choice["Cost"]
    assert seen.choice["Folder"].endswith("fusion_mapper/engine")
    assert seen.choice["Device"]
    assert "/python3" in seen.choice["FoundPython"]
    assert seen.choice["cut off"] == []


def test_after_a_kill_the_dock_offers_to_go_on(seen):
    assert "interrupted" in seen.interrupted


def test_the_verdict_comes_from_the_doctor(seen):
    assert "Models run on" in seen.verdict
    assert seen.engine.startswith("Engine ready")


def test_the_first_preview_appears(seen):
    assert seen.preview


def test_the_python_of_qgis_is_untouched(seen):
    before, after = seen.packages
    assert before == after
    assert before.startswith("[")
