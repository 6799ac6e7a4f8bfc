"""What is chosen for one slot."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from qgis.core import QgsMapLayer, QgsRasterLayer, QgsVectorLayer

from ...toolbox.layers.radiometry import STORED, Radiometry


@dataclass(frozen=True)
class Chosen:
    """Layers, the bands taken from them, and how their numbers are read."""

    rasters: tuple[QgsRasterLayer, ...] = ()
    vectors: tuple[QgsVectorLayer, ...] = ()
    bands: tuple[tuple[QgsRasterLayer, int], ...] = ()
    """For each channel a raster and its 1-based band; empty where the toolbox's matching is to find them."""
    radiometry: Radiometry = STORED

    @property
    def layers(self) -> tuple[QgsMapLayer, ...]:
        return (*self.rasters, *self.vectors)

    @property
    def read_otherwise(self) -> bool:
        """Whether the rasters' numbers are not taken as stored."""
        return bool(self.rasters) and self.radiometry != STORED

    def pieces(self) -> list[tuple[QgsRasterLayer, tuple[int, ...]]]:
        """The rasters with the bands taken from them, in the order of the channels; no bands: to be found."""
        if not self.bands:
            return [(raster, ()) for raster in self.rasters]
        runs = [list(run) for _, run in groupby(self.bands, key=lambda entry: entry[0].id())]
        return [(run[0][0], tuple(band for _, band in run)) for run in runs]

    def slot_lines(self, slot: str) -> list[str]:
        """Lines of the SLOTS parameter that bind the rasters to the slot."""
        lines = [(f"{slot}={raster.id()}", ",".join(map(str, bands))) for raster, bands in self.pieces()]
        return [f"{line}:{bands}" if bands else line for line, bands in lines]

    def radiometry_lines(self, slot: str) -> list[str]:
        """Lines of the RADIOMETRY parameter; none where the numbers are taken as stored."""
        return [f"{slot}={self.radiometry.name}"] if self.read_otherwise else []
