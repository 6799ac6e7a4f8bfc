"""QGIS's command line with the plugin enabled, in a profile of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Callable

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def qgis_command(root: Path, home: Path) -> Command:
    """A function that calls ``qgis_process`` with words; raises FileNotFoundError where QGIS has none."""
    program = shutil.which("qgis_process.bin") or shutil.which("qgis_process")
    if program is None:
        raise FileNotFoundError("qgis_process is not installed")
    plugins = home / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "fusion_mapper").symlink_to(root)
    environment = {
        **os.environ,
        "QT_QPA_PLATFORM": "offscreen",
        "QGIS_PLUGINPATH": str(plugins),
        "QGIS_CUSTOM_CONFIG_PATH": str(home),
        "XDG_DATA_HOME": str(home),
    }

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program, *words], env=environment, capture_output=True, text=True, check=False)

    enabled = run("plugins", "enable", "fusion_mapper")
    if enabled.returncode != 0:
        raise RuntimeError(enabled.stdout + enabled.stderr)
    return run
