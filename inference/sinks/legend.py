"""What names and colours the classes of a raster for whoever opens it."""

from __future__ import annotations

from xml.sax.saxutils import escape

from ...models.card import ClassInfo, Output

#: Colours for classes whose card names none: Paul Tol's light scheme, which colour-blind readers tell apart.
DEFAULT_COLORS = (
    "#77aadd", "#ee8866", "#eedd88", "#ffaabb", "#99ddff", "#44bb99", "#bbcc33", "#aaaa00", "#dddddd",
)  # fmt: skip
#: TIFF holds no category names, so GDAL reads them from a file beside it; longer lists are left to the style.
_MOST_CATEGORIES = 256


def class_colors(output: Output) -> dict[int, tuple[int, int, int]]:
    """Red, green and blue (0-255) by class value, in the card's order."""
    return {
        info.value: _rgb(info.color or DEFAULT_COLORS[position % len(DEFAULT_COLORS)])
        for position, info in enumerate(output.classes)
    }


def category_sidecar(classes: tuple[ClassInfo, ...]) -> str | None:
    """Text of the ``.aux.xml`` file that gives GDAL (and through it QGIS's legend) the class names.

    None where a value is too high for GDAL's list, which counts from 0 without gaps.
    """
    names = {info.value: info.name for info in classes}
    if not names or max(names) >= _MOST_CATEGORIES:
        return None
    rows = [f"      <Category>{escape(names.get(value, ''))}</Category>" for value in range(max(names) + 1)]
    head = ["<PAMDataset>", '  <PAMRasterBand band="1">', "    <CategoryNames>"]
    return "\n".join([*head, *rows, "    </CategoryNames>", "  </PAMRasterBand>", "</PAMDataset>", ""])


def _rgb(color: str) -> tuple[int, int, int]:
    digits = color.lstrip("#")
    return int(digits[0:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)
