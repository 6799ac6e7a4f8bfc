"""Choosing what is mapped and how finely: what is visible, all of the imagery, a drawn rectangle or polygons."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any, Optional

from qgis.core import QgsMapLayer, QgsReferencedRectangle
from qgis.gui import QgsDoubleSpinBox, QgsMapCanvas
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import (
    QButtonGroup,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QRadioButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ..shared.ground import in_crs_of, pixel_size
from ..shared.wording import tr
from .drawing import DrawnArea
from .estimate import Estimate, model_resolution
from .polygons import PolygonChoice


class AreaKind(Enum):
    """How the area is chosen."""

    VISIBLE = "Visible"
    WHOLE = "Whole"
    DRAWN = "Drawn"
    POLYGONS = "Polygons"


class AreaPicker(QWidget):
    """The area to map, within the layer that gives the run its grid, and the size of a pixel."""

    area_changed = pyqtSignal()

    def __init__(self, canvas: QgsMapCanvas, parent: Optional[QWidget] = None) -> None:
        super().__init__(parent)
        self._canvas = canvas
        self._layer: Optional[QgsMapLayer] = None
        self._buttons = {kind: QRadioButton(title, self) for kind, title in _titles().items()}
        self._group = QButtonGroup(self)
        self._draw = QPushButton(tr("&Draw…"), self)
        self._drawn = DrawnArea(canvas, self)
        self._polygons = PolygonChoice(self)
        self._resolution = QgsDoubleSpinBox(self)
        self._estimate = Estimate(self)
        self._prepare()
        self._lay_out()
        self._listen()
        self._on_kind_changed()

    def focus_chain(self) -> list[QWidget]:
        """What the Tab key goes through, in order."""
        visible, whole, drawn, polygons = self._buttons.values()
        return [visible, whole, drawn, self._draw, polygons, *self._polygons.focus_chain(), self._resolution]

    def kind(self) -> AreaKind:
        """How the area is chosen."""
        return next(kind for kind, button in self._buttons.items() if button.isChecked())

    def set_layer(self, layer: Optional[QgsMapLayer]) -> None:
        """The layer that gives the grid; nothing outside it is mapped."""
        self._layer = layer

    def extent(self) -> Optional[QgsReferencedRectangle]:
        """What is to be mapped, in the layer's CRS; None where there is no layer, or nothing of it is chosen."""
        kind = self.kind()
        if kind is AreaKind.WHOLE:
            return self._whole()
        if kind is AreaKind.VISIBLE:
            return self.visible()
        return self._within(self._drawn.rectangle if kind is AreaKind.DRAWN else self._polygons.extent())

    def visible(self) -> Optional[QgsReferencedRectangle]:
        """What the map window shows of the layer, in the layer's CRS, whatever is chosen; None where it shows none."""
        return self._within(QgsReferencedRectangle(self._canvas.extent(), self._canvas.mapSettings().destinationCrs()))

    def problem(self) -> str:
        """Why there is nothing to map, in one sentence; empty where there is something."""
        kind = self.kind()
        if kind is AreaKind.DRAWN and self._drawn.rectangle is None:
            return tr("Draw the area on the map.")
        if kind is AreaKind.POLYGONS and self._polygons.problem():
            return self._polygons.problem()
        if self.extent() is not None:
            return ""
        if kind is AreaKind.DRAWN:
            return tr("The drawn area lies outside the imagery; draw another.")
        if kind is AreaKind.POLYGONS:
            return tr("The polygons lie outside the imagery; choose others.")
        return self.nothing_visible()

    def nothing_visible(self) -> str:
        """What to do where the map window shows nothing of the layer."""
        return tr("The map window shows nothing of the imagery; move the map or choose the whole imagery.")

    def resolution(self) -> Optional[float]:
        """Size of a pixel in ground metres; None for the model's own."""
        return self._resolution.value() or None

    def gsd(self, model_gsd: Optional[float]) -> Optional[float]:
        """Ground metres of a pixel of the map: as chosen, else the model's, else the layer's; None for none known."""
        return self.resolution() or model_gsd or (pixel_size(self._layer) if self._layer is not None else None)

    def parameters(self) -> dict[str, object]:
        """The choice as parameters of the Processing algorithm."""
        kind = self.kind()
        return {
            "EXTENT": self.extent() if kind in (AreaKind.VISIBLE, AreaKind.DRAWN) else None,
            "AREA": self._polygons.parameter() if kind is AreaKind.POLYGONS else None,
            "RESOLUTION": self.resolution(),
        }

    def show_estimate(self, model_gsd: Optional[float]) -> None:
        """Say how large the map will be; `model_gsd` in ground metres, None takes the layer's own."""
        own = model_resolution(model_gsd, pixel_size(self._layer) if self._layer is not None else None)
        self._resolution.setSpecialValueText(own)
        self._estimate.show_area(self.extent(), self.gsd(model_gsd))

    def show_report(self, report: Optional[dict[str, Any]]) -> None:
        """Say what the engine's check found: the exact size, tiles, time and disk; None takes it back."""
        self._estimate.show_report(report)

    def set_place(self, place: Path) -> None:
        """Where the results will go; the estimate says where its disk is too small."""
        self._estimate.set_place(place)

    def close_down(self) -> None:
        """Take everything off the canvas, and listen no more."""
        self._canvas.extentsChanged.disconnect(self._on_canvas_moved)
        self._drawn.close_down()
        self._polygons.close_down()
        self._estimate.close_down()

    def _whole(self) -> Optional[QgsReferencedRectangle]:
        if self._layer is None or not self._layer.isValid() or not self._layer.crs().isValid():
            return None
        return QgsReferencedRectangle(self._layer.extent(), self._layer.crs())

    def _within(self, wanted: Optional[QgsReferencedRectangle]) -> Optional[QgsReferencedRectangle]:
        """The part of the layer that lies in the rectangle; None where there is none."""
        whole = self._whole()
        if whole is None or wanted is None:
            return None
        there = in_crs_of(self._layer, wanted)
        common = None if there is None else there.intersect(whole)
        return None if common is None or common.isEmpty() else QgsReferencedRectangle(common, whole.crs())

    def _prepare(self) -> None:
        tips = _tips()
        for kind, button in self._buttons.items():
            button.setObjectName("FusionMapperArea" + kind.value)
            button.setToolTip(tips[kind])
            self._group.addButton(button)
        self._buttons[AreaKind.VISIBLE].setChecked(True)
        self._draw.setObjectName("FusionMapperAreaDraw")
        self._draw.setCheckable(True)
        self._draw.setToolTip(tr("Drag a rectangle on the map; Esc stops"))
        self._resolution.setObjectName("FusionMapperResolution")
        self._resolution.setRange(0.0, 10_000.0)
        self._resolution.setDecimals(2)
        self._resolution.setSuffix(tr(" m"))
        self._resolution.setClearValueMode(QgsDoubleSpinBox.ClearValueMode.MinimumValue)
        self._resolution.setToolTip(tr("Size of a pixel on the ground, in any CRS; models work best at their own"))
        self._resolution.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def _lay_out(self) -> None:
        drawn = QHBoxLayout()
        drawn.setSpacing(4)
        drawn.addWidget(self._buttons[AreaKind.DRAWN])
        drawn.addWidget(self._draw)
        drawn.addStretch(1)
        kinds = QGridLayout()
        kinds.setVerticalSpacing(2)
        kinds.setHorizontalSpacing(12)
        kinds.addWidget(self._buttons[AreaKind.VISIBLE], 0, 0)
        kinds.addWidget(self._buttons[AreaKind.WHOLE], 0, 1)
        kinds.addLayout(drawn, 1, 0)
        kinds.addWidget(self._buttons[AreaKind.POLYGONS], 1, 1)
        kinds.setColumnStretch(1, 1)
        fineness = QHBoxLayout()
        label = QLabel(tr("Resol&ution"), self)
        label.setBuddy(self._resolution)
        fineness.addWidget(label)
        fineness.addWidget(self._resolution, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(kinds)
        layout.addWidget(self._polygons)
        layout.addLayout(fineness)
        layout.addWidget(self._estimate)

    def _listen(self) -> None:
        self._canvas.extentsChanged.connect(self._on_canvas_moved)
        self._group.buttonToggled.connect(self._on_button_toggled)
        self._draw.clicked.connect(self._on_draw)
        self._drawn.rectangle_drawn.connect(self.area_changed)
        self._drawn.drawing_changed.connect(self._draw.setChecked)
        self._polygons.choice_changed.connect(self.area_changed)
        self._resolution.valueChanged.connect(self._on_resolution_changed)

    def _on_canvas_moved(self) -> None:
        # Preview maps what is visible, whatever is chosen here.
        self.area_changed.emit()

    def _on_button_toggled(self, _button: QWidget, checked: bool) -> None:
        if checked:
            self._on_kind_changed()
            self.area_changed.emit()

    def _on_kind_changed(self) -> None:
        self._polygons.setVisible(self.kind() is AreaKind.POLYGONS)
        self._drawn.set_shown(self.kind() is AreaKind.DRAWN)
        if self.kind() is AreaKind.POLYGONS:
            self._polygons.prefer_selection()
        if self.kind() is not AreaKind.DRAWN:
            self._drawn.stop()

    def _on_draw(self, wanted: bool) -> None:
        if wanted:
            self._buttons[AreaKind.DRAWN].setChecked(True)
            self._drawn.start()
        else:
            self._drawn.stop()

    def _on_resolution_changed(self, _value: float) -> None:
        self.area_changed.emit()


def _titles() -> dict[AreaKind, str]:
    return {
        AreaKind.VISIBLE: tr("&Visible map"),
        AreaKind.WHOLE: tr("&Whole imagery"),
        AreaKind.DRAWN: tr("D&rawn"),
        AreaKind.POLYGONS: tr("Pol&ygons"),
    }


def _tips() -> dict[AreaKind, str]:
    return {
        AreaKind.VISIBLE: tr("Maps what the map window shows of the imagery"),
        AreaKind.WHOLE: tr("Maps all of the imagery layer"),
        AreaKind.DRAWN: tr("Maps a rectangle that you draw on the map"),
        AreaKind.POLYGONS: tr("Maps what lies in the polygons of a layer"),
    }
