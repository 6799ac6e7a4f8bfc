"""The signs that stand for verdicts: told apart by shape as well as by colour, in light and in dark palettes."""

from __future__ import annotations

from qgis.PyQt.QtWidgets import QLabel

from .preflight import Level

#: Sign, and its colour on light and on dark ground.
_SIGNS = {
    Level.FITS: ("●", "#2e8b57", "#5fc98f"),
    Level.NOTE: ("◐", "#a8690a", "#e8b04b"),
    Level.CANNOT: ("○", "#c0392b", "#ff8a7a"),
}


def show_sign(label: QLabel, level: Level) -> None:
    """Show the level's sign in the label, in the colour that can be seen in its palette."""
    sign, light, dark = _SIGNS[level]
    palette = label.parentWidget().palette()
    is_dark = palette.window().color().lightness() < palette.windowText().color().lightness()
    label.setText(sign)
    label.setStyleSheet("color: " + (dark if is_dark else light))
