"""What every test shares, in both environments: the package's name and the real layers."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# What a test sets and keeps must reach neither the user's own QGIS nor other tests that run at the same time.
_HOME = tempfile.TemporaryDirectory(prefix="fusion-mapper-home-")
_FOLDERS = {"XDG_CONFIG_HOME": "config", "XDG_DATA_HOME": "data", "FUSION_MAPPER_CACHE": "cache"}
os.environ.update({variable: f"{_HOME.name}/{folder}" for variable, folder in _FOLDERS.items()})


def _move_profile() -> None:
    """Give this process a QGIS profile of its own; pytest-qgis keeps one in the checkout for all."""
    if "pytest_qgis" not in sys.modules:
        return
    from qgis.core import QgsApplication
    from qgis.PyQt.QtCore import QSettings

    profile = f"{_HOME.name}/profile/"
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, profile)
    QgsApplication.qgisSettingsDirPath = staticmethod(lambda: profile)
    # QGIS would leave a file of statistics beside each real layer that it draws.
    os.environ["GDAL_PAM_ENABLED"] = "NO"


_move_profile()


def _register_package() -> None:
    """Make the checkout importable as ``fusion_mapper``, whatever its folder is called."""
    if "fusion_mapper" in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(
        "fusion_mapper", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules["fusion_mapper"] = package
    spec.loader.exec_module(package)


_register_package()


@pytest.fixture(scope="session")
def repository_root() -> Path:
    """The checkout, which is the plugin package."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real layers; absent it skips, except under CI, where it must be there."""
    folder = Path(os.environ.get("FUSION_MAPPER_DATA") or ROOT.parent / "shared" / "data")
    if folder.is_dir():
        return folder
    message = f"the real layers are not in {folder}; set FUSION_MAPPER_DATA to the folder that holds them"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
