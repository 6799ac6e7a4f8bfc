"""What a map will cost: its size at once, and tiles, time and disk once the engine has looked."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any, Optional

from qgis.core import QgsReferencedRectangle
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QLabel, QWidget

from ..shared.background import Background
from ..shared.ground import rectangle_size
from ..shared.wording import DOT, count_text, metres_text, short_number, size_text, tr, whole_seconds_text


class Estimate(QLabel):
    """A few lines under the area; the engine's figures stand below the quick ones until the area changes."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._quick = ""
        self._report: Optional[dict[str, Any]] = None
        self._place: Optional[Path] = None
        self._free: Optional[int] = None
        self._background = Background(self)
        self.setObjectName("FusionMapperAreaEstimate")
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.hide()

    def show_area(self, area: Optional[QgsReferencedRectangle], gsd: Optional[float]) -> None:
        """The size of the area at `gsd` ground metres; nothing where there is no area."""
        quick = quick_text(area, gsd) if area is not None else ""
        if quick != self._quick:
            self._quick, self._report = quick, None
        self._show()

    def show_report(self, report: Optional[dict[str, Any]]) -> None:
        """The figures of the engine's check; None takes them back."""
        self._report = report
        self._show()
        if report and report.get("disk") is not None and self._place is not None:
            self._background.ask(partial(free_space, self._place), self._on_free)

    def set_place(self, place: Path) -> None:
        """Where the results will go, which may not be there yet."""
        if place != self._place:
            self._place, self._free = place, None

    def close_down(self) -> None:
        """Look at no disk any more."""
        self._background.close_down()

    def _on_free(self, free: int) -> None:
        self._free = free
        self._show()

    def _show(self) -> None:
        lines = [self._quick, DOT.join(report_parts(self._report)), space_text(self._report, self._free)]
        self.setText("\n".join(line for line in lines if line) if self._quick else "")
        self.setVisible(bool(self._quick))


def quick_text(area: QgsReferencedRectangle, gsd: Optional[float]) -> str:
    """Width and height on the ground, the size of a pixel and how many there are."""
    width, height = rectangle_size(area, area.crs())
    size = tr("{width} × {height}").format(width=metres_text(width), height=metres_text(height))
    if gsd is None:
        return size
    at = tr("{size} at {gsd}").format(size=size, gsd=metres_text(gsd))
    return DOT.join([at, pixels_text(width * height / gsd**2)])


def report_parts(report: Optional[dict[str, Any]]) -> list[str]:
    """Tiles, time and disk of an engine's report, as far as it has them."""
    if not report:
        return []
    parts = []
    if report.get("tiles"):
        parts.append(count_text(int(report["tiles"]), tr("1 tile"), tr("{count} tiles")))
    if report.get("seconds") is not None:
        parts.append(tr("about {time}").format(time=whole_seconds_text(float(report["seconds"]))))
    if report.get("disk") is not None:
        parts.append(size_text(int(report["disk"])))
    return parts


def space_text(report: Optional[dict[str, Any]], free: Optional[int]) -> str:
    """What to do where the map will not fit on its disk; empty where it will, or nothing is known."""
    disk = report.get("disk") if report else None
    if disk is None or free is None or disk <= free:
        return ""
    text = tr("Only {free} are free where the results go; choose another folder or a smaller area.")
    return text.format(free=size_text(free))


def free_space(place: Path) -> int:
    """Free bytes on the disk on which `place` is or will be; raises OSError where there is none."""
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free


def pixels_text(pixels: float) -> str:
    """A number of pixels as people say it."""
    return tr("{count} Mpx").format(count=short_number(pixels / 1e6))


def model_resolution(model_gsd: Optional[float], layer_gsd: Optional[float]) -> str:
    """What the special value of the resolution stands for."""
    if model_gsd is not None:
        return tr("Model's own ({size})").format(size=metres_text(model_gsd))
    if layer_gsd is not None:
        return tr("Imagery's own ({size})").format(size=metres_text(layer_gsd))
    return tr("The imagery's own")
