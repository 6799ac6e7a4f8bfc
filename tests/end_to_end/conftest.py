"""A real QGIS for each module of tests, with pictures kept in ``build/screenshots``."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from qgis_desk import open_qgis


@pytest.fixture(scope="module")
def home(repository_root, request) -> Path:
    """A new folder for a module's profile and runs."""
    folder = repository_root / "build" / "end_to_end" / request.module.__name__.rpartition(".")[2]
    shutil.rmtree(folder, ignore_errors=True)
    return folder


@pytest.fixture(scope="module")
def qgis(home):
    """A running QGIS with the plugin, in a new profile on a virtual display."""
    with open_qgis(home) as opened:
        yield opened
