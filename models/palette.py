"""Colours for classes whose card gives none, and ramps for values.

Standard library only, Python 3.9: the QGIS process may read it.
"""

from __future__ import annotations

import colorsys
import re

from .card import ClassInfo

#: Okabe and Ito's colours, which people with any common colour-vision deficiency tell apart; black is left out because
#: the first classes are often large areas.
_OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
#: Common land-cover names get the colour that a map reader expects. The first word that a class name contains counts.
_EXPECTED = (
    ("background", "#D9D9D9"),
    ("boundary", "#332288"),
    ("water", "#1F78B4"),
    ("river", "#1F78B4"),
    ("tree", "#117733"),
    ("forest", "#117733"),
    ("wood", "#117733"),
    ("grass", "#A6D96A"),
    ("vegetation", "#A6D96A"),
    ("field", "#DDCC77"),
    ("crop", "#DDCC77"),
    ("building", "#AA4499"),
    ("road", "#555555"),
    ("impervious", "#882255"),
    ("barren", "#C9A66B"),
    ("soil", "#C9A66B"),
)
#: Points of ramps at equal distances: matplotlib's perceptually uniform ones (CC0), and grey. Others than these are
#: drawn in viridis where no library of ramps is at hand.
_RAMPS = {
    "viridis": ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"),
    "plasma": ("#0d0887", "#7e03a8", "#cc4778", "#f89540", "#f0f921"),
    "inferno": ("#000004", "#57106e", "#bc3754", "#f98e09", "#fcffa4"),
    "magma": ("#000004", "#51127c", "#b73779", "#fc8961", "#fcfdbf"),
    "cividis": ("#00224e", "#434e6c", "#7d7c78", "#bcae6c", "#fee838"),
    "gray": ("#000000", "#ffffff"),
}
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")
_GOLDEN_TURN = 0.618033988749895


def class_color(info: ClassInfo, index: int) -> str:
    """The colour ``#rrggbb`` of a class: its own, else the one its name suggests, else one from a palette by `index`.

    The palette is Okabe and Ito's (Color Universal Design, 2008); past its end, hues are spread by the golden ratio
    with alternating lightness.
    """
    if _COLOR.fullmatch(info.color):
        return info.color.lower()
    words = info.name.lower()
    for word, color in _EXPECTED:
        if word in words:
            return color.lower()
    if index < len(_OKABE_ITO):
        return _OKABE_ITO[index].lower()
    red, green, blue = colorsys.hls_to_rgb(index * _GOLDEN_TURN % 1.0, (0.35, 0.65)[index % 2], 0.6)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


def ramp_colors(name: str, steps: int) -> list[tuple[int, int, int]]:
    """Red, green and blue (0-255) at `steps` (two or more) equal distances along the ramp of that name."""
    points = [bytes.fromhex(color[1:]) for color in _RAMPS.get(name.lower(), _RAMPS["viridis"])]
    return [_between(points, step / (steps - 1) * (len(points) - 1)) for step in range(steps)]


def _between(points: list[bytes], place: float) -> tuple[int, int, int]:
    first = min(int(place), len(points) - 2)
    share = place - first
    low, high = points[first], points[first + 1]
    red, green, blue = (round(low[band] + (high[band] - low[band]) * share) for band in range(3))
    return red, green, blue
