"""What names and colours the classes of a raster for whoever opens it."""

from __future__ import annotations

from html import escape

from ...models.card import ClassInfo, Output
from ...models.palette import class_color

#: TIFF holds no category names, so GDAL reads them from a file beside it; longer lists are left to the style.
_MOST_CATEGORIES = 256


def class_colors(output: Output) -> dict[int, tuple[int, int, int]]:
    """Red, green and blue (0-255) by class value, in the card's order."""
    return {info.value: _rgb(class_color(info, position)) for position, info in enumerate(output.classes)}


def category_sidecar(classes: tuple[ClassInfo, ...]) -> str | None:
    """Text of the ``.aux.xml`` file that gives GDAL (and through it QGIS's legend) the class names.

    None where a value is too high for GDAL's list, which counts from 0 without gaps.
    """
    names = {info.value: "".join(letter for letter in info.name if letter.isprintable()) for info in classes}
    if not names or max(names) >= _MOST_CATEGORIES:
        return None
    rows = [f"      <Category>{escape(names.get(value, ''))}</Category>" for value in range(max(names) + 1)]
    head = ["<PAMDataset>", '  <PAMRasterBand band="1">', "    <CategoryNames>"]
    return "\n".join([*head, *rows, "    </CategoryNames>", "  </PAMRasterBand>", "</PAMDataset>", ""])


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
