"""Where the help lies: one page that comes with the plugin, so that it is there without a network."""

from __future__ import annotations

from qgis.PyQt.QtCore import QUrl

from .engine.environment import PLUGIN_ROOT

PAGE = PLUGIN_ROOT / "resources" / "help" / "index.html"


def help_url(section: str = "") -> str:
    """The page's address, at one of its sections."""
    url = QUrl.fromLocalFile(str(PAGE))
    url.setFragment(section)
    return url.toString()
