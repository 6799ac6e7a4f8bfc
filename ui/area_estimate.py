"""What a map will cost: its size at once, and tiles, time and disk once the engine has looked."""

from __future__ import annotations

from typing import Any, Optional

from qgis.core import QgsReferencedRectangle
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QLabel, QWidget

from .ground import rectangle_size
from .wording import DOT, metres_text, seconds_text, tr


class Estimate(QLabel):
    """One or two lines under the area; the engine's figures replace the quick ones until the area changes."""

    def __init__(self, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._quick = ""
        self._report: Optional[dict[str, Any]] = None
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

    def _show(self) -> None:
        parts = [self._quick, *report_parts(self._report)] if self._quick else []
        self.setText(DOT.join(parts))
        self.setVisible(bool(parts))


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
        parts.append(tr("{count} tiles").format(count=f"{report['tiles']:,}"))
    if report.get("seconds") is not None:
        parts.append(tr("about {time}").format(time=seconds_text(float(report["seconds"]))))
    if report.get("disk") is not None:
        parts.append(bytes_text(float(report["disk"])))
    return parts


def pixels_text(pixels: float) -> str:
    """A number of pixels as people say it."""
    return tr("{count} Mpx").format(count=f"{pixels / 1e6:.2g}" if pixels < 1e8 else f"{pixels / 1e6:,.0f}")


def bytes_text(size: float) -> str:
    """A size on disk as people say it."""
    for unit, factor in ((tr("GB"), 1e9), (tr("MB"), 1e6)):
        if size >= factor:
            return tr("{number} {unit}").format(number=f"{size / factor:.2g}", unit=unit)
    return tr("{number} {unit}").format(number=f"{max(size / 1e3, 1):.0f}", unit=tr("kB"))


def model_resolution(model_gsd: Optional[float], layer_gsd: Optional[float]) -> str:
    """What the special value of the resolution stands for."""
    if model_gsd is not None:
        return tr("Model's own ({size})").format(size=metres_text(model_gsd))
    if layer_gsd is not None:
        return tr("Imagery's own ({size})").format(size=metres_text(layer_gsd))
    return tr("The imagery's own")
