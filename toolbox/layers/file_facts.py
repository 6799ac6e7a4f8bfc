"""What a raster's file says of itself in GDAL's metadata: wavelengths of bands, processing baselines and the like.

QGIS hands this out only as the HTML of its layer properties, which reads no pixels; from it the ``KEY=VALUE`` items are
taken. Bands stand there as rows with their number, in whatever language QGIS speaks.
"""

from __future__ import annotations

import html
import re
from typing import Optional

from qgis.core import QgsRasterLayer

Items = tuple[tuple[str, str], ...]

_ROW = re.compile(r"<tr><td class=\"highlight\">(.*?)</td><td>(.*?)</td></tr>", re.DOTALL)
_ITEM = re.compile(r"<li>([^<=]+)=([^<]*)</li>")
_BAND = re.compile(r"\D*(\d+)\D*")
#: Band items that name the centre wavelength (ENVI, Sentinel-2 and others; GDAL's own since 3.10).
_WAVELENGTH = ("wavelength", "central_wavelength_um", "center_wavelength", "centre_wavelength")
_IN_NAME = re.compile(
    r"(\d+(?:\.\d+)?)\s*(nm|nanomet(?:er|re)s?|µm|μm|um|micromet(?:er|re)s?|microns?)\b", re.IGNORECASE
)
#: No sensor's wavelength in micrometres is more than this; what is given without a unit is then in nanometres.
_MOST_MICROMETRES = 100.0


def file_items(layer: QgsRasterLayer) -> tuple[Items, dict[int, Items]]:
    """GDAL's metadata of a file's layer, and that of its bands by their 1-based number; nothing for other layers."""
    if layer.providerType() != "gdal":
        return (), {}
    whole: Items = ()
    bands: dict[int, Items] = {}
    for title, cell in _ROW.findall(layer.dataProvider().htmlMetadata()):
        items = tuple((html.unescape(key), html.unescape(value)) for key, value in _ITEM.findall(cell))
        number = _BAND.fullmatch(title)
        if number:
            bands[int(number[1])] = items
        else:
            whole += items
    return whole, bands


def wavelength(items: Items, name: str) -> Optional[float]:
    """Centre wavelength in micrometres, from a band's metadata or else from its name; None where neither tells."""
    said = {key.strip().lower(): value.strip() for key, value in items}
    unit = said.get("wavelength_unit") or said.get("wavelength_units") or ""
    for key in _WAVELENGTH:
        number = re.match(r"[-+]?\d+(?:\.\d+)?", said.get(key, ""))
        if number:
            return _micrometres(float(number[0]), unit or said[key][number.end() :])
    named = _IN_NAME.search(name)
    return _micrometres(float(named[1]), named[2]) if named else None


def _micrometres(value: float, unit: str) -> Optional[float]:
    nanometres = unit.strip().lower().startswith("n") or (not unit.strip() and value > _MOST_MICROMETRES)
    value = value / 1000 if nanometres else value
    return value if 0 < value <= _MOST_MICROMETRES else None
