"""The engine's version, which is the plugin's."""

from __future__ import annotations

import configparser
from pathlib import Path


def _read() -> str:
    metadata = configparser.ConfigParser()
    metadata.read(Path(__file__).resolve().parents[1] / "metadata.txt", encoding="utf-8")
    return metadata.get("general", "version", fallback="0")


ENGINE_VERSION = _read()
