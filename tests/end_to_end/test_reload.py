"""Twenty rounds of reloading the plugin in a real QGIS leave nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def seen(repository_root, shared_data, tmp_path_factory) -> dict:
    """What was there before, in and after the rounds."""
    folder = tmp_path_factory.mktemp("qgis")
    report = folder / "rounds.json"
    script = repository_root / "scripts" / "run_qgis.sh"
    options = ["--xvfb", "1280x720", "--profiles", folder / "profiles", "--off", "--limit", "150"]
    environment = {
        **os.environ,
        "FUSION_MAPPER_ROUNDS": str(report),
        "FUSION_MAPPER_ROUNDS_LAYERS": str(shared_data / "swellendam"),
        "XDG_DATA_HOME": str(folder / "home"),
    }
    code = Path(__file__).with_name("reload_rounds.py")
    done = subprocess.run(
        [script, *options, "--code", code], env=environment, capture_output=True, text=True, check=False
    )
    assert report.exists(), done.stderr
    told = json.loads(report.read_text())
    assert "error" not in told, told["error"]
    return {**told, "printed": done.stdout + done.stderr}


@pytest.mark.parametrize(
    "kind", ["docks", "actions", "objects", "providers", "canvas_items", "threads", "engines", "tasks"]
)
def test_nothing_is_left_of(kind, seen):
    assert seen["after"][kind] == seen["before"][kind]


@pytest.mark.parametrize("kind", ["docks", "actions", "objects", "providers", "canvas_items"])
def test_nothing_piles_up_of(kind, seen):
    assert seen["loaded_after"][kind] == seen["loaded"][kind]


def test_no_widget_or_task_of_its_own_lives_on(seen):
    assert seen["after"]["ours_alive"] == {}


def test_its_page_is_gone_from_the_options(seen):
    assert seen["pages_after"] == seen["pages_before"]


def test_no_warning_was_given(seen):
    assert seen["said"] == []
    assert "Traceback" not in seen["printed"]
